"""A small legal adaptive scorer, and its illegal twins: token counts that are updated chunk by chunk, after the score."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pgolf_check.testing import Recorder

K = 3
CHUNK = 2
BOS = 0


class Counts:
    """The state: how often each token came, plus one."""

    def __init__(self) -> None:
        self.table = [1.0] * K

    def loss(self, token: int, sharpness: float = 1.0) -> float:
        return -math.log(self.table[token] ** sharpness / sum(count**sharpness for count in self.table))

    def update(self, tokens: Sequence[int], amount: float = 1.0) -> None:
        for token in tokens:
            self.table[token] += amount


def chunks(tokens: Sequence[int]) -> list[range]:
    return [range(start, min(start + CHUNK, len(tokens))) for start in range(0, len(tokens), CHUNK)]


def one_pass(tokens: Sequence[int], state: Counts) -> list[float]:
    losses: list[float] = []
    for chunk in chunks(tokens):
        losses += [state.loss(tokens[position]) for position in chunk]
        state.update([tokens[position] for position in chunk])
    return losses


def legal(tokens: Sequence[int]) -> list[float]:
    return one_pass(tokens, Counts())


def looks_ahead_by_one(tokens: Sequence[int]) -> list[float]:
    losses = []
    for position, token in enumerate(tokens):
        state = Counts()
        state.update(tokens[:position])
        state.update(tokens[position + 1 : position + 2])
        losses.append(state.loss(token))
    return losses


def updates_before_the_score(tokens: Sequence[int]) -> list[float]:
    state, losses = Counts(), []
    for chunk in chunks(tokens):
        state.update([tokens[position] for position in chunk])
        losses += [state.loss(tokens[position]) for position in chunk]
    return losses


def reports_the_last_epoch(tokens: Sequence[int]) -> list[float]:
    state = Counts()
    one_pass(tokens, state)
    return one_pass(tokens, state)


def takes_the_minimum_of_two_passes(tokens: Sequence[int]) -> list[float]:
    state = Counts()
    return [min(pair) for pair in zip(one_pass(tokens, state), one_pass(tokens, state), strict=True)]


def takes_the_better_pass(tokens: Sequence[int]) -> list[float]:
    state = Counts()
    return min(one_pass(tokens, state), one_pass(tokens, state), key=sum)


def calibrates_on_the_stream(tokens: Sequence[int]) -> list[float]:
    def sharpened(sharpness: float) -> list[float]:
        state, losses = Counts(), []
        for token in tokens:
            losses.append(state.loss(token, sharpness))
            state.update([token])
        return losses

    return min((sharpened(sharpness) for sharpness in (0.5, 1.0, 2.0)), key=sum)


def warms_up_on_the_stream(tokens: Sequence[int]) -> list[float]:
    state = Counts()
    state.update(tokens[:3], 0.5)
    return one_pass(tokens, state)


def scores_rare_tokens_last(tokens: Sequence[int]) -> list[float]:
    state = Counts()
    losses = {}
    for position in sorted(range(len(tokens)), key=lambda each: -tokens.count(tokens[each])):
        losses[position] = state.loss(tokens[position])
        state.update([tokens[position]])
    return [losses[position] for position in range(len(tokens))]


class KeepsStateBetweenRuns:
    def __init__(self) -> None:
        self.state = Counts()

    def __call__(self, tokens: Sequence[int]) -> list[float]:
        return one_pass(tokens, self.state)


def tilts_without_normalising(tokens: Sequence[int]) -> list[float]:
    hits = [position > 0 and tokens[position - 1] == token for position, token in enumerate(tokens)]
    return [loss - 0.5 * hit for loss, hit in zip(legal(tokens), hits, strict=True)]


def gates_by_the_target(tokens: Sequence[int]) -> list[float]:
    return [min(loss, math.log(K)) for loss in legal(tokens)]


def looks_up_with_the_target(tokens: Sequence[int]) -> list[float]:
    losses = legal(tokens)
    return [0.1 if token in tokens[:position] else losses[position] for position, token in enumerate(tokens)]


def trains_on_its_own_target(tokens: Sequence[int]) -> list[float]:
    state, losses = Counts(), []
    for token in tokens:
        state.update([token])
        losses.append(state.loss(token))
    return losses


def drops_the_tail(tokens: Sequence[int]) -> list[float]:
    return legal(tokens)[: len(tokens) // CHUNK * CHUNK]


def counts_the_overlap_twice(tokens: Sequence[int]) -> list[float]:
    losses = legal(tokens)
    return losses + losses[CHUNK:]


def hides_the_first_token(tokens: Sequence[int]) -> list[float]:
    return [math.nan, *legal(tokens)[1:]]


def resets_at_documents(tokens: Sequence[int]) -> list[float]:
    """Legal, and independent: the state starts anew at each BOS, which is scored as part of its document."""
    starts = [position for position, token in enumerate(tokens) if token == BOS] + [len(tokens)]
    losses: list[float] = []
    for start, end in zip(starts, starts[1:], strict=False):
        losses += legal(tokens[start:end])
    return losses


def adapts_on_a_peer(tokens: Sequence[int]) -> list[float]:
    """The state of each document was trained on the one behind it, scored in the same batch."""
    starts = [position for position, token in enumerate(tokens) if token == BOS] + [len(tokens)]
    losses: list[float] = []
    for start, end, peer in zip(starts, starts[1:], [*starts[2:], len(tokens)], strict=False):
        state = Counts()
        state.update(tokens[end:peer])
        losses += one_pass(tokens[start:end], state)
    return losses


def run_legal(tokens: Sequence[int], recorder: Recorder) -> None:
    for chunk in chunks(tokens):
        recorder.scored(chunk)
        recorder.updated(chunk)


def run_update_first(tokens: Sequence[int], recorder: Recorder) -> None:
    for chunk in chunks(tokens):
        recorder.updated(chunk)
        recorder.scored(chunk)


def run_update_on_the_next_chunk(tokens: Sequence[int], recorder: Recorder) -> None:
    for chunk in chunks(tokens):
        recorder.scored(chunk)
        recorder.updated(range(chunk.start, min(chunk.stop + 1, len(tokens))))


def run_two_passes(tokens: Sequence[int], recorder: Recorder) -> None:
    run_legal(tokens, recorder)
    run_legal(tokens, recorder)


def run_overlapping(tokens: Sequence[int], recorder: Recorder) -> None:
    for chunk in chunks(tokens):
        recorder.scored(range(max(chunk.start - 1, 0), chunk.stop))


def run_without_tail(tokens: Sequence[int], recorder: Recorder) -> None:
    run_legal(tokens[: len(tokens) // CHUNK * CHUNK], recorder)


def run_past_the_end(tokens: Sequence[int], recorder: Recorder) -> None:
    for start in range(0, len(tokens), CHUNK):
        recorder.scored(range(start, start + CHUNK))
