"""Chooses the script that is judged when a folder is given, by what the submission's files say and hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pgolf_check.submission.model import Command, Script

USUAL = "train_gpt.py"
TRAINS = re.compile(r"\.backward\(|value_and_grad|fineweb_|load_data_shard")
"""A training program reads shards or computes gradients."""


def choose_entry(scripts: Mapping[str, Script], commands: Sequence[Command], within: str = "") -> str:
    """The path of the entry script, "" if there is none. `within` narrows the choice to a subfolder, where that has scripts."""
    inside = {path: s for path, s in scripts.items() if not within or path.startswith(f"{within}/")}
    pool = inside or scripts
    top = f"{within}/{USUAL}" if inside and within else USUAL
    if top in pool:
        return top
    for command in commands:
        named = by_name(pool, command.script)
        if named and _trains(pool[named]):
            return named
    programs = [path for path, script in pool.items() if _trains(script)]
    return min(programs, key=lambda path: (-len(pool[path].text or ""), path), default="")


def by_name(scripts: Mapping[str, Script], name: str) -> str:
    """The script that a command means: the path itself, else the one of that file name that lies highest."""
    if not name or name in scripts:
        return name
    tail = name.rpartition("/")[2]
    return min((path for path in scripts if path.rpartition("/")[2] == tail), key=lambda path: (path.count("/"), path), default="")


def _trains(script: Script) -> bool:
    return script.text is None or TRAINS.search(script.text) is not None
