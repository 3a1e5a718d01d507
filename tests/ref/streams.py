"""Small validation streams and byte tables for the tests of the evaluation."""

import numpy as np
import torch
from torch import Tensor, nn

from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.bpb import ByteTable
from pgolf_ref.evaluate.ledger import ScoringLedger


def stream(length: int, vocab: int = 40, seed: int = 0) -> Tokens:
    return np.random.default_rng(seed).integers(0, vocab, length).astype(np.uint16)


def table(vocab: int = 40) -> ByteTable:
    """Token t is t % 4 bytes long; every third has a leading space; tokens 0 and 1 are boundaries."""
    ids = np.arange(vocab)
    return ByteTable((ids % 4).astype(np.int64), ids % 3 == 0, ids < 2)


def ledger(tokens: Tokens, vocab: int = 40, world: World | None = None) -> ScoringLedger:
    return ScoringLedger(tokens, table(vocab), world or World.single())


class Bigram(nn.Module):
    """Logits that depend on the current token and its distance from the window's first one: cheap, causal, not uniform."""

    def __init__(self, vocab: int = 40) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocab, vocab, generator=torch.Generator().manual_seed(1), dtype=torch.float64))

    def forward(self, tokens: Tensor) -> Tensor:
        age = torch.arange(tokens.size(1), dtype=torch.float64).log1p()
        return self.weight[tokens] * age[:, None]


@torch.no_grad()
def brute_force(model: nn.Module, tokens: Tokens, seq_len: int, stride: int) -> tuple[float, list[int]]:
    """Nats of a stream, one position at a time, and the context of each: the definition that the windows must meet."""
    nats, contexts = 0.0, []
    for position in range(1, len(tokens)):
        later = max(position - 1 - seq_len, -1) // stride + 1 if position > seq_len else 0
        start = later * stride
        logits = model(torch.from_numpy(tokens[start:position].astype(np.int64))[None])[0, -1]
        nats -= float(torch.log_softmax(logits, -1)[int(tokens[position])])
        contexts.append(position - start)
    return nats, contexts
