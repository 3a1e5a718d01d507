"""Chunked and sliding evaluation of a causal model.

Invariants: every position after the first is scored exactly once, tail included, for any stride; a stride of the full length
gives disjoint chunks; a window of the interior sees `seq_len` tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Score, ScoringLedger


@dataclass(frozen=True, slots=True)
class Window:
    """Reads tokens start to end - 1 and scores the positions first to end."""

    start: int
    first: int
    end: int


def plan_windows(tokens: int, seq_len: int, stride: int) -> list[Window]:
    """The windows over a stream: the first scores all that it can, each later one the next `stride` positions."""
    windows = [Window(0, 1, min(seq_len + 1, tokens))]
    while windows[-1].end < tokens:
        first = windows[-1].end
        windows.append(Window(first + stride - seq_len - 1, first, min(first + stride, tokens)))
    return windows


def split_into_chunks(windows: Sequence[Window], chunk_tokens: int) -> list[list[Window]]:
    """Runs of windows; a window is in the chunk of its first scored position."""
    chunks: list[list[Window]] = []
    for window in windows:
        number = (window.first - 1) // chunk_tokens
        if not chunks or number != (chunks[-1][-1].first - 1) // chunk_tokens:
            chunks.append([])
        chunks[-1].append(window)
    return chunks


def split_into_batches(windows: Sequence[Window], batch_windows: int) -> list[list[Window]]:
    """Runs of at most `batch_windows` windows that read and score equally many tokens."""
    batches: list[list[Window]] = []
    for window in windows:
        if not batches or len(batches[-1]) == batch_windows or _shape(window) != _shape(batches[-1][-1]):
            batches.append([])
        batches[-1].append(window)
    return batches


def _shape(window: Window) -> tuple[int, int]:
    return window.end - window.start, window.end - window.first


@torch.no_grad()
def score_chunk(model: nn.Module, ledger: ScoringLedger, chunk: Sequence[Window], batch_windows: int, world: World) -> None:
    """Score one chunk with the model as it is; the ranks take its batches in turn."""
    for number, batch in enumerate(split_into_batches(chunk, batch_windows)):
        if number % world.size == world.rank:
            inputs = torch.stack([ledger.inputs(window.start, window.end - 1) for window in batch])
            scored = batch[0].end - batch[0].first
            logits = model(inputs.to(world.device))[:, -scored:]
            ledger.reveal(ledger.commit(batch[0].first, batch[-1].end, logits.flatten(0, 1)))
    ledger.agree(chunk[0].first, chunk[-1].end)


def evaluate(
    model: nn.Module, ledger: ScoringLedger, chunks: Sequence[Sequence[Window]], batch_windows: int, world: World
) -> Score:
    """Score a stream with a model that does not change."""
    for chunk in chunks:
        score_chunk(model, ledger, chunk, batch_windows, world)
    return ledger.total()
