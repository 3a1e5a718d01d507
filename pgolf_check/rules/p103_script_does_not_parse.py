"""P103: the entry script can run in its folder: it parses, and the modules that it imports at its start are there.

A module is there if it is of the standard library, in the folder, carried by the script, required by requirements.txt, or one of
the edition's packages. An absent one is a possible finding only: the reviewer may know the package.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.source import parsed
from pgolf_check.static import ir
from pgolf_check.static.lower import CannotParse
from pgolf_check.submission.model import Submission
from pgolf_check.submission.syntax import place, syntax

CODE = "P103"
PACKAGE = "__package__"


def check(facts: Facts) -> Answer:
    submission = facts.submission
    script = submission.scripts.get(submission.entry)
    if script is None:
        return not_applicable(CODE, "there is no script, see P101")
    if script.text is None:
        return not_analysed(CODE, f"{script.path} cannot be read, see X101")
    tree = syntax(script.text)
    if tree is not None:
        imports, in_package = list(_imports(script.text, tree)), _names_its_package(script.text, tree)
    else:
        module = parsed(script.text)
        if isinstance(module, CannotParse):
            at = Location(script.path, module.line, module.column)
            return failed(CODE, [_finding(Certainty.PROVEN, f"does not parse in any grammar known here: {module}", at)])
        imports, in_package = list(_later_imports(module)), PACKAGE in module.locals
    present = _present(facts) | ({".", ".."} if in_package else set())
    return failed(CODE, [_absent(Location(script.path, *at), name) for at, name in imports if name not in present])


def _imports(text: str, tree: ast.Module) -> Iterator[tuple[tuple[int, int], str]]:
    """((line, column), top-level name) of each import that runs unconditionally; a relative one is named by its dots."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((place(text, node), item.name.partition(".")[0]) for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield place(text, node), "." * node.level or (node.module or "").partition(".")[0]


def _later_imports(module: ir.Module) -> Iterator[tuple[tuple[int, int], str]]:
    """As `_imports`, of a source in a grammar that is later than this interpreter's."""
    for node in module.body:
        if isinstance(node, ir.Import):
            yield from ((ir.place(node.at), dotted.partition(".")[0]) for dotted, _, _ in node.items)
        elif isinstance(node, ir.ImportFrom):
            yield ir.place(node.at), "." * node.level or node.module.partition(".")[0]


def _names_its_package(text: str, tree: ast.Module) -> bool:
    """Whether the script sets the name against which relative imports are resolved."""
    return PACKAGE in text and any(
        isinstance(node, ast.Name) and node.id == PACKAGE and isinstance(node.ctx, ast.Store) for node in ast.walk(tree)
    )


def _present(facts: Facts) -> set[str]:
    submission = facts.submission
    names = set(sys.stdlib_module_names) | set(facts.edition.packages) | _required(submission)
    folder = PurePosixPath(submission.entry).parent
    for path in (PurePosixPath(f.path) for f in submission.files):
        for root in {folder, PurePosixPath(".")}:
            if path.is_relative_to(root):
                names.add(path.relative_to(root).parts[0].partition(".")[0])
    names.update(name.partition(".")[0] for name in submission.scripts[submission.entry].modules)
    return names


def _required(submission: Submission) -> set[str]:
    """The names that requirements.txt lists, as modules are spelled."""
    names: set[str] = set()
    for file in submission.files:
        if PurePosixPath(file.path).name == "requirements.txt" and file.data is not None:
            found = re.findall(r"^\s*([A-Za-z0-9._-]+)", file.data.decode("utf-8", "replace"), re.MULTILINE)
            names.update(name.replace("-", "_").replace(".", "_").lower() for name in found)
    return names


def _absent(place: Location, name: str) -> Finding:
    if name.startswith("."):
        return _finding(Certainty.LIKELY, "imports relative to a package, but runs as a script, which has none", place)
    told = f"imports {name!r}, which is not in the folder, the standard library, requirements.txt or the edition's packages"
    return _finding(Certainty.POSSIBLE, told, place)


def _finding(certainty: Certainty, message: str, place: Location) -> Finding:
    return Finding(CODE, Witness.PAPER, certainty, message, (place,))
