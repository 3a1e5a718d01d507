"""Texts: constants where everything is known, otherwise their literal parts with holes."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Items

from pgolf_check.static.effects.mixtures import of_several
from pgolf_check.static.records import NO_DEPS, Deps, union
from pgolf_check.static.values import NO_CONST, NO_TAGS, Choice, Data, Sequence, Value, constant, deps_of, tags_of

Parts = tuple[str | None, ...]


def parts_of(value: Value) -> Parts:
    """The literal parts of a value's text; None where they are not known."""
    known = constant(value)
    if known is not NO_CONST:
        return (known if isinstance(known, str) else str(known),)
    if type(value) is Data and value.parts is not None:
        return value.parts
    if type(value) is Choice and all(isinstance(v, str) for v in value.options):
        return (None,)
    return (None,)


def make_text(parts: Iterable[str | None], deps: Deps = NO_DEPS, tags: frozenset[tuple[int, int]] = NO_TAGS) -> Value:
    """A text from parts: a constant if there are no holes and nothing flowed in."""
    merged: list[str | None] = []
    for part in parts:
        if part is not None and merged and merged[-1] is not None:
            merged[-1] += part
        elif part is not None or not merged or merged[-1] is not None:
            merged.append(part)
    if None not in merged:
        text = "".join(p for p in merged if p is not None)
        return text if not deps and not tags else Data(deps, tags, const=text, parts=(text,), scalar=True)
    return Data(deps, tags, parts=tuple(merged), scalar=True)


def text_of(parts: Items[Value]) -> Value:
    """An f-string: parts are literals, or (value, format specification)."""
    flat: list[str | None] = []
    values: list[Value] = []
    for part in parts:
        if isinstance(part, str) or part is None:
            flat.append(part)
            continue
        value, spec = part
        values.append(value)
        known = constant(value)
        if known is not NO_CONST and (isinstance(known, str) or spec or isinstance(known, (int, float))):
            flat.append(formatted(known, spec))
        elif spec:
            flat.append(None)
        else:
            flat.extend(parts_of(value))
    return make_text(flat, union(deps_of(v) for v in values), NO_TAGS.union(*(tags_of(v) for v in values)))


def formatted(value: object, spec: str) -> str | None:
    """A constant under a format specification of bounded width."""
    if len(spec) > 12:
        return None
    try:
        text = format(value, spec)
    except (ValueError, TypeError):
        return None
    return text if len(text) < 4096 else None


def add_texts(left: Value, right: Value) -> Value:
    return make_text((*parts_of(left), *parts_of(right)), union((deps_of(left), deps_of(right))), tags_of(left) | tags_of(right))


def join_texts(separator: Value, items: Value) -> Value:
    """separator.join(items)."""
    if type(items) is not Sequence:
        return make_text((None,), deps_of(items))
    flat: list[str | None] = []
    for index, item in enumerate(items.items):
        if index:
            flat.extend(parts_of(separator))
        flat.extend(parts_of(item))
    deps = of_several(deps_of(items))
    if not items.items or items.rest is not None and type(items.rest) is Data:
        flat.append(None)
    return make_text(flat, deps)


def format_percent(template: Value, argument: Value) -> Value:
    """template % argument: the literal stretches between conversions."""
    flat: list[str | None] = []
    for part in parts_of(template):
        if part is None:
            flat.append(None)
            continue
        flat.extend(_between(part, "%"))
    return make_text(flat, union((deps_of(template), deps_of(argument))))


def format_braces(template: Value, args: Items[Value]) -> Value:
    """template.format(...)."""
    flat: list[str | None] = []
    for part in parts_of(template):
        flat.extend((None,) if part is None else _between(part, "{"))
    return make_text(flat, union(deps_of(v) for v in (template, *args)))


def _between(text: str, mark: str) -> list[str | None]:
    import re

    pattern = r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]" if mark == "%" else r"\{[^{}]*\}"
    pieces = re.split(pattern, text)
    flat: list[str | None] = []
    for index, piece in enumerate(pieces):
        if index:
            flat.append(None)
        if piece:
            flat.append(piece)
    return flat or [""]
