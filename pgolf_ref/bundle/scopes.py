"""Names of a module's top level, replaced wherever they are used: local names of the same spelling stay.

Follows the scoping of Python: a name that a function binds is its own throughout, the names of a class are not seen in its methods,
a comprehension has names of its own. The code has no annotations but those of fields.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pgolf_ref.bundle.trees import Transformer, children

FUNCTIONS = (ast.FunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)
_KINDS = frozenset(SCOPES)
BINDERS = (ast.Name, ast.stmt, ast.ExceptHandler)
UNKNOWN = (ast.Global, ast.Nonlocal, ast.AsyncFunctionDef, ast.Match)


@dataclass(frozen=True, slots=True)
class Scope:
    """A function, lambda, class or comprehension, with what it does to its own names."""

    node: ast.AST
    bound: dict[str, int]  # how often it binds each of its names
    assigned: list[tuple[ast.expr, ast.expr]]  # targets and values in order, those of `a, b = c, d` one by one


def scope_of(node: ast.AST) -> Scope:
    """One walk finds it all."""
    own = [each for each in own_nodes(node) if isinstance(each, BINDERS)]
    return Scope(node, _bound(node, own), _assigned(own))


def _bound(scope: ast.AST, own: Iterable[ast.AST]) -> dict[str, int]:
    counts = {each.arg: 1 for each in arguments(scope)}
    for node in own:
        names: list[str] = []
        if isinstance(node, ast.Name):
            names = [] if isinstance(node.ctx, ast.Load) else [node.id]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler):
            names = [node.name] if node.name else []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, UNKNOWN):
            raise TypeError(f"{type(node).__name__} is none of the forms whose names are known")
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _assigned(own: Iterable[ast.AST]) -> list[tuple[ast.expr, ast.expr]]:
    found: list[tuple[ast.expr, ast.expr]] = []
    nodes = [node for node in own if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None]
    for node in sorted(nodes, key=lambda node: node.lineno):
        for target in [node.target] if isinstance(node, ast.AnnAssign) else node.targets:
            value = node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                found += zip(target.elts, value.elts, strict=True)
            elif value is not None:
                found.append((target, value))
    return found


def arguments(scope: ast.AST) -> list[ast.arg]:
    """All parameters of a function or lambda."""
    if not isinstance(scope, FUNCTIONS):
        return []
    a = scope.args
    starred = [each for each in (a.vararg, a.kwarg) if each is not None]
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *starred]


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Every node of a scope that is not within an inner one; inner scopes themselves are among them."""
    pending = list(_inside(scope))
    while pending:
        node = pending.pop()
        yield node
        pending += outside(node) if node.__class__ in _KINDS else children(node)


def _inside(scope: ast.AST) -> Iterable[ast.AST]:
    """The children of a scope that are evaluated in it."""
    if isinstance(scope, ast.Lambda):
        return [scope.body]
    if isinstance(scope, ast.FunctionDef | ast.ClassDef):
        return scope.body
    around = set(map(id, outside(scope)))
    return [each for child in children(scope) for each in _parts(child) if id(each) not in around]


def outside(scope: ast.AST) -> list[ast.AST]:
    """The children of a scope that are evaluated around it: decorators, defaults, bases, the first iterable."""
    if isinstance(scope, ast.ClassDef):
        return [*scope.decorator_list, *scope.bases, *scope.keywords]
    if isinstance(scope, COMPREHENSIONS):
        return [scope.generators[0].iter]
    assert isinstance(scope, FUNCTIONS)
    defaults = [*scope.args.defaults, *(each for each in scope.args.kw_defaults if each is not None)]
    return [*defaults, *(scope.decorator_list if isinstance(scope, ast.FunctionDef) else [])]


def _parts(node: ast.AST) -> Iterable[ast.AST]:
    return children(node) if isinstance(node, ast.comprehension) else [node]


class GlobalNames(Transformer):
    """Puts in place of every global name, or attribute of one, what `replace` gives for it; None leaves it. Changes the tree."""

    def __init__(self, replace: Callable[[ast.Name | ast.Attribute], ast.expr | None]) -> None:
        self._replace = replace
        self._scopes: list[tuple[Collection[str], bool]] = []

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return node if self._is_local(node.id) else self._replace(node) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and not self._is_local(node.value.id):
            found = self._replace(node)
            if found is not None:
                return found
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return self._defined(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return self._defined(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        self._defaults(node.args)
        with self._scope(node):
            node.body = self.visit(node.body)
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.ListComp:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.SetComp:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.GeneratorExp:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.DictComp:
        return self._comprehension(node)

    def _defined(self, node: Any) -> Any:
        """A function or class: what is evaluated around it, its name where that is global, and its body."""
        node.decorator_list = self._all(node.decorator_list)
        if isinstance(node, ast.ClassDef):
            node.bases, node.keywords = self._all(node.bases), self._all(node.keywords)
        else:
            self._defaults(node.args)
        if not self._scopes:
            found = self._replace(ast.Name(node.name, ast.Load()))
            node.name = found.id if isinstance(found, ast.Name) else node.name
        with self._scope(node):
            node.body = self._all(node.body)
        return node

    def _comprehension(self, node: Any) -> Any:
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        with self._scope(node):
            for number, generator in enumerate(node.generators):
                generator.target = self.visit(generator.target)
                if number:
                    generator.iter = self.visit(generator.iter)
                generator.ifs = self._all(generator.ifs)
            for name in ("elt", "key", "value"):
                if hasattr(node, name):
                    setattr(node, name, self.visit(getattr(node, name)))
        return node

    def _defaults(self, node: ast.arguments) -> None:
        node.defaults = self._all(node.defaults)
        node.kw_defaults = [None if each is None else self.visit(each) for each in node.kw_defaults]
        for each in (*node.posonlyargs, *node.args, *node.kwonlyargs):
            each.annotation = None if each.annotation is None else self.visit(each.annotation)

    def _all(self, nodes: list[Any]) -> list[Any]:
        return [self.visit(node) for node in nodes]

    @contextmanager
    def _scope(self, node: ast.AST) -> Iterator[None]:
        self._scopes.append((scope_of(node).bound, isinstance(node, ast.ClassDef)))
        yield
        self._scopes.pop()

    def _is_local(self, name: str) -> bool:
        innermost = len(self._scopes) - 1
        return any(name in names for number, (names, of_class) in enumerate(self._scopes) if not of_class or number == innermost)
