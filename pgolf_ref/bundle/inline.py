"""Everything that some names of this package need, as one sequence of statements.

Global names become unique: `module.name` for those of this package, `!module` and `!module:name` for those of others, which no
local name can be. Invariants: what is not needed is not there; a statement stands after all that its module imports.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from pgolf_ref.bundle.modules import BundleError, Definition, External, Package, Submodule, defined_names, imported_modules
from pgolf_ref.bundle.scopes import GlobalNames
from pgolf_ref.bundle.trees import copied


@dataclass(frozen=True, slots=True)
class _Needed:
    """A statement with unique names, and the unique names that it needs."""

    node: ast.stmt
    needs: frozenset[str]


@dataclass(slots=True)
class _Reader:
    """Statements of one module with unique names."""

    package: Package
    module: str
    needs: set[str] = field(default_factory=set)

    def read(self, node: ast.stmt) -> _Needed:
        self.needs = set()
        return _Needed(GlobalNames(self._unique).visit(copied(node)), frozenset(self.needs))

    def _unique(self, node: ast.Name | ast.Attribute) -> ast.expr | None:
        if isinstance(node, ast.Attribute):
            assert isinstance(node.value, ast.Name)
            outer = self.package.resolve(self.module, node.value.id)
            if not isinstance(outer, Submodule):
                return None
            target = self.package.resolve(outer.module, node.attr)
        else:
            target = self.package.resolve(self.module, node.id)
        if target is None:
            return None
        if isinstance(target, Submodule):
            raise BundleError(f"{self.module} uses {target.module} as a value")
        unique = unique_name(target)
        self.needs.add(unique)
        return ast.Name(unique, node.ctx)


def unique_name(target: Definition | External) -> str:
    """What stands for a target in an inlined program."""
    if isinstance(target, Definition):
        return f"{target.module}.{target.name}"
    return f"!{target.module}" if target.name is None else f"!{target.module}:{target.name}"


def inlined(entries: Sequence[Definition], package: Package) -> list[ast.stmt]:
    """The statements that define the entries and all that they need, in an order in which they can run."""
    read: dict[str, dict[int, ast.stmt]] = {}
    pending = [*entries]
    seen: set[Definition] = set()
    while pending:
        wanted = pending.pop()
        if wanted not in seen:
            seen.add(wanted)
            number = _place(wanted, package)
            needed = _Reader(package, wanted.module).read(package.source(wanted.module).statements[number])
            read.setdefault(wanted.module, {})[number] = needed.node
            pending += [Definition(*name.rsplit(".", 1)) for name in needed.needs if not name.startswith("!")]
    order = dict.fromkeys(module for entry in entries for module in imported_modules(entry.module))
    return [read[module][number] for module in order for number in sorted(read.get(module, {}))]


def _place(wanted: Definition, package: Package) -> int:
    """The number of the statement that defines a name."""
    for number, node in enumerate(package.source(wanted.module).statements):
        if wanted.name in defined_names(node, wanted.module):
            return number
    raise BundleError(f"{wanted.module} defines no {wanted.name}")
