"""Runs that take a second, on the small prepared data."""

from pathlib import Path

from corpora import VOCAB, prepared
from toys import SMALL

from pgolf_ref.config import Config, load_recipe
from pgolf_ref.distributed import World
from pgolf_ref.experiment import Author, run_experiment
from pgolf_ref.run import SeedResult

BRISK = (
    *SMALL,
    f"model.vocab_size={VOCAB}",
    "run.dtype=float32",
    "run.steps=3",
    "evaluate.stride=6",
    "evaluate.batch_windows=256",
    "ttt.epochs=1",
    "ttt.chunk_tokens=600",
    "ttt.batch_rows=64",
)
SEEDS = (5, 7)


def brisk(*overrides: str) -> Config:
    return load_recipe("tiny", [*BRISK, f"data.path={prepared()}", *overrides])


def experiment(out: Path, *overrides: str, seeds: tuple[int, ...] = SEEDS) -> list[SeedResult]:
    return run_experiment(brisk(*overrides), seeds, out, Author("A test", "someone", "someone"), World.single())
