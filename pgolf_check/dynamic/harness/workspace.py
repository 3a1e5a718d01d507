"""The folder in which a script runs: its own files, random shards and a tokenizer of their vocabulary, at the challenge's paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pgolf_check.dynamic.harness.tokenizer import model_bytes
from pgolf_check.dynamic.shard import Layout, make_canary


def lay_out(folder: Path, files: Mapping[str, bytes], layout: Layout, splits: Iterable[str] = ("train", "val")) -> None:
    """Write the script's files, a shard of each split drawn anew, and the tokenizer; the notes stay outside the folder.

    Raises ValueError if a name of a file leads out of the folder, UserError if a shard cannot be written.
    """
    for name, content in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"{name}: this name leads out of the folder of the run")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shards = folder / "data" / "datasets" / f"fineweb10B_sp{layout.vocab}"
    for split in splits:
        make_canary(shards / f"fineweb_{split}_000000.bin", layout)
    for note in shards.glob("*.json"):
        note.unlink()
    tokenizer = folder / "data" / "tokenizers" / f"fineweb_{layout.vocab}_bpe.model"
    tokenizer.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.write_bytes(model_bytes(layout.vocab))
