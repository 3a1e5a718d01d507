"""The program of a submission in one file: one seed of its configuration, from the data to the score.

As the scripts of records do, it takes from the environment what a cheap second run needs: DATA_PATH and TOKENIZER_PATH, SEED,
ITERATIONS and MAX_WALLCLOCK_SECONDS; and two rates, SCALAR_LR and TIED_EMBED_LR (EMBED_LR where the head is not tied), which at 0 leave
the scores of the first weights. Its log states what each of them was.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.run import run_seed
from pgolf_ref.script import read_script


def main(config: Config) -> None:
    """Train, export and score. The log shows the file that runs."""
    parser = argparse.ArgumentParser(description="Train, export and score one seed of this submission.")
    seed, data = os.environ.get("SEED", "1337"), os.environ.get("DATA_PATH", "data")
    parser.add_argument("--seed", type=int, default=seed, help="decides the initial weights and the order of the data")
    parser.add_argument("--data", default=data, help="folder of the shards and the tokenizer")
    parser.add_argument("--out", default="run", help="folder for the log, the artifact and the ledger replay")
    given = parser.parse_args()
    try:
        world = World.from_environment(config.run.device)
        script, out = read_script(Path(__file__)), Path(given.out)
        run_seed(told(config, given.seed, given.data), script, out, world)
        world.close()
    except (UserError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def told(config: Config, seed: int, folder: str) -> Config:
    """The configuration of one run: what the command line and the environment say, the rest as it was made."""
    steps = int(os.environ.get("ITERATIONS", config.run.steps))
    budget = float(os.environ.get("MAX_WALLCLOCK_SECONDS", config.run.budget_seconds))
    run = replace(config.run, seed_init=seed, seed_data=seed, steps=steps, budget_seconds=budget)
    data = replace(config.data, path=folder, tokenizer=os.environ.get("TOKENIZER_PATH", ""))
    table = "TIED_EMBED_LR" if config.model.tied else "EMBED_LR"
    embedding_lr = float(os.environ.get(table, config.optim.embedding_lr))
    scalar_lr = float(os.environ.get("SCALAR_LR", config.optim.scalar_lr))
    optim = replace(config.optim, embedding_lr=embedding_lr, scalar_lr=scalar_lr)
    return replace(config, run=run, data=data, optim=optim)
