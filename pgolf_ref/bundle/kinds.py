"""Which class the value of an expression is of, as far as annotations and constructors tell; enough to know what is a configuration."""

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from pgolf_ref.bundle.fold import is_literal
from pgolf_ref.bundle.scopes import Scope, arguments, scope_of
from pgolf_ref.bundle.trees import walk

Kinds = Mapping[str, str]  # names of local variables -> name of a class
Look = Callable[[ast.AST], Scope]  # what a scope does to its names: `scope_of`, or its cache while nothing changes the trees


@dataclass(frozen=True, slots=True)
class Classes:
    """Of all modules: the class of each attribute, by class and name; and the names of attributes that others than `self` set."""

    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    set_from_outside: set[str] = field(default_factory=set)
    related: dict[str, set[str]] = field(default_factory=dict)  # attributes that a class sets, if it has bases or subclasses here

    @classmethod
    def of(cls, trees: Iterable[ast.Module], look: Look | None = None) -> "Classes":
        found, look = cls(), look or cache(scope_of)
        classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
        found.attributes.update({node.name: {} for node in classes})
        for node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in found.attributes]
            found.related.update({name: set() for name in (*bases, *([node.name] if bases else []))})
        for _ in range(2):  # the second time, attributes of the first are known
            for node in classes:
                found._read(node, look)
        for tree in trees:
            found.set_from_outside.update(each.attr for each in stores(tree) if not is_self(each.value))
        for node in classes:
            if node.name in found.related:
                found.related[node.name] = {each.attr for each in stores(node)}
        return found

    def set_by_relatives(self, name: str) -> set[str]:
        """Attributes that other classes of a family may set, if the class has one."""
        return set().union(*(own for other, own in self.related.items() if other != name)) if name in self.related else set()

    def settled(self, node: ast.ClassDef) -> dict[str, ast.expr]:
        """The attributes that a class sets to one literal and nothing else sets."""
        return single_literals(self.only_set_here(node))

    def only_set_here(self, node: ast.ClassDef, look: Look = scope_of) -> dict[str, list[ast.expr]]:
        """The attributes that the methods of a class assign, and nothing else sets, with all their values."""
        values: dict[str, list[ast.expr]] = {}
        pairs = [pair for each in node.body if isinstance(each, ast.FunctionDef) for pair in look(each).assigned]
        for target, value in pairs:
            if isinstance(target, ast.Attribute) and is_self(target.value):
                values.setdefault(target.attr, []).append(value)
        counts = Counter(each.attr for each in stores(node)) if values else {}
        changed = self.set_from_outside | self.set_by_relatives(node.name) | look(node).bound.keys()
        return {name: found for name, found in values.items() if name not in changed and len(found) == counts[name]}

    def _read(self, node: ast.ClassDef, look: Look) -> None:
        own = self.attributes[node.name]
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                declared = self.annotated(each.annotation)
                own |= {each.target.id: declared} if declared else {}
            elif isinstance(each, ast.FunctionDef):
                kinds = self.locals(look(each), {"self": node.name})
                for target, value in look(each).assigned:
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

    def locals(self, scope: Scope, outer: Kinds) -> dict[str, str]:
        """The variables of a function that are bound once, or always to one class, and those of what is around it."""
        bound, pairs = scope.bound, scope.assigned
        kinds = {name: kind for name, kind in outer.items() if name not in bound or name == "self"}
        for each in arguments(scope.node):
            if kind := self.annotated(each.annotation):
                again = [self.kind(value, {each.arg: kind}) for target, value in pairs if _is_named(target, each.arg)]
                if bound[each.arg] == 1 + len(again) and set(again) <= {kind}:
                    kinds[each.arg] = kind
        for target, value in pairs:
            if isinstance(target, ast.Name) and bound[target.id] == 1 and (kind := self.kind(value, kinds)):
                kinds[target.id] = kind
        return kinds


def single_literals(values: Mapping[str, list[ast.expr]]) -> dict[str, ast.expr]:
    """The attributes that get one value, which is a literal."""
    return {name: found[0] for name, found in values.items() if len(found) == 1 and is_literal(found[0])}


def stores(tree: ast.AST) -> list[ast.Attribute]:
    """The attributes that are set anywhere in it."""
    return [each for each in walk(tree) if isinstance(each, ast.Attribute) and not isinstance(each.ctx, ast.Load)]


def _is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def root_of(node: ast.expr) -> ast.expr:
    """What an attribute of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
