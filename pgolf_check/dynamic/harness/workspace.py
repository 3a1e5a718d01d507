"""The folder in which a script runs: its own files, random shards and a tokenizer of their vocabulary, at the challenge's paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pgolf_check.dynamic.harness.tokenizer import model_bytes
from pgolf_check.dynamic.shard import Layout, Tokens, draw, fresh_seed, shard_bytes

VALIDATION = "val"


def fresh_shards(layout: Layout, splits: Iterable[str] = ("train", VALIDATION)) -> dict[str, Tokens]:
    """The tokens of a shard of each split, drawn anew."""
    return {split: draw(layout, fresh_seed()) for split in splits}


def lay_out(folder: Path, files: Mapping[str, bytes], layout: Layout, shards: Mapping[str, Tokens]) -> None:
    """Write the script's files, the shard of each split, and the tokenizer.

    Raises ValueError if a name of a file leads out of the folder.
    """
    for name, content in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"{name}: this name leads out of the folder of the run")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    place = folder / "data" / "datasets" / f"fineweb10B_sp{layout.vocab}"
    place.mkdir(parents=True, exist_ok=True)
    for split, tokens in shards.items():
        (place / f"fineweb_{split}_000000.bin").write_bytes(shard_bytes(tokens))
    tokenizer = folder / "data" / "tokenizers" / f"fineweb_{layout.vocab}_bpe.model"
    tokenizer.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.write_bytes(model_bytes(layout.vocab))
