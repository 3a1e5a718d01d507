"""The shards that the challenge publishes, by name, through huggingface_hub.

Invariants: a file appears whole; files that are there are not fetched again, so an interrupted fetch goes on.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from pgolf_ref.data.dataset import MANIFEST
from pgolf_ref.data.shards import shard_name
from pgolf_ref.errors import UserError
from pgolf_ref.files import whole_file, write_json

REPOSITORY, ROOT = "willdepueoai/parameter-golf", "datasets"


def fetch_published(name: str, train_shards: int, out: Path, progress: Callable[[str, str], None]) -> None:
    """Fetch the validation split, the tokenizer and the first training shards of a data set such as sp1024 into `out`."""
    dataset = f"fineweb10B_{name}"
    index = json.loads(_fetch("manifest.json").read_text(encoding="utf-8"))
    entry = next((d for d in index["datasets"] if d["name"] == dataset), None)
    if entry is None:
        known = ", ".join(sorted(d["name"].removeprefix("fineweb10B_") for d in index["datasets"]))
        raise UserError(f"the challenge publishes no data set {name!r}: give one of {known}")
    if train_shards > entry["stats"]["files_train"]:
        raise UserError(f"{name} has {entry['stats']['files_train']} training shards, not {train_shards}")
    tokenizer = next(t for t in index["tokenizers"] if t["name"] == entry["tokenizer_name"])
    if "model_path" not in tokenizer:
        raise UserError(f"{name} has no SentencePiece tokenizer, which this program needs: give another data set")
    wanted = {Path(tokenizer["model_path"]).name: tokenizer["model_path"]}
    for split, count in (("val", entry["stats"]["files_val"]), ("train", train_shards)):
        for number in range(count):
            wanted[shard_name(split, number)] = f"datasets/{dataset}/{shard_name(split, number)}"
    for file, remote in wanted.items():
        if not (out / file).is_file():
            progress("fetch", file)
            with _fetch(remote).open("rb") as source, whole_file(out / file) as target:
                shutil.copyfileobj(source, target)
    write_json(out / MANIFEST, {"name": dataset, "repository": REPOSITORY})


def _fetch(remote: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise UserError("published shards need huggingface_hub: pip install huggingface_hub") from error
    path = Path(ROOT) / remote
    try:
        return Path(hf_hub_download(REPOSITORY, path.name, subfolder=path.parent.as_posix(), repo_type="dataset"))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(f"cannot fetch {remote} of {REPOSITORY}: {reason}; without a network, prepare --corpus stdlib") from error
