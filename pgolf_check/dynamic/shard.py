"""Canary streams and the challenge's shards: drawn from the operating system's entropy, written beside a note of how they were made.

A shard is a header of 256 little-endian int32 (magic, version, number of tokens), then uint16 tokens. Invariants: a stream is drawn
with a seed that the audited script cannot know, anew for every run; one drawn from a given seed says so and is no evidence.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pgolf_check.errors import UserError

MAGIC, VERSION, HEADER = 20240520, 1, 256
SCHEMA = "pgolf-canary/1"
SEED_BITS = 256
MOST_TOKENS = 1 << 31

Tokens = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Layout:
    """A stream of `tokens` ids below `vocab`; `symbols` of them occur at random, all but BOS if 0. With documents, BOS begins each.

    Documents have `document_tokens` tokens, and begin at places that are known; if that is at least the number of symbols, it is their
    mean, and they begin at random, so that a BOS is no likelier than any symbol and counts as a random token, too.
    With a `modulus` the symbols are the ids that leave the largest remainder by it: where hashes are sums or exclusive ors of
    multiples, such symbols use a small part of a table, so that their contexts collide.
    """

    tokens: int
    vocab: int
    symbols: int = 0
    document_tokens: int = 0
    bos: int = 1
    modulus: int = 0

    def __post_init__(self) -> None:
        documents = self.document_tokens
        if not 2 <= self.tokens < MOST_TOKENS or not 3 <= self.vocab <= 1 << 16:
            raise UserError(
                f"a shard has 2 to {MOST_TOKENS - 1} tokens of a vocabulary of 3 to 65536, not {self.tokens} of {self.vocab}"
            )
        if documents and (documents < 2 or not 0 <= self.bos < self.vocab):
            raise UserError(
                f"documents of {documents} tokens with BOS {self.bos}: expected at least 2 and an id below {self.vocab}"
            )
        if self.modulus and self.symbols:
            raise UserError(f"a modulus of {self.modulus}: expected no number of symbols beside it")
        if not 2 <= self.alphabet <= self.vocab - bool(documents):
            raise UserError(f"{self.symbols} symbols: expected 2 to {self.vocab - bool(documents)}")

    @property
    def alphabet(self) -> int:
        """K, the number of symbols that a random position may hold."""
        if self.modulus:
            return self.vocab // self.modulus - bool(self.document_tokens and self.bos % self.modulus == self.modulus - 1)
        return self.symbols or self.vocab - bool(self.document_tokens)

    @property
    def begin_at_random(self) -> bool:
        """Whether documents may begin at any token but the one behind a BOS."""
        return self.document_tokens >= self.alphabet

    @property
    def fixed(self) -> int:
        """How many of the targets (all tokens but the first) are no random ones."""
        known = self.document_tokens and not self.begin_at_random
        return (self.tokens - 1) // self.document_tokens if known else 0

    @property
    def random(self) -> int:
        """How many of the targets are random."""
        return self.tokens - 1 - self.fixed


@dataclass(frozen=True, slots=True)
class Canary:
    """What is known of a canary shard: layout, seed, whether that came from the operating system, and the shard's SHA-256."""

    layout: Layout
    seed: str
    fresh: bool
    sha256: str


def draw(layout: Layout, seed: int) -> Tokens:
    """The stream of a layout and a seed."""
    generator = np.random.Generator(np.random.PCG64(seed))
    step = layout.modulus or 1
    ids = np.arange(step - 1, layout.vocab, step, dtype=np.uint16)
    if layout.document_tokens:
        ids = ids[ids != layout.bos]
    if layout.symbols:
        ids = np.sort(generator.choice(ids, layout.symbols, replace=False))
    stream: Tokens = ids[generator.integers(0, len(ids), layout.tokens, dtype=np.uint32)]
    if layout.document_tokens:
        stream[_beginnings(layout, generator)] = layout.bos
    return stream


def _beginnings(layout: Layout, generator: np.random.Generator) -> NDArray[np.int64]:
    """Where documents begin: the first token, and others that leave none of them without a token."""
    if not layout.begin_at_random:
        return np.arange(0, layout.tokens, layout.document_tokens)
    found = [0]
    for place in np.flatnonzero(generator.random(layout.tokens) < 1 / layout.document_tokens).tolist():
        if place > found[-1] + 1:
            found.append(place)
    return np.array(found)


def seed_of(text: str) -> int:
    """A seed as notes state it, in hexadecimal. Raises UserError."""
    try:
        return int(text, 16)
    except ValueError as error:
        raise UserError(f"seed {text}: expected a hexadecimal number, as the note of a shard states it") from error


def fresh_seed() -> int:
    """A seed from the operating system's entropy."""
    return secrets.randbits(SEED_BITS)


def make_canary(path: Path, layout: Layout, seed: int | None = None) -> Canary:
    """Draw a stream, write it as a shard and the note PATH.json beside it. With a given seed the shard is a replay, no evidence."""
    chosen = fresh_seed() if seed is None else seed
    data = shard_bytes(draw(layout, chosen))
    canary = Canary(layout, f"{chosen:x}", seed is None, hashlib.sha256(data).hexdigest())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        note_path(path).write_text(json.dumps({"schema": SCHEMA, **asdict(canary)}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: the shard cannot be written: {error.strerror}") from error
    return canary


def note_path(shard: Path) -> Path:
    """The note beside a shard."""
    return shard.with_name(shard.name + ".json")


def read_note(path: Path) -> Canary:
    """The note of a canary shard. Raises UserError if it is none."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        return Canary(Layout(**known.pop("layout")), **known)
    except OSError as error:
        raise UserError(f"{path}: the note of the canary shard cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: this is no note of a canary shard; `pgolf-check canary make-shard` writes one") from error


def shard_bytes(tokens: Tokens) -> bytes:
    """The file that holds these tokens."""
    header = np.zeros(HEADER, dtype="<i4")
    header[:3] = MAGIC, VERSION, len(tokens)
    return header.tobytes() + np.ascontiguousarray(tokens, dtype="<u2").tobytes()
