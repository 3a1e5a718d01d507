"""The edition of a data folder: the reference data that `pgolf-check --edition` judges submissions on this data by.

It states what is this folder's own, the validation split with its tail above all, and extends the shipped edition.
"""

import hashlib
import json
import string
import tomllib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
sha256 = "$sha256" # of the tokens of all its shards, two bytes each
""")

_COLUMNS = (
    "order,readme_date,pr_created_utc,pr,val_bpb_official,mean_bpb,sd_bpb,n_seeds,seed_values_bpb,mean_val_loss_nats_per_token,"
    "sd_val_loss,seed_values_val_loss,val_tokens,tokens_per_byte,vocab,author,title,folder,source,note\n"
)


def split_digest(tokens: NDArray[np.uint16]) -> str:
    """Hexadecimal SHA-256 of the tokens of a split, little-endian: it does not depend on how they are cut into shards."""
    return hashlib.sha256(np.ascontiguousarray(tokens, dtype="<u2").data).hexdigest()


def write_edition(folder: Path, name: str, shards: int, tokens: int, bytes: int, sha256: str) -> None:
    """`shards` are those for training, `tokens` the scored targets of the validation split, `bytes` what these stand for.

    `sha256` is the digest of the validation split.
    """
    write_text(folder / LEADERBOARD, _COLUMNS)
    text = _TEMPLATE.substitute(name=json.dumps(name), shards=shards, tokens=tokens, bytes=bytes, sha256=sha256)
    write_text(folder / EDITION, text)


def check_validation(folder: Path, tokens: int, bytes: int, sha256: str) -> None:
    """Refuse a validation split of `tokens` targets that is none of those in the folder's edition, where it has one."""
    path = folder / EDITION
    if path.is_file():
        check_validation_of(path, folder, tokens, bytes, sha256)


def check_validation_of(path: Path, folder: Path, tokens: int, bytes: int, sha256: str) -> None:
    """Refuse the validation split in a folder if it is none of those in the edition at `path`: by counts, and by digest if stated."""
    try:
        splits = tomllib.loads(path.read_text(encoding="utf-8"))["validation"]["splits"]
        stated = {(split["tokens"], split["bytes"]): split.get("sha256", sha256) for split in splits}
    except OSError as error:
        raise UserError(f"cannot read the edition {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} does not state the validation split ({error}): prepare the data again") from error
    again = "shards or tokenizer were exchanged; prepare the data again"
    if (tokens, bytes) not in stated:
        known = " or ".join(f"{t:,} of {b:,} bytes" for t, b in stated)
        raise UserError(
            f"the validation split in {folder} has {tokens:,} targets of {bytes:,} bytes, its edition states {known}: {again}"
        )
    if stated[tokens, bytes] != sha256:
        raise UserError(
            f"the validation split in {folder} has as many targets and bytes as its edition states, but other tokens "
            f"(SHA-256 {sha256[:16]}..., stated {str(stated[tokens, bytes])[:16]}...): {again}"
        )
