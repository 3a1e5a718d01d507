"""Chooses the script that is judged when a folder is given, by what the submission's files say and hold."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from pathlib import PurePosixPath

from pgolf_check.submission.model import Command, Script

USUAL = "train_gpt.py"
TRAINS = re.compile(r"\.backward\(|value_and_grad|fineweb_|load_data_shard")
"""A training program reads shards or computes gradients."""
LOADER = "importlib"
LOSSES = re.compile(r"\.backward\(|value_and_grad|cross_entropy|nll_loss|log_softmax|logsumexp")


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


def for_named(scripts: Mapping[str, Script], named: str, commands: Sequence[Command]) -> str:
    """The script to judge when one is named: itself if it computes losses, else a program that imports it, else the submission's."""
    if computes_losses(scripts[named]):
        return named
    return program_of(scripts, named, commands)


def program_of(scripts: Mapping[str, Script], helper: str, commands: Sequence[Command]) -> str:
    """The program that imports a helper, else the submission's; the helper itself if there is none that computes losses, or if no other
    script so much as names a helper that runs nothing by itself."""
    if not _is_used(scripts, helper):
        return helper
    importers = {path: scripts[path] for path in _importers(scripts, helper) if computes_losses(scripts[path])}
    chosen = choose_entry(importers or scripts, commands)
    return chosen if chosen in scripts and computes_losses(scripts[chosen]) else helper


def _is_used(scripts: Mapping[str, Script], helper: str) -> bool:
    """Whether a script runs something by itself, or another one names it."""
    text = scripts[helper].text
    if text is None or "__main__" in text:
        return True
    stem = re.compile(rf"\b{re.escape(PurePosixPath(helper).stem)}\b")
    return any(s.text is None or stem.search(s.text) for path, s in scripts.items() if path != helper)


def programs_of(scripts: Mapping[str, Script], script: str, commands: Sequence[Command]) -> list[str]:
    """The programs that run a script by importing it, the likeliest first; where none does, the submission's."""
    roots = [path for path in _importers(scripts, script) if not _imported_by(scripts, path, (path,))]
    named = [by_name(scripts, command.script) for command in commands]
    roots.sort(key=lambda path: path not in named)
    return [path for path in dict.fromkeys((program_of(scripts, script, commands), *roots)) if path != script]


def _importers(scripts: Mapping[str, Script], helper: str) -> list[str]:
    """The scripts that import one, directly or not."""
    reached, pending = {helper: None}, [helper]
    while pending:
        found = _imported_by(scripts, pending.pop(), reached)
        reached.update(dict.fromkeys(found))
        pending.extend(found)
    return list(reached)[1:]


def _imported_by(scripts: Mapping[str, Script], helper: str, known: Container[str]) -> list[str]:
    """The scripts beside the known ones that import one."""
    module = re.escape(PurePosixPath(helper).stem)
    imports = re.compile(rf"^[ \t]*(?:from|import)\b[^#\n]*\b{module}\b", re.MULTILINE)
    loads = re.compile(rf"[\"'/]{module}(?:\.py)?[\"']")
    return [
        path
        for path, s in scripts.items()
        if path not in known and s.text is not None and (imports.search(s.text) or (LOADER in s.text and loads.search(s.text)))
    ]


def computes_losses(script: Script) -> bool:
    """Whether the script may score or train by itself."""
    return script.text is None or LOSSES.search(script.text) is not None


def _trains(script: Script) -> bool:
    return script.text is None or TRAINS.search(script.text) is not None
