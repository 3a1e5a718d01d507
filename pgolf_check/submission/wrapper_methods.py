"""Methods of known values in a self-extracting script: strings, bytes, paths, buffers, decoders and new modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from pgolf_check.submission import wrapper_library as library
from pgolf_check.submission.wrapper_values import UNKNOWN, Bound, Buffer, Decoder, NewModule, Unknown, World

TEXT_METHODS = frozenset(
    "strip lstrip rstrip split rsplit splitlines partition rpartition lower upper removeprefix removesuffix startswith endswith "
    "hex translate find rfind index rindex count".split()
)
PATH_METHODS = frozenset("with_name with_suffix with_stem joinpath".split())


def call_method(world: World, owner: Any, name: str, args: list[Any], options: dict[str, Any]) -> Any:
    """The result of owner.name(*args), or Unknown."""
    unknown = next((a for a in args if isinstance(a, Unknown)), None)
    try:
        match owner:
            case str() | bytes():
                return unknown or _text(world, owner, name, args, options)
            case PurePosixPath():
                return _path(world, owner, name, args)
            case Buffer():
                return _buffer(world, owner, name, args)
            case Decoder(codec, settings):
                return library.decompress(world, codec, args[0], dict(settings)) if name in ("decompress", "process") else UNKNOWN
            case NewModule():
                return _module(world, owner, name)
            case list() | dict():
                return _container(owner, name, args)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        return UNKNOWN
    return UNKNOWN


def _text(world: World, owner: str | bytes, name: str, args: list[Any], options: dict[str, Any]) -> Any:
    world.budget.take(len(owner))
    if name == "decode" and isinstance(owner, bytes):
        return library.decode_bytes(world, owner, args[0] if args else options.get("encoding", "utf-8"))
    if name == "encode" and isinstance(owner, str):
        return world.derive(owner.encode(args[0] if args else options.get("encoding", "utf-8")), owner)
    if name == "join" and isinstance(args[0], (list, tuple)):
        bad = next((part for part in args[0] if not isinstance(part, type(owner))), None)
        if bad is not None:
            return bad if isinstance(bad, Unknown) else UNKNOWN
        world.budget.take(sum(map(len, args[0])) + len(owner) * len(args[0]))
        return world.derive(owner.join(args[0]), *args[0])
    if name == "replace" and len(args) >= 2 and all(isinstance(a, type(owner)) for a in args[:2]):
        world.budget.take(owner.count(args[0]) * len(args[1]))
        return world.derive(owner.replace(*args[:2]), owner)
    if name == "fromhex":
        return library.call(world, "bytes.fromhex", args, options)
    if name in TEXT_METHODS:
        return world.derive(getattr(owner, name)(*args, **options), owner)
    return UNKNOWN


def _path(world: World, owner: PurePosixPath, name: str, args: list[Any]) -> Any:
    if name in ("resolve", "absolute"):
        return PurePosixPath(world.absolute(str(owner)))
    if name in ("read_text", "read_bytes"):
        return library.read_file(world, str(owner), binary=name == "read_bytes")
    if name in ("write_text", "write_bytes"):
        world.written[world.absolute(str(owner))] = args[0]
        return UNKNOWN
    if name == "open":
        return library.open_file(world, [str(owner), *args], {})
    if name in ("exists", "is_file"):
        return world.content(str(owner)) is not None
    return getattr(owner, name)(*args) if name in PATH_METHODS else UNKNOWN


def _buffer(world: World, owner: Buffer, name: str, args: list[Any]) -> Any:
    if name == "write" and args:
        if isinstance(owner.data, (str, bytes)) and type(args[0]) is type(owner.data):
            world.budget.take(len(args[0]))
            empty: Any = owner.data[:0]
            owner.data = world.derive(empty.join((owner.data, args[0])), args[0])
        else:
            owner.data = args[0] if isinstance(args[0], Unknown) or not owner.data else UNKNOWN
        if owner.writes:
            world.written[owner.path] = owner.data
        return UNKNOWN
    if name in ("read", "getvalue", "getbuffer"):
        return owner.data if not args or args[0] in (-1, None) else UNKNOWN
    return owner if name == "__enter__" else UNKNOWN


def _module(world: World, owner: NewModule, name: str) -> Any:
    if name == "__dict__":
        return Bound(owner, "__dict__")
    if name == "exec_module":
        world.run(library.read_file(world, owner.path, binary=True), owner.name)
    return UNKNOWN


def _container(owner: list[Any] | dict[Any, Any], name: str, args: list[Any]) -> Any:
    if isinstance(owner, list) and name in ("append", "extend", "reverse"):
        getattr(owner, name)(*args)
        return None
    if isinstance(owner, dict) and name in ("get", "items", "keys", "values"):
        found = getattr(owner, name)(*args)
        return found if name == "get" else list(found)
    return UNKNOWN


def text_of(world: World, first: Any, more: list[Any], *, binary: bool) -> Any:
    """bytes(...) and str(...)."""
    if binary and isinstance(first, (list, tuple, range)):
        world.budget.step(len(first))
        return bytes(first) if all(isinstance(item, int) for item in first) else UNKNOWN
    if binary and isinstance(first, str) and more:
        return world.derive(first.encode(more[0]), first)
    if not binary and isinstance(first, bytes) and more:
        return library.decode_bytes(world, first, more[0])
    if isinstance(first, bytes if binary else (str, int, PurePosixPath)):
        return first if binary else str(first)
    return UNKNOWN


def iterate(found: Any) -> Iterator[Any] | None:
    """The items of a known container."""
    if isinstance(found, (str, bytes, list, tuple, dict, range)):
        return iter(found)
    return None


def convert(world: World, name: str, args: list[Any]) -> Any:
    """The builtin constructors and small functions; None if `name` is none of them."""
    unknown = next((a for a in args if isinstance(a, Unknown)), None)
    if unknown is not None and name in ("bytes", "bytearray", "str"):
        return unknown
    first: Any = args[0] if args else UNKNOWN
    match name:
        case "bytes" | "bytearray":
            return text_of(world, first, args[1:], binary=True)
        case "str":
            return text_of(world, first, args[1:], binary=False)
        case "int" if isinstance(first, (int, str)) and len(str(first)[:100]) < 100:
            return int(first, *args[1:]) if isinstance(first, str) else int(first)
        case "len" if isinstance(first, (str, bytes, list, tuple, dict)):
            return len(first)
        case "chr" | "ord" if isinstance(first, (int, str)):
            return chr(first) if isinstance(first, int) else ord(first)
        case "list" | "tuple" | "reversed" | "sorted" | "enumerate" if iterate(first) is not None:
            world.budget.step(len(first))
            orders: dict[str, Callable[[Any], Any]] = {"reversed": reversed, "sorted": sorted, "enumerate": enumerate}
            return list(orders.get(name, list)(first))
        case "zip" if all(iterate(a) is not None for a in args):
            world.budget.step(sum(map(len, args)))
            return list(zip(*args, strict=False))
        case "range" if all(isinstance(a, int) for a in args):
            return range(*args)
    return None
