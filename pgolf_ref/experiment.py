"""All seeds of a recipe, one after the other, and then the submission folder.

Invariants: a seed that has finished is never run again, and stays part of the submission; seeds of one folder have the same code,
configuration and data, or the run is refused; an interrupted run leaves finished seeds and nothing that looks like a submission.
"""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pgolf_ref.bundle.program import bundle
from pgolf_ref.config import Config
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.files import read_json, write_json
from pgolf_ref.fingerprint import fingerprint
from pgolf_ref.log import Audience
from pgolf_ref.run import SeedResult, log_name, remove_checkpoint, run_seed, with_seed
from pgolf_ref.submission import METADATA, Description, restore_results, write_submission


@dataclass(frozen=True, slots=True)
class Author:
    """Who submits, and under which title."""

    name: str
    author: str
    github_id: str


def run_experiment(
    config: Config,
    seeds: Sequence[int],
    out: Path,
    by: Author,
    world: World,
    audience: Audience | None = None,
    weights: Path | None = None,
) -> list[SeedResult]:
    """Run the seeds that have not finished in `out`, and write the submission folder there; weights before quantisation to `weights`.

    The audience is told what the logs tell, and of every seed that is over: "finished" with the path of its log.
    """
    dataset = open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer)
    script = bundle(config)
    identity = fingerprint(script, dataset)
    results = _finished(out, identity)
    for seed in seeds:
        if seed not in results:
            results[seed] = run_seed(with_seed(config, seed, config.data.path), script, out, world, audience, weights)
            if world.is_main:
                write_json(_note(out, seed), {"fingerprint": identity, **asdict(results[seed])})
                if audience:
                    audience("finished", {"log": str(out / log_name(seed))})
        remove_checkpoint(out, seed, world)
    ordered = [results[seed] for seed in dict.fromkeys([*seeds, *sorted(results)])]
    if world.is_main:
        hardware, record = _hardware(world)
        about = Description(by.name, by.author, by.github_id, hardware, record, dataset.name, identity)
        write_submission(out, config, script, ordered, about)
        for note in out.glob(".seed_*.json"):
            note.unlink()
    return ordered


def _note(out: Path, seed: int) -> Path:
    return out / f".seed_{seed}.json"


def _finished(out: Path, identity: str) -> dict[int, SeedResult]:
    """The results of earlier calls, from the notes of a run that was interrupted or from a complete submission."""
    results: dict[int, SeedResult] = {}
    if (out / METADATA).is_file():
        metadata = read_json(out / METADATA)
        _expect(metadata.get("fingerprint"), identity, out)
        results = {result.seed: result for result in restore_results(metadata)}
    for note in out.glob(".seed_*.json"):
        figures: dict[str, Any] = read_json(note)
        _expect(figures.pop("fingerprint", None), identity, out)
        results[int(figures["seed"])] = SeedResult(**figures)
    return results


def _expect(found: Any, identity: str, out: Path) -> None:
    if found != identity:
        raise UserError(
            f"{out} holds runs of another configuration, code or data: name another folder with --out, or delete it to start anew"
        )


def _hardware(world: World) -> tuple[str, bool]:
    """The machine in words, and whether it is the one of the record track."""
    if world.device.type != "cuda":
        return f"{world.size} process(es) on a CPU ({platform.machine()})", False
    name = torch.cuda.get_device_name(world.device)
    return f"{world.size}x {name}", world.size == 8 and "H100" in name
