"""The code of a run: which files of this package it needs, and how many bytes they are beside its script.

Invariant: the answer is the same in the repository and in a submission folder that holds only those files.
"""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent
ROOT_MODULE = "pgolf_ref.run"


def used_modules(root: str = ROOT_MODULE) -> dict[str, bytes]:
    """The sources that `root` imports, directly or not, by path relative to the package's parent, sorted."""
    found: dict[str, bytes] = {}
    pending = [root]
    while pending:
        name = pending.pop()
        path = _file(name)
        if path is None:
            continue
        relative = path.relative_to(PACKAGE.parent).as_posix()
        if relative not in found:
            found[relative] = path.read_bytes()
            pending += [name.rpartition(".")[0], *_imports(found[relative])]
    return dict(sorted(found.items()))


def code_bytes(script: str) -> int:
    """The size of a script and of the modules that it runs."""
    return len(script.encode("utf-8")) + sum(len(source) for source in used_modules().values())


def _file(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return None
    base = PACKAGE.joinpath(*parts[1:])
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _imports(source: bytes) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
