"""The compact form made from CPython's own `ast`: an independent second opinion on `lower`, for tests.

Places are those of `ast` (in characters), moved where `ir` documents another place. A place is None where `ast` counts parentheses that are
not part of the node, or (in f-strings, before Python 3.12) gives no place in the file.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from pgolf_check.static import ir

OPS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.MatMult: "@",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
    ast.Not: "not", ast.Lt: "<", ast.Gt: ">", ast.Eq: "==", ast.LtE: "<=", ast.GtE: ">=", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.And: "and", ast.Or: "or",
}  # fmt: skip


class Converter:
    """Nested tuples (class name, place, fields ...) of a module, in the shape that `shape` gives for `ir`."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def at(self, line: int, column: int) -> int:
        return ir.pack(line, len(self.lines[line - 1].encode()[:column].decode()) + 1)

    def of(self, node: Any) -> Any:
        if node is None:
            return None
        if isinstance(node, list):
            return tuple(self.of(item) for item in node)
        return getattr(self, f"_{type(node).__name__.lower()}")(node, self.at(node.lineno, node.col_offset))

    def block(self, nodes: list[ast.stmt]) -> tuple[Any, ...]:
        return tuple(self.of(node) for node in nodes)

    # Expressions

    def _name(self, n: ast.Name, at: int) -> Any:
        return ("Name", at, n.id)

    def _constant(self, n: ast.Constant, at: int) -> Any:
        return ("Const", at, repr(n.value))

    def _attribute(self, n: ast.Attribute, at: int) -> Any:
        return ("Attr", self._end(n) - len(n.attr), self.of(n.value), n.attr)

    def _end(self, n: Any) -> int:
        return self.at(n.end_lineno, n.end_col_offset)

    def _call(self, n: ast.Call, at: int) -> Any:
        func = self.of(n.func)
        return ("Call", func[1], func, self._arguments(n.args, n.keywords))

    def _arguments(self, args: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        found: list[Any] = []
        for arg in args:
            star = isinstance(arg, ast.Starred)
            value: Any = arg.value if isinstance(arg, ast.Starred) else arg
            found.append(((value.lineno, value.col_offset), ("Arg", self.of(value), None, "*" if star else "")))
        for word in keywords:
            found.append(
                ((word.value.lineno, word.value.col_offset), ("Arg", self.of(word.value), word.arg, "" if word.arg else "**"))
            )
        return tuple(arg for _, arg in sorted(found, key=lambda pair: pair[0]))

    def _subscript(self, n: ast.Subscript, at: int) -> Any:
        return ("Index", at, self.of(n.value), self.of(n.slice))

    def _slice(self, n: ast.Slice, at: int) -> Any:
        return ("Slice", at, self.of(n.lower), self.of(n.upper), self.of(n.step))

    def _unaryop(self, n: ast.UnaryOp, at: int) -> Any:
        return ("Unary", at, OPS[type(n.op)], self.of(n.operand))

    def _binop(self, n: ast.BinOp, at: int) -> Any:
        return ("Binary", at, OPS[type(n.op)], self.of(n.left), self.of(n.right))

    def _compare(self, n: ast.Compare, at: int) -> Any:
        return ("Compare", at, self.of(n.left), tuple(OPS[type(op)] for op in n.ops), self.of(n.comparators))

    def _boolop(self, n: ast.BoolOp, at: int) -> Any:
        return ("Bool", at, OPS[type(n.op)], tuple(self._flat(n)))

    def _flat(self, n: ast.BoolOp) -> Iterator[Any]:
        for value in n.values:
            if isinstance(value, ast.BoolOp) and type(value.op) is type(n.op):
                yield from self._flat(value)
            else:
                yield self.of(value)

    def _ifexp(self, n: ast.IfExp, at: int) -> Any:
        return ("IfExp", at, self.of(n.test), self.of(n.body), self.of(n.orelse))

    def _tuple(self, n: ast.Tuple, at: int) -> Any:
        return ("Display", None if n.elts else at, "tuple", self.of(n.elts))

    def _list(self, n: ast.List, at: int) -> Any:
        return ("Display", at, "list", self.of(n.elts))

    def _set(self, n: ast.Set, at: int) -> Any:
        return ("Display", at, "set", self.of(n.elts))

    def _dict(self, n: ast.Dict, at: int) -> Any:
        return ("DictDisplay", at, tuple((self.of(k), self.of(v)) for k, v in zip(n.keys, n.values, strict=True)))

    def _starred(self, n: ast.Starred, at: int) -> Any:
        return ("Starred", at, self.of(n.value))

    def _joinedstr(self, n: ast.JoinedStr, at: int) -> Any:
        return ("FString", at, self._parts(n))

    def _parts(self, n: ast.JoinedStr) -> Any:
        parts: list[Any] = []
        for value in n.values:
            if isinstance(value, ast.Constant):
                parts.append(repr(value.value))
            else:
                assert isinstance(value, ast.FormattedValue)
                spec = self._parts(value.format_spec) if isinstance(value.format_spec, ast.JoinedStr) else ()
                conversion = "" if value.conversion < 0 else chr(value.conversion)
                inner = self.of(value.value)
                parts.append(("Hole", inner[1], inner, conversion, spec))
        return tuple(parts) if sys.version_info >= (3, 12) else without_places(tuple(parts))

    def _comprehension(self, kind: str, n: Any, at: int | None) -> Any:
        clauses = tuple(("Clause", self.of(g.target), self.of(g.iter), self.of(g.ifs)) for g in n.generators)
        key = self.of(n.key) if kind == "dict" else None
        return ("Comprehension", at, kind, self.of(n.value if kind == "dict" else n.elt), key, clauses)

    def _listcomp(self, n: ast.ListComp, at: int) -> Any:
        return self._comprehension("list", n, at)

    def _setcomp(self, n: ast.SetComp, at: int) -> Any:
        return self._comprehension("set", n, at)

    def _dictcomp(self, n: ast.DictComp, at: int) -> Any:
        return self._comprehension("dict", n, at)

    def _generatorexp(self, n: ast.GeneratorExp, at: int) -> Any:
        return self._comprehension("generator", n, None)

    def _lambda(self, n: ast.Lambda, at: int) -> Any:
        body = self.of(n.body)
        returned = (("Return", body[1], body),)
        return ("Lambda", at, ("Function", at, "<lambda>", self._params(n.args), returned, (), _yields([n.body]), False))

    def _namedexpr(self, n: ast.NamedExpr, at: int) -> Any:
        return ("Walrus", at, n.target.id, self.of(n.value))

    def _yield(self, n: ast.Yield, at: int) -> Any:
        return ("Yield", at, self.of(n.value), False)

    def _yieldfrom(self, n: ast.YieldFrom, at: int) -> Any:
        return ("Yield", at, self.of(n.value), True)

    def _await(self, n: ast.Await, at: int) -> Any:
        return ("Await", at, self.of(n.value))

    # Statements

    def _expr(self, n: ast.Expr, at: int) -> Any:
        return ("Expr", at, self.of(n.value))

    def _assign(self, n: ast.Assign, at: int) -> Any:
        return ("Assign", at, self.of(n.targets), self.of(n.value))

    def _annassign(self, n: ast.AnnAssign, at: int) -> Any:
        return ("Annotated", at, self.of(n.target), self.of(n.annotation), self.of(n.value))

    def _augassign(self, n: ast.AugAssign, at: int) -> Any:
        return ("AugAssign", at, self.of(n.target), OPS[type(n.op)], self.of(n.value))

    def _if(self, n: ast.If, at: int) -> Any:
        return ("If", at, self.of(n.test), self.block(n.body), self.block(n.orelse))

    def _for(self, n: Any, at: int) -> Any:
        bound = {t.id for t in ast.walk(n.target) if isinstance(t, ast.Name) and isinstance(t.ctx, ast.Store)}
        guarded = not bound.isdisjoint(_tested(n.body))
        return ("For", at, self.of(n.target), self.of(n.iter), self.block(n.body), self.block(n.orelse), guarded)

    _asyncfor = _for

    def _while(self, n: ast.While, at: int) -> Any:
        return ("While", at, self.of(n.test), self.block(n.body), self.block(n.orelse))

    def _with(self, n: Any, at: int) -> Any:
        return ("With", at, tuple((self.of(i.context_expr), self.of(i.optional_vars)) for i in n.items), self.block(n.body))

    _asyncwith = _with

    def _try(self, n: Any, at: int) -> Any:
        return ("Try", at, self.block(n.body), self.of(n.handlers), self.block(n.orelse), self.block(n.finalbody))

    _trystar = _try

    def _excepthandler(self, n: ast.ExceptHandler, at: int) -> Any:
        return ("Handler", at, self.of(n.type), n.name, self.block(n.body))

    def _return(self, n: ast.Return, at: int) -> Any:
        return ("Return", at, self.of(n.value))

    def _raise(self, n: ast.Raise, at: int) -> Any:
        return ("Raise", at, self.of(n.exc))

    def _pass(self, n: ast.stmt, at: int) -> Any:
        return ("Pass", at)

    _global = _nonlocal = _pass

    def _break(self, n: ast.Break, at: int) -> Any:
        return ("Break", at)

    def _continue(self, n: ast.Continue, at: int) -> Any:
        return ("Continue", at)

    def _assert(self, n: ast.Assert, at: int) -> Any:
        return ("Assert", at, self.of(n.test), self.of(n.msg))

    def _delete(self, n: ast.Delete, at: int) -> Any:
        targets: list[Any] = []
        pending = list(reversed(n.targets))
        while pending:
            item = pending.pop()
            if isinstance(item, ast.Tuple | ast.List):
                pending += reversed(item.elts)
            else:
                targets.append(self.of(item))
        return ("Delete", at, tuple(targets))

    def _import(self, n: ast.Import, at: int) -> Any:
        return ("Import", at, tuple((a.name, a.asname or a.name.partition(".")[0], a.asname is None) for a in n.names))

    def _importfrom(self, n: ast.ImportFrom, at: int) -> Any:
        return ("ImportFrom", at, n.module or "", n.level, tuple((a.name, a.asname or a.name) for a in n.names))

    def _functiondef(self, n: Any, at: int) -> Any:
        doc = ast.get_docstring(n, clean=False) is not None
        return ("Function", at, n.name, self._params(n.args), self.block(n.body), self.of(n.decorator_list), _yields(n.body), doc)

    _asyncfunctiondef = _functiondef

    def _params(self, args: ast.arguments) -> Any:
        named = [*args.posonlyargs, *args.args]
        defaults: list[ast.expr | None] = [None] * (len(named) - len(args.defaults)) + list(args.defaults)
        params = [("Param", a.arg, "positional", self.of(d)) for a, d in zip(named, defaults, strict=True)]
        if args.vararg:
            params.append(("Param", args.vararg.arg, "*", None))
        params += [("Param", a.arg, "keyword", self.of(d)) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
        if args.kwarg:
            params.append(("Param", args.kwarg.arg, "**", None))
        return tuple(params)

    def _classdef(self, n: ast.ClassDef, at: int) -> Any:
        return ("Class", at, n.name, self._arguments(n.bases, n.keywords), self.block(n.body), self.of(n.decorator_list))

    def _match(self, n: ast.Match, at: int) -> Any:
        return ("Match", at, self.of(n.subject), tuple(self._case(case) for case in n.cases))

    def _case(self, case: ast.match_case) -> Any:
        names = []
        for part in ast.walk(case.pattern):
            names += [getattr(part, key) for key in ("name", "rest") if getattr(part, key, None)]
        inner = list(ast.walk(case.pattern))
        shaped = any(isinstance(p, ast.MatchClass | ast.MatchSequence | ast.MatchMapping) for p in inner)
        anything = any(isinstance(p, ast.MatchAs) and p.pattern is None for p in inner)
        values = [self._value(p) for p in inner if isinstance(p, ast.MatchValue | ast.MatchSingleton)]
        guard = self.of(case.guard) if case.guard else ("Const", None, "True") if shaped else None
        guard = ("Const", None, "True") if guard and guard[0] == "Const" else guard
        return ("Case", () if shaped or anything else frozenset(values) or (), frozenset(names), guard, self.block(case.body))

    def _value(self, pattern: Any) -> Any:
        if isinstance(pattern, ast.MatchValue):
            return self.of(pattern.value)
        return ("Const", self.at(pattern.lineno, pattern.col_offset), repr(pattern.value))


def _yields(nodes: list[Any]) -> bool:
    """A yield in these nodes, not in a scope inside them."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            own = [] if isinstance(node, ast.Lambda) else list(node.decorator_list)
            arguments = [] if isinstance(node, ast.ClassDef) else [*node.args.defaults, *node.args.kw_defaults]
            pending += [*own, *(default for default in arguments if default)]
        else:
            pending += ast.iter_child_nodes(node)
    return False


def _tested(body: list[ast.stmt]) -> set[str]:
    """Names read in comparisons and tests of these statements."""
    names = set()
    for statement in body:
        for node in ast.walk(statement):
            tests: list[Any] = []
            if isinstance(node, ast.Compare | ast.BoolOp):
                tests = [node]
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                tests = [node.operand]
            elif isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
                tests = [node.test]
            elif isinstance(node, ast.comprehension):
                tests = node.ifs
            elif isinstance(node, ast.match_case) and node.guard:
                tests = [node.guard]
            parts = [part for test in tests for part in ast.walk(test)]
            bound = {id(name) for part in parts if isinstance(part, ast.comprehension) for name in ast.walk(part.target)}
            names |= {part.id for part in parts if isinstance(part, ast.Name) and id(part) not in bound}
    return names


def without_places(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(None if type(item) is int else without_places(item) for item in value)
    return value


def shape(value: Any) -> Any:
    """An `ir` tree as such nested tuples; the names of its scopes are left out, they are compared with `symtable`."""
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    if not hasattr(value, "__dataclass_fields__"):
        return value
    kind = type(value).__name__
    names = [name for name in value.__dataclass_fields__ if name not in ("locals", "globals", "nonlocals")]
    fields = [shape(getattr(value, name)) for name in names]
    if kind == "Const":
        fields[1] = repr(value.value)
    elif kind == "FString":
        fields[1] = tuple(repr(p) if isinstance(p, str) else p for p in fields[1])
        fields[1] = fields[1] if sys.version_info >= (3, 12) else without_places(fields[1])
    elif kind == "Hole":
        fields[3] = tuple(repr(p) if isinstance(p, str) else p for p in fields[3])
    elif kind == "Call":
        fields[0] = fields[1][1]
    elif kind == "Return" and fields[1] is not None and value.at == value.value.at:
        fields[0] = fields[1][1]
    elif (kind == "Display" and value.kind == "tuple" and value.items) or (kind == "Comprehension" and value.kind == "generator"):
        fields[0] = None
    elif kind == "Case":
        fields[0], fields[1] = frozenset(fields[0]) or (), frozenset(value.names)
        if fields[2] and fields[2][0] == "Const":
            fields[2] = ("Const", None, "True")
    return (kind, *fields)
