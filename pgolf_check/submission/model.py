"""What a submission is once it has been read: files, metadata, logs, commands and decoded sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pgolf_check.model import Location


@dataclass(frozen=True, slots=True)
class File:
    """A file of the submission folder: relative POSIX path, size in bytes, and content where it was small enough to be read."""

    path: str
    size: int
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A Python source of the submission, decoded as data if it extracts itself.

    `text` is what runs; None when it could not be had, and then `problem` says why in one clause. `layers` names the encodings that
    were undone, outermost first. `prologue` is the wrapper's own code before the exec (it may set the environment).
    `modules` are sources that the script carries as strings and installs as modules.
    """

    path: str
    size: int
    text: str | None
    problem: str = ""
    layers: tuple[str, ...] = ()
    prologue: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file that is not code: where and what, one clause each."""

    location: Location
    message: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """submission.json. Fields are None or empty where it does not say; `data` is the object as parsed ({} if unreadable)."""

    path: str
    data: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    val_bpb: float | None = None
    seeds: tuple[int, ...] = ()
    seed_bpb: Mapping[int, float] = field(default_factory=dict)
    bytes_total: int | None = None
    bytes_code: int | None = None
    track: str = ""


@dataclass(frozen=True, slots=True)
class FinalLine:
    """A line of a log that states a score of the finished model."""

    location: Location
    text: str
    label: str
    val_loss: float | None
    val_bpb: float
    eval_seconds: float | None = None
    diagnostic: bool = False
    digits: int = 0
    """Decimals of val_bpb as printed."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line of a log about quantisation calibration. `data`: training, validation, self-generated, or "" if it does not say."""

    location: Location
    text: str
    data: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Untimed:
    """A line of a log about work that its timers leave out, and how long that took."""

    location: Location
    text: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A line of a log about work that is neither training nor a scoring pass: its kind, such as "compile", and how long it took."""

    location: Location
    text: str
    kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Gates:
    """A line of a log that counts, by the kind of gate that opened, where an n-gram hint was applied."""

    location: Location
    text: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """One run recorded in a log: a log file may hold several."""

    first_line: int
    last_line: int
    seed: int | None = None
    world_size: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    """The hyperparameter dump, lower-case names as printed."""
    finals: tuple[FinalLine, ...] = ()
    stop: Location | None = None
    train_seconds: float | None = None
    """Training time at the stop line, or at the last step line."""
    steps: int | None = None
    wallclock_cap: float | None = None
    train_shards: int | None = None
    val_tokens: int | None = None
    dataset: str = ""
    tokenizer_path: str = ""
    model_bytes: int | None = None
    """The compressed model: the smallest labelled 'Serialized model' line."""
    code_bytes: int | None = None
    total_bytes: int | None = None
    total_location: Location | None = None
    total_eval_seconds: float | None = None
    complete: bool = False
    """Whether it states a score that is no diagnostic."""
    calibrations: tuple[Calibration, ...] = ()
    reserved_seconds: float | None = None
    """Training time that the run sets aside for calibration."""
    untimed: tuple[Untimed, ...] = ()
    phases: tuple[Phase, ...] = ()
    gates: tuple[Gates, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """A training or evaluation log, decoded, with the source that it embeds split off."""

    path: str
    text: str
    """The log without the embedded source; line numbers in locations are those of the file as shipped."""
    embedded_source: str | None = None
    encoding: str = "utf-8"
    runs: tuple[Run, ...] = ()
    command: str = ""
    """The launch command, where the log shows it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A launch command in a README or run script: the script it starts and the environment it sets."""

    location: Location
    text: str
    script: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission as loaded. `entry` is the path of the script that is judged, "" if there is none."""

    path: str
    files: tuple[File, ...]
    scripts: Mapping[str, Script]
    entry: str
    metadata: Metadata | None
    logs: tuple[Log, ...]
    commands: tuple[Command, ...]
    readme: str = ""
    problems: tuple[Problem, ...] = ()
    folder: str = ""
    """The folder that the paths of files are relative to: in its repository or archive, else as `path`."""

    def file(self, path: str) -> File | None:
        """The file at a relative path, or None."""
        return next((f for f in self.files if f.path == path), None)
