"""A small corpus of made-up text, and a data folder that was prepared from it."""

import functools
import json
import random
import tempfile
from pathlib import Path

from pgolf_ref.data.prepare import Request, prepare

TEXT = "the model reads a token and writes its price in bits naïve façade 東京 übermut 12 345 x=1; return None\n\n\tif é🙂"
WORDS = TEXT.split(" ")
VOCAB = 400


def texts(count: int = 60, seed: int = 0) -> list[str]:
    """Documents of some hundred characters, each different."""
    choose = random.Random(seed)
    return [f"{number} " + " ".join(choose.choices(WORDS, k=120)) for number in range(count)]


def write_jsonl(path: Path, documents: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents), encoding="utf-8")
    return path


def request(corpus: Path, **changes: object) -> Request:
    values = {"corpus": str(corpus), "vocab_size": VOCAB, "validation_share": 0.2, "shard_tokens": 3000, **changes}
    return Request(**values)  # type: ignore[arg-type]


def quiet(stage: str, detail: str) -> None:
    """No progress."""


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def prepared() -> Path:
    """A data folder with several shards; read only."""
    folder = Path(_folder().name)
    prepare(request(write_jsonl(folder / "made-up.jsonl", texts())), folder / "data", quiet)
    return folder / "data"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
