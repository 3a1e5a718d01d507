"""Follows the statements of a self-extracting script over known values, in order, and records the source that it executes.

An `if` whose test is not known is followed on both sides; a loop over unknown items is followed once; handlers are not followed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from pgolf_check.submission.wrapper_eval import Evaluator, Scope, bind
from pgolf_check.submission.wrapper_methods import iterate
from pgolf_check.submission.wrapper_values import UNKNOWN, Buffer, Function, NewModule, Ref, Unknown, World

DEPTH = 12
ITERATIONS = 2000


class Returned(Exception):
    """A function of the wrapper returns this value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Follower:
    """The statements of one scope. A function gets a copy of the program's names."""

    def __init__(self, world: World, scope: Scope) -> None:
        self.world = world
        self.scope = scope
        self.evaluator = Evaluator(world, scope, self.enter)

    def follow(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """One statement; RecursionError and OutOfBudget are the caller's."""
        self.world.budget.step()
        handler: Callable[[Any], None] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is not None:
            handler(node)

    def _expr(self, node: ast.Expr) -> None:
        self.evaluator.value(node.value)

    def _assign(self, node: ast.Assign) -> None:
        found = self.evaluator.value(node.value)
        for target in node.targets:
            self._store(target, found)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._store(node.target, self.evaluator.value(node.value))

    def _augassign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            left = ast.Name(node.target.id, ast.Load())
            self.scope[node.target.id] = self.evaluator.value(ast.BinOp(left, node.op, node.value))

    def _store(self, target: ast.expr, found: Any) -> None:
        if isinstance(target, ast.Subscript):
            owner, key = self.evaluator.value(target.value), self.evaluator.value(target.slice)
            if isinstance(owner, dict) and isinstance(key, (str, int)):
                owner[key] = found
        else:
            bind(self.scope, target, found)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.scope[alias.asname or alias.name.partition(".")[0]] = Ref(
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def _importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.scope[alias.asname or alias.name] = Ref(f"{node.module or ''}.{alias.name}")

    def _functiondef(self, node: ast.FunctionDef) -> None:
        self.scope[node.name] = Function(node.args, node.body)

    def _if(self, node: ast.If) -> None:
        test = self.evaluator.value(node.test)
        known = not isinstance(test, (Unknown, Ref))
        if not known or test:
            self.follow(node.body)
        if not known or not test:
            self.follow(node.orelse)

    def _for(self, node: ast.For) -> None:
        items = iterate(self.evaluator.value(node.iter))
        for index, item in enumerate(items if items is not None else [UNKNOWN]):
            if index >= ITERATIONS:
                break
            bind(self.scope, node.target, item)
            self.follow(node.body)

    def _while(self, node: ast.While) -> None:
        self.follow(node.body)

    def _try(self, node: ast.Try) -> None:
        self.follow([*node.body, *node.orelse, *node.finalbody])

    def _with(self, node: ast.With) -> None:
        for item in node.items:
            found = self.evaluator.value(item.context_expr)
            if item.optional_vars is not None:
                self._store(item.optional_vars, found if isinstance(found, (Buffer, str, Unknown)) else UNKNOWN)
        self.follow(node.body)

    def _return(self, node: ast.Return) -> None:
        raise Returned(self.evaluator.value(node.value))

    def enter(self, function: Function, args: list[Any], options: dict[str, Any]) -> Any:
        """Call a function of the wrapper: in its own scope, to a small depth."""
        if self.world.depth >= DEPTH:
            return UNKNOWN
        scope = {**self.scope, **self._parameters(function, args, options)}
        inner = Follower(self.world, scope)
        self.world.depth += 1
        try:
            if isinstance(function.body, ast.expr):
                return inner.evaluator.value(function.body)
            inner.follow(function.body)
        except Returned as returned:
            return returned.value
        finally:
            self.world.depth -= 1
        return None

    def _parameters(self, function: Function, args: list[Any], options: dict[str, Any]) -> Scope:
        parameters = [*function.arguments.posonlyargs, *function.arguments.args]
        names = [a.arg for a in (*parameters, *function.arguments.kwonlyargs)]
        given: Scope = dict.fromkeys(names, UNKNOWN)
        defaults = function.arguments.defaults
        for parameter, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
            given[parameter.arg] = self.evaluator.value(default)
        given.update(zip((a.arg for a in parameters), args, strict=False))
        given.update({name: value for name, value in options.items() if name in given})
        return given


def program(world: World, path: str) -> Follower:
    """The follower of a script's top level; `path` is the script's absolute place."""
    return Follower(world, {"__file__": path, "__name__": "__main__", "sys": Ref("sys"), "__loader__": NewModule("__main__", path)})
