"""An edition: the reference data of one round of the challenge, as TOML and a CSV leaderboard beside it.

Rules hold no constants of their own; caps, budgets, splits and regimes come from here. The reviewer names the edition, never the
submission. A broken file is refused with every problem named.
"""

from __future__ import annotations

import csv
import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pgolf_check.errors import UserError
from pgolf_check.resources import rulebook_dir


@dataclass(frozen=True, slots=True)
class Budget:
    """A time limit: `grace` is the overshoot of one step that is accepted in practice."""

    seconds: float
    grace: float

    @property
    def limit(self) -> float:
        return self.seconds + self.grace


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine on which the budgets hold."""

    gpu: str
    count: int


@dataclass(frozen=True, slots=True)
class Split:
    """The validation split under one tokenizer: scored tokens and the bytes of the text that they stand for."""

    name: str
    dataset: str
    """The folder name of the published export; "" if it is no published one."""
    tokens: int
    bytes: int
    transformed_bytes: int | None = None
    """Bytes of the text that the tokens spell, where that is not the raw text."""

    @property
    def tokens_per_byte(self) -> float:
        return self.tokens / self.bytes


@dataclass(frozen=True, slots=True)
class Validation:
    """What one full pass over the validation split amounts to, in bytes whatever the tokenizer."""

    bytes: int
    tolerance: float
    tail: float
    """Share of the split whose absence asks for review instead of blocking."""
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What is known of training data by the number of its shards, and of tokenizers by how they normalise text."""

    usual_shards: int
    """The largest count of the published data."""
    overlapping_shards: tuple[int, ...]
    """Counts of rebuilt data whose training split holds validation documents."""
    normalizers: tuple[str, ...]
    """Normalisations of accepted tokenizers, as their models name them."""


@dataclass(frozen=True, slots=True)
class Regime:
    """How a gain over the standing record was tested from a date on: margin in nats per token, and p."""

    since: datetime.date
    margin_nats: float
    p: float


@dataclass(frozen=True, slots=True)
class Grandfathered:
    """A merged record that a rule refuses today: its script, by SHA-256 of the file, its claim, and the reason why it stands."""

    rules: tuple[str, ...]
    folder: str
    script_sha256: str
    reason: str
    val_bpb: float | None = None
    """The claimed score; None if the record claims none that can be read."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the leaderboard, with per-seed figures where they are known."""

    date: datetime.date
    created: datetime.datetime
    official_bpb: float
    mean_bpb: float
    seeds_bpb: tuple[float, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The reference data of one round."""

    name: str
    artifact_bytes: int
    training: Budget
    evaluation: Budget
    calibration_reserve: float
    """Seconds before the end of the training budget that a stop must leave for calibration to be within it."""
    calibration_overrun: float
    """Seconds over the training budget that were accepted where time had been set aside."""
    claim_noise: float
    """Bits per byte by which a claim may be better than every logged score, as runs of one configuration differ."""
    hardware: Hardware
    minimum_runs: int
    run_deviation: float
    """Standard deviation of the score between runs of one configuration, in bits per byte."""
    same_script: float
    """Share of equal lines from which a logged source counts as the submitted one."""
    validation: Validation
    data: Data
    regimes: tuple[Regime, ...]
    record_track: str
    other_track: str
    packages: tuple[str, ...]
    """Modules of packages that a run may import without shipping them."""
    grandfathered: tuple[Grandfathered, ...]
    leaderboard: tuple[Record, ...]


@lru_cache(maxsize=8)
def load_edition(path: str | None) -> Edition:
    """The edition in a TOML file that the reviewer names, or the one that ships with the checker.

    With `extends = "shipped"` a file states only what differs from the shipped edition.
    """
    file: Traversable = Path(path) if path is not None else rulebook_dir() / "edition.toml"
    shown = path if path is not None else "rules/edition.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{shown}: the edition cannot be read: {error}; name a TOML file with --edition") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{shown}: the edition is not TOML: {error}") from error
    try:
        folder: Traversable = Path(path).parent if path is not None else rulebook_dir()
        if path is not None and data.get("extends") is not None:
            data = _extended(data)
        return _edition(data, _leaderboard(folder / str(data["leaderboard"])))
    except KeyError as error:
        raise UserError(f"{shown}: the edition lacks {error.args[0]!r}; rules/edition.toml shows the form") from error
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise UserError(
            f"{shown}: the edition has a value of the wrong kind: {error}; rules/edition.toml shows the form"
        ) from error


def _extended(data: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped edition with the values of `data`: tables are filled up, everything else is replaced."""
    if data["extends"] != "shipped":
        raise ValueError(f"extends is {data['extends']!r} where 'shipped' was expected")
    shipped = tomllib.loads((rulebook_dir() / "edition.toml").read_text(encoding="utf-8"))
    return {
        name: {**shipped[name], **data[name]} if isinstance(shipped.get(name), dict) and isinstance(data.get(name), dict) else value
        for name, value in {**shipped, **data}.items()
    }


def _edition(data: Mapping[str, Any], leaderboard: tuple[Record, ...]) -> Edition:
    return Edition(
        name=_text(data["name"]),
        artifact_bytes=_count(data["artifact"]["bytes"]),
        training=_budget(data["training"]),
        evaluation=_budget(data["evaluation"]),
        calibration_reserve=float(data["calibration"]["reserve"]),
        calibration_overrun=float(data["calibration"]["overrun"]),
        claim_noise=float(data["claims"]["noise"]),
        hardware=Hardware(_text(data["hardware"]["gpu"]), _count(data["hardware"]["count"])),
        minimum_runs=_count(data["runs"]["minimum"]),
        run_deviation=float(data["runs"]["deviation"]),
        same_script=float(data["runs"]["same_script"]),
        validation=_validation(data["validation"]),
        data=_data(data["data"]),
        regimes=tuple(Regime(_date(r["from"]), float(r["margin_nats"]), float(r["p"])) for r in data["significance"]),
        record_track=_text(data["tracks"]["record"]),
        other_track=_text(data["tracks"]["other"]),
        packages=tuple(_text(name) for name in data["environment"]["packages"]),
        grandfathered=tuple(
            Grandfathered(tuple(g["rules"]), _text(g["folder"]), _text(g["script_sha256"]), _text(g["reason"]), g.get("val_bpb"))
            for g in data.get("grandfathered", [])
        ),
        leaderboard=leaderboard,
    )


def _budget(table: Mapping[str, Any]) -> Budget:
    return Budget(float(table["seconds"]), float(table["grace"]))


def _validation(table: Mapping[str, Any]) -> Validation:
    return Validation(
        _count(table["bytes"]), float(table["tolerance"]), float(table["tail"]), tuple(_split(s) for s in table["splits"])
    )


def _data(table: Mapping[str, Any]) -> Data:
    overlapping = tuple(_count(n) for n in table["overlapping_shards"])
    return Data(_count(table["usual_shards"]), overlapping, tuple(_text(name) for name in table["normalizers"]))


def _split(table: Mapping[str, Any]) -> Split:
    transformed = _count(table["transformed_bytes"]) if "transformed_bytes" in table else None
    return Split(_text(table["name"]), str(table["dataset"]), _count(table["tokens"]), _count(table["bytes"]), transformed)


def _count(value: object) -> int:
    if type(value) is not int or value <= 0:
        raise ValueError(f"{value!r} where a positive whole number was expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} where a text was expected")
    return value


def _date(value: object) -> datetime.date:
    if type(value) is not datetime.date:
        raise ValueError(f"{value!r} where a date such as 2026-03-18 was expected")
    return value


def _leaderboard(file: Traversable) -> tuple[Record, ...]:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return tuple(_record(row) for row in csv.DictReader(lines))


def _record(row: Mapping[str, str]) -> Record:
    seeds = [entry.rpartition(":")[2] for entry in row["seed_values_bpb"].split(";") if entry]
    return Record(
        date=datetime.date.fromisoformat(row["readme_date"]),
        created=datetime.datetime.fromisoformat(row["pr_created_utc"]),
        official_bpb=float(row["val_bpb_official"]),
        mean_bpb=float(row["mean_bpb"]),
        seeds_bpb=tuple(float(value) for value in seeds),
        folder=row["folder"],
    )
