"""Test-time training of low-rank adapters, one set per document, on top of weights that stay as they are.

A document is scored piece by piece; after its score a piece trains the adapter, which then helps with the next one. Every adapter
begins alike: the first factor from the seed of the configuration, the second 0, the moments 0. Invariants: the score of a document
does not depend on the documents beside it in a batch, on their order, or on the number of ranks; the last piece trains nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pgolf_ref.config import LoRAConfig
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Branch, Range, ScoringLedger
from pgolf_ref.evaluate.score import laid_out
from pgolf_ref.evaluate.windows import Window
from pgolf_ref.model.flow import SLOTS, Adapt
from pgolf_ref.model.gpt import GPT


@dataclass(frozen=True, slots=True)
class Document:
    """A branch of the ledger, and its pieces in order."""

    branch: Branch
    pieces: tuple[Window, ...]


class LoRA:
    """y + alpha / rank * B A x for `count` documents at once, in the slots of the configuration of every block application."""

    def __init__(self, config: LoRAConfig, count: int) -> None:
        self._config, self._count = config, count
        self._factors: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
        self._optimizer: torch.optim.Optimizer | None = None

    def __call__(self, number: int) -> Adapt:
        def adapt(slot: str, given: Tensor, output: Tensor) -> Tensor:
            if slot not in self._config.slots:
                return output
            first, second = self._pair((number, slot), given, output)
            inner = torch.bmm(given, first.to(given.dtype).transpose(1, 2))
            return output + self._scale * torch.bmm(inner, second.to(given.dtype).transpose(1, 2))

        return adapt

    def step(self, loss: Tensor) -> None:
        """One AdamW step of every document on its own share of the loss."""
        factors = [factor for pair in self._factors.values() for factor in pair]
        c = self._config
        if self._optimizer is None:
            self._optimizer = torch.optim.AdamW(factors, c.lr, (c.beta1, c.beta2), c.eps, c.weight_decay)
        for factor, gradient in zip(factors, torch.autograd.grad(loss, factors), strict=True):
            factor.grad = gradient
        self._optimizer.step()

    @property
    def _scale(self) -> float:
        return self._config.alpha / self._config.rank if self._config.alpha and self._config.rank else 1.0

    def _pair(self, place: tuple[int, str], given: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Factors (documents, rank, in) and (documents, out, rank)."""
        if place not in self._factors:
            rank, dtype = self._config.rank, torch.promote_types(given.dtype, torch.float32)
            generator = torch.Generator().manual_seed(self._config.seed + place[0] * len(SLOTS) + SLOTS.index(place[1]))
            first = torch.rand(rank, given.size(2), generator=generator, dtype=torch.float64) * 2 - 1
            first = (first / given.size(2) ** 0.5).to(given.device, dtype).expand(self._count, -1, -1).clone()
            second = first.new_zeros(self._count, output.size(2), rank)
            self._factors[place] = first.requires_grad_(), second.requires_grad_()
        return self._factors[place]


def score_documents(
    model: GPT, ledger: ScoringLedger, ranges: Sequence[Range], config: LoRAConfig, seq_len: int, world: World
) -> None:
    """Score neighbouring documents, each with its own adapter; the ranks take batches of like length in turn."""
    ordered = sorted(ranges, key=lambda each: each[0] - each[1])
    size = config.batch_documents
    branches: list[Branch] = []
    for number, start in enumerate(range(0, len(ordered), size)):
        if number % world.size == world.rank:
            batch = [
                Document(ledger.branch(*each), pieces(each, config.chunk_tokens, seq_len)) for each in ordered[start : start + size]
            ]
            _score_batch(model, ledger, batch, config, world)
            branches += [document.branch for document in batch]
    ledger.agree_branches(ranges[0][0], ranges[-1][1], branches)


def pieces(document: Range, chunk_tokens: int, seq_len: int) -> tuple[Window, ...]:
    """Windows over a document that score `chunk_tokens` positions each and read up to `seq_len` tokens of it."""
    first, end = document
    starts = range(first, end, chunk_tokens)
    ends = [min(start + chunk_tokens, end) for start in starts]
    return tuple(Window(max(first - 1, until - 1 - seq_len), start, until) for start, until in zip(starts, ends, strict=True))


def _score_batch(model: GPT, ledger: ScoringLedger, batch: Sequence[Document], config: LoRAConfig, world: World) -> None:
    """Longest first, so that those with a piece left are always the first of the batch."""
    adapters = LoRA(config, len(batch))
    for number in range(len(batch[0].pieces)):
        tokens, places = laid_out(ledger, [[document.pieces[min(number, len(document.pieces) - 1)]] for document in batch])
        active = [document for document in batch if number < len(document.pieces)]
        learning = [document for document in batch if number + 1 < len(document.pieces)]
        given = tokens.to(world.device), places.clamp(min=0).to(world.device)
        with torch.set_grad_enabled(bool(learning)):
            logits = model.logits_at(*given, adapters)
        _score_pieces(ledger, active, number, logits, places)
        if learning:
            targets = _targets(learning, number, places).to(world.device)
            adapters.step(_loss(logits, targets))
            for _ in range(config.steps - 1):
                adapters.step(_loss(model.logits_at(*given, adapters), targets))


def _score_pieces(ledger: ScoringLedger, active: Sequence[Document], number: int, logits: Tensor, places: Tensor) -> None:
    """Score piece `number` of the documents that have one."""
    ranges = [(document.pieces[number].first, document.pieces[number].end) for document in active]
    present = (places[: len(active)] >= 0).to(logits.device)
    ledger.reveal(ledger.commit_ranges(ranges, logits[: len(active)][present]))
    for document, (first, end) in zip(active, ranges, strict=True):
        document.branch.scored(first, end)


def _targets(learning: Sequence[Document], number: int, places: Tensor) -> Tensor:
    """The scored targets of piece `number` as the ledger releases them, int64 (documents, k); -100 where there is none"""
    targets = torch.full_like(places, -100)
    for row, document in enumerate(learning):
        piece = document.pieces[number]
        targets[row, : piece.end - piece.first] = document.branch.scored_tokens(piece.first, piece.end)[1:]
    return targets


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum over documents of their mean loss, so that each has the gradient that it would have alone."""
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none").view_as(targets)
    return (losses.sum(1) / (targets >= 0).sum(1).clamp(min=1)).sum()
