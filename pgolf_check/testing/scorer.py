"""What a scorer is, and the reading of its losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

Scorer = Callable[[Sequence[int]], Iterable[float]]
"""From a stream to the losses (nats) of its tokens, without those that are only context."""


def losses_by_position(score: Scorer, tokens: Sequence[int], context: int) -> dict[int, float]:
    """The loss of each position from `context` on, in one run.

    Raises AssertionError unless there is one loss for each and all are numbers; ValueError for a negative context.
    """
    if context < 0:
        raise ValueError(f"a context of {context} tokens; expected 0 or more")
    losses = [float(loss) for loss in score(tuple(tokens))]
    expected = max(len(tokens) - context, 0)
    if len(losses) != expected:
        raise AssertionError(
            f"the scorer returned {len(losses)} losses for {expected} scored positions, so that tokens are left out or counted"
            f" twice: tokens={list(tokens)}, context={context}"
        )
    by_position = dict(enumerate(losses, context))
    for position, loss in by_position.items():
        if math.isnan(loss):
            raise AssertionError(f"the loss of position {position} is not a number: tokens={list(tokens)}, context={context}")
    return by_position


def replaced(tokens: Sequence[int], position: int, token: int) -> tuple[int, ...]:
    """The stream with another token at one position."""
    return (*tokens[:position], token, *tokens[position + 1 :])


def check_alphabet(tokens: Sequence[int], alphabet: int) -> None:
    """Raises ValueError unless the tokens are below `alphabet`, and that at least 2."""
    if alphabet < 2 or not all(0 <= token < alphabet for token in tokens):
        raise ValueError(f"tokens must be in range({alphabet}), and the alphabet at least 2: tokens={list(tokens)}")
