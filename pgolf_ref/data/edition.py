"""The edition of a data folder: the reference data that `pgolf-check --edition` judges submissions on this data by.

The caps and budgets are those of the challenge; the validation split is this folder's, with its tail.
"""

import json
import string
from pathlib import Path

from pgolf_ref.files import write_text

EDITION, LEADERBOARD = "edition.toml", "leaderboard.csv"

_TEMPLATE = string.Template("""\
# Reference data for submissions trained on the data in this folder. Written by `pgolf-train prepare`.

name = $name
leaderboard = "leaderboard.csv"

[artifact]
bytes = 16_000_000

[training]
seconds = 600
grace = 1

[evaluation]
seconds = 600
grace = 1

[hardware]
gpu = "H100 SXM"
count = 8

[runs]
minimum = 3

[tracks]
record = "track_10min_16mb"
other = "track_non_record_16mb"

[environment]
packages = ["torch", "numpy", "sentencepiece", "triton", "brotli", "zstandard"]

[validation]
bytes = $bytes
tolerance = 2e-4

[[validation.splits]] # every token but the first is a target
name = $name
dataset = $name
tokens = $tokens
bytes = $bytes

[[significance]]
from = 2026-03-18
margin_nats = 0.005
p = 0.01
""")

_COLUMNS = (
    "order,readme_date,pr_created_utc,pr,val_bpb_official,mean_bpb,sd_bpb,n_seeds,seed_values_bpb,mean_val_loss_nats_per_token,"
    "sd_val_loss,seed_values_val_loss,val_tokens,tokens_per_byte,vocab,author,title,folder,source,note\n"
)


def write_edition(folder: Path, name: str, tokens: int, bytes: int) -> None:
    """`tokens` are the scored targets of the validation split, `bytes` the bytes that they stand for."""
    write_text(folder / LEADERBOARD, _COLUMNS)
    write_text(folder / EDITION, _TEMPLATE.substitute(name=json.dumps(name), tokens=tokens, bytes=bytes))
