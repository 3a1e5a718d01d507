"""`pgolf-check init DIR`: the files of a submission before its runs, with every field that the checker reads."""

from __future__ import annotations

import json
from pathlib import Path

from pgolf_check.errors import UserError
from pgolf_check.rules.edition import Edition

README = """# {name}

What is new, on which submission it builds, and what that gains.

| seed | val_loss | val_bpb | log |
|---|---|---|---|
{rows}

Mean of the runs: **?**

## Reproduce

```
SEED={first} torchrun --standalone --nproc_per_node={gpus} train_gpt.py
```
"""
SEEDS = (42, 314, 999)


def write_skeleton(folder: Path, edition: Edition) -> list[Path]:
    """Write the files and return them. The track is that of the folder's path, else the record track.

    Raises UserError if the folder holds anything, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder}: the folder is not empty; name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, text in _files(folder, edition).items():
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
        return written
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _files(folder: Path, edition: Edition) -> dict[str, str]:
    track = edition.other_track if edition.other_track in folder.resolve().parts else edition.record_track
    rows = "\n".join(f"| {seed} | ? | ? | `train_seed{seed}.log` |" for seed in SEEDS)
    metadata = {
        "name": folder.resolve().name,
        "author": "",
        "github_id": "",
        "date": "",
        "track": track,
        "val_bpb": None,
        "val_loss": None,
        "seeds": list(SEEDS),
        "seed_results": {str(seed): {"val_bpb": None, "val_loss": None} for seed in SEEDS},
        "bytes_total": None,
        "bytes_code": None,
        "hardware": f"{edition.hardware.count}x{edition.hardware.gpu}",
    }
    return {
        "README.md": README.format(name=folder.resolve().name, rows=rows, first=SEEDS[0], gpus=edition.hardware.count),
        "submission.json": json.dumps(metadata, indent=2) + "\n",
        "requirements.txt": "# packages beyond the launch image, one per line\n",
    }
