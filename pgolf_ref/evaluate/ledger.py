"""The scoring ledger: who may see which token of the validation stream, and when.

The distribution of a position is committed, then its target is revealed and scored, and only then may an adaptation have it.
Invariants: every position after the first is scored exactly once; a committed distribution is over the whole vocabulary and sums
to one; sums are float64; whatever would break the order raises LedgerError. Positions are targets: position p is predicted from
tokens before p. With several ranks each scores a share, and `agree` makes the shares one. A branch is a part of the stream that
has a state of its own, such as a document with its adapter; branches know nothing of each other.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.bpb import ByteCounts, bits_per_byte

SCHEMA = "pgolf-ledger/1"
UNSCORED, COMMITTED, SCORED, AGREED = range(4)
NOTHING, SCORE, UPDATE = range(3)  # what happened in a branch

Range = tuple[int, int]
"""Positions from the first to before the second."""


class LedgerError(Exception):
    """An attempt to score twice, to score without a commitment, or to learn from what has not been scored."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """Log-probabilities (n, V) of the positions of some ranges, fixed before their targets are read."""

    ranges: tuple[Range, ...]
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
        self._losses = torch.zeros(len(stream), dtype=torch.float64)
        self._nats = 0.0
        self._bytes = 0
        self._state = 0
        self._states = 1  # so many have there been
        digest = hashlib.sha256(np.asarray(stream, dtype="<u2").tobytes()).hexdigest()
        self._events: list[dict[str, Any]] = [{"event": "stream", "schema": SCHEMA, "tokens": len(stream), "sha256": digest}]

    def __len__(self) -> int:
        return len(self._stream)

    def inputs(self, start: int, end: int) -> Tensor:
        """Tokens start to end as context of a causal model: int64 (end - start,)"""
        return self._stream[start:end]

    def commit(self, first: int, end: int, logits: Tensor) -> Commitment:
        """Fix the distributions of positions first to end: logits (end - first, V) over the whole vocabulary."""
        return self.commit_ranges([(first, end)], logits)

    def commit_ranges(self, ranges: Sequence[Range], logits: Tensor) -> Commitment:
        """The same for the positions of several ranges, one after the other: logits (positions, V)."""
        count = sum(end - first for first, end in ranges)
        for first, end in ranges:
            self._expect(first, end, UNSCORED, "is scored a second time")
            self._status[first:end] = COMMITTED
        if logits.shape != (count, self._counts.vocab_size):
            raise LedgerError(f"logits of shape {tuple(logits.shape)} for {count} positions and {self._counts.vocab_size} tokens")
        return Commitment(tuple(ranges), torch.log_softmax(logits.detach(), dim=-1))

    def reveal(self, commitment: Commitment) -> None:
        """Read the targets of a commitment and score them."""
        for first, end in commitment.ranges:
            self._expect(first, end, COMMITTED, "has no commitment")
        targets = torch.cat([self._stream[first:end] for first, end in commitment.ranges])
        log_p = commitment.log_probabilities
        nats = -log_p.gather(1, targets.to(log_p.device).unsqueeze(1)).squeeze(1).to(torch.float64).cpu()
        for (first, end), part in zip(
            commitment.ranges, nats.split([end - first for first, end in commitment.ranges]), strict=True
        ):
            self._losses[first:end] = part
            self._status[first:end] = SCORED

    def agree(self, first: int, end: int) -> None:
        """End a range that the ranks have scored between them; every rank must call this."""
        self._share(first, end)
        self._record_score(first, end, self._state)

    def branch(self, first: int, end: int) -> "Branch":
        """A part of the stream that this rank scores, with a state of its own that begins as the present one."""
        return Branch(self, first, end)

    def agree_branches(self, first: int, end: int, branches: Sequence["Branch"]) -> None:
        """End a range that the branches of all ranks make up; every rank must call this with its own branches."""
        self._share(first, end)
        events = _by_branch(self._gathered(branches))
        told = sorted((place, until) for own in events for event, place, until in own if event == SCORE)
        if [place for place, _ in told] + [end] != [first, *(until for _, until in told)]:
            raise LedgerError(f"the branches do not tell of the positions {first} to {end}, each once")
        for own in events:
            state = self._state
            for event, place, until in own:
                if event == SCORE:
                    self._record_score(place, until, state)
                else:
                    state = self._record_update(place, until, state)

    def scored_tokens(self, first: int, end: int) -> Tensor:
        """The positions first to end and the token before them, to train on: int64 (end - first + 1,). Opens a new state."""
        self._expect(max(first - 1, 1), end, AGREED, "is asked for to train on before it is scored")
        self._state = self._record_update(first, end, self._state)
        return self._stream[first - 1 : end]

    def own_tokens(self, first: int, end: int, since: int) -> Tensor:
        """As `scored_tokens`, for a branch of this rank that begins at `since`."""
        self._expect(max(first - 1, since), end, SCORED, "is asked for to train on before it is scored")
        return self._stream[first - 1 : end]

    def total(self) -> Score:
        """The score of the whole stream."""
        self._expect(1, len(self), AGREED, "is not scored")
        return Score(len(self) - 1, self._bytes, self._nats)

    def losses(self) -> NDArray[np.float64]:
        """Nats of every position after the first, once all are scored: float64 (tokens - 1,)"""
        self._expect(1, len(self), AGREED, "is not scored")
        nats: NDArray[np.float64] = self._losses[1:].numpy().copy()
        return nats

    def replay(self) -> str:
        """What happened, as JSON Lines (rules/schemas/ledger.schema.json)."""
        total = self.total()
        last = {"event": "total", "tokens": total.tokens, "bytes": total.bytes, "nats": total.nats}
        return "".join(json.dumps(event) + "\n" for event in [*self._events, last])

    def _share(self, first: int, end: int) -> None:
        """Give every rank the losses of a range, each of which one rank has scored."""
        scored = torch.from_numpy((self._status[first:end] == SCORED).astype(np.int32)).to(self._world.device)
        counts = self._world.sum(scored)
        if not bool((counts == 1).all()):
            place = first + int((counts != 1).int().argmax())
            raise LedgerError(f"position {place} was scored {int(counts[place - first])} times, not once")
        self._losses[first:end] = self._world.sum(self._losses[first:end].to(self._world.device)).cpu()
        self._status[first:end] = AGREED

    def _gathered(self, branches: Sequence["Branch"]) -> Tensor:
        """The events of the branches of all ranks, int64 (events, 4): branch, event, first, end."""
        rows = [(branch.first, *event) for branch in branches for event in branch.events]
        own = torch.tensor(rows, dtype=torch.int64).view(-1, 4)
        longest = int(self._world.gather(torch.tensor([len(own)], device=self._world.device)).max())
        padded = torch.zeros(longest, 4, dtype=torch.int64)
        padded[: len(own)] = own
        events = self._world.gather(padded.to(self._world.device)).cpu()
        return events[events[:, 1] != NOTHING]

    def _record_score(self, first: int, end: int, state: int) -> None:
        nats = float(self._losses[first:end].sum())
        byte_count = self._counts.bytes_between(self._stream.numpy(), first, end)
        self._nats += nats
        self._bytes += byte_count
        self._record("score", first, end, state=state, nats=nats, bytes=byte_count)

    def _record_update(self, first: int, end: int, before: int) -> int:
        state = self._states
        self._states += 1
        self._record("update", first, end, state=state, before=before)
        return state

    def _record(self, event: str, first: int, end: int, **values: float) -> None:
        self._events.append({"event": event, "first": first, "end": end, **values})

    def _expect(self, first: int, end: int, status: int, otherwise: str) -> None:
        if not 1 <= first < end <= len(self):
            raise LedgerError(f"positions {first} to {end} do not lie in 1 to {len(self)}")
        wrong = np.flatnonzero(self._status[first:end] != status)
        if len(wrong):
            raise LedgerError(f"position {first + int(wrong[0])} {otherwise}")


class Branch:
    """The positions first to end, scored in order by one rank with a state that no other branch shares."""

    def __init__(self, ledger: ScoringLedger, first: int, end: int) -> None:
        self.first, self.end = first, end
        self.events: list[tuple[int, int, int]] = []
        self._ledger = ledger

    def scored(self, first: int, end: int) -> None:
        """Take down that these positions were scored in the present state."""
        self.events.append((SCORE, first, end))

    def scored_tokens(self, first: int, end: int) -> Tensor:
        """The positions first to end of the branch and the token before them, to train on. Opens a new state."""
        if not self.first <= first < end <= self.end:
            raise LedgerError(f"positions {first} to {end} are not of the branch from {self.first} to {self.end}")
        tokens = self._ledger.own_tokens(first, end, self.first)
        self.events.append((UPDATE, first, end))
        return tokens


def _by_branch(events: Tensor) -> list[list[tuple[int, int, int]]]:
    """The events (event, first, end) of each branch in their order, branches in the order of the stream."""
    branches: dict[int, list[tuple[int, int, int]]] = {}
    for branch, event, first, end in events.tolist():
        branches.setdefault(branch, []).append((event, first, end))
    return [branches[first] for first in sorted(branches)]
