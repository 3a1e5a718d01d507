"""The scoring ledger: who may see which token of the validation stream, and when.

The distribution of a position is committed, then its target is revealed and scored, and only then may an adaptation have it.
Invariants: every position after the first is scored exactly once; a committed distribution is over the whole vocabulary and sums
to one; sums are float64; whatever would break the order raises LedgerError. Positions are targets: position p is predicted from
tokens before p. With several ranks each scores a share, and `agree` makes the shares one.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.bpb import ByteCounts, bits_per_byte

SCHEMA = "pgolf-ledger/1"
UNSCORED, COMMITTED, SCORED, AGREED = range(4)


class LedgerError(Exception):
    """An attempt to score twice, to score without a commitment, or to learn from what has not been scored."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """Log-probabilities (n, V) of the positions first to end, fixed before their targets are read."""

    first: int
    end: int
    log_probabilities: Tensor


@dataclass(frozen=True, slots=True)
class Score:
    """Summed nats of all positions, and the bytes that they stand for."""

    tokens: int
    bytes: int
    nats: float

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def bpb(self) -> float:
        return bits_per_byte(self.nats, self.bytes)


class ScoringLedger:
    """One pass over one stream."""

    def __init__(self, stream: Tokens, counts: ByteCounts, world: World) -> None:
        self._stream = torch.from_numpy(np.asarray(stream, dtype=np.int64))
        self._counts = counts
        self._world = world
        self._status = np.full(len(stream), UNSCORED, dtype=np.uint8)
        self._share = torch.zeros((), dtype=torch.float64)
        self._nats = 0.0
        self._bytes = 0
        self._state = 0
        digest = hashlib.sha256(np.asarray(stream, dtype="<u2").tobytes()).hexdigest()
        self._events: list[dict[str, Any]] = [{"event": "stream", "schema": SCHEMA, "tokens": len(stream), "sha256": digest}]

    def __len__(self) -> int:
        return len(self._stream)

    def inputs(self, start: int, end: int) -> Tensor:
        """Tokens start to end as context of a causal model: int64 (end - start,)"""
        return self._stream[start:end]

    def commit(self, first: int, end: int, logits: Tensor) -> Commitment:
        """Fix the distributions of positions first to end: logits (end - first, V) over the whole vocabulary."""
        self._expect(first, end, UNSCORED, "is scored a second time")
        if logits.shape != (end - first, self._counts.vocab_size):
            raise LedgerError(
                f"logits of shape {tuple(logits.shape)} for {end - first} positions and {self._counts.vocab_size} tokens"
            )
        self._status[first:end] = COMMITTED
        return Commitment(first, end, torch.log_softmax(logits.detach(), dim=-1))

    def reveal(self, commitment: Commitment) -> None:
        """Read the targets of a commitment and score them."""
        first, end = commitment.first, commitment.end
        self._expect(first, end, COMMITTED, "has no commitment")
        targets = self._stream[first:end].to(commitment.log_probabilities.device)
        nats = -commitment.log_probabilities.gather(1, targets.unsqueeze(1))
        self._share += nats.to(torch.float64).sum().cpu()
        self._status[first:end] = SCORED

    def agree(self, first: int, end: int) -> None:
        """End a range that the ranks have scored between them; every rank must call this."""
        scored = torch.from_numpy((self._status[first:end] == SCORED).astype(np.int32)).to(self._world.device)
        counts = self._world.sum(scored)
        if not bool((counts == 1).all()):
            place = first + int((counts != 1).int().argmax())
            raise LedgerError(f"position {place} was scored {int(counts[place - first])} times, not once")
        nats = float(self._world.sum(self._share.to(self._world.device)))
        byte_count = self._counts.bytes_between(self._stream.numpy(), first, end)
        self._status[first:end] = AGREED
        self._share.zero_()
        self._nats += nats
        self._bytes += byte_count
        self._record("score", first, end, nats=nats, bytes=byte_count)

    def scored_tokens(self, first: int, end: int) -> Tensor:
        """The positions first to end and the token before them, to train on: int64 (end - first + 1,). Opens a new state."""
        self._expect(max(first - 1, 1), end, AGREED, "is asked for to train on before it is scored")
        self._state += 1
        self._record("update", first, end)
        return self._stream[first - 1 : end]

    def total(self) -> Score:
        """The score of the whole stream."""
        self._expect(1, len(self), AGREED, "is not scored")
        return Score(len(self) - 1, self._bytes, self._nats)

    def replay(self) -> str:
        """What happened, as JSON Lines (rules/schemas/ledger.schema.json)."""
        total = self.total()
        last = {"event": "total", "tokens": total.tokens, "bytes": total.bytes, "nats": total.nats}
        return "".join(json.dumps(event) + "\n" for event in [*self._events, last])

    def _record(self, event: str, first: int, end: int, **values: float) -> None:
        self._events.append({"event": event, "first": first, "end": end, "state": self._state, **values})

    def _expect(self, first: int, end: int, status: int, otherwise: str) -> None:
        if not 1 <= first < end <= len(self):
            raise LedgerError(f"positions {first} to {end} do not lie in 1 to {len(self)}")
        wrong = np.flatnonzero(self._status[first:end] != status)
        if len(wrong):
            raise LedgerError(f"position {first + int(wrong[0])} {otherwise}")
