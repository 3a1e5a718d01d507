"""Which class the value of an expression is of, as far as annotations and constructors tell; enough to know what is a configuration."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from pgolf_ref.bundle.fold import is_literal
from pgolf_ref.bundle.scopes import arguments, bound_names, own_nodes

Kinds = Mapping[str, str]  # names of local variables -> name of a class


@dataclass(frozen=True, slots=True)
class Classes:
    """Of all modules: the class of each attribute, by class and name; and the names of attributes that others than `self` set."""

    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    set_from_outside: set[str] = field(default_factory=set)
    related: dict[str, set[str]] = field(default_factory=dict)  # attributes that a class sets, if it has bases or subclasses here

    @classmethod
    def of(cls, trees: Iterable[ast.Module]) -> "Classes":
        found = cls()
        classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
        found.attributes.update({node.name: {} for node in classes})
        for node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in found.attributes]
            found.related.update({name: set() for name in (*bases, *([node.name] if bases else []))})
        for _ in range(2):  # the second time, attributes of the first are known
            for node in classes:
                found._read(node)
        for tree in trees:
            stores = (each for each in ast.walk(tree) if is_set(each))
            found.set_from_outside.update(each.attr for each in stores if not is_self(each.value))
        for node in classes:
            if node.name in found.related:
                found.related[node.name] = {each.attr for each in ast.walk(node) if is_set(each)}
        return found

    def set_by_relatives(self, name: str) -> set[str]:
        """Attributes that other classes of a family may set, if the class has one."""
        return set().union(*(own for other, own in self.related.items() if other != name)) if name in self.related else set()

    def settled(self, node: ast.ClassDef) -> dict[str, ast.expr]:
        """The attributes that a class sets to one literal and nothing else sets."""
        return {name: found[0] for name, found in self.only_set_here(node).items() if len(found) == 1 and is_literal(found[0])}

    def only_set_here(self, node: ast.ClassDef) -> dict[str, list[ast.expr]]:
        """The attributes that the methods of a class assign, and nothing else sets, with all their values."""
        values: dict[str, list[ast.expr]] = {}
        stores = [each for each in ast.walk(node) if is_set(each)]
        pairs = [pair for each in node.body if isinstance(each, ast.FunctionDef) for pair in assignments(each)]
        for target, value in pairs:
            if isinstance(target, ast.Attribute) and is_self(target.value):
                values.setdefault(target.attr, []).append(value)
        changed = self.set_from_outside | self.set_by_relatives(node.name) | bound_names(node)
        return {
            name: found
            for name, found in values.items()
            if name not in changed and len(found) == sum(each.attr == name for each in stores)
        }

    def _read(self, node: ast.ClassDef) -> None:
        own = self.attributes[node.name]
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                declared = self.annotated(each.annotation)
                own |= {each.target.id: declared} if declared else {}
            elif isinstance(each, ast.FunctionDef):
                kinds = self.locals(each, {"self": node.name})
                for target, value in assignments(each):
                    if isinstance(target, ast.Attribute) and is_self(target.value) and (kind := self.kind(value, kinds)):
                        own[target.attr] = kind

    def annotated(self, node: ast.expr | None) -> str | None:
        """The class that an annotation names alone."""
        name = node.value if isinstance(node, ast.Constant) else node.id if isinstance(node, ast.Name) else None
        return name if name in self.attributes else None

    def kind(self, node: ast.expr, kinds: Kinds) -> str | None:
        if isinstance(node, ast.Name):
            return kinds.get(node.id)
        if isinstance(node, ast.Attribute):
            return self.attributes.get(self.kind(node.value, kinds) or "", {}).get(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id if node.func.id in self.attributes else None
        if isinstance(node, ast.BoolOp):
            found = {self.kind(each, kinds) for each in node.values}
            return found.pop() if len(found) == 1 else None
        return None

    def locals(self, scope: ast.AST, outer: Kinds) -> dict[str, str]:
        """The variables of a function that are bound once, or always to one class, and those of what is around it."""
        bound, pairs = bindings(scope), assignments(scope)
        kinds = {name: kind for name, kind in outer.items() if name not in bound or name == "self"}
        for each in arguments(scope):
            if kind := self.annotated(each.annotation):
                again = [self.kind(value, {each.arg: kind}) for target, value in pairs if _is_named(target, each.arg)]
                if bound[each.arg] == 1 + len(again) and set(again) <= {kind}:
                    kinds[each.arg] = kind
        for target, value in pairs:
            if isinstance(target, ast.Name) and bound[target.id] == 1 and (kind := self.kind(value, kinds)):
                kinds[target.id] = kind
        return kinds


def is_set(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)


def _is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def root_of(node: ast.expr) -> ast.expr:
    """What an attribute of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def bindings(scope: ast.AST) -> dict[str, int]:
    """How often a scope binds each of its names."""
    counts = {each.arg: 1 for each in arguments(scope)}
    for node in own_nodes(scope):
        names = [node.id] if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) else []
        names += [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name else []
        names += [alias.asname or alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def assignments(scope: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """Targets and values of the assignments in a scope, in order, those of `a, b = c, d` one by one."""
    found: list[tuple[ast.expr, ast.expr]] = []
    nodes = [node for node in own_nodes(scope) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None]
    for node in sorted(nodes, key=lambda node: node.lineno):
        for target in [node.target] if isinstance(node, ast.AnnAssign) else node.targets:
            value = node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                found += zip(target.elts, value.elts, strict=True)
            elif value is not None:
                found.append((target, value))
    return found
