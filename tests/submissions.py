"""Submissions built in memory for the tests of rules and verdict: a legal record by default, any part replaced by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgolf_check.model import Location
from pgolf_check.rules.edition import load_edition
from pgolf_check.rules.facts import Facts
from pgolf_check.submission.model import Calibration, File, FinalLine, Log, Metadata, Run, Script, Submission

SOURCE = "import torch\n\nprint('hello')\n"
SEEDS = (42, 314, 999)


def final(path: str = "train.log", **changes: Any) -> FinalLine:
    """The claimed line of a run: 1.08100000 on the full sp8192 split."""
    line = FinalLine(Location(path, 30), "", "final", 2.79231896, 1.08099999, eval_seconds=80.0, digits=8)
    return replace(line, **changes)


def run(path: str = "train.log", **changes: Any) -> Run:
    """A finished run of a record on 8 GPUs."""
    finished = Run(
        first_line=1,
        last_line=40,
        seed=42,
        world_size=8,
        finals=(final(path),),
        stop=Location(path, 20),
        train_seconds=599.95,
        steps=5000,
        val_tokens=40_540_160,
        dataset="./data/datasets/fineweb10B_sp8192",
        train_shards=80,
        config={"matrix_lr": "0.02"},
        model_bytes=15_900_000,
        code_bytes=len(SOURCE),
        total_bytes=15_900_000 + len(SOURCE),
        total_location=Location(path, 25),
        complete=True,
    )
    return replace(finished, **changes)


def calibration(data: str = "training", seconds: float | None = 3.6, line: int = 22) -> Calibration:
    """A line of the log that tells of calibration, after the end of training by default."""
    return Calibration(Location("train.log", line), "gptq:calibrating", data, seconds)


def log(path: str, *runs: Run) -> Log:
    return Log(path, f"log {path}", runs=runs)


def three_logs(**changes: Any) -> tuple[Log, ...]:
    """One log per seed; `changes` apply to every run."""
    return tuple(log(f"train_seed{seed}.log", run(f"train_seed{seed}.log", **{"seed": seed, **changes})) for seed in SEEDS)


def submission(**changes: Any) -> Submission:
    """A legal record."""
    legal = Submission(
        path="records/track_10min_16mb/legal",
        files=tuple(File(name, len(SOURCE), SOURCE.encode()) for name in ("README.md", "submission.json", "train_gpt.py")),
        scripts={"train_gpt.py": Script("train_gpt.py", len(SOURCE), SOURCE)},
        entry="train_gpt.py",
        metadata=Metadata(
            "submission.json",
            {"name": "legal", "github_id": "someone", "date": "2026-04-04"},
            val_bpb=1.081,
            track="track_10min_16mb",
        ),
        logs=three_logs(),
        commands=(),
        readme="A record.",
    )
    return replace(legal, **changes)


def facts(judged: Submission | None = None, **changes: Any) -> Facts:
    """What the paper witness gives the rules."""
    given = Facts(judged if judged is not None else submission(), load_edition(None))
    return replace(given, **changes)


def model_of(pieces: Sequence[tuple[str, int]]) -> bytes:
    """A SentencePiece model of these pieces: (text, kind)."""
    messages = (b"\x0a" + bytes([len(text.encode())]) + text.encode() + b"\x18" + bytes([kind]) for text, kind in pieces)
    return b"".join(b"\x0a" + bytes([len(message)]) + message for message in messages)
