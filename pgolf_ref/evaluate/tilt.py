"""A token-only n-gram tilt: what most often followed the last tokens in what is scored already becomes a little more likely.

p'(x) = p(x) exp(b [x = h]) / (1 + p(h) (exp(b) - 1)), with the hint h and the strength b from the prefix alone: the sum over x is 1
in closed form, and the target is not looked at. Statistics are counts over tokens that the ledger has released as scored.
"""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from pgolf_ref.evaluate.ledger import Range, ScoringLedger

NO_HINT = -1


class NgramTilt:
    """Hints from contexts of `order` - 1 tokens that came at least `least` times, most often before one token."""

    def __init__(self, strength: float, order: int, least: int) -> None:
        self._strength, self._context, self._least = strength, order - 1, least
        self._counts: dict[tuple[int, ...], Counter[int]] = {}
        self._last: list[int] = []

    def update(self, tokens: Tensor) -> None:
        """Count scored tokens, int64 (n + 1,), of which the first is the last one of the tokens before."""
        text = [*self._last[:-1], *tokens.tolist()]
        for place in range(max(self._context, len(self._last)), len(text)):
            context = tuple(text[place - self._context : place])
            self._counts.setdefault(context, Counter())[text[place]] += 1
        self._last = text[-max(self._context, 1) :]

    def hint(self, context: Sequence[int]) -> int:
        """The token that most often followed; of several, the smallest."""
        counts = self._counts.get(tuple(context))
        if counts is None or counts.total() < self._least:
            return NO_HINT
        most = max(counts.values())
        return min(token for token, count in counts.items() if count == most)

    def apply(self, logits: Tensor, ledger: ScoringLedger, ranges: Sequence[Range]) -> Tensor:
        """Logits (positions, V) of some ranges -> log-probabilities, tilted"""
        hints = [self._before(ledger, position) for first, end in ranges for position in range(first, end)]
        return tilted(torch.log_softmax(logits, dim=-1), torch.tensor(hints, device=logits.device), self._strength)

    def _before(self, ledger: ScoringLedger, position: int) -> int:
        if position < self._context:
            return NO_HINT
        return self.hint(ledger.inputs(position - self._context, position).tolist())


def tilted(log_probabilities: Tensor, hints: Tensor, strength: float) -> Tensor:
    """(n, V) and the hint of each row, int64 (n,), NO_HINT = as it is -> (n, V), normalised"""
    given = (hints != NO_HINT).unsqueeze(1)
    column = hints.clamp(min=0).unsqueeze(1)
    gain = given.to(log_probabilities.dtype) * strength
    normaliser = torch.log1p(log_probabilities.gather(1, column).exp() * (math.exp(strength) - 1))
    lifted = log_probabilities.scatter_add(1, column, gain)
    return lifted - torch.where(given, normaliser, torch.zeros_like(normaliser))
