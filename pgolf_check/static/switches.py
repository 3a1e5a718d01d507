"""The settings under which a line that the logs show is printed at all: read from the tests around the statement that prints it.

A run whose configuration nothing tells is known by what it printed. The statement that fits the line stands below tests of settings; where
the default of such a setting takes the other side, the run had another value.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.claim import literal, matches
from pgolf_check.static.effects.numbers import COMPARE

CALLS = 4
"""How many calls a statement may be away from the test that guards it."""

TELLING = 10
"""Letters of its own by which a text is told from others in a log."""

SAID = {"True": "1", "False": "0"}
SWITCH_WORDS = frozenset(("ENABLED", "ENABLE", "USE", "ON"))
FALSE = frozenset(("", "0", "false", "no", "off", "none"))
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
Guard = tuple[ir.Node, bool]
"""A test, and whether it must hold."""


def switches(module: ir.Module, lines: Iterable[str], logs: Sequence[str] = ()) -> dict[str, str]:
    """Environment variables with the values that make the module print the lines, where defaults do not.

    Of the logs, any line counts that begins with a text which the defaults never print.
    """
    program = _Program(module)
    values: dict[str, str] = {}
    for line in lines:
        found = (program.settings_of(place, line) for place in program.printing(line))
        values = {**next(filter(None, found), {}), **values}
    for place in filter(program.switched, program.texts):
        line = next((line for log in logs if (line := _line_of(place.node, log))), "")
        if line and all(map(program.switched, program.printing(line))):
            values = {**program.settings_of(place, line), **values}
    return values


def named(module: ir.Module, words: Container[str]) -> dict[str, str]:
    """The switches that are off by default and have no other words in their names than the given ones, switched on."""
    settings = dict(_Program(module).settings.values())
    off = (name for name, default in settings.items() if default.lower() in FALSE)
    telling = ((name, [word for word in name.split("_") if word not in SWITCH_WORDS]) for name in off)
    return {name: "1" for name, own in telling if own and all(word in words for word in own)}


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """A node in a function (None: module level) below some tests."""

    node: ir.Node
    function: ir.Function | None
    guards: tuple[Guard, ...]


class _Program:
    """The places, calls and settings of a module."""

    def __init__(self, module: ir.Module) -> None:
        self.texts: list[_Place] = []
        self.uses: dict[str, list[_Place]] = {}
        self.settings: dict[str, tuple[str, str]] = {}
        """Per name or attribute, the environment variable that it is read from, with its default."""
        self.values: dict[tuple[int, str], ir.Node] = {}
        self.texts_of: dict[str, str] = dict(_named_texts(module.body))
        """Texts that stand under a name of the module, as minifiers put them."""
        for node in module.body:
            self._visit(node, None, ())

    def _visit(self, node: Any, function: ir.Function | None, guards: tuple[Guard, ...]) -> None:
        kind = type(node)
        if kind is ir.Function:
            function, guards = node, ()
        elif kind is ir.FString or kind is ir.Const and isinstance(node.value, str):
            self.texts.append(_Place(node, function, guards))
        elif kind is ir.Name:
            self.uses.setdefault(node.id, []).append(_Place(node, function, guards))
        elif kind is ir.Attr:
            self.uses.setdefault(node.name, []).append(_Place(node, function, guards))
        elif kind is ir.Assign or kind is ir.Annotated:
            self._assigned(node, function)
        elif kind is ir.If or kind is ir.IfExp:
            self._visit(node.test, function, guards)
            self._visit_all(node.body, function, (*guards, (node.test, True)))
            self._visit_all(node.orelse, function, (*guards, (node.test, False)))
            return
        for part in _parts(node):
            self._visit(part, function, guards)

    def _visit_all(self, nodes: Any, function: ir.Function | None, guards: tuple[Guard, ...]) -> None:
        for node in nodes if isinstance(nodes, tuple) else (nodes,):
            self._visit(node, function, guards)

    def _assigned(self, node: Any, function: ir.Function | None) -> None:
        setting = _setting(node.value, self.texts_of)
        for target in node.targets if type(node) is ir.Assign else (node.target,):
            name = target.id if type(target) is ir.Name else target.name if type(target) is ir.Attr else ""
            if name and setting is not None:
                self.settings[name] = setting
            elif name and node.value is not None:
                self.values[id(function), name] = node.value

    def printing(self, line: str) -> Iterator[_Place]:
        """The texts that may be the line, the most literal first."""
        found = [(len(literal(template)), place) for place in self.texts if matches(template := _template(place.node), line)]
        yield from (place for _, place in sorted(found, key=lambda f: -f[0]))

    def switched(self, place: _Place) -> dict[str, str]:
        """The settings under which the text at a place is printed, where their defaults keep it from that."""
        found: dict[str, str] = {}
        for test, holds, function in self.guards(place):
            found.update(self.wanted(test, holds, function))
        return found

    def settings_of(self, place: _Place, line: str) -> dict[str, str]:
        """The settings that make the place print the line: what it stands below, and those that the text shows itself."""
        found = self.switched(place) if line else {}
        if not found or type(place.node) is not ir.FString:
            return found
        holes = [part for part in place.node.parts if type(part) is ir.Hole]
        match = re.search(_pattern(place.node), line)
        for hole, text in zip(holes, match.groups() if match is not None else (), strict=False):
            name = _name(hole.value)
            if name in self.settings and text:
                variable, default = self.settings[name]
                found[variable] = SAID.get(text, text) if default.isdigit() else text
        return found

    def guards(self, place: _Place) -> Iterator[tuple[ir.Node, bool, ir.Function | None]]:
        """The tests around a place, and around the only call of its function; each with the function that it stands in."""
        for _ in range(CALLS):
            yield from ((test, holds, place.function) for test, holds in place.guards)
            uses = self.uses.get(place.function.name, []) if place.function is not None else []
            if len(uses) != 1:
                return
            place = uses[0]

    def wanted(self, test: ir.Node, holds: bool, function: ir.Function | None, depth: int = 0) -> dict[str, str]:
        """The settings that make a test hold, or fail, where their defaults do not."""
        if type(test) is ir.Unary and test.op == "not":
            return self.wanted(test.operand, not holds, function, depth)
        if type(test) is ir.Bool and (test.op == "and") == holds:
            return {name: value for part in test.values for name, value in self.wanted(part, holds, function, depth).items()}
        if type(test) is ir.Compare and len(test.ops) == 1:
            return self._compared(test, holds)
        name = _name(test)
        if name in self.settings:
            variable, default = self.settings[name]
            return {} if (default.lower() not in FALSE) == holds else {variable: "1" if holds else "0"}
        value = self.values.get((id(function), name))
        return self.wanted(value, holds, function, depth + 1) if value is not None and depth < CALLS else {}

    def _compared(self, test: ir.Compare, holds: bool) -> dict[str, str]:
        name, op, bound = _name(test.left), test.ops[0], test.rights[0]
        if name not in self.settings or type(bound) is not ir.Const or op not in COMPARE:
            return {}
        variable, default = self.settings[name]
        wanted = bound.value
        present = _like(default, wanted)
        if present is None or bool(COMPARE[op](present, wanted)) == holds:
            return {}
        if (op == "==") == holds and op in ("==", "!="):
            return {variable: str(wanted)}
        if isinstance(wanted, str):
            return {}
        value = next(v for v in (wanted, wanted + 1, wanted - 1) if bool(COMPARE[op](v, wanted)) == holds)
        return {variable: str(value)}


def _parts(node: Any) -> Iterator[Any]:
    """The nodes directly below a node."""
    if isinstance(node, tuple):
        yield from node
    else:
        for name in _fields(node.__class__):
            value = getattr(node, name)
            if isinstance(value, tuple) or _fields(value.__class__):
                yield value


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node; none if it is not one."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def _line_of(node: ir.Node, log: str) -> str:
    """The line of a log that begins with a text of the source; "" if none does, or if the text says too little."""
    if len(re.sub(r"[^A-Za-z]", "", literal(_template(node)))) < TELLING:
        return ""
    match = re.search(f"^{_pattern(node)}.*$", log, re.MULTILINE)
    return match.group() if match is not None else ""


def _pattern(node: ir.Node) -> str:
    """A regular expression for a printed text, with a group for each hole."""
    if type(node) is not ir.FString:
        return re.escape(_template(node))
    return "".join(re.escape(p) if isinstance(p, str) else r"([^\s,;]*)" for p in node.parts).strip()


def _template(node: ir.Node) -> str:
    if type(node) is ir.FString:
        return "".join(p if isinstance(p, str) else "{}" for p in node.parts)
    return str(node.value) if type(node) is ir.Const else ""


def _name(node: ir.Node) -> str:
    if type(node) is ir.Call and _last(node.func) in ("bool", "int", "float", "getattr") and node.args:
        inner = node.args[min(1, len(node.args) - 1)].value if _last(node.func) == "getattr" else node.args[0].value
        return str(inner.value) if type(inner) is ir.Const else _name(inner)
    return _last(node)


def _last(node: ir.Node) -> str:
    return node.id if type(node) is ir.Name else node.name if type(node) is ir.Attr else ""


def _named_texts(body: tuple[ir.Node, ...]) -> Iterator[tuple[str, str]]:
    """The names that a module gives to texts."""
    for node in body:
        if type(node) is ir.Assign and type(node.value) is ir.Const and isinstance(node.value.value, str):
            yield from ((target.id, node.value.value) for target in node.targets if type(target) is ir.Name)


def _setting(node: Any, texts: Mapping[str, str]) -> tuple[str, str] | None:
    """(variable, default) of an expression that reads one environment variable, by the library or by a function of the source."""
    if type(node) is ir.Call:
        known = [v for a in node.args if (v := _known(a.value, texts)) is not None]
        if known and isinstance(known[0], str) and VARIABLE.fullmatch(known[0]):
            return known[0], str(known[1]) if len(known) > 1 else ""
    found = [s for part in _parts(node) if (s := _setting(part, texts)) is not None]
    return found[0] if len(found) == 1 else None


def _known(node: ir.Node, texts: Mapping[str, str]) -> object:
    """The constant that a node is, or stands for by its name."""
    return node.value if type(node) is ir.Const else texts.get(node.id) if type(node) is ir.Name else None


def _like(default: str, wanted: object) -> Any:
    """The default as a value that compares with `wanted`; None if it cannot be one."""
    if isinstance(wanted, str):
        return default
    try:
        return float(default) if isinstance(wanted, (int, float)) else None
    except ValueError:
        return None
