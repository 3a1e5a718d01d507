"""A prepared data folder: shards, tokenizer and, where `prepare` made it, a manifest with the name of the data.

Invariant: a Dataset that exists has shards of both splits and a tokenizer of the expected vocabulary.
"""

from dataclasses import dataclass
from pathlib import Path

from pgolf_ref.data.edition import check_validation, split_digest
from pgolf_ref.data.pieces import Tokenizer
from pgolf_ref.data.shards import Tokens, read_sidecar, read_split, shard_files
from pgolf_ref.data.tokenizer import load_tokenizer
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.bpb import ByteCounts, Sidecar, byte_table
from pgolf_ref.files import read_json

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run reads; training shards are opened by the loader."""

    name: str
    folder: Path
    tokenizer_path: Path
    tokenizer: Tokenizer
    train_shards: int
    validation: Tokens
    validation_bytes: Tokens | None  # per token, where the tokens are of a transformed text

    def byte_counts(self) -> ByteCounts:
        """The bytes that the tokens of the validation split stand for."""
        if self.validation_bytes is not None:
            return Sidecar(self.validation_bytes, self.tokenizer.vocab_size())
        return byte_table(self.tokenizer)


def open_dataset(folder: Path, vocab_size: int, tokenizer: str = "") -> Dataset:
    """The data in a folder; `vocab_size` is what its tokenizer must have, 0 for any, and `tokenizer` where that lies if not there.

    UserError for what is missing or damaged, and for a validation split that is not that of the folder's edition.
    """
    if not folder.is_dir():
        raise UserError(f"no data folder {folder}: make one with `pgolf-train prepare --out {folder}` or name it with --data")
    tokenizer_path = Path(tokenizer) if tokenizer else _tokenizer(folder)
    known = load_tokenizer(tokenizer_path, vocab_size)
    validation = read_split(folder, "val")
    if len(validation) < 2:
        raise UserError(f"the validation split in {folder} has {len(validation)} tokens: nothing can be scored")
    if int(validation.max()) >= known.vocab_size():
        raise UserError(
            f"the validation split in {folder} has token {validation.max()}, beyond the {known.vocab_size()} of its tokenizer"
        )
    manifest = folder / MANIFEST
    name = str(read_json(manifest).get("name", folder.resolve().name)) if manifest.is_file() else folder.resolve().name
    sidecar = read_sidecar(folder, "val")
    if sidecar is not None and len(sidecar) != len(validation):
        raise UserError(
            f"the sidecar in {folder} has {len(sidecar)} values for {len(validation)} validation tokens: prepare it again"
        )
    dataset = Dataset(name, folder, tokenizer_path, known, len(shard_files(folder, "train")), validation, sidecar)
    counted = dataset.byte_counts().bytes_between(validation, 1, len(validation))
    check_validation(folder, len(validation) - 1, counted, split_digest(validation))
    return dataset


def _tokenizer(folder: Path) -> Path:
    models = sorted([*folder.glob("*.model"), *folder.glob("*byte*.json")])
    if len(models) != 1:
        raise UserError(f"{folder} holds {len(models)} tokenizers (*.model or *byte*.json), expected exactly one beside the shards")
    return models[0]
