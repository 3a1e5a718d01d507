"""Methods of texts and byte strings."""

from __future__ import annotations

from pgolf_check.static.effects import files
from pgolf_check.static.effects.signature import Args, Keywords
from pgolf_check.static.effects.spaces import asked
from pgolf_check.static.effects.texts import format_braces, join_texts, parts_of
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
from pgolf_check.static.values import Data, Sequence, Value, constant, deps_of, is_const, tags_of


def text_method(m: Machine, receiver: Value, name: str, args: Args, keywords: Keywords) -> Value:
    known = constant(receiver)
    if name in files.PATH_METHODS:
        return files.path_method(m, receiver, name, args, keywords)
    if name == "format":
        return format_braces(receiver, (*args, *keywords.values()))
    if name == "join" and args:
        return join_texts(receiver, args[0])
    if isinstance(known, (str, bytes)) and all(is_const(a) for a in args) and not keywords and len(known) < 1 << 16:
        return _constant_text(known, name, args)
    if name in ("encode", "decode", "strip", "lower", "upper", "rstrip", "lstrip"):
        return Data(deps_of(receiver), tags_of(receiver), parts=parts_of(receiver), scalar=True)
    if name in ("split", "splitlines", "partition", "rsplit"):
        return Sequence("list", (), Data(deps_of(receiver), parts=(None,), scalar=True), True)
    deps = union(deps_of(v) for v in (receiver, *args))
    return Data(asked(m, deps, args[0]) if name == "startswith" and args else deps, scalar=True)


TEXT_METHODS = frozenset(
    """lower upper strip lstrip rstrip split rsplit splitlines partition rpartition startswith endswith replace find rfind isdigit
    title capitalize encode decode count removeprefix removesuffix isalpha isalnum""".split()
)


def _constant_text(known: str | bytes, name: str, args: Args) -> Value:
    if name not in TEXT_METHODS:
        return Data(parts=(None,), scalar=True)
    try:
        result = getattr(known, name)(*args)
    except (TypeError, ValueError, LookupError):
        return Data(scalar=True)
    if isinstance(result, (list, tuple)):
        return Sequence("list" if isinstance(result, list) else "tuple", tuple(result[:4096]))
    return result if not isinstance(result, (str, bytes)) or len(result) < 1 << 16 else Data(parts=(None,), scalar=True)
