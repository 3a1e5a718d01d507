"""What a technique changes: a baseline and the same with one toggle at a time, over the same seeds.

Invariants: a run that has finished is never made again while code, configuration and data stay the same; differences are of runs with
one seed, so that the seed's share of the noise falls out.
"""

import math
import re
import statistics
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pgolf_ref.bundle.program import bundle
from pgolf_ref.config import Config
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.files import read_json, write_json
from pgolf_ref.fingerprint import fingerprint
from pgolf_ref.run import SeedResult, remove_checkpoint, run_seed, with_seed

BASELINE = "baseline"
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Toggle:
    """Overrides of the baseline, and the difference in bits per byte that was published of them, in words."""

    name: str
    overrides: tuple[str, ...]
    published: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs with one toggle, in the order of the seeds."""

    toggle: Toggle
    results: tuple[SeedResult, ...]


def read_toggles(path: Path) -> list[Toggle]:
    """The tables [[toggle]] of a TOML file: name, set (a list of overrides), published."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("toggle")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read as TOML: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise UserError(f"{path} holds no [[toggle]] tables, each with a name and a list named set")
    toggles = [_toggle(path, number, table) for number, table in enumerate(tables, 1)]
    folders = [BASELINE, *(slug(toggle.name) for toggle in toggles)]
    doubled = sorted({name for name in folders if folders.count(name) > 1})
    if doubled:
        raise UserError(f"{path}: two toggles would share the folder {doubled[0]}; {BASELINE} is the run without a toggle")
    return toggles


def _toggle(path: Path, number: int, table: Any) -> Toggle:
    known = isinstance(table, dict) and set(table) <= {"name", "set", "published"}
    if known and isinstance(table.get("name"), str) and isinstance(table.get("set"), list):
        published = table.get("published", "")
        if table["set"] and all(isinstance(item, str) for item in [*table["set"], published]):
            return Toggle(table["name"], tuple(table["set"]), published)
    raise UserError(f"{path}: toggle {number} needs a name and a list of texts named set, and may have a text named published")


def ablate(configs: Mapping[Toggle, Config], seeds: Sequence[int], out: Path, world: World) -> Iterator[Arm]:
    """Run every configuration with every seed, each in a folder of its own below `out`."""
    for toggle, config in configs.items():
        folder = out / slug(toggle.name)
        yield Arm(toggle, tuple(_run(with_seed(config, seed, config.data.path), folder, world) for seed in seeds))


def _run(config: Config, folder: Path, world: World) -> SeedResult:
    script = bundle(config)
    note = folder / f"seed_{config.run.seed_init}.json"
    identity = fingerprint(script, open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer))
    if note.is_file():
        kept = read_json(note)
        if kept.pop("fingerprint", None) == identity:
            return SeedResult(**kept)
    result = run_seed(config, script, folder, world)
    if world.is_main:
        write_json(note, {"fingerprint": identity, **asdict(result)})
    remove_checkpoint(folder, config.run.seed_init, world)
    return result


def slug(name: str) -> str:
    """A name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "toggle"


def rows(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """One table per arm; the first is the baseline, and the others are compared with it seed by seed.

    `delta` is the mean difference in bits per byte, `low` and `high` the ends of its confidence interval by Student's t; with one seed
    there is none.
    """
    base = arms[0]
    return [_row(arm, None if arm is base else base) for arm in arms]


def _row(arm: Arm, base: Arm | None) -> dict[str, Any]:
    results = arm.results
    row: dict[str, Any] = {
        "name": arm.toggle.name,
        "set": list(arm.toggle.overrides),
        "val_bpb": statistics.mean(r.val_bpb for r in results),
        "ms_per_step": statistics.median(1000 * r.train_seconds / r.steps for r in results),
        "artifact_bytes": round(statistics.mean(r.artifact_bytes for r in results)),
        "published": arm.toggle.published,
    }
    if base is None:
        return row
    deltas = [mine.val_bpb - its.val_bpb for mine, its in zip(results, base.results, strict=True)]
    margin = margin_of(deltas)
    delta = statistics.mean(deltas)
    return row | {"delta": delta, "low": delta - margin, "high": delta + margin}


def margin_of(values: Sequence[float]) -> float:
    """Half the confidence interval of a mean by Student's t; infinite for a single value."""
    if len(values) < 2:
        return math.inf
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def table(arms: Sequence[Arm]) -> str:
    """The rows as Markdown, the baseline first."""
    seeds = len(arms[0].results)
    head = [
        f"{seeds} seed(s); differences with their {CONFIDENCE:.0%} intervals are of runs with the same seed. Time as this machine took it.",
        "",
        "| toggle | val_bpb | difference | ms/step | artifact, bytes | published |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_line(row) for row in rows(arms))]) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    name = row["name"] + "".join(f"<br>`{item}`" for item in row["set"])
    cells = (name, f"{row['val_bpb']:.4f}", _difference(row), f"{row['ms_per_step']:.1f}", f"{row['artifact_bytes']:,}")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, row["published"])) + " |"


def _difference(row: Mapping[str, Any]) -> str:
    if "delta" not in row:
        return ""
    interval = f" ({row['low']:+.4f} to {row['high']:+.4f})" if math.isfinite(row["high"]) else ""
    return f"{row['delta']:+.4f}{interval}"
