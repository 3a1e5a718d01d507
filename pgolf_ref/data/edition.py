"""The edition of a data folder: the reference data that `pgolf-check --edition` judges submissions on this data by.

It states what is this folder's own, the validation split with its tail above all, and extends the shipped edition.
"""

import json
import string
from pathlib import Path

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
