"""Evaluation of a causal model through the ledger: chunked, sliding, by documents, or by documents packed into rows.

Invariants: every position after the first is scored exactly once; a score does not depend on how windows are batched, packed or
shared between ranks, but for the rounding of the forward pass; the model does not change while a chunk is scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Score, ScoringLedger
from pgolf_ref.evaluate.tilt import NgramTilt
from pgolf_ref.evaluate.windows import Window, pack, split_into_batches
from pgolf_ref.model.gpt import GPT


@dataclass(frozen=True, slots=True)
class Scoring:
    """How windows go through the model."""

    batch_windows: int
    row_tokens: int = 0  # > 0: windows are packed into rows of so many tokens, for a model that attends within documents
    tilt: NgramTilt | None = None


@torch.no_grad()
def score_chunk(model: nn.Module, ledger: ScoringLedger, chunk: Sequence[Window], scoring: Scoring, world: World) -> None:
    """Score one chunk with the model as it is; the ranks take its batches in turn."""
    for number, rows in enumerate(_batches(chunk, ledger, scoring)):
        if number % world.size == world.rank:
            windows = [window for row in rows for window in row]
            ranges = [(window.first, window.end) for window in windows]
            logits = _logits(model, ledger, rows, world)
            if scoring.tilt is not None:
                logits = scoring.tilt.apply(logits, ledger, ranges)
            ledger.reveal(ledger.commit_ranges(ranges, logits))
    ledger.agree(chunk[0].first, chunk[-1].end)


def evaluate(model: nn.Module, ledger: ScoringLedger, chunks: Sequence[Sequence[Window]], scoring: Scoring, world: World) -> Score:
    """Score a stream with a model that does not change."""
    for chunk in chunks:
        score_chunk(model, ledger, chunk, scoring, world)
        count_chunk(ledger, chunk, scoring)
    return ledger.total()


def count_chunk(ledger: ScoringLedger, chunk: Sequence[Window], scoring: Scoring) -> None:
    """Give a scored chunk to the statistics of the tilt, if there is one and anything follows."""
    if scoring.tilt is not None and chunk[-1].end < len(ledger):
        scoring.tilt.update(ledger.scored_tokens(chunk[0].first, chunk[-1].end))


def _batches(chunk: Sequence[Window], ledger: ScoringLedger, scoring: Scoring) -> list[list[list[Window]]]:
    """Batches of rows of windows."""
    if scoring.row_tokens:
        stream = ledger.inputs(0, chunk[-1].end - 1).numpy()
        return [[row] for row in pack(chunk, stream, scoring.row_tokens)]
    return [[[window] for window in batch] for batch in split_into_batches(chunk, scoring.batch_windows)]


def _logits(model: nn.Module, ledger: ScoringLedger, rows: Sequence[Sequence[Window]], world: World) -> Tensor:
    """The logits of all scored positions of the rows, in order: (positions, V)"""
    tokens, places = laid_out(ledger, rows)
    present = places >= 0
    tokens, places = tokens.to(world.device), places.clamp(min=0).to(world.device)
    if isinstance(model, GPT):
        return model.logits_at(tokens, places)[present]
    logits: Tensor = model(tokens)
    return logits.gather(1, places.unsqueeze(2).expand(-1, -1, logits.size(2)))[present]


def laid_out(ledger: ScoringLedger, rows: Sequence[Sequence[Window]]) -> tuple[Tensor, Tensor]:
    """The tokens of rows of windows, int64 (rows, T), and the places that predict their positions, int64 (rows, k).

    What fills a shorter row stands behind its tokens, where a causal model does not look; what fills the places is -1.
    """
    tokens, places = [], []
    for row in rows:
        ends = list(accumulate(window.length for window in row))
        tokens.append(torch.cat([ledger.inputs(window.start, window.end - 1) for window in row]))
        scored = [torch.arange(end - (window.end - window.first), end) for window, end in zip(row, ends, strict=True)]
        places.append(torch.cat(scored))
    return pad_sequence(tokens, batch_first=True), pad_sequence(places, batch_first=True, padding_value=-1)
