"""Trains a configuration, one step at a time, at the pace of the parent process (lockstep.py).

    python -m pgolf_ref.bench.reference CONFIG.json

The file holds the tables of a configuration (config.to_dict); BENCH_THREADS is the number of threads.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from pgolf_ref.bench.lockstep import Pace
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, from_dict
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.prefetch import Prefetching
from pgolf_ref.data.vocabulary import vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.log import Log
from pgolf_ref.train import train


def endless(config: Config) -> Config:
    """Without a limit of time, and with a loss after every step."""
    run = replace(config.run, log_every=1, validate_every=0, checkpoint_every=0, budget_seconds=0.0)
    return replace(config, run=run)


def run(config: Config) -> None:
    """Train, waiting for a turn before every step."""
    if "BENCH_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    pace = Pace()

    def hear(kind: str, figures: Mapping[str, float | str]) -> None:
        if kind == "train":
            pace.step_done(float(figures["loss"]))

    pace.begin()
    dataset = open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer)
    loader = Prefetching(Loader(config), range(config.data.slots))
    world, log = World.single(config.run.device), Log(None, None, audience=hear)
    train(endless(config), loader, Clock(), log, world=world, vocabulary=vocabulary(dataset.tokenizer))


if __name__ == "__main__":
    run(from_dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
