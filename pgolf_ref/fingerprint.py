"""What the figures of a run depend on beside its seed, as one hash: script, tokenizer, data."""

import hashlib

from pgolf_ref.data.dataset import Dataset
from pgolf_ref.data.shards import shard_files
from pgolf_ref.script import encoded


def fingerprint(script: str, dataset: Dataset) -> str:
    """Hexadecimal SHA-256; training shards count by name and size."""
    digest = hashlib.sha256(encoded(script))
    digest.update(dataset.tokenizer.serialized_model_proto())
    digest.update(dataset.validation.tobytes())
    if dataset.validation_bytes is not None:
        digest.update(dataset.validation_bytes.tobytes())
    for shard in shard_files(dataset.folder, "train"):
        digest.update(f"{shard.name} {shard.stat().st_size}\n".encode())
    return digest.hexdigest()
