"""The edition of a data folder: the reference data that `pgolf-check --edition` judges submissions on this data by.

It states what is this folder's own, the validation split with its tail above all, and extends the shipped edition.
"""

import json
import string
import tomllib
from pathlib import Path

from pgolf_ref.errors import UserError
from pgolf_ref.files import write_text

EDITION, LEADERBOARD = "edition.toml", "leaderboard.csv"

_TEMPLATE = string.Template("""\
# Reference data for submissions trained on the data in this folder. Written by `pgolf-train prepare`.
# What is not stated here is that of the edition that ships with pgolf-check: the caps, the budgets, the hardware, the packages.

name = $name
extends = "shipped"
leaderboard = "leaderboard.csv"
grandfathered = []

[data]
usual_shards = $shards
overlapping_shards = []

[validation]
bytes = $bytes
tolerance = 2e-4

[[validation.splits]] # every token but the first is a target
name = $name
dataset = $name
tokens = $tokens
bytes = $bytes
""")

_COLUMNS = (
    "order,readme_date,pr_created_utc,pr,val_bpb_official,mean_bpb,sd_bpb,n_seeds,seed_values_bpb,mean_val_loss_nats_per_token,"
    "sd_val_loss,seed_values_val_loss,val_tokens,tokens_per_byte,vocab,author,title,folder,source,note\n"
)


def write_edition(folder: Path, name: str, shards: int, tokens: int, bytes: int) -> None:
    """`shards` are those for training, `tokens` the scored targets of the validation split, `bytes` what these stand for."""
    write_text(folder / LEADERBOARD, _COLUMNS)
    write_text(folder / EDITION, _TEMPLATE.substitute(name=json.dumps(name), shards=shards, tokens=tokens, bytes=bytes))


def check_validation(folder: Path, tokens: int, bytes: int) -> None:
    """Refuse a validation split of `tokens` targets that is none of those in the folder's edition, where it has one."""
    path = folder / EDITION
    if not path.is_file():
        return
    try:
        splits = tomllib.loads(path.read_text(encoding="utf-8"))["validation"]["splits"]
        stated = [(split["tokens"], split["bytes"]) for split in splits]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not state the validation split ({error}): prepare the data again") from error
    if (tokens, bytes) not in stated:
        known = " or ".join(f"{t:,} of {b:,} bytes" for t, b in stated)
        raise UserError(
            f"the validation split in {folder} has {tokens:,} targets of {bytes:,} bytes, its edition states {known}: "
            "shards or tokenizer were exchanged; prepare the data again"
        )
