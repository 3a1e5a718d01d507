"""What a whole program tells of its functions and classes: all their calls, and so what parameters and fields hold wherever it runs.

Names are those of inline.py. A function or class that is used otherwise than in calls is left alone.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pgolf_ref.bundle.fold import is_literal, is_none
from pgolf_ref.bundle.kinds import Classes, Kinds, Look, root_of, single_literals
from pgolf_ref.bundle.prune import is_optional
from pgolf_ref.bundle.scopes import Scope, scope_of
from pgolf_ref.bundle.strip import is_dataclass
from pgolf_ref.bundle.trees import Visitor, children, walk

BY_TEXT = {"getattr", "hasattr", "setattr", "delattr"}
FOREIGN = "!"
Receiver = tuple[ast.Call, str | None]  # the call of a method, and the class of the object


@dataclass(slots=True)
class Callee:
    """A function, or a class by its constructor, and all its calls."""

    name: str
    node: ast.FunctionDef | ast.ClassDef
    parameters: list[str]
    defaults: dict[str, ast.expr]
    calls: list[ast.Call]
    certain: bool = True  # no call may be one of something else

    def given(self, call: ast.Call) -> dict[str, ast.expr] | None:
        """The arguments of a call by the names of the parameters, without defaults; None where a call does not tell."""
        names = [each.arg for each in call.keywords]
        if any(isinstance(each, ast.Starred) for each in call.args) or None in names or len(call.args) > len(self.parameters):
            return None
        found = dict(zip(self.parameters, call.args, strict=False))
        found |= {each.arg: each.value for each in call.keywords if each.arg is not None}
        return found if found.keys() <= set(self.parameters) else None

    def values(self) -> dict[str, list[ast.expr]]:
        """What the calls give the parameters that all of them give."""
        given = [self.given(call) for call in self.calls]
        known = [self.defaults | each for each in given if each is not None]
        all_given = [name for name in self.parameters if all(name in each for each in known)]
        return {name: [each[name] for each in known] for name in all_given} if len(known) == len(given) else {}


@dataclass(slots=True)
class Uses(Visitor):
    """How a program uses the names of its top level and the attributes of objects."""

    classes: Classes
    look: Look
    calls: dict[str, list[ast.Call]] = field(default_factory=lambda: defaultdict(list))
    methods: dict[str, list[Receiver]] = field(default_factory=lambda: defaultdict(list))
    replaced: list[Receiver] = field(default_factory=list)
    stored: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    values: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    owners: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))  # of attributes that are read or called
    bases: set[str] = field(default_factory=set)
    protocols: set[str] = field(default_factory=set)
    _kinds: Kinds = field(default_factory=dict)
    _class: str = ""

    def visit_scope(self, node: ast.AST) -> None:
        before = self._kinds, self._class
        if isinstance(node, ast.ClassDef):
            self._class = node.name
            self.bases |= {each.id for each in node.bases if isinstance(each, ast.Name)}
        own = isinstance(node, ast.FunctionDef) and self._class and node.args.args and node.args.args[0].arg == "self"
        self._kinds = self.classes.locals(self.look(node), {**self._kinds, **({"self": self._class} if own else {})})
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        for each in children(node):
            if each not in bases:
                self.visit(each)
        self._kinds, self._class = before

    visit_FunctionDef = visit_Lambda = visit_ClassDef = visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_scope

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for each in node.body:
            self.visit(each)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.values.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read.add(node.attr)
            self.owners[node.attr].add(self._kind(node.value))
        else:
            self.stored[node.attr].add(self._kind(node.value))
        self._owner(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Attribute):
            self.owners[node.target.attr].add(self._kind(node.target.value))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Name):
            self.calls[self._class if func.id == "cls" and self._class else func.id].append(node)
        elif isinstance(func, ast.Attribute):
            self.methods[func.attr].append((node, self._kind(func.value)))
            self.owners[func.attr].add(self._kind(func.value))
            self._owner(func.value)
        else:
            self.visit(func)
        if isinstance(func, ast.Name) and func.id == "!dataclasses:field":
            for given in node.keywords:
                if isinstance(given.value, ast.Name):
                    self.calls[given.value.id].append(ast.Call(given.value, [], []))
            return
        if is_replace(func) and node.args:
            self.replaced.append((node, self._kind(node.args[0])))
        checks = isinstance(func, ast.Name) and func.id == "isinstance"
        for each in node.args[:1] if checks else [*node.args, *(each.value for each in node.keywords)]:
            self.visit(each)

    def _kind(self, node: ast.expr) -> str | None:
        """The class of an object, but where that is only what the object can do; FOREIGN for modules and what they hold."""
        root = root_of(node)
        if isinstance(root, ast.Name) and root.id.startswith("!"):
            return FOREIGN
        found = self.classes.kind(node, self._kinds)
        return None if found in self.protocols else found

    def _owner(self, node: ast.expr) -> None:
        """What an attribute belongs to: a class is not used as a value by that."""
        if not (isinstance(node, ast.Name) and node.id in self.classes.attributes):
            self.visit(node)


def is_replace(func: ast.expr) -> bool:
    """Whether it is `dataclasses.replace`."""
    if isinstance(func, ast.Attribute):
        return func.attr == "replace" and isinstance(func.value, ast.Name) and func.value.id == "!dataclasses"
    return isinstance(func, ast.Name) and func.id == "!dataclasses:replace"


class Whole:
    """The functions and classes of a program, and what it does with them."""

    def __init__(self, statements: Sequence[ast.stmt]) -> None:
        self.scope = cache(scope_of)
        self.classes = Classes.of([ast.Module([*statements], [])], self.scope)
        self.uses = Uses(self.classes, self.scope)
        self.uses.protocols |= {
            each.name for each in statements if isinstance(each, ast.ClassDef) and any(map(_is_protocol, each.bases))
        }
        for statement in statements:
            self.uses.visit(statement)
        self.nodes = {each.name: each for each in statements if isinstance(each, ast.ClassDef)}
        self.callees = [*self._functions(statements), *self._methods(), *self._constructors()]

    def _functions(self, statements: Sequence[ast.stmt]) -> Iterator[Callee]:
        for node in statements:
            known = isinstance(node, ast.FunctionDef) and node.name not in self.uses.values and self.uses.calls[node.name]
            if isinstance(node, ast.FunctionDef) and known and _is_plain(node):
                yield _callee(node.name, node, self.uses.calls[node.name])

    def _methods(self) -> Iterator[Callee]:
        """Methods of a spelling that no other class has."""
        defined = [(name, each) for name, node in self.nodes.items() for each in node.body if isinstance(each, ast.FunctionDef)]
        owners = Counter(node.name for _, node in defined)
        for owner, node in defined:
            alone = owners[node.name] == 1 and node.name not in self.uses.read
            calls = self.uses.methods[node.name]
            if alone and calls and _is_plain(node) and is_optional(node) and _is_method(node):
                certain = all(self._is_of(kind, owner) for _, kind in calls)
                yield _callee(node.name, node, [call for call, _ in calls], certain)

    def _is_of(self, kind: str | None, owner: str) -> bool:
        bases = self.nodes[kind].bases if kind in self.nodes else []
        return kind == owner or any(isinstance(each, ast.Name) and self._is_of(each.id, owner) for each in bases)

    def _constructors(self) -> Iterator[Callee]:
        for name, node in self.nodes.items():
            if name in self.uses.values or name in self.uses.bases or not self.uses.calls[name]:
                continue
            inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            if inits and _is_plain(inits[0]):
                yield _callee(name, inits[0], self.uses.calls[name])
            elif is_dataclass(node) and not node.bases:
                lines = [each for each in node.body if isinstance(each, ast.AnnAssign)]
                names = [each.target.id for each in lines if isinstance(each.target, ast.Name)]
                defaults = {name: each.value for name, each in zip(names, lines, strict=True) if each.value is not None}
                yield Callee(name, node, names, defaults, self.uses.calls[name])


class Agreed:
    """Tells values where all of a program agrees on them; to be asked of a scope before anything within it is changed."""

    def __init__(self, statements: Sequence[ast.stmt]) -> None:
        self._whole = whole = Whole(statements)
        self._parameters = {id(each.node): _agreed(each) for each in whole.callees if isinstance(each.node, ast.FunctionDef)}
        own = {name: whole.classes.only_set_here(node, whole.scope) for name, node in whole.nodes.items()}
        self._settled = {name: single_literals(values) for name, values in own.items()}
        fields = [each for each in whole.callees if isinstance(each.node, ast.ClassDef)]
        self._settled |= {each.name: self._fields(each) for each in fields}
        self._certain = {name: self._present(values) for name, values in own.items()}

    def field(self, kind: str | None, name: str) -> ast.expr | None:
        return self._settled.get(kind or "", {}).get(name)

    def kind(self, node: ast.expr, kinds: Kinds) -> str | None:
        return self._whole.classes.kind(node, kinds)

    def scope(self, node: ast.AST) -> Scope:
        return self._whole.scope(node)

    def locals(self, scope: Scope, outer: Kinds) -> dict[str, str]:
        return self._whole.classes.locals(scope, outer)

    def settled(self, node: ast.ClassDef) -> dict[str, ast.expr]:
        return self._settled.get(node.name, {})

    def parameters(self, node: ast.FunctionDef) -> dict[str, ast.expr]:
        return self._parameters.get(id(node), {})

    def is_something(self, node: ast.expr, kinds: Kinds) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in self._certain.get(self.kind(node.value, kinds) or "", set())

    def _fields(self, callee: Callee) -> dict[str, ast.expr]:
        """The fields of a dataclass that every object of it has in common."""
        changed = {each.arg for call, kind in self._whole.uses.replaced if kind in (None, callee.name) for each in call.keywords}
        if None in changed:
            return {}
        stored = self._whole.classes.set_from_outside | self._whole.classes.set_by_relatives(callee.name)
        return {name: value for name, value in _agreed(callee).items() if name not in changed and name not in stored}

    def _present(self, own: Mapping[str, list[ast.expr]]) -> set[str]:
        """The attributes of a class that are never None, of those that nothing else sets."""
        return {name for name, values in own.items() if all(map(self._is_present, values))}

    def _is_present(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            func = node.func
            if isinstance(func, ast.Name):
                return func.id in self._whole.nodes or func.id in ("float", "int", "str", "tuple", "list", "dict", "set", "len")
            return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "!torch:nn"
        made = ast.Tuple | ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.Lambda | ast.JoinedStr
        return isinstance(node, made) or (is_literal(node) and not is_none(node))


def texts_of_attributes(nodes: Sequence[ast.AST]) -> set[str]:
    """Texts that may name attributes."""
    calls = [each for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in BY_TEXT]
    parts = [each for call in calls for part in call.args for each in walk(part)]
    return {each.value for each in parts if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def _is_method(node: ast.FunctionDef) -> bool:
    return (
        bool(node.args.args)
        and node.args.args[0].arg == "self"
        and not any(_spelling(each) == "property" for each in node.decorator_list)
    )


def _is_protocol(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id.endswith(":Protocol")


def _spelling(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_plain(node: ast.FunctionDef) -> bool:
    return node.args.vararg is None and node.args.kwarg is None


def _callee(name: str, node: ast.FunctionDef, calls: list[ast.Call], certain: bool = True) -> Callee:
    args = node.args
    placed = [*args.posonlyargs, *args.args]
    pairs = [*zip(reversed(placed), reversed(args.defaults), strict=False), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    names = [each.arg for each in (*placed, *args.kwonlyargs)]
    own = names[1:] if placed and placed[0].arg == "self" else names
    return Callee(name, node, own, {each.arg: value for each, value in pairs if value is not None}, calls, certain)


def _agreed(callee: Callee) -> dict[str, ast.expr]:
    """The parameters that get the same literal in every call."""
    found = {}
    for name, values in callee.values().items():
        if values and all(map(is_literal, values)) and len({ast.dump(each) for each in values}) == 1:
            found[name] = values[0]
    return found
