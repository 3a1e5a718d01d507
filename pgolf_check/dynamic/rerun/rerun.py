"""One re-run: the job that runs a submission on the reviewer's data, and what its end says of size, score and ledger.

The run is hostile: its output is read as text and its files as bytes, nothing of it is imported or unpickled. What it prints is compared with
what it wrote where that can be; the time is ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pgolf_check.dynamic import sandbox
from pgolf_check.dynamic.rerun.declared import Declared, declared_launch
from pgolf_check.dynamic.rerun.replay import BrokenReplay, Replay, read_replay
from pgolf_check.dynamic.sandbox import Job, Limits, Outcome
from pgolf_check.dynamic.shard import HEADER
from pgolf_check.dynamic.witness import inputs
from pgolf_check.errors import UserError
from pgolf_check.rules.edition import Edition
from pgolf_check.submission.logs import read_log
from pgolf_check.submission.model import FinalLine, Run, Submission

DATA = "data"
"""Where the reviewer's data lies in the folder of the run."""
MOST_MEMORY, MOST_WRITTEN, MOST_LOG = 64 << 30, 1 << 30, 32 << 20
NO_GPU = re.compile(rb"CUDA|NVIDIA|nccl", re.IGNORECASE)
"""What the errors of a run name that needs a GPU."""
CORES = 16
"""Seconds of a processor for each second of the clock."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: `holds` is None where it could not be made."""

    name: str
    holds: bool | None
    told: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """A re-run that ended, and its comparisons with the claim."""

    launch: Declared
    outcome: Outcome
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 if the score and all else that could be compared holds, 1 if something does not, 2 if the run failed or stated no score, 4 without a GPU."""
        if any(check.holds is False for check in self.checks):
            return 1
        if not self.outcome.succeeded and not sandbox.gpu_devices() and NO_GPU.search(self.outcome.stderr):
            return 4
        return 0 if self.outcome.succeeded and any(c.holds for c in self.checks if c.name == "score") else 2


def rerun(submission: Submission, edition: Edition, data: Path, seed: int, seconds: float, *, allow_weak: bool = False) -> Rerun:
    """Run the submission's script as declared, for one seed. Raises UserError without a script or data, SandboxError without a sandbox."""
    if submission.entry not in (files := inputs(submission)):
        raise UserError(f"{submission.path}: there is no script to run")
    laid = {f"{DATA}/{path.relative_to(data).as_posix()}": path for path in sorted(data.rglob("*")) if path.is_file()}
    if not laid:
        raise UserError(f"{data}: no data; expected the folder that holds the shards and the tokenizer")
    kept = {name: content for name, content in files.items() if PurePosixPath(name).parts[0] != DATA}
    launch = declared_launch(submission, seed)
    limits = Limits(seconds, CORES * seconds, MOST_MEMORY, 1024, MOST_WRITTEN)
    environment = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **launch.environment}
    job = Job(launch.argv, {**kept, **laid}, environment, limits, devices=sandbox.gpu_devices())
    outcome = sandbox.run(job, allow_weak=allow_weak)
    run = _run_of(outcome)
    return Rerun(launch, outcome, tuple(_checks(submission, edition, outcome, run, seed, data)))


def _run_of(outcome: Outcome) -> Run | None:
    """The last run with a score that the job printed or, where it printed none, that a log of it holds."""
    logs = {n: c for n, c in outcome.results.items() if n.endswith((".log", ".txt")) and len(c) <= MOST_LOG}
    texts = {"stdout.log": outcome.stdout, **logs}
    for name, content in texts.items():
        log = read_log(PurePosixPath(name).name, content)
        for run in reversed(log.runs if log is not None else ()):
            if _score(run) is not None:
                return run
    return None


def _score(run: Run) -> FinalLine | None:
    """The last line that states a score of the submitted artifact."""
    return next((final for final in reversed(run.finals) if not final.diagnostic), None)


def _checks(submission: Submission, edition: Edition, outcome: Outcome, run: Run | None, seed: int, data: Path) -> Iterator[Check]:
    ended = "ended" if outcome.succeeded else f"{outcome.ended.value}, status {outcome.status}"
    yield Check(
        "run", outcome.succeeded or None, f"{ended} after {outcome.wall_s:.1f} s of the clock, {outcome.cpu_s:.1f} s of a processor"
    )
    final = _score(run) if run is not None else None
    yield _scored(submission, edition, final, seed)
    yield _size(submission, edition, outcome, run)
    yield from _replayed(submission, outcome, final, _sha256_of_validation(data))


def _scored(submission: Submission, edition: Edition, final: FinalLine | None, seed: int) -> Check:
    claim = submission.metadata
    claimed = claim.seed_bpb.get(seed, claim.val_bpb) if claim is not None else None
    if final is None:
        return Check("score", None, "the run states none")
    if claimed is None:
        return Check("score", None, f"{final.val_bpb:.8f} bits per byte; nothing is claimed")
    holds = final.val_bpb <= claimed + edition.claim_noise
    return Check(
        "score", holds, f"{final.val_bpb:.8f} bits per byte; claimed {claimed:.8f}, runs differ by up to {edition.claim_noise:g}"
    )


def _size(submission: Submission, edition: Edition, outcome: Outcome, run: Run | None) -> Check:
    """The file that has the size which the run states for its model, and the script."""
    stated = run.model_bytes if run is not None else None
    written = sorted(name for name, size in outcome.sizes.items() if size == stated)
    if stated is None or not written:
        told = (
            "the run states no size of a model" if stated is None else f"no file was written that has the stated {stated:,} bytes"
        )
        return Check("size", None, told)
    file = submission.file(submission.entry)
    total = stated + (file.size if file is not None else 0)
    return Check(
        "size", total <= edition.artifact_bytes, f"{written[0]} and the script have {total:,} bytes of {edition.artifact_bytes:,}"
    )


def _replayed(submission: Submission, outcome: Outcome, final: FinalLine | None, sha256: str) -> Iterator[Check]:
    """What the replays of ledgers say that the run wrote; none if it wrote none."""
    for name, content in sorted(outcome.results.items()):
        if not (PurePosixPath(name).name.startswith("ledger") and name.endswith(".jsonl")):
            continue
        try:
            replay = read_replay(content)
        except BrokenReplay as error:
            yield Check("ledger", False, f"{name}: {error}")
            continue
        told = f"{name}: {len(replay.acts):,} acts, each position is scored once, none is learnt from before"
        yield Check("ledger", True, told)
        yield Check("stream", replay.sha256 == sha256, "the ledger's stream against the validation shards that were given")
        if final is not None:
            near = abs(replay.bpb - final.val_bpb) <= 10.0**-final.digits
            yield Check(
                "sum", near, f"the ledger's losses come to {replay.bpb:.8f} bits per byte, the run states {final.val_bpb:.8f}"
            )
        shipped = next((f.data for f in submission.files if PurePosixPath(f.path).name == PurePosixPath(name).name), None)
        if shipped is not None:
            yield _confirmed(shipped, replay)


def _confirmed(shipped: bytes, replay: Replay) -> Check:
    try:
        same = read_replay(shipped).acts == replay.acts
    except BrokenReplay as error:
        return Check("replay", False, f"the shipped ledger: {error}")
    return Check("replay", same, "the acts of the shipped ledger against those of this run")


def _sha256_of_validation(data: Path) -> str:
    """Of the tokens of the validation shards, in the order of their names."""
    digest = hashlib.sha256()
    for shard in sorted(data.rglob("fineweb_val_*.bin"), key=lambda path: path.name):
        with open(shard, "rb") as stream:
            stream.seek(4 * HEADER)
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
