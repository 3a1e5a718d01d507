"""Shards of the challenge: a header of 256 little-endian int32 (magic, version, number of tokens), then uint16 tokens.

Invariants: a file that is shorter or longer than its header says is refused; documents begin with BOS and may span shards.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import BOS
from pgolf_ref.errors import UserError
from pgolf_ref.files import whole_file

MAGIC, VERSION = 20240520, 1
HEADER_BYTES = 1024

Tokens = NDArray[np.uint16]


def shard_name(split: str, number: int) -> str:
    """`split` is train or val. The public readers look for this name, whatever the text."""
    return f"fineweb_{split}_{number:06d}.bin"


def sidecar_name(split: str, number: int) -> str:
    """A shard beside that of the same number, whose values are the bytes that each token stands for."""
    return f"fineweb_{split}_bytes_{number:06d}.bin"


def shard_files(folder: Path, split: str) -> list[Path]:
    """The shards of a split in order; refuses a gap in their numbers."""
    files = sorted(folder.glob(shard_name(split, 0).replace("000000", "[0-9]*")))
    if not files:
        raise UserError(f"no {shard_name(split, 0)} in {folder}: prepare data with `pgolf-train prepare --out {folder}`")
    for number, file in enumerate(files):
        if file.name != shard_name(split, number):
            raise UserError(f"{folder / shard_name(split, number)} is missing: {file.name} is there, so the split is incomplete")
    return files


def write_shard(path: Path, tokens: Tokens) -> None:
    header = np.zeros(256, dtype="<i4")
    header[:3] = MAGIC, VERSION, len(tokens)
    with whole_file(path) as file:
        file.write(header.tobytes())
        file.write(np.ascontiguousarray(tokens, dtype="<u2").data)


def open_shard(path: Path) -> Tokens:
    """The tokens of a shard, read from the file as they are used."""
    try:
        size = path.stat().st_size
        header = np.fromfile(path, dtype="<i4", count=256)
    except OSError as error:
        raise UserError(f"cannot read shard {path}: {error.strerror}") from error
    if len(header) < 256 or header[0] != MAGIC:
        raise UserError(f"{path} is no token shard: expected the magic number {MAGIC} in a header of {HEADER_BYTES} bytes")
    if header[1] != VERSION:
        raise UserError(f"{path} is a shard of version {header[1]}; this program reads version {VERSION}")
    count, expected = int(header[2]), HEADER_BYTES + 2 * int(header[2])
    if count < 0 or size != expected:
        raise UserError(f"{path} has {size} bytes, its header promises {expected}: the file is damaged, prepare or fetch it again")
    if count == 0:
        return np.empty(0, dtype="<u2")
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(count,))


def read_split(folder: Path, split: str) -> Tokens:
    """All tokens of a split in memory."""
    return np.concatenate([open_shard(path) for path in shard_files(folder, split)])


def read_sidecar(folder: Path, split: str) -> Tokens | None:
    """The bytes of all tokens of a split, or None where it has no sidecar."""
    files = [folder / sidecar_name(split, number) for number in range(len(shard_files(folder, split)))]
    if not any(file.is_file() for file in files):
        return None
    return np.concatenate([open_shard(file) for file in files])


def documents(shards: Sequence[Tokens]) -> Iterator[Tokens]:
    """The documents in a sequence of shards, each with its BOS; tokens before the first BOS are a document too."""
    pending: list[Tokens] = []
    for shard in shards:
        head, *rest = np.split(shard, np.flatnonzero(shard == BOS))
        if len(head):
            pending.append(head)
        for piece in rest:
            if pending:
                yield np.concatenate(pending)
            pending = [piece]
    if pending:
        yield np.concatenate(pending)


def cut(documents: Iterable[Tokens], capacity: int) -> Iterator[tuple[Tokens, int, int]]:
    """Shards of `capacity` tokens, the last one shorter, each with where the next begins: whole documents, tokens of one more."""
    buffer = np.empty(capacity, dtype="<u2")
    filled = used = 0
    for document in documents:
        taken = 0
        while taken < len(document):
            part = document[taken : taken + capacity - filled]
            buffer[filled : filled + len(part)] = part
            filled, taken = filled + len(part), taken + len(part)
            if filled == capacity:
                whole = taken == len(document)
                yield buffer, used + whole, 0 if whole else taken
                filled = 0
        used += 1
    if filled:
        yield buffer[:filled], used, 0
