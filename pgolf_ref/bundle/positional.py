"""Arguments by position where a call gives them by name, so that a minifier may rename the parameters.

Only parameters that no call names become positional. Invariant: the program computes what it computed before; arguments are evaluated
in the order in which they were.
"""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

from pgolf_ref.bundle.fold import is_idle
from pgolf_ref.bundle.kinds import root_of, stores
from pgolf_ref.bundle.scopes import FUNCTIONS
from pgolf_ref.bundle.strip import declared, is_dataclass
from pgolf_ref.bundle.trees import walk

EVERY = ""  # any function at all


@dataclass(slots=True)
class _Program:
    """What is at the top level of a module, and the parameters that calls name: pairs of function and parameter."""

    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    named: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, module: ast.Module) -> "_Program":
        found = cls()
        for node in module.body:
            if isinstance(node, ast.FunctionDef):
                found.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                found.classes[node.name] = node
                found.methods |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
                found.stored |= {*declared(node)}
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found.foreign |= {alias.asname or alias.name for alias in node.names}
        found.stored |= {each.attr for each in stores(module)}
        return found

    def parameters(self, call: ast.Call) -> list[str]:
        """The names of what a call takes by position, where it calls a function or class at the top level."""
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in self.functions:
            return [each.arg for each in self.functions[name].args.args]
        if name not in self.classes:
            return []
        node = self.classes[name]
        if is_dataclass(node) and not node.bases:
            return declared(node)
        inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        return [each.arg for each in inits[0].args.args[1:]] if inits else []

    def callees(self, call: ast.Call) -> list[str]:
        """The names of the functions here that a call may reach."""
        func = call.func
        if isinstance(func, ast.Name):
            if func.id in self.classes:
                return ["__init__"]
            return [func.id] if func.id in self.functions else [] if func.id in self.foreign or _is_builtin(func.id) else [EVERY]
        root = root_of(func)
        if not isinstance(func, ast.Attribute) or (isinstance(root, ast.Name) and root.id in self.foreign):
            return [] if isinstance(func, ast.Attribute) else [EVERY]
        return [EVERY] if func.attr in self.stored else [func.attr] if func.attr in self.methods else []


def positional(module: ast.Module) -> ast.Module:
    """The module, changed."""
    program = _Program.of(module)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.args.vararg is None:
            _without_order(node.args)
    nodes = list(walk(module))
    for call in nodes:
        if isinstance(call, ast.Call):
            _by_position(call, program.parameters(call))
            for name in program.callees(call):
                program.named |= {(name, each.arg or EVERY) for each in call.keywords}
    for function in nodes:
        if isinstance(function, FUNCTIONS):
            _not_by_name(function, program.named)
    return module


def _without_order(args: ast.arguments) -> None:
    """Parameters that must be named come last, as others with defaults, where all have defaults."""
    if None not in args.kw_defaults:
        args.args, args.kwonlyargs = [*args.args, *args.kwonlyargs], []
        args.defaults, args.kw_defaults = [*args.defaults, *(each for each in args.kw_defaults if each is not None)], []


def _by_position(call: ast.Call, parameters: list[str]) -> None:
    """The arguments that follow those by position, one by one; out of order only where their values do nothing."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return
    while call.keywords and len(call.args) < len(parameters):
        wanted = parameters[len(call.args)]
        place = next((number for number, each in enumerate(call.keywords) if each.arg == wanted), None)
        if place is None or not all(is_idle(each.value) for each in call.keywords[: place + 1] if place):
            return
        call.args.append(call.keywords.pop(place).value)


def _not_by_name(node: ast.FunctionDef | ast.Lambda, named: set[tuple[str, str]]) -> None:
    own = node.name if isinstance(node, ast.FunctionDef) else EVERY
    first = list(_unnamed(own, node.args.args, named))
    node.args.posonlyargs, node.args.args = [*node.args.posonlyargs, *first], node.args.args[len(first) :]


def _unnamed(own: str, parameters: list[ast.arg], named: set[tuple[str, str]]) -> Iterator[ast.arg]:
    for each in parameters:
        if any((name, word) in named for name in (own, EVERY) for word in (each.arg, EVERY)):
            return
        yield each


def _is_builtin(name: str) -> bool:
    return hasattr(builtins, name)
