"""The evaluations that a configuration asks for: each scores the whole validation split once, through a ledger of its own."""

from collections.abc import Sequence

from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.data.dataset import Dataset
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Range, Score, ScoringLedger
from pgolf_ref.evaluate.lora import score_documents
from pgolf_ref.evaluate.score import Scoring, count_chunk, evaluate, score_chunk
from pgolf_ref.evaluate.tilt import NgramTilt
from pgolf_ref.evaluate.ttt import evaluate_in_phases, evaluate_score_first, split_into_phases, train_in_chunks
from pgolf_ref.evaluate.windows import Window, documents, plan_documents, plan_windows, split_into_chunks
from pgolf_ref.model.gpt import GPT


def learns(config: Config) -> bool:
    """Whether there is test-time training."""
    return config.ttt.epochs > 0 or config.ttt.lora.rank > 0


def score_windows(model: GPT, dataset: Dataset, config: Config, stride: int, world: World) -> ScoringLedger:
    """The score of a model that does not change, `stride` positions per window."""
    ledger = ScoringLedger(dataset.validation, dataset.byte_counts(), world)
    windowed_score(model, ledger, config, stride, world)
    return ledger


def score_with_ttt(model: GPT, dataset: Dataset, config: Config, world: World) -> ScoringLedger:
    """The score of a model, or of adapters, that learn from what is scored."""
    ledger = ScoringLedger(dataset.validation, dataset.byte_counts(), world)
    adapted_score(model, ledger, config, world)
    return ledger


def windowed_score(model: GPT, ledger: ScoringLedger, config: Config, stride: int, world: World) -> Score:
    """Score the stream of a ledger with a model that does not change."""
    in_chunks = config.evaluate.tilt_strength > 0 or config.ttt.epochs > 0
    chunks = split_into_chunks(_windows(ledger, config, stride), config.ttt.chunk_tokens if in_chunks else len(ledger))
    return evaluate(model, ledger, chunks, _scoring(config), world)


def adapted_score(model: GPT, ledger: ScoringLedger, config: Config, world: World) -> Score:
    """Score the stream of a ledger with a model, or with adapters, that learn from what is scored; the model is changed."""
    if config.ttt.hash_rows:
        model.embedding.add_evaluation_hash(config.ttt.hash_rows)
    if config.ttt.lora.rank:
        return _score_documents(model, ledger, config, world)
    if config.ttt.phases:
        return _score_windows_in_phases(model, ledger, config, world)
    chunks = split_into_chunks(_windows(ledger, config, config.evaluate.stride), config.ttt.chunk_tokens)
    return evaluate_score_first(model, ledger, chunks, _scoring(config), config.ttt, config.data.seq_len, world)


def _score_documents(model: GPT, ledger: ScoringLedger, config: Config, world: World) -> Score:
    """With an adapter for each document, and phases between which the weights learn, if the recipe has any."""
    found = documents(ledger.inputs(0, len(ledger)).numpy())

    def score(own: Sequence[Range]) -> None:
        score_documents(model, ledger, own, config.ttt.lora, config.data.seq_len, world)

    def learn(scored: Tensor) -> None:
        train_in_chunks(model, scored, config.ttt, config.data.seq_len, world)

    phases = split_into_phases(found, config.ttt.phases)
    parts = [(end, [each for each in found if first <= each[0] < end]) for first, end in phases]
    return evaluate_in_phases(ledger, parts, score, learn)


def _score_windows_in_phases(model: GPT, ledger: ScoringLedger, config: Config, world: World) -> Score:
    """With phases between which the weights learn."""
    scoring, windows = _scoring(config), _windows(ledger, config, config.evaluate.stride)

    def score(own: Sequence[Window]) -> None:
        score_chunk(model, ledger, own, scoring, world)
        count_chunk(ledger, own, scoring)

    def learn(scored: Tensor) -> None:
        train_in_chunks(model, scored, config.ttt, config.data.seq_len, world)

    phases = split_into_phases(documents(ledger.inputs(0, len(ledger)).numpy()), config.ttt.phases)
    parts = [(end, [each for each in windows if first <= each.first < end]) for first, end in phases]
    return evaluate_in_phases(ledger, parts, score, learn)


def _windows(ledger: ScoringLedger, config: Config, stride: int) -> Sequence[Window]:
    if config.evaluate.layout == "stream":
        return plan_windows(len(ledger), config.data.seq_len, stride)
    return plan_documents(ledger.inputs(0, len(ledger)).numpy(), config.data.seq_len, stride)


def _scoring(config: Config) -> Scoring:
    e = config.evaluate
    rows = e.batch_windows * config.data.seq_len if e.layout == "varlen" else 0
    tilt = NgramTilt(e.tilt_strength, e.tilt_order, e.tilt_least) if e.tilt_strength else None
    return Scoring(e.batch_windows, rows, tilt)
