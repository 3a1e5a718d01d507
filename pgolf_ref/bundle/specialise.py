"""What a configuration decides, decided: values in place of its fields, and of the rest only what they choose.

A field counts as known where annotations tell that the object is a section of the configuration (kinds.py). So does an attribute that
its class sets to one literal, and a variable that is bound once to one. Invariant: the program computes what it computed before.
"""

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from pgolf_ref.bundle.fold import Fold, is_literal, is_none, literal
from pgolf_ref.bundle.kinds import Classes, Kinds, is_self
from pgolf_ref.bundle.scopes import Scope, outside, scope_of
from pgolf_ref.bundle.trees import Transformer, copied, shape, walk
from pgolf_ref.config import Config

ROUNDS = 8
RUN_TIME = {
    *(("RunConfig", name) for name in ("seed_init", "seed_data", "steps", "budget_seconds")),
    *(("DataConfig", name) for name in ("path", "tokenizer")),
    *(("OptimConfig", name) for name in ("embedding_lr", "scalar_lr")),
    ("Config", "training_seconds"),
}
GUIDED = ("ExportConfig", "bits")  # changed by gradients, where the recipe asks for that


def sections(table: Any) -> dict[str, Any]:
    """A section and all within it by the names of their classes."""
    inner = [getattr(table, each.name) for each in dataclasses.fields(table)]
    found = {type(table).__name__: table}
    for value in inner:
        found |= sections(value) if dataclasses.is_dataclass(value) else {}
    return found


class Informed(Protocol):
    """Tells values where they are known."""

    def field(self, kind: str | None, name: str) -> ast.expr | None: ...
    def kind(self, node: ast.expr, kinds: Kinds) -> str | None: ...
    def scope(self, node: ast.AST) -> Scope: ...
    def locals(self, scope: Scope, outer: Kinds) -> dict[str, str]: ...
    def settled(self, node: ast.ClassDef) -> dict[str, ast.expr]: ...
    def parameters(self, node: ast.FunctionDef) -> dict[str, ast.expr]: ...
    def is_something(self, node: ast.expr, kinds: Kinds) -> bool: ...


class Specialiser:
    """Modules for one configuration."""

    def __init__(self, config: Config, classes: Classes) -> None:
        self._sections = sections(config)
        self._varying = RUN_TIME | ({GUIDED} if config.export.guided else set())
        self._classes = classes

    def __call__(self, tree: ast.Module, constants: Mapping[str, ast.expr]) -> ast.Module:
        """Changes the tree; `constants` are literals and tables of literals at the top level of modules, by their names here."""
        tree.body = [part for each in tree.body for part in self._decided(each, constants)]
        return tree

    def _decided(self, statement: ast.stmt, constants: Mapping[str, ast.expr]) -> list[ast.stmt]:
        """One statement tells nothing of another; most need no second look."""
        alone = ast.Module([statement], [])
        before = shape(alone)
        for _ in range(ROUNDS):
            Fold().visit(Known(self, constants).visit(alone))
            now = shape(alone)
            if now == before:
                break
            before = now
        return alone.body

    def field(self, kind: str | None, name: str) -> ast.expr | None:
        """The value of a field or property of a section."""
        section = self._sections.get(kind or "")
        if section is None or (kind, name) in self._varying:
            return None
        return literal(getattr(section, name, ...))

    def kind(self, node: ast.expr, kinds: Kinds) -> str | None:
        return self._classes.kind(node, kinds)

    def scope(self, node: ast.AST) -> Scope:
        return scope_of(node)

    def locals(self, scope: Scope, outer: Kinds) -> dict[str, str]:
        return self._classes.locals(scope, outer)

    def settled(self, node: ast.ClassDef) -> dict[str, ast.expr]:
        return self._classes.settled(node)

    def parameters(self, node: ast.FunctionDef) -> dict[str, ast.expr]:
        """The values of parameters that all calls give: one module does not tell."""
        return {}

    def is_something(self, node: ast.expr, kinds: Kinds) -> bool:
        """Whether a value is certainly not None: one module does not tell."""
        return False


class Known(Transformer):
    """Puts values in place of what is known."""

    def __init__(self, of: Informed, constants: Mapping[str, ast.expr], values: Mapping[str, ast.expr] | None = None) -> None:
        self._of, self._constants = of, constants
        self._kinds: dict[str, str] = {}
        self._values = dict(values or {})
        self._settled: dict[str, ast.expr] = {}
        self._class = ""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            found = self._of.field(self._of.kind(node.value, self._kinds), node.attr)
            if found is None and is_self(node.value):
                found = self._settled.get(node.attr)
            if found is not None:
                return copied(found)
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = self._values.get(node.id)
        return copied(found) if found is not None and isinstance(node.ctx, ast.Load) else node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if (
            isinstance(node.ops[0], ast.Is | ast.IsNot)
            and is_none(node.comparators[0])
            and self._of.is_something(node.left, self._kinds)
        ):
            return ast.Constant(isinstance(node.ops[0], ast.IsNot))
        if is_literal(node.left):
            given = [self._constants.get(each.id) if isinstance(each, ast.Name) else None for each in node.comparators]
            pairs = zip(given, node.comparators, strict=True)
            node.comparators = [copied(value) if value is not None and is_literal(value) else each for value, each in pairs]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        table = self._constants.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
        self.generic_visit(node)
        if isinstance(table, ast.Dict) and isinstance(node.slice, ast.Constant) and isinstance(node.ctx, ast.Load):
            for key, value in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == node.slice.value and isinstance(value, ast.Name | ast.Attribute):
                    return copied(value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        before, self._settled, self._class = (self._settled, self._class), self._of.settled(node), node.name
        if node.name == "Config":  # a bundle is made of a configuration that has been checked
            node.body = [each for each in node.body if not (isinstance(each, ast.FunctionDef) and each.name == "__post_init__")]
        self.visit_scope(node)
        self._settled, self._class = before
        return node

    def visit_scope(self, node: Any) -> Any:
        """A scope with what is known in it; defaults and decorators see nothing that a parameter hides."""
        before = self._kinds, self._values
        scope = self._of.scope(node)  # nothing in it has changed yet
        bound = scope.bound
        around = {each.id for part in outside(node) for each in walk(part) if isinstance(each, ast.Name)}
        own = {
            target.id: value
            for target, value in scope.assigned
            if isinstance(target, ast.Name) and bound[target.id] == 1 and is_literal(value) and target.id not in around
        }
        self._values = {name: value for name, value in self._values.items() if name not in bound}
        self._values |= {} if isinstance(node, ast.ClassDef) else own
        if isinstance(node, ast.FunctionDef):
            self._values |= {name: value for name, value in self._of.parameters(node).items() if bound[name] == 1}
        outer = {"self": self._class} if isinstance(node, ast.FunctionDef) and self._class and "self" in bound else self._kinds
        self._kinds = self._of.locals(scope, {**self._kinds, **outer})
        self.generic_visit(node)
        self._kinds, self._values = before
        return node

    visit_FunctionDef = visit_Lambda = visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_scope
