"""`pgolf-train evaluate`: an artifact scored in the ways of a recipe, with a table of the passes and the losses of every token.

Invariant: the shape of the model is that which the artifact describes, whatever the recipe says.
"""

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.data.dataset import Dataset, open_dataset
from pgolf_ref.data.vocabulary import vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.ledger import Score
from pgolf_ref.evaluate.observed import ObservedLedger
from pgolf_ref.evaluate.recipe import adapted_score, learns, windowed_score
from pgolf_ref.files import write_bytes, write_text
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.kernels import chosen
from pgolf_ref.quant.artifact import load_model
from pgolf_ref.run import ACTIVATIONS
from pgolf_ref.tables import aligned


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the validation split."""

    name: str
    score: Score
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The passes of an artifact, the last of which is its claim, and the claim's ledger."""

    passes: tuple[Pass, ...]
    ledger: ObservedLedger
    dataset: Dataset
    load_seconds: float
    budget_seconds: float

    @property
    def seconds(self) -> float:
        """Of loading and of all passes."""
        return self.load_seconds + sum(each.seconds for each in self.passes)


def evaluate_artifact(path: Path, config: Config, world: World, tell: Callable[[str, str], None]) -> Evaluation:
    """Score an artifact in chunks, sliding and with test-time training, as far as the recipe asks for it.

    UserError for an artifact or data that cannot be read, ConfigError for a recipe that does not fit the model.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name an artifact such as model_seed42.pgolf") from error
    clock, passes, ledger = Clock(), [], None
    with clock.phase("load") as loading:
        model = load_model(data, ACTIVATIONS[config.run.dtype]).to(world.device)
        config = dataclasses.replace(config, model=model.config)
        dataset = open_dataset(Path(config.data.path), model.config.vocab_size, config.data.tokenizer)
        model.use_vocabulary(vocabulary(dataset.tokenizer))
        dtype, documents = ACTIVATIONS[config.run.dtype], config.model.attention.documents
        model.backend = chosen(config.run.attention, world.device.type, dtype, documents)
    for name, score in _passes(model, config, world):
        tell(name, f"{len(dataset.validation) - 1:,} positions")
        ledger = ObservedLedger(dataset.validation, dataset.byte_counts(), world)
        with clock.phase(name) as phase:
            score(ledger)
        passes.append(Pass(name, ledger.total(), phase.seconds))
    assert ledger is not None
    return Evaluation(tuple(passes), ledger, dataset, loading.seconds, config.evaluate.budget_seconds)


def _passes(model: GPT, config: Config, world: World) -> Iterator[tuple[str, Callable[[ObservedLedger], Score]]]:
    length, stride = config.data.seq_len, config.evaluate.stride
    yield "chunked", lambda ledger: windowed_score(model, ledger, config, length, world)
    if stride < length:
        yield "sliding", lambda ledger: windowed_score(model, ledger, config, stride, world)
    if learns(config):
        yield "test-time training", lambda ledger: adapted_score(model, ledger, config, world)


def as_text(evaluation: Evaluation) -> str:
    """A table of the passes, and the time against its budget."""
    rows = [("pass", "val_loss", "val_bpb", "seconds")]
    rows += [(each.name, f"{each.score.loss:.8f}", f"{each.score.bpb:.8f}", f"{each.seconds:.1f}") for each in evaluation.passes]
    lines = [aligned(rows)]
    score = evaluation.passes[-1].score
    lines.append(f"{score.tokens:,} positions of {score.bytes:,} bytes")
    lines.append(
        f"{evaluation.seconds:.1f} s of {evaluation.budget_seconds:.0f} s, {evaluation.load_seconds:.1f} s of them to load"
    )
    return "\n".join(lines)


def as_json(evaluation: Evaluation) -> str:
    """The same as JSON."""
    passes = [
        {
            "name": each.name,
            **dataclasses.asdict(each.score),
            "loss": each.score.loss,
            "bpb": each.score.bpb,
            "seconds": each.seconds,
        }
        for each in evaluation.passes
    ]
    figures = {"seconds": evaluation.seconds, "load_seconds": evaluation.load_seconds, "budget_seconds": evaluation.budget_seconds}
    return json.dumps({"passes": passes, **figures}, indent=2)


def write_losses(evaluation: Evaluation, path: Path) -> None:
    """The claim by position, from position 1 on, as an .npz.

    `tokens` (uint16), `bytes` (int64), `kinds` (uint8, of `vocabulary.Kind`), `nats` and `expected` (float64): the loss, and the entropy
    of the distribution.
    """
    stream, ledger = evaluation.dataset.validation, evaluation.ledger
    tokens = np.asarray(stream[1:])
    arrays = {
        "tokens": tokens,
        "bytes": evaluation.dataset.byte_counts().by_position(stream),
        "kinds": vocabulary(evaluation.dataset.tokenizer).kinds[tokens],
        "nats": ledger.losses(),
        "expected": ledger.entropies(),
    }
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_bytes(path, file.getvalue())


def write_replay(evaluation: Evaluation, path: Path) -> None:
    """The claim's ledger, as JSON Lines."""
    write_text(path, evaluation.ledger.replay())
