"""Small configurations, loaders and models for the tests of the reference."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pgolf_ref.config import Config, load_recipe
from pgolf_ref.data.vocabulary import Kind, Vocabulary
from pgolf_ref.model.gpt import GPT

SMALL = (
    "model.vocab_size=40",
    "model.layers=3",
    "model.dim=16",
    "model.heads=4",
    "model.kv_heads=2",
    "data.seq_len=12",
    "data.batch_tokens=96",
    "data.slots=4",
    "evaluate.stride=12",
    "ttt.epochs=0",
    "run.steps=6",
    "run.budget_seconds=0",
    "run.dtype=float64",
    "run.device=cpu",
)


def small(*overrides: str) -> Config:
    """A configuration that trains in a fraction of a second, in float64."""
    return load_recipe("tiny", [*SMALL, *overrides])


def random_model(config: Config, seed: int = 0) -> GPT:
    """A float64 model whose every parameter is random: a fresh one has zero matrices that hide what precedes them."""
    model = GPT(config.model).double()
    model.use_vocabulary(toy_vocabulary(config.model.vocab_size))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3 + 0.1)
    return model


def toy_vocabulary(size: int) -> Vocabulary:
    """Pieces of up to four bytes; every third begins a word; control pieces come first."""
    pieces = [
        b"" if token < 3 else (b" " if token % 3 == 0 else b"") + bytes([97 + token % 26]) * (token % 4) for token in range(size)
    ]
    kinds = [Kind.CONTROL if token < 3 else Kind(1 + token % 6) for token in range(size)]
    starts = [piece.startswith(b" ") for piece in pieces]
    return Vocabulary(tuple(pieces), np.array(starts), np.array(kinds, dtype=np.uint8))


def random_tokens(config: Config, rows: int = 2, seed: int = 0) -> Tensor:
    shape = (rows, config.data.seq_len)
    return torch.randint(config.model.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


class CountingLoader:
    """Rows of a fixed periodic text; row number (step, slot, row) decides the text, whatever the number of slots."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.asked: list[tuple[int, int]] = []

    def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
        self.asked.append((step, slot))
        data, vocab = self.config.data, self.config.model.vocab_size
        rows = (step * data.slots + slot) * data.rows + torch.arange(data.rows) + 1001 * self.config.run.seed_data
        text = (rows[:, None] * 7 + torch.arange(data.seq_len + 1) * 3) % vocab
        return text[:, :-1].contiguous(), text[:, 1:].contiguous()


def weights(model: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def largest_difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))
