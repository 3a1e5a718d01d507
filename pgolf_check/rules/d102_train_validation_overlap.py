"""D102: rebuilt training data holds no validation document. The log shows which data it was: the number of shards and the folder."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs

CODE = "D102"
FOLDERS = ("train_files", "val_files", "datasets_dir", "data_path")
"""Settings, as printed, that name the folder of the shards."""


def check(facts: Facts) -> Answer:
    runs = [r for r in counted_runs(facts.submission) if r.run.train_shards is not None]
    if not runs:
        return not_analysed(CODE, "no log states the number of training shards")
    groups: dict[tuple[int, bool], list[LoggedRun]] = {}
    for logged in runs:
        groups.setdefault((logged.run.train_shards or 0, _is_rebuilt(logged)), []).append(logged)
    return failed(CODE, [f for (shards, rebuilt), group in groups.items() if (f := _finding(facts, shards, rebuilt, group))])


def _is_rebuilt(logged: LoggedRun) -> bool:
    """Whether a folder of the run is nested in itself, as the preparation script leaves it."""
    folders = [logged.run.config.get(name, "") for name in FOLDERS] + [logged.run.dataset]
    return any("datasets/datasets/" in folder.replace("\\", "/") for folder in folders)


def _finding(facts: Facts, shards: int, rebuilt: bool, group: list[LoggedRun]) -> Finding | None:
    """What the number of shards of these runs shows; None if it is a usual one."""
    known, told = facts.edition.data, f"{', '.join(r.name for r in group)}: trained on {shards} shards"
    places = tuple(Location(r.log.path, r.run.first_line) for r in group)
    if shards in known.overlapping_shards and rebuilt:
        told += " of a folder that the preparation script made; its training split begins before the validation split ends"
        return Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, places)
    if shards > known.usual_shards:
        told += f"; the published data has up to {known.usual_shards}, and nothing shows how these were made"
        return Finding(CODE, Witness.PAPER, Certainty.POSSIBLE, told, places)
    return None
