"""`pgolf-train inspect`: everything that is told of an artifact, as text and as JSON."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgolf_ref import phases
from pgolf_ref.checkpoint import read_weights
from pgolf_ref.clock import Phase
from pgolf_ref.errors import UserError
from pgolf_ref.inspection.losses import Group, loss_groups, read_losses
from pgolf_ref.inspection.weights import Matrix, Vector, figures_of
from pgolf_ref.log import events_path
from pgolf_ref.quant.artifact import load_model
from pgolf_ref.quant.container import read_container
from pgolf_ref.tables import aligned

MATRIX = ("matrix", "rows", "columns", "effective rank", "condition", "row outlier", "rounding", "error")
VECTOR = ("vector", "numbers", "least", "mean", "most")
LOSSES = ("tokens by", "class", "tokens", "expected", "val_loss", "val_bpb")


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that is told."""

    matrices: tuple[Matrix, ...]
    vectors: tuple[Vector, ...]
    losses: tuple[Group, ...]
    phases: tuple[Phase, ...]


def inspected(artifact: Path, weights: Path | None, losses: Path | None, log: Path | None) -> Inspection:
    """Of an artifact; of its weights before quantisation, a file of losses and the log of its run if there are such.

    UserError for files that are none.
    """
    try:
        data = artifact.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {artifact}: {error.strerror}; name an artifact such as model_seed42.pgolf") from error
    figures = figures_of(load_model(data), read_container(data)[0], read_weights(weights) if weights is not None else None)
    groups = loss_groups(read_losses(losses)) if losses is not None else ()
    return Inspection(*figures, groups, _phases(log) if log is not None else ())


def _phases(log: Path) -> tuple[Phase, ...]:
    """The phases in the JSON lines beside a log."""
    path = events_path(log)
    try:
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        told = [event for event in events if event["event"] == "phase"]
        return tuple(_ended(str(event["name"]), float(event["budget"]), float(event["seconds"])) for event in told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} tells no phases ({error}): name the log of a run, such as train_seed42.log") from error


def _ended(name: str, budget: float, seconds: float) -> Phase:
    phase = Phase(name, budget, lambda: 0.0)
    phase.resume(seconds)
    return phase


def as_text(found: Inspection) -> str:
    """A table of each kind."""
    parts = [
        aligned([MATRIX, *map(_row, found.matrices)]),
        aligned([VECTOR, *((v.name, f"{v.count}", f"{v.least:.4g}", f"{v.mean:.4g}", f"{v.most:.4g}") for v in found.vectors)]),
    ]
    if found.losses:
        rows = [(g.what, g.label, f"{g.tokens:,}", f"{g.expected:.4f}", f"{g.loss:.4f}", f"{g.bpb:.4f}") for g in found.losses]
        parts.append(aligned([LOSSES, *rows]))
    if found.phases:
        parts.append("\n".join(phases.table(found.phases)))
    return "\n\n".join(parts)


def _row(matrix: Matrix) -> tuple[str, ...]:
    shares = (f"{share:.2%}" if share is not None else "" for share in (matrix.rounding, matrix.error))
    figures = f"{matrix.effective_rank:.1f}", f"{matrix.condition:.3g}", f"{matrix.outlier:.2f}", *shares
    return (matrix.name, f"{matrix.rows}", f"{matrix.columns}", *figures)


def as_json(found: Inspection) -> str:
    """The same as JSON; an infinite figure is null."""
    tables = {"matrices": found.matrices, "vectors": found.vectors, "losses": found.losses}
    rows: dict[str, Any] = {name: [_plain(row) for row in table] for name, table in tables.items()}
    rows["phases"] = [{"name": phase.name, "seconds": phase.seconds, "budget": phase.budget} for phase in found.phases]
    return json.dumps(rows, indent=2)


def _plain(row: Any) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in dataclasses.asdict(row).items()}
