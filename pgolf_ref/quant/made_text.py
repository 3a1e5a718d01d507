"""Calibration text that is made without any data: by the model, or by chance.

Invariants: a row depends on the model, run.seed_data and its number alone, not on the rows beside it; no source takes tokens.
"""

import torch
from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.past import Pasts, continues

TEMPERATURE = 0.8  # of PR 1019
SWEEPS = 4


class RandomTokens:
    """Every token with the same probability."""

    def __init__(self, model: GPT, config: Config) -> None:
        self._vocab, self._length, self._seed = model.config.vocab_size, config.data.seq_len, config.run.seed_data

    def rows(self, first: int, count: int) -> Tensor:
        draws = torch.stack([_uniform(self._seed, row, self._length) for row in range(first, first + count)])
        return _uniform_tokens(draws, self._vocab)


class GeneratedText:
    """Autoregressive: the first token by chance, each later one from the model's distribution at a temperature of 0.8."""

    def __init__(self, model: GPT, config: Config) -> None:
        self._model, self._length, self._seed = model, config.data.seq_len, config.run.seed_data

    def rows(self, first: int, count: int) -> Tensor:
        draws = torch.stack([_uniform(self._seed, row, self._length) for row in range(first, first + count)])
        return generate(self._model, draws)


class GibbsText:
    """A random row, then sweeps in which every token is drawn anew, given those before it as the last sweep left them.

    The sources name Gibbs sampling and do not describe it; this is our reading of it for a model that looks back alone.
    """

    def __init__(self, model: GPT, config: Config) -> None:
        self._model, self._length, self._seed = model, config.data.seq_len, config.run.seed_data

    @torch.no_grad()
    def rows(self, first: int, count: int) -> Tensor:
        numbers = range(first, first + count)
        draws = torch.stack([_uniform(self._seed, row, self._length * (SWEEPS + 1)) for row in numbers]).chunk(SWEEPS + 1, dim=1)
        tokens = _uniform_tokens(draws[0], self._model.config.vocab_size)
        device = next(self._model.parameters()).device
        for draw in draws[1:]:
            logits = self._model(tokens.to(device))[:, :-1].cpu()
            tokens = torch.cat((tokens[:, :1], _drawn(logits, draw[:, 1:], 1.0)), dim=1)
        return tokens


@torch.no_grad()
def generate(model: GPT, draws: Tensor) -> Tensor:
    """float64 (B, T) in [0, 1), a draw for each token -> int64 (B, T). Keys and values are kept where the model allows it."""
    device = next(model.parameters()).device
    tokens = _uniform_tokens(draws[:, :1], model.config.vocab_size).to(device)
    pasts = Pasts(len(model.plan), draws.size(1)) if continues(model.config) else None
    for place in range(1, draws.size(1)):
        logits = model(tokens)[:, -1:] if pasts is None else _next_logits(model, tokens, pasts)
        tokens = torch.cat((tokens, _drawn(logits.cpu(), draws[:, place : place + 1], TEMPERATURE).to(device)), dim=1)
    return tokens.cpu()


def _next_logits(model: GPT, tokens: Tensor, pasts: Pasts) -> Tensor:
    """Of the last position, (B, 1, V)"""
    return model.head.logits(model.hidden(tokens, pasts=pasts)[:, -1:], tokens[:, -1:], model.embedding.table)


def _drawn(logits: Tensor, draws: Tensor, temperature: float) -> Tensor:
    """(B, S, V), a draw for each -> the tokens at which the cumulative probability passes the draws, (B, S)"""
    total = (logits.to(torch.float64) / temperature).softmax(dim=-1).cumsum(dim=-1)
    return torch.searchsorted(total, draws.unsqueeze(-1).contiguous()).squeeze(-1).clamp(max=logits.size(-1) - 1)


def _uniform_tokens(draws: Tensor, vocab_size: int) -> Tensor:
    return (draws * vocab_size).to(torch.int64)


def _uniform(seed: int, row: int, count: int) -> Tensor:
    """float64 (count,) in [0, 1), of a row alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + row)
    return torch.rand(count, generator=generator, dtype=torch.float64)
