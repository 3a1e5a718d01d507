"""D106: a run reaches no network: what it needs is in its folder, the challenge's data or the installed packages.

Read from the calls of the entry script and the local modules that it brings in, never from strings or comments. A call in a function
that nothing starts is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.local_code import local_files
from pgolf_check.rules.runs import is_record
from pgolf_check.rules.source import reading
from pgolf_check.rules.words import may_hold, words
from pgolf_check.static import ir
from pgolf_check.static.walk import dotted, library_name, walk
from pgolf_check.submission.model import Submission
from pgolf_check.submission.processes import may_start

CODE = "D106"
FETCHES = re.compile(
    r"urllib\.request\.(?:urlopen|urlretrieve)|urllib3\..*|requests\.(?:get|post|request|Session)|httpx\.(?:get|post|stream|Client)|"
    r"huggingface_hub\.(?:hf_hub_download|snapshot_download|HfFileSystem)|datasets\.load_dataset|wget\.download|gdown\.download\w*|"
    r"torch\.hub\.(?:load\w*|download\w*)|socket\.(?:create_connection|socket)|kernels\.get_kernel|tensorflow_datasets\.load"
)
STARTS = re.compile(r"subprocess\.(?:run|call|check_call|check_output|Popen|getoutput)|os\.(?:system|popen|(?:exec|spawn)[lv]p?e?)")
COMMAND = re.compile(
    r"\bpip3? +install|\bpip3? +download|\bconda +install|\bapt(?:-get)? +install|\bcurl +\S|\bwget +\S|\bgit +clone|\bhf +download|"
    r"\bhuggingface-cli +download|\bgsutil +cp|\baws +s3"
)

PROCESS = frozenset(
    (
        "system",
        "popen",
        *(f"{verb}{form}" for verb in ("exec", "spawn") for form in "l le lp lpe v ve vp vpe".split()),
    )
)
NAMED = frozenset(
    "urlopen urlretrieve urllib3 requests httpx hf_hub_download snapshot_download HfFileSystem load_dataset wget gdown hub "
    "create_connection socket get_kernel tensorflow_datasets".split()
)
"""Words without which no call can match FETCHES."""
PROGRAMS = frozenset("pip pip3 conda apt curl wget git hf huggingface gsutil aws".split())
"""Words without which no command can match COMMAND."""


def check(facts: Facts) -> Answer:
    submission = facts.submission
    script = submission.scripts.get(submission.entry)
    if script is None:
        return not_applicable(CODE, "there is no script, see P101")
    if script.text is None:
        return not_analysed(CODE, f"{script.path} cannot be read, see X101")
    paths = [submission.entry, *(f.file.path for f in local_files(submission) if f.file.path.endswith(".py"))]
    return failed(CODE, [finding for path in paths for finding in _of_script(facts, submission, path)])


def _of_script(facts: Facts, submission: Submission, path: str) -> Iterator[Finding]:
    script = submission.scripts.get(path)
    read = reading(script.text) if script is not None and script.text is not None and _may_fetch(script.text) else None
    fetching = [(call, what) for call in read.calls if (what := _fetches(call, read.bound))] if read is not None else []
    started = _started(read.module) if read is not None and fetching else frozenset()
    for call, what in fetching:
        place = Location(path, *ir.place(call.at))
        runs = call.at in started
        told = f"{what} reaches the network" + ("" if runs else "; nothing starts the function that it is in")
        ceiling = Severity.NOTE if not runs else Severity.BLOCK if is_record(facts) else Severity.REVIEW
        yield Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, (place,), ceiling=ceiling)


def _may_fetch(text: str) -> bool:
    names = words(text)
    if not names.isdisjoint(NAMED):
        return True
    return (may_start(text) or not names.isdisjoint(PROCESS)) and may_hold(text, PROGRAMS)


def _fetches(call: ir.Call, bound: dict[str, str]) -> str:
    """What a call fetches with; "" if it stays on the machine."""
    name = library_name(call, bound)
    if FETCHES.fullmatch(name):
        return name
    if STARTS.fullmatch(name):
        texts = [
            part.value for a in call.args for part in walk(a.value) if isinstance(part, ir.Const) and isinstance(part.value, str)
        ]
        found = COMMAND.search(" ".join(texts) + " .")
        return " ".join(found[0].split()[:2]) if found else ""
    return ""


def _started(module: ir.Module) -> frozenset[int]:
    """The places of the calls that a start of the file reaches: at its top level, and in functions whose names are used there."""
    functions: dict[str, list[ir.Node]] = {}
    for node in walk(module):
        if isinstance(node, ir.Function | ir.Class):
            functions.setdefault(node.name, []).append(node)
    pending: list[ir.Node] = [node for node in module.body if not isinstance(node, ir.Function | ir.Class)]
    reached: set[int] = set()
    done: set[str] = set()
    while pending:
        for node in _outside_functions(pending.pop()):
            if isinstance(node, ir.Call):
                reached.add(node.at)
            name = node.name if isinstance(node, ir.Attr) else dotted(node)
            if name in functions and name not in done:
                done.add(name)
                pending.extend(
                    part for found in functions[name] if isinstance(found, ir.Function | ir.Class) for part in found.body
                )
    return frozenset(reached)


def _outside_functions(node: ir.Node) -> Iterator[ir.Node]:
    """The node and what is below it, functions defined in it left out: they run when their name is used."""
    if isinstance(node, ir.Function):
        return
    hidden = {id(inner) for top in walk(node) if isinstance(top, ir.Function) for inner in walk(top)}
    yield from (part for part in walk(node) if id(part) not in hidden)
