"""The reference's evaluation of a toy model as a scorer, and its illegal twins: each changes one thing that the ledger forbids.

The twins loosen the ledger first, because with the real one they raise LedgerError instead of a score.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from streams import ledger, table
from torch import Tensor, nn
from torch.nn import functional as F
from toys import small

from pgolf_check.testing import Recorder
from pgolf_ref.config import Config
from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate import lora, recipe, score
from pgolf_ref.evaluate.ledger import UNSCORED, Commitment, Range, ScoringLedger
from pgolf_ref.evaluate.tilt import NO_HINT, NgramTilt
from pgolf_ref.evaluate.windows import plan_windows, split_into_chunks
from pgolf_ref.model.flow import Adapters
from pgolf_ref.registry import Group

K, BOS = 3, 1
WORLD = World.single()
BASE = ("data.seq_len=2", "data.batch_tokens=8", "evaluate.stride=1", "model.vocab_size=3", "ttt.lr=1", "ttt.chunk_tokens=2")
PLAIN = small(*BASE)
CHUNKED = small(*BASE, "ttt.epochs=2", "ttt.batch_rows=2", "ttt.clip_norm=0", "ttt.schedule=constant")
BY_DOCUMENT = small(*BASE, "evaluate.layout=documents")
LORA = small(
    *BASE,
    "evaluate.layout=documents",
    "ttt.lora.rank=1",
    "ttt.lora.chunk_tokens=1",
    "ttt.lora.lr=0.5",
    "ttt.lora.weight_decay=0",
    'ttt.lora.slots=["head"]',
)
PHASED = small(*BASE, "evaluate.layout=documents", "ttt.epochs=2", "ttt.phases=[1, 2]", "ttt.clip_norm=0", "ttt.schedule=constant")
TILTED = small(*BASE, "evaluate.tilt_strength=2", "evaluate.tilt_order=2", "evaluate.tilt_least=1")


class Toy(nn.Module):
    """Logits from the current token alone, with what the evaluation asks of a GPT."""

    GROUPS = {"weight": Group.EMBEDDING}

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(K, K, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
        self.plan: tuple[int, ...] = ()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.weight[tokens]

    def logits_at(self, tokens: Tensor, places: Tensor, adapters: Adapters) -> Tensor:
        given = F.one_hot(tokens.gather(1, places), K).to(self.weight.dtype)
        return adapters(0)("head", given, given @ self.weight)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self(tokens).flatten(0, 1), targets.flatten())


def array(tokens: Sequence[int]) -> Tokens:
    return np.array(tokens, dtype=np.uint16)


def run(config: Config, book: ScoringLedger, model: Any = None) -> ScoringLedger:
    """The evaluation that a configuration asks for."""
    model = model or Toy()
    if recipe.learns(config):
        recipe.adapted_score(model, book, config, WORLD)
    else:
        recipe.windowed_score(model, book, config, config.evaluate.stride, WORLD)
    return book


def scorer(config: Config) -> Callable[[Sequence[int]], list[float]]:
    """Losses of the positions after the first."""
    return lambda tokens: [*run(config, ledger(array(tokens), K)).losses()] if len(tokens) > 1 else []


def recorded(config: Config) -> Callable[[Sequence[int], Recorder], None]:
    """The same as a run that tells of its order, as its replay does."""

    def tell(tokens: Sequence[int], recorder: Recorder) -> None:
        if len(tokens) > 1:
            retell(run(config, ledger(array(tokens), K)), recorder)

    return tell


def retell(book: ScoringLedger, recorder: Recorder) -> None:
    for line in book.replay().splitlines()[1:-1]:
        event = json.loads(line)
        (recorder.scored if event["event"] == "score" else recorder.updated)(range(event["first"], event["end"]))


class Loose(ScoringLedger):
    """A ledger that lets everything through, so that the twins below give a score at all."""

    def __init__(self, tokens: Sequence[int]) -> None:
        super().__init__(array(tokens), table(K), WORLD)

    def _expect(self, first: int, end: int, status: int, otherwise: str) -> None:
        pass

    def _share(self, first: int, end: int) -> None:
        pass

    def again(self) -> None:
        """Forget that anything was scored."""
        self._status[:] = UNSCORED


# Twins that give losses


def looks_ahead_by_one(tokens: Sequence[int]) -> list[float]:
    class Ahead(Loose):
        def inputs(self, start: int, end: int) -> Tensor:
            return torch.cat((self._stream, self._stream[:1]))[start + 1 : end + 1]

    return [*run(PLAIN, Ahead(tokens)).losses()]


def trains_before_the_score(tokens: Sequence[int]) -> list[float]:
    class Early(Loose):
        def commit_ranges(self, ranges: Sequence[Range], logits: Tensor) -> Commitment:
            first, end = ranges[0][0], ranges[-1][1]
            learn(model, self._stream[first - 1 : end])
            return super().commit_ranges(ranges, model(self._stream[first - 1 : end - 1]).detach())

    model = Toy()
    return [*run(PLAIN, Early(tokens), model).losses()]


def learns_one_token_too_many(tokens: Sequence[int]) -> list[float]:
    class Further(Loose):
        def scored_tokens(self, first: int, end: int) -> Tensor:
            super().scored_tokens(first, end)
            return self._stream[first - 1 : end + 1]

    return [*run(CHUNKED, Further(tokens)).losses()]


def learns_a_piece_before_it_is_revealed(tokens: Sequence[int]) -> list[float]:
    """An adapter trains on the next piece, too."""

    class Further(Loose):
        def own_tokens(self, first: int, end: int, since: int) -> Tensor:
            return self._stream[first : end + 1]

    return [*run(LORA, Further(tokens)).losses()]


def _twice(tokens: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The losses of two passes with one model that learns."""
    model, book = Toy(), Loose(tokens)
    first = run(CHUNKED, book, model).losses()
    learn(model, book.inputs(0, len(tokens)))
    book.again()
    return first, run(CHUNKED, book, model).losses()


def reports_the_last_epoch(tokens: Sequence[int]) -> list[float]:
    return [*_twice(tokens)[1]]


def keeps_the_minimum(tokens: Sequence[int]) -> list[float]:
    return [*np.minimum(*_twice(tokens))]


def keeps_the_better_pass(tokens: Sequence[int]) -> list[float]:
    return [*min(_twice(tokens), key=np.sum)]


def scores_again_with_what_it_has_learnt(tokens: Sequence[int]) -> list[float]:
    model, book = Toy(), Loose(tokens)
    run(CHUNKED, book, model)
    book.again()
    return [*run(PLAIN, book, model).losses()]


def calibrates_on_the_stream(tokens: Sequence[int]) -> list[float]:
    def at(temperature: float) -> np.ndarray:
        model = Toy()
        with torch.no_grad():
            model.weight /= temperature
        return run(PLAIN, Loose(tokens), model).losses()

    return [*min((at(temperature) for temperature in (0.5, 1.0, 2.0)), key=np.sum)]


def warms_up_on_the_stream(tokens: Sequence[int]) -> list[float]:
    """And keeps the state."""
    model, book = Toy(), Loose(tokens)
    learn(model, book.inputs(0, 3))
    return [*run(PLAIN, book, model).losses()]


class KeepsStateBetweenRuns:
    """The weights of one stream score the next."""

    def __init__(self) -> None:
        self.model = Toy()

    def __call__(self, tokens: Sequence[int]) -> list[float]:
        return [*run(CHUNKED, ledger(array(tokens), K), self.model).losses()]


class _Unnormalised(Loose):
    def commit_ranges(self, ranges: Sequence[Range], logits: Tensor) -> Commitment:
        return Commitment(tuple(ranges), logits.detach())


class _Raw(NgramTilt):
    """Lifts the hint and leaves the rest as it is; or, told the targets, lifts it only where it is right."""

    gated = False

    def apply(self, logits: Tensor, book: ScoringLedger, ranges: Sequence[Range]) -> Tensor:
        log_p = torch.log_softmax(logits, -1)
        positions = [position for first, end in ranges for position in range(first, end)]
        for row, position in enumerate(positions):
            hint = self._before(book, position)
            right = hint == int(book.inputs(position, position + 1))
            if hint != NO_HINT and (right or not self.gated):
                log_p[row, hint] += 2.0
        return torch.log_softmax(log_p, -1) if self.gated else log_p


class _Gated(_Raw):
    gated = True


def _tilted_by(tilt: NgramTilt, tokens: Sequence[int]) -> list[float]:
    book = _Unnormalised(tokens)
    chunks = split_into_chunks(plan_windows(len(tokens), 2, 1), 2)
    score.evaluate(Toy(), book, chunks, score.Scoring(4, 0, tilt), WORLD)
    return [*book.losses()]


def tilts_without_normalising(tokens: Sequence[int]) -> list[float]:
    return _tilted_by(_Raw(2.0, 2, 1), tokens)


def gates_the_tilt_by_the_target(tokens: Sequence[int]) -> list[float]:
    return _tilted_by(_Gated(2.0, 2, 1), tokens)


def asks_the_peers_adapters(tokens: Sequence[int]) -> list[float]:
    """The adapter of each document is the mean of those of its batch."""

    class Mixed(lora.LoRA):
        def _pair(self, place: tuple[int, str], given: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
            first, second = super()._pair(place, given, output)
            return first.mean(0, keepdim=True).expand_as(first), second.mean(0, keepdim=True).expand_as(second)

    own, lora.LoRA = lora.LoRA, Mixed  # type: ignore[misc]
    try:
        return [*run(LORA, ledger(array(tokens), K)).losses()]
    finally:
        lora.LoRA = own  # type: ignore[misc]


def carries_the_adapter_on(tokens: Sequence[int]) -> list[float]:
    """Documents are scored one after another, and the adapter is not begun anew."""

    class Kept(lora.LoRA):
        def __init__(self, config: Any, count: int) -> None:
            super().__init__(config, count)
            self._factors = kept

    kept: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    own, lora.LoRA = lora.LoRA, Kept  # type: ignore[misc]
    try:
        single = small(*BASE, *_lora_overrides(), "ttt.lora.batch_documents=1")
        return [*run(single, ledger(array(tokens), K)).losses()]
    finally:
        lora.LoRA = own  # type: ignore[misc]


def _lora_overrides() -> list[str]:
    values = ["rank=1", "chunk_tokens=1", "lr=0.5", "weight_decay=0", 'slots=["head"]']
    return ["evaluate.layout=documents", *(f"ttt.lora.{value}" for value in values)]


class _Aged(Toy):
    """Knows how far the window reaches back."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) * torch.arange(1, tokens.size(1) + 1)[:, None]


def documents_by_themselves(tokens: Sequence[int]) -> list[float]:
    return [*run(BY_DOCUMENT, ledger(array(tokens), K), _Aged()).losses()]


def looks_into_the_document_before(tokens: Sequence[int]) -> list[float]:
    return [*run(PLAIN, ledger(array(tokens), K), _Aged()).losses()]


def drops_the_tail(tokens: Sequence[int]) -> list[float]:
    book = Loose(tokens)
    whole = [window for window in plan_windows(len(tokens), 2, 2) if window.end - window.first == 2]
    if whole:
        score.evaluate(Toy(), book, [whole], score.Scoring(4), WORLD)
    return [*book.losses()[: whole[-1].end - 1 if whole else 0]]


def counts_the_overlap_twice(tokens: Sequence[int]) -> list[float]:
    book = Loose(tokens)
    windows = plan_windows(len(tokens), 2, 1)
    overlapping = [windows[0], *(type(w)(w.start, w.first - 1, w.end) for w in windows[1:])]
    score.evaluate(Toy(), book, [overlapping], score.Scoring(4), WORLD)
    return [loss for w in overlapping for loss in book.losses()[w.first - 1 : w.end - 1]]


def learn(model: Toy, tokens: Tensor) -> None:
    """One large step on n + 1 tokens."""
    with torch.enable_grad():
        gradient = torch.autograd.grad(model.loss(tokens[None, :-1], tokens[None, 1:]), model.weight)[0]
    with torch.no_grad():
        model.weight -= gradient


# Twins that tell of their order


def tells_of_an_update_first(tokens: Sequence[int], recorder: Recorder) -> None:
    class Early(Loose):
        def agree(self, first: int, end: int) -> None:
            if end < len(self):
                self.scored_tokens(first, end)
            super().agree(first, end)

    if len(tokens) > 1:
        retell(run(CHUNKED, Early(tokens)), recorder)


def tells_of_two_passes(tokens: Sequence[int], recorder: Recorder) -> None:
    if len(tokens) > 1:
        book = Loose(tokens)
        run(CHUNKED, book)
        book.again()
        retell(run(CHUNKED, book), recorder)


def tells_of_no_tail(tokens: Sequence[int], recorder: Recorder) -> None:
    if len(tokens) > 2:
        book = Loose(tokens)
        score.evaluate(Toy(), book, [plan_windows(len(tokens) - 1, 2, 1)], score.Scoring(4), WORLD)
        retell(book, recorder)
