"""What nothing reads is left out: parameters with their arguments, fields of dataclasses, attributes, local variables, and values alone.

Only expressions that do nothing but give a value are dropped. Invariant: the program computes what it computed before.
"""

import ast
from collections.abc import Sequence
from typing import Any

from pgolf_ref.bundle.fold import IDLE, is_literal
from pgolf_ref.bundle.kinds import is_self, root_of, stores
from pgolf_ref.bundle.strip import is_dataclass
from pgolf_ref.bundle.trees import Transformer, children, walk
from pgolf_ref.bundle.whole import Callee, Whole, texts_of_attributes

VALUES = (
    *IDLE,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Subscript,
    ast.BinOp,
    ast.IfExp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.Slice,
    ast.keyword,
)
BLOCKS = (ast.FunctionDef, ast.If, ast.For, ast.While, ast.With, ast.ClassDef, ast.ExceptHandler, ast.Try)
MAKERS = {"len", "range", "tuple", "list", "dict", "set", "str", "float", "int", "bool"}
TELLS_ALL = {"asdict", "astuple", "fields", "vars", "__dict__", "__slots__"}


def without_unused(statements: Sequence[ast.stmt]) -> None:
    """Changes the statements."""
    whole = Whole(statements)
    makers = MAKERS | {name for name, node in whole.nodes.items() if is_dataclass(node)}
    nodes = [node for statement in statements for node in walk(statement)]
    texts = texts_of_attributes(nodes)
    for callee in whole.callees:
        if isinstance(callee.node, ast.FunctionDef):
            _drop(callee, _ignored(callee.node), makers)
    if not _tells_all(nodes):
        for callee in whole.callees:
            if isinstance(callee.node, ast.ClassDef):
                _drop_fields(callee, whole, texts, makers)
    values = _Unread(makers, {*whole.uses.owners, *texts})
    for statement in statements:
        values.visit(statement)


def is_value(node: ast.AST, makers: set[str]) -> bool:
    """Whether an expression does nothing but give a value."""
    if isinstance(node, ast.Lambda):
        return not node.args.defaults
    if isinstance(node, ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id in makers):
            return False
    elif not isinstance(node, VALUES):
        return False
    return all(is_value(each, makers) for each in children(node))


def _tells_all(nodes: Sequence[ast.AST]) -> bool:
    """Whether something lists the fields or attributes of an object."""
    attributes = {each.attr for each in nodes if isinstance(each, ast.Attribute)}
    names = {each.id for each in nodes if isinstance(each, ast.Name)}
    return bool(TELLS_ALL & attributes) or any(f"!dataclasses:{each}" in names for each in TELLS_ALL) or "vars" in names


def _ignored(node: ast.FunctionDef) -> set[str]:
    """The parameters that a function does not mention."""
    mentioned = {each.id for part in node.body for each in walk(part) if isinstance(each, ast.Name)}
    args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return {each.arg for each in args} - mentioned - {"self", "cls", "ctx"}


def _drop(callee: Callee, ignored: set[str], makers: set[str]) -> list[str]:
    """Takes parameters and their arguments away, where every argument is a value; the names of those."""
    dropped: list[str] = []
    given = [callee.given(call) for call in callee.calls]
    if not callee.certain or None in given:
        return dropped
    for name in [each for each in callee.parameters if each in ignored]:
        if all(each is None or name not in each or is_value(each[name], makers) for each in given):
            for call in callee.calls:
                place = callee.parameters.index(name)
                call.args[place : place + 1] = []
                call.keywords = [each for each in call.keywords if each.arg != name]
            callee.parameters.remove(name)
            if isinstance(callee.node, ast.FunctionDef):
                _without(callee.node.args, name)
            dropped.append(name)
    return dropped


def _without(args: ast.arguments, name: str) -> None:
    """Takes a parameter away with its default."""
    for number, each in enumerate(args.kwonlyargs):
        if each.arg == name:
            del args.kwonlyargs[number], args.kw_defaults[number]
            return
    for number, each in enumerate(args.args):
        if each.arg == name:
            place = number - (len(args.args) - len(args.defaults))
            if place >= 0:
                del args.defaults[place]
            del args.args[number]
            return


def _drop_fields(callee: Callee, whole: Whole, texts: set[str], makers: set[str]) -> None:
    """Takes away fields that nothing reads; those that `replace` sets go there too."""
    assert isinstance(callee.node, ast.ClassDef)
    replaced = [(call, kind) for call, kind in whole.uses.replaced if kind in (None, callee.name)]
    taken = {each.arg for call, _ in replaced for each in call.keywords}
    stored = whole.classes.set_from_outside | {each.attr for each in stores(callee.node)}
    owners = whole.uses.owners
    unread = {each for each in callee.parameters if not owners.get(each, set()) & {None, callee.name}} - stored - taken - texts
    dropped = _drop(callee, unread, makers)
    callee.node.body = [
        each
        for each in callee.node.body
        if not (isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id in dropped)
    ] or [ast.Pass()]


class _Unread(Transformer):
    """Drops assignments of values to what nothing reads, and values alone."""

    def __init__(self, makers: set[str], read: set[str]) -> None:
        self._makers, self._read = makers, read
        self._mentioned: set[str] | None = None
        self._data: set[str] = set()
        self._foreign = False

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._foreign = bool(node.bases)
        self.generic_visit(node)
        self._foreign = False
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        before = self._mentioned, self._data
        self._data = {
            each.arg for each in node.args.args if isinstance(each.annotation, ast.Name) and each.annotation.id in self._makers
        }
        if self._mentioned is None:
            self._mentioned = _mentioned(node)
        self.generic_visit(node)
        self._mentioned, self._data = before
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        return None if is_value(node.value, self._makers) else node

    def visit_With(self, node: ast.With) -> Any:
        for item in node.items:
            if isinstance(item.optional_vars, ast.Name) and self._is_unread(item.optional_vars, None):
                item.optional_vars = None
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        if len(node.targets) != 1 or self._mentioned is None:
            return node
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id:
            return None
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = [pair for pair in zip(target.elts, value.elts, strict=True) if not self._is_unread(*pair)]
            if len(pairs) == 1:
                return ast.copy_location(ast.Assign([pairs[0][0]], pairs[0][1]), node)
            target.elts, value.elts = [each for each, _ in pairs], [each for _, each in pairs]
            return node if pairs else None
        return None if self._is_unread(target, value) else node

    def _is_unread(self, target: ast.expr, value: ast.expr | None) -> bool:
        if value is not None and not is_value(value, self._makers):
            return False
        if isinstance(target, ast.Name):
            return self._mentioned is not None and target.id not in self._mentioned
        if not isinstance(target, ast.Attribute) or not is_self(target.value) or target.attr in self._read:
            return False
        return not self._foreign or (value is not None and (is_literal(value) or self._is_data(value)))

    def _is_data(self, value: ast.expr) -> bool:
        """Whether it is a parameter that holds a dataclass, or a part of one; a module would be registered by its owner."""
        root = root_of(value)
        return isinstance(root, ast.Name) and root.id in self._data

    def generic_visit(self, node: ast.AST) -> Any:
        super().generic_visit(node)
        if isinstance(node, BLOCKS):
            node.body = node.body or [ast.Pass()]
        return node


def _mentioned(node: ast.FunctionDef) -> set[str]:
    """The variables that a function, or one within it, reads."""
    nodes = list(walk(node))
    found = {each.id for each in nodes if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Store)}
    return found | {each.target.id for each in nodes if isinstance(each, ast.AugAssign) and isinstance(each.target, ast.Name)}
