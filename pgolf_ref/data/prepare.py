"""From a corpus to a data folder: tokenizer, shards of both splits, edition, manifest.

Invariants: what is written is whole; a repeated call goes on after the last finished shard and gives the same bytes as one that was
never interrupted; the manifest comes last; no document of the training split has the tokens of a validation document.
"""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pgolf_ref.data import caseops
from pgolf_ref.data.corpus import Corpus, open_corpus
from pgolf_ref.data.dataset import MANIFEST
from pgolf_ref.data.edition import split_digest, write_edition
from pgolf_ref.data.pieces import Tokenizer
from pgolf_ref.data.shards import (
    Tokens,
    cut,
    read_sidecar,
    read_split,
    shard_files,
    shard_name,
    sidecar_name,
    write_shard,
)
from pgolf_ref.data.splits import Progress, apart, digest, read_documents
from pgolf_ref.data.tokenizer import encode, load_tokenizer, tokenizer_name, train_tokenizer
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.bpb import byte_table
from pgolf_ref.files import read_json, write_bytes, write_json

STATE = ".prepare.json"
ENCODING_BATCH = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What to prepare. The first `validation_documents` are the validation split, or, if 0, a share chosen by hash of the text."""

    corpus: str
    vocab_size: int = 1024
    validation_share: float = 0.05
    validation_documents: int = 0
    max_bytes: int = 0
    tokenizer_bytes: int = 0  # text that the tokenizer is trained on; 0 = all of the training split
    shard_tokens: int = 10**8
    caseops: bool = False  # capitals become markers, and a sidecar states the bytes of the text for every validation token


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next shard of a split begins: shard number, documents used up, tokens of the next one used up."""

    shard: int = 0
    documents: int = 0
    tokens: int = 0
    done: bool = False


def prepare(request: Request, out: Path, progress: Progress) -> dict[str, Any]:
    """Prepare `out`, or go on where an earlier call stopped; returns the manifest."""
    corpus = open_corpus(request.corpus, request.max_bytes)
    identity = hashlib.sha256(f"{corpus.fingerprint()} {asdict(request)}".encode()).hexdigest()
    if (out / MANIFEST).is_file():
        manifest = dict(read_json(out / MANIFEST))
        _same(manifest.get("identity"), identity, out)
    else:
        manifest = _Preparation(request, corpus, out, identity, progress).run()
    _tidy(out)
    return manifest


class _Preparation:
    """One preparation on its way."""

    def __init__(self, request: Request, corpus: Corpus, out: Path, identity: str, progress: Progress) -> None:
        self.request, self.corpus, self.out, self.identity, self.progress = request, corpus, out, identity, progress
        self.state = _State(out, identity)

    def run(self) -> dict[str, Any]:
        self.progress("tokenizer", "")
        tokenizer = self.tokenizer()
        self.write_split("val", tokenizer, frozenset())
        if self.request.caseops:
            self.write_sidecar(tokenizer)
        validation = frozenset(digest(document) for document in read_documents(self.out, "val"))
        self.write_split("train", tokenizer, validation)
        self.progress("check", "")
        manifest = self.manifest(tokenizer)
        write_edition(self.out, manifest["name"], len(shard_files(self.out, "train")), **manifest["validation"])
        write_json(self.out / MANIFEST, manifest)
        return manifest

    def texts(self, split: str) -> Iterator[str]:
        for number, text in enumerate(self.corpus.documents()):
            if self.request.validation_documents:
                validation = number < self.request.validation_documents
            else:
                place = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") / 2**64
                validation = place < self.request.validation_share
            if validation == (split == "val"):
                yield text

    def tokenizer(self) -> Tokenizer:
        path = self.out / tokenizer_name(self.request.vocab_size)
        if not path.is_file():
            chosen: list[str] = []
            size, limit = 0, self.request.tokenizer_bytes
            for text in self.texts("train"):
                size += len(text.encode("utf-8"))
                if limit and chosen and size > limit:
                    break
                chosen.append(text)
            markers = caseops.MARKERS if self.request.caseops else ()
            write_bytes(path, train_tokenizer(map(self.transform, chosen), self.request.vocab_size, markers))
        return load_tokenizer(path, self.request.vocab_size)

    def transform(self, text: str) -> str:
        """What the tokenizer sees of a text."""
        return caseops.encode(text) if self.request.caseops else text

    def write_sidecar(self, tokenizer: Tokenizer) -> None:
        """The bytes of the original text for every validation token, in shards like those of the tokens."""
        counts = (caseops.encode_document(tokenizer, text)[1] for text in self.texts("val"))
        for number, (values, _, _) in enumerate(cut(counts, self.request.shard_tokens)):
            write_shard(self.out / sidecar_name("val", number), values)

    def write_split(self, split: str, tokenizer: Tokenizer, excluded: frozenset[bytes]) -> None:
        """Write the shards that are not there yet, without documents whose tokens are in `excluded`."""
        begin = self.state[split]
        if begin.done:
            return
        encoded = self.encoded(split, tokenizer, excluded, begin)
        number, used = begin.shard, begin.documents
        for tokens, documents_used, into_next in cut(encoded, self.request.shard_tokens):
            write_shard(self.out / shard_name(split, number), tokens)
            number, used = number + 1, begin.documents + documents_used
            before = begin.tokens if documents_used == 0 else 0
            self.state[split] = Position(number, used, before + into_next)
        if not used:
            raise UserError(f"the {split} split has no document: give more text or another --validation-share")
        self.state[split] = Position(number, used, done=True)

    def encoded(self, split: str, tokenizer: Tokenizer, excluded: frozenset[bytes], begin: Position) -> Iterator[Tokens]:
        """Documents as tokens from `begin` on; an excluded one is empty, so that counting goes on."""
        texts = itertools.islice(self.texts(split), begin.documents, None)
        skipped, count = begin.tokens, begin.documents
        while batch := list(itertools.islice(texts, ENCODING_BATCH)):
            for document in encode(tokenizer, [self.transform(text) for text in batch]):
                yield document[len(document) :] if digest(document) in excluded else document[skipped:]
                skipped = 0
            count += len(batch)
            self.progress(split, f"{count} documents")

    def manifest(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """What was written, read back from the files; refuses splits that share a document."""
        counts = {split: asdict(count) for split, count in apart(self.out, self.progress).items()}
        sidecar = sorted(self.out.glob("fineweb_val_bytes_*.bin"))
        files = [
            self.out / tokenizer_name(self.request.vocab_size),
            *shard_files(self.out, "val"),
            *sidecar,
            *shard_files(self.out, "train"),
        ]
        return {
            "name": f"{self.corpus.name}_{'caseops_' if self.request.caseops else ''}sp{self.request.vocab_size}",
            "identity": self.identity,
            "request": asdict(self.request),
            "splits": counts,
            "validation": _targets(self.out, tokenizer),
            "files": {file.name: {"bytes": file.stat().st_size, "sha256": _file_digest(file)} for file in files},
        }


class _State:
    """How far an unfinished preparation has come."""

    def __init__(self, out: Path, identity: str) -> None:
        self._path = out / STATE
        self._value: dict[str, Any] = {"identity": identity, "val": asdict(Position()), "train": asdict(Position())}
        if self._path.is_file():
            value = read_json(self._path)
            _same(value["identity"], identity, out)
            self._value = value
        elif out.is_dir() and any(out.glob("fineweb_*.bin")):
            raise UserError(f"{out} holds shards that were not prepared here: name another folder with --out")
        else:
            write_json(self._path, self._value)

    def __getitem__(self, split: str) -> Position:
        return Position(**self._value[split])

    def __setitem__(self, split: str, position: Position) -> None:
        self._value[split] = asdict(position)
        write_json(self._path, self._value)


def _tidy(out: Path) -> None:
    """Remove what interrupted calls have left."""
    for path in (out / STATE, *out.glob(".*.partial")):
        path.unlink(missing_ok=True)


def _same(found: Any, identity: str, out: Path) -> None:
    if found != identity:
        raise UserError(f"{out} was prepared from another corpus or with other options: name another folder or delete it")


def _targets(out: Path, tokenizer: Tokenizer) -> dict[str, Any]:
    """The scored targets of the validation split, their bytes and the digest of all its tokens; refuses counts that disagree with the decoded text."""
    validation, sidecar = read_split(out, "val"), read_sidecar(out, "val")
    texts = (tokenizer.decode(document[1:].tolist()) for document in read_documents(out, "val"))
    if sidecar is None:
        size = byte_table(tokenizer).total_bytes(validation)
        decoded = sum(len(text.encode("utf-8")) for text in texts)
    else:
        size = int(sidecar[1:].sum(dtype=np.int64))
        decoded = sum(len(caseops.decode(text).encode("utf-8")) for text in texts)
    if size != decoded:
        raise UserError(f"the tokenizer counts {size} bytes for validation text of {decoded}: bits per byte would be wrong")
    return {"tokens": len(validation) - 1, "bytes": size, "sha256": split_digest(validation)}


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
