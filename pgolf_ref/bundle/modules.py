"""The modules of this package as syntax trees, and what each name at their top level stands for.

A module may hold imports, definitions, assignments to names and docstrings at the top level; anything else is refused, as its
order of execution could not be kept.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pgolf_ref.bundle.fold import is_literal
from pgolf_ref.bundle.strip import stripped
from pgolf_ref.bundle.trees import copied, walk

PACKAGE = Path(__file__).parent.parent


class BundleError(Exception):
    """A form of code that a bundle cannot hold: a defect of this package, told with its place."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a module of this package defines."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class External:
    """A module of another package, or a name in it."""

    module: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Submodule:
    """A module of this package."""

    module: str


Target = Definition | External | Submodule


@dataclass(frozen=True, slots=True)
class Source:
    """A module: its statements but imports, without docstrings and annotations, and the targets of its names."""

    name: str
    statements: tuple[ast.stmt, ...]
    targets: dict[str, Target]


class Package:
    """The modules, each read once and changed by `specialise`: its tree, and the literals and tables that its names stand for."""

    def __init__(self, specialise: Callable[[ast.Module, Mapping[str, ast.expr]], ast.Module]) -> None:
        self._specialise = specialise
        self._sources: dict[str, Source] = {}

    def source(self, name: str) -> Source:
        """The module of this full name; its statements are shared, so copy before changing."""
        if name not in self._sources:
            self._sources[name] = _source(name, self._specialise(copied(parsed(name)), _constants(name)))
        return self._sources[name]

    def resolve(self, module: str, name: str) -> Target | None:
        """What a name at the top level of a module stands for, where it is defined; None for names of Python itself."""
        target = self.source(module).targets.get(name)
        while isinstance(target, Definition) and target.module != module:
            module, name = target.module, target.name
            target = self.source(module).targets.get(name)
            if target is None:
                raise BundleError(f"{module} defines no {name}")
        return target


@cache
def parsed(name: str) -> ast.Module:
    """The tree of a module, which all share."""
    path = _file(name)
    if path is None:
        raise BundleError(f"{name} is no module of this package")
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(name: str) -> list[str]:
    """A module of this package and all that it imports, directly or not, each after those that it imports."""
    order: dict[str, None] = {}
    entered: set[str] = set()

    def enter(module: str) -> None:
        if module not in entered:
            entered.add(module)
            for node in parsed(module).body:
                if isinstance(node, ast.ImportFrom | ast.Import):
                    for target in _imported(node, module).values():
                        if not isinstance(target, External):
                            enter(target.module)
            order[module] = None

    enter(name)
    return list(order)


def _source(name: str, tree: ast.Module) -> Source:
    statements: list[ast.stmt] = []
    targets: dict[str, Target] = {}
    for node in stripped(tree.body, classes=True):
        if isinstance(node, ast.Import | ast.ImportFrom):
            targets |= _imported(node, name)
        else:
            statements.append(node)
            targets |= {each: Definition(name, each) for each in defined_names(node, name)}
            _refuse_inner_imports(node, name)
    return Source(name, tuple(statements), targets)


@cache
def _constants(name: str) -> dict[str, ast.expr]:
    """Literals and tables at the top level of a module, and those that it imports by their names, all in capitals."""
    found: dict[str, ast.expr] = {}
    for node in parsed(name).body:
        if isinstance(node, ast.ImportFrom):
            targets = _imported(node, name).items()
            found |= {
                each: _constants(target.module)[target.name]
                for each, target in targets
                if isinstance(target, Definition) and is_literal(_constants(target.module).get(target.name, node))
            }
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.expr):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if (
                isinstance(target, ast.Name)
                and target.id.isupper()
                and (is_literal(node.value) or isinstance(node.value, ast.Dict))
            ):
                found[target.id] = node.value
    return found


def defined_names(node: ast.stmt, module: str) -> list[str]:
    """The names that a statement at the top level of a module binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if not isinstance(node, ast.Assign):
        raise BundleError(f"{module}, line {node.lineno}: a bundle holds no {type(node).__name__} at the top level")
    places = [each for target in node.targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    names = [place.id for place in places if isinstance(place, ast.Name)]
    if len(names) != len(places):
        raise BundleError(f"{module}, line {node.lineno}: a bundle holds assignments to names alone at the top level")
    return names


def _imported(node: ast.Import | ast.ImportFrom, module: str) -> dict[str, Target]:
    if isinstance(node, ast.Import):
        if any(_is_ours(alias.name) for alias in node.names):
            raise BundleError(f"{module}, line {node.lineno}: import names from this package, not the package")
        if any("." in alias.name and alias.asname is None for alias in node.names):
            raise BundleError(f"{module}, line {node.lineno}: give the inner module a name with `as`")
        return {alias.asname or alias.name: External(alias.name, None) for alias in node.names}
    assert node.module is not None and node.level == 0, "imports are absolute"
    return {alias.asname or alias.name: _target(node.module, alias) for alias in node.names}


def _target(module: str, alias: ast.alias) -> Target:
    if not _is_ours(module):
        return External(module, alias.name)
    inner = f"{module}.{alias.name}"
    return Submodule(inner) if _file(inner) else Definition(module, alias.name)


def _refuse_inner_imports(node: ast.stmt, module: str) -> None:
    """Of this package, within a function."""
    for each in walk(node):
        named = [each.module or ""] if isinstance(each, ast.ImportFrom) else []
        named += [alias.name for alias in each.names] if isinstance(each, ast.Import) else []
        if any(map(_is_ours, named)):
            raise BundleError(f"{module}: import this package at the top level, not within {getattr(node, 'name', 'a statement')}")


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE.name


def _file(name: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)
