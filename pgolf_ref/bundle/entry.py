"""The program of a submission in one file: one seed of its configuration, from the data to the score."""

import argparse
from pathlib import Path

from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.run import run_seed, with_seed
from pgolf_ref.script import read_script


def main(config: Config) -> None:
    """Train, export and score. The log shows the file that runs."""
    parser = argparse.ArgumentParser(description="Train, export and score one seed of this submission.")
    parser.add_argument("--seed", type=int, default=1337, help="decides the initial weights and the order of the data")
    parser.add_argument("--data", default="data", help="folder of the shards and the tokenizer")
    parser.add_argument("--out", default="run", help="folder for the log, the artifact and the ledger replay")
    given = parser.parse_args()
    try:
        world = World.from_environment(config.run.device)
        script, out = read_script(Path(__file__)), Path(given.out)
        run_seed(with_seed(config, given.seed, given.data), script, out, world)
        world.close()
    except (UserError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
