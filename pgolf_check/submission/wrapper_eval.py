"""Evaluates the expressions of a self-extracting script over known values, in place of running it.

What is not known stays unknown and spreads; work and memory are bounded by the world's budget. Nothing is executed or imported:
names of library functions are looked up in a table.
"""

from __future__ import annotations

import ast
import lzma
import operator
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from pgolf_check.submission import wrapper_library as library
from pgolf_check.submission.wrapper_methods import call_method, convert, iterate
from pgolf_check.submission.wrapper_values import UNKNOWN, Bound, Buffer, Decoder, Function, NewModule, Ref, Unknown, World

BUILTINS = frozenset(
    "exec eval compile open bytes bytearray str int len list tuple dict chr ord range reversed map zip sorted enumerate getattr "
    "globals locals vars print __import__ __builtins__ isinstance setattr".split()
)
CONSTANTS = (int, float, str, bytes, bool, type(None))
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.RShift: operator.rshift,
}
LARGE = 1 << 512
"""Numbers from here on are not computed with."""

SCOPE = Ref("globals")
"""The program's own namespace."""

Scope = dict[str, Any]
CallFunction = Callable[[Function, list[Any], dict[str, Any]], Any]


class Evaluator:
    """Expressions over one scope. `enter` calls a function of the wrapper; it belongs to the statements."""

    def __init__(self, world: World, scope: Scope, enter: CallFunction) -> None:
        self.world = world
        self.scope = scope
        self.enter = enter

    def value(self, node: ast.expr | None) -> Any:
        """The value of an expression, or Unknown."""
        self.world.budget.step()
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        return method(node) if method is not None else UNKNOWN

    def _constant(self, node: ast.Constant) -> Any:
        return node.value if isinstance(node.value, CONSTANTS) else UNKNOWN

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.scope:
            return self.scope[node.id]
        return Ref(node.id) if node.id in BUILTINS else UNKNOWN

    def _namedexpr(self, node: ast.NamedExpr) -> Any:
        found = self.value(node.value)
        self.scope[node.target.id] = found
        return found

    def _lambda(self, node: ast.Lambda) -> Any:
        return Function(node.args, node.body)

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._items(node.elts))

    def _list(self, node: ast.List) -> Any:
        return self._items(node.elts)

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.value(node.value)
                items.extend(inner if isinstance(inner, (list, tuple)) else [UNKNOWN])
            else:
                items.append(self.value(node))
        return items

    def _dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self.value(key) if key is not None else UNKNOWN
            if isinstance(name, CONSTANTS):
                found[name] = self.value(value)
            else:
                self.value(value)
        return found

    def _joinedstr(self, node: ast.JoinedStr) -> Any:
        parts: list[str] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                found = self.value(part.value)
                if part.format_spec is not None or not isinstance(found, (str, int, PurePosixPath)):
                    return UNKNOWN
                parts.append(str(found))
            elif isinstance(part, ast.Constant):
                parts.append(str(part.value))
        text = "".join(parts)
        self.world.budget.take(len(text))
        return text

    def _binop(self, node: ast.BinOp) -> Any:
        chain: list[tuple[ast.operator, ast.expr]] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            chain.append((left.op, left.right))
            left = left.left
        found = self.value(left)
        run: list[Any] = []
        for op, right in reversed(chain):
            other = self.value(right)
            if isinstance(op, ast.Add) and isinstance(found, (str, bytes)) and type(other) is type(found):
                run = run or [found]
                run.append(other)
                continue
            found = self._operate(op, self._joined(found, run), other)
            run = []
        return self._joined(found, run)

    def _joined(self, found: Any, run: list[Any]) -> Any:
        """A chain of concatenations, in one step."""
        if not run:
            return found
        self.world.budget.take(sum(map(len, run)))
        return self.world.derive(type(found)().join(run), *run)

    def _operate(self, op: ast.operator, left: Any, right: Any) -> Any:
        unknown = next((v for v in (left, right) if isinstance(v, Unknown)), None)
        if unknown is not None:
            return unknown
        function = OPERATORS.get(type(op))
        if isinstance(left, PurePosixPath) and isinstance(op, ast.Div) and isinstance(right, (str, PurePosixPath)):
            return left / right
        simple = (int, str, bytes, list, tuple)
        if function is None or not isinstance(left, simple) or not isinstance(right, (*simple, float)):
            return UNKNOWN
        numbers = [abs(v) for v in (left, right) if isinstance(v, (int, float))]
        sizes = [len(v) for v in (left, right) if not isinstance(v, (int, float))]
        if any(number >= LARGE for number in numbers) or (isinstance(op, ast.Mod) and sizes):
            return UNKNOWN
        self.world.budget.take(max(sizes, default=0) * int(max(numbers, default=2)))
        try:
            return self.world.derive(function(left, right), left, right)
        except (TypeError, ValueError, ArithmeticError):
            return UNKNOWN

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        found = self.value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(found, int):
            return -found
        return not found if isinstance(node.op, ast.Not) and isinstance(found, CONSTANTS) else UNKNOWN

    def _boolop(self, node: ast.BoolOp) -> Any:
        found: Any = UNKNOWN
        for operand in node.values:
            found = self.value(operand)
            if isinstance(found, Unknown) or bool(found) is isinstance(node.op, ast.Or):
                return found
        return found

    def _compare(self, node: ast.Compare) -> Any:
        left, right = self.value(node.left), self.value(node.comparators[0])
        simple = isinstance(left, CONSTANTS) and isinstance(right, CONSTANTS) and len(node.ops) == 1
        if simple and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            return (left == right) is isinstance(node.ops[0], ast.Eq)
        return UNKNOWN

    def _ifexp(self, node: ast.IfExp) -> Any:
        test = self.value(node.test)
        return UNKNOWN if isinstance(test, Unknown) else self.value(node.body if test else node.orelse)

    def _attribute(self, node: ast.Attribute) -> Any:
        return attribute(self.value(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Any:
        owner = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = [
                self.value(part) if part is not None else None for part in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return self._cut(owner, bounds)
        key = self.value(node.slice)
        if owner == Ref("__builtins__") and isinstance(key, str):
            return Ref(key)
        if owner == Ref("sys.argv") and key == 0:
            return self.scope.get("__file__", UNKNOWN)
        if isinstance(owner, (str, bytes, list, tuple, dict)) and isinstance(key, CONSTANTS):
            try:
                return owner[key]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return UNKNOWN
        return UNKNOWN

    def _cut(self, owner: Any, bounds: list[Any]) -> Any:
        known = all(isinstance(b, (int, type(None))) for b in bounds) and bounds[2] != 0
        if not known or not isinstance(owner, (str, bytes, list, tuple)):
            return UNKNOWN
        self.world.budget.take(len(owner))
        return self.world.derive(owner[slice(*bounds)], owner)

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        if len(node.generators) != 1:
            return UNKNOWN
        loop = node.generators[0]
        items = iterate(self.value(loop.iter))
        if items is None or loop.ifs or not isinstance(loop.target, (ast.Name, ast.Tuple)):
            return UNKNOWN
        found: list[Any] = []
        for item in items:
            self.world.budget.step()
            bind(self.scope, loop.target, item)
            found.append(self.value(node.elt))
        return found

    _generatorexp = _listcomp

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        args = self._items(node.args)
        options = {k.arg: self.value(k.value) for k in node.keywords if k.arg is not None}
        return self.apply(function, args, options)

    def apply(self, function: Any, args: list[Any], options: dict[str, Any]) -> Any:
        """The result of calling a value."""
        match function:
            case Unknown():
                return function
            case Function():
                return self.enter(function, args, options)
            case Bound(owner, name):
                return call_method(self.world, owner, name, args, options)
            case Ref(name):
                return self._call_library(name.removeprefix("builtins.").removeprefix("__builtins__."), args, options)
        return UNKNOWN

    def _call_library(self, name: str, args: list[Any], options: dict[str, Any]) -> Any:
        first = args[0] if args else UNKNOWN
        match name:
            case "exec":
                self.world.run(first, _module_of(args[1] if len(args) > 1 else SCOPE))
                return None
            case "compile":
                return options.get("source", first)
            case "globals" | "locals":
                return SCOPE
            case "vars":
                return attribute(first, "__dict__") if args else SCOPE
            case "__import__" | "importlib.import_module":
                return Ref(first) if isinstance(first, str) else UNKNOWN
            case "getattr":
                return attribute(first, args[1]) if len(args) > 1 and isinstance(args[1], str) else UNKNOWN
            case "map":
                items = iterate(args[1]) if len(args) == 2 else None
                return [self.apply(first, [item], {}) for item in items] if items is not None else UNKNOWN
        try:
            found = convert(self.world, name, args)
            return found if found is not None else library.call(self.world, name, args, options)
        except (TypeError, ValueError, LookupError, OverflowError, AttributeError):
            return UNKNOWN


def _module_of(namespace: Any) -> str:
    return namespace.owner.name if isinstance(namespace, Bound) and isinstance(namespace.owner, NewModule) else ""


def attribute(owner: Any, name: str) -> Any:
    """owner.name: a library object, a method, or a property of a path."""
    match owner:
        case Ref("lzma" | "zlib" as module) if name.isupper():
            return getattr({"lzma": lzma, "zlib": zlib}[module], name, UNKNOWN)
        case Ref(dotted):
            return Ref(f"{dotted}.{name}")
        case PurePosixPath() if name in ("name", "stem", "suffix", "parent"):
            return getattr(owner, name)
        case Buffer() if name == "name":
            return owner.path
        case NewModule() if name in ("loader", "__spec__"):
            return owner
        case str() | bytes() | list() | tuple() | dict() | PurePosixPath() | Buffer() | Decoder() | NewModule() | Unknown():
            return owner if isinstance(owner, Unknown) else Bound(owner, name)
    return UNKNOWN


def bind(scope: Scope, target: ast.expr, found: Any) -> None:
    """Assign to a name or to names in a tuple."""
    if isinstance(target, ast.Name):
        scope[target.id] = found
    elif isinstance(target, (ast.Tuple, ast.List)):
        known = isinstance(found, (list, tuple)) and len(found) == len(target.elts)
        for index, part in enumerate(target.elts):
            bind(scope, part, found[index] if known else UNKNOWN)
