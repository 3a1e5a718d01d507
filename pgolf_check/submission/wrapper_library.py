"""What library functions that occur in wrappers return for known arguments: text encodings, decompression, paths, files.

A table of dotted names; a function that is not in it returns an unknown value. No function here runs or imports anything audited.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from pgolf_check.submission.decompress import Damaged, TooLarge, unpack
from pgolf_check.submission.wrapper_values import ROOT, UNKNOWN, Buffer, Decoder, NewModule, OutOfBudget, Unknown, World

Call = Callable[..., Any]

ENCODINGS: dict[str, tuple[str, Call]] = {
    "base64.b64decode": ("base64", base64.b64decode),
    "base64.standard_b64decode": ("base64", base64.standard_b64decode),
    "base64.urlsafe_b64decode": ("base64", base64.urlsafe_b64decode),
    "base64.decodebytes": ("base64", base64.decodebytes),
    "binascii.a2b_base64": ("base64", binascii.a2b_base64),
    "base64.b32decode": ("base32", base64.b32decode),
    "base64.b16decode": ("base16", base64.b16decode),
    "base64.b85decode": ("base85", base64.b85decode),
    "base64.a85decode": ("ascii85", base64.a85decode),
    "binascii.unhexlify": ("hex", binascii.unhexlify),
    "binascii.a2b_hex": ("hex", binascii.a2b_hex),
    "bytes.fromhex": ("hex", bytes.fromhex),
}

COMPRESSIONS = {
    "zlib.decompress": ("zlib", ("wbits",)),
    "gzip.decompress": ("gzip", ()),
    "bz2.decompress": ("bz2", ()),
    "lzma.decompress": ("lzma", ("format", "memlimit", "filters")),
    "brotli.decompress": ("brotli", ()),
    "brotlicffi.decompress": ("brotli", ()),
    "zstandard.decompress": ("zstandard", ()),
    "zstd.decompress": ("zstandard", ()),
    "pyzstd.decompress": ("zstandard", ()),
    "compression.zstd.decompress": ("zstandard", ()),
}
"""(codec, positional arguments after the data)."""

DECODERS = {
    "zlib.decompressobj": ("zlib", ("wbits",)),
    "bz2.BZ2Decompressor": ("bz2", ()),
    "lzma.LZMADecompressor": ("lzma", ("format", "memlimit", "filters")),
    "brotli.Decompressor": ("brotli", ()),
    "zstandard.ZstdDecompressor": ("zstandard", ()),
    "zstd.ZstdDecompressor": ("zstandard", ()),
}

OPENERS = {
    "lzma.open": "lzma",
    "lzma.LZMAFile": "lzma",
    "gzip.open": "gzip",
    "gzip.GzipFile": "gzip",
    "bz2.open": "bz2",
    "bz2.BZ2File": "bz2",
}

PATHS: dict[str, Call] = {
    "os.path.join": posixpath.join,
    "os.path.dirname": posixpath.dirname,
    "os.path.basename": posixpath.basename,
    "os.path.splitext": posixpath.splitext,
    "os.path.normpath": posixpath.normpath,
    "pathlib.Path": PurePosixPath,
    "pathlib.PurePath": PurePosixPath,
}

OPAQUE = {
    "marshal.loads": "marshalled code objects are not read",
    "marshal.load": "marshalled code objects are not read",
    "pickle.loads": "pickles are not read",
    "urllib.request.urlopen": "it comes from the network",
    "requests.get": "it comes from the network",
}

LAUNCHERS = frozenset(
    "subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen os.system os.execv os.execve "
    "os.execvp os.execvpe os.execl os.execlp".split()
)


def decompress(world: World, codec: str, data: Any, options: dict[str, Any]) -> Any:
    """What known data decompresses to, within the budget."""
    if isinstance(data, Buffer):
        data = data.data
    if not isinstance(data, bytes):
        return data if isinstance(data, Unknown) else UNKNOWN
    if any(isinstance(value, Unknown) for value in options.values()):
        return Unknown(f"the options of {codec} are not known")
    try:
        found = unpack(codec, data, world.budget.room, **options)
    except Damaged as error:
        return Unknown(str(error))
    except TooLarge:
        raise OutOfBudget("it unpacks to more than 64 MiB") from None
    world.budget.take(len(found))
    return world.derive(found, data, layer=codec)


def decode_text(world: World, name: str, function: Call, data: Any, extra: list[Any], options: dict[str, Any]) -> Any:
    """The bytes behind base85, base64 and the like; blanks inside a literal are forgiven."""
    if isinstance(data, bytearray):
        data = bytes(data)
    if not isinstance(data, (str, bytes)):
        return data if isinstance(data, Unknown) else UNKNOWN
    world.budget.take(len(data))
    for attempt in (data, "".join(data.split()) if isinstance(data, str) else b"".join(data.split())):
        try:
            return world.derive(function(attempt, *extra, **options), data, layer=name)
        except (ValueError, TypeError, binascii.Error, OverflowError) as error:
            problem = f"{name} data is damaged: {error}"
    return Unknown(problem)


def call(world: World, name: str, args: list[Any], options: dict[str, Any]) -> Any:
    """What the library function of a dotted name returns."""
    first = args[0] if args else UNKNOWN
    if name in ENCODINGS:
        layer, function = ENCODINGS[name]
        return decode_text(world, layer, function, options.pop("s", first), args[1:], options)
    if name in COMPRESSIONS:
        codec, names = COMPRESSIONS[name]
        return decompress(world, codec, options.pop("data", first), _options(names, args[1:], options))
    if name in DECODERS:
        codec, names = DECODERS[name]
        return Decoder(codec, _options(names, args, options))
    if name in OPENERS:
        return _open_packed(world, OPENERS[name], options.get("fileobj", first), _options((), [], options))
    if name in PATHS:
        return _path(PATHS[name], args)
    if name in OPAQUE:
        return Unknown(OPAQUE[name])
    if name in LAUNCHERS:
        return _launch(world, [*args, *options.values()])
    handler = HANDLERS.get(name)
    return handler(world, args, options) if handler is not None else UNKNOWN


def _options(names: tuple[str, ...], args: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that matter for decoding, by name."""
    given = {**dict(zip(names, args, strict=False)), **options}
    return {key: given[key] for key in ("format", "filters", "wbits") if given.get(key) is not None}


def _path(function: Call, args: list[Any]) -> Any:
    if not args or any(not isinstance(a, (str, PurePosixPath)) for a in args):
        return UNKNOWN
    return function(*args)


def _absolute(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    return world.absolute(str(args[0])) if args and isinstance(args[0], (str, PurePosixPath)) else UNKNOWN


def open_file(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    """The builtin open."""
    path = args[0] if args else options.get("file", UNKNOWN)
    mode = args[1] if len(args) > 1 else options.get("mode", "r")
    if not isinstance(path, (str, PurePosixPath)) or not isinstance(mode, str):
        return path if isinstance(path, Unknown) else UNKNOWN
    if mode[:1] in ("w", "a", "x"):
        return Buffer(b"" if "b" in mode else "", world.absolute(str(path)), writes=True)
    return Buffer(read_file(world, str(path), binary="b" in mode))


def read_file(world: World, path: str, *, binary: bool) -> Any:
    from pgolf_check.submission.text import decode_python

    data = world.content(path)
    if data is None:
        return Unknown(f"there is no file {posixpath.relpath(world.absolute(path), ROOT)}")
    if isinstance(data, bytes) and not binary:
        return world.derive(decode_python(data), data)
    if isinstance(data, str) and binary:
        return world.derive(data.encode("utf-8", "surrogatepass"), data)
    return data


def _open_packed(world: World, codec: str, source: Any, options: dict[str, Any]) -> Any:
    if isinstance(source, (str, PurePosixPath)):
        source = read_file(world, str(source), binary=True)
    return Buffer(decompress(world, codec, source, options))


def _codecs_decode(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    if len(args) < 2 or not isinstance(args[0], (str, bytes)) or not isinstance(args[1], str):
        return UNKNOWN
    data, name = args[0], args[1].lower().removesuffix("_codec").replace("-", "_")
    if name in ("zlib", "zip", "bz2"):
        return decompress(world, "bz2" if name == "bz2" else "zlib", data, {})
    simple = {"base64": base64.decodebytes, "hex": binascii.unhexlify}
    if name in simple:
        return decode_text(world, name, simple[name], data.encode() if isinstance(data, str) else data, [], {})
    if name in ("rot13", "rot_13") and isinstance(data, str):
        return world.derive(codecs.decode(data, "rot13"), data, layer="rot13")
    if isinstance(data, bytes):
        return decode_bytes(world, data, name)
    return UNKNOWN


def decode_bytes(world: World, data: bytes, encoding: str) -> Any:
    """bytes.decode, for text encodings only."""
    try:
        info = codecs.lookup(encoding)
        text = data.decode(encoding) if getattr(info, "_is_text_encoding", True) else None
    except (LookupError, UnicodeDecodeError, ValueError) as error:
        return Unknown(f"it is not {encoding} text: {error}")
    return world.derive(text, data) if text is not None else UNKNOWN


def _launch(world: World, args: list[Any]) -> Any:
    """A process that is started: if its command names a Python file that is known, that file runs."""
    words = [w for a in args for w in (a if isinstance(a, (list, tuple)) else str(a).split() if isinstance(a, str) else [a])]
    for word in words:
        path = str(word) if isinstance(word, (str, PurePosixPath)) else ""
        if path.endswith(".py") or world.absolute(path or ".") in world.written:
            run_file(world, path)
            break
    return UNKNOWN


def run_file(world: World, path: str) -> None:
    world.run(read_file(world, path, binary=True))


def _run_path(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    path = args[0] if args else options.get("path_name", UNKNOWN)
    if isinstance(path, (str, PurePosixPath)):
        run_file(world, str(path))
    else:
        world.run(Unknown("the path that it runs is not known"))
    return UNKNOWN


def _run_module(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    if args and isinstance(args[0], str):
        run_file(world, f"{ROOT}/{args[0].replace('.', '/')}.py")
    return UNKNOWN


def _temporary(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    world.temporary += 1
    return f"/tmp/{world.temporary}"


def _temporary_file(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    mode = args[0] if args and isinstance(args[0], str) else options.get("mode", "w+b")
    suffix = options.get("suffix") or ""
    path = f"{_temporary(world, [], {})}{suffix if isinstance(suffix, str) else ''}"
    return Buffer(b"" if "b" in str(mode) else "", path, writes=True)


def _new_module(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    return NewModule(args[0]) if args and isinstance(args[0], str) else UNKNOWN


def _module_from_file(world: World, args: list[Any], options: dict[str, Any]) -> Any:
    if len(args) > 1 and isinstance(args[0], str) and isinstance(args[1], (str, PurePosixPath)):
        return NewModule(args[0], str(args[1]))
    return UNKNOWN


HANDLERS: dict[str, Callable[[World, list[Any], dict[str, Any]], Any]] = {
    "open": open_file,
    "io.open": open_file,
    "io.BytesIO": lambda world, args, options: Buffer(args[0] if args else b""),
    "io.StringIO": lambda world, args, options: Buffer(args[0] if args else ""),
    "codecs.decode": _codecs_decode,
    "codecs.open": open_file,
    "os.path.abspath": _absolute,
    "os.path.realpath": _absolute,
    "os.getcwd": lambda world, args, options: world.folder,
    "os.path.exists": lambda world, args, options: UNKNOWN if not args else world.content(str(args[0])) is not None,
    "runpy.run_path": _run_path,
    "runpy.run_module": _run_module,
    "tempfile.mkdtemp": _temporary,
    "tempfile.gettempdir": lambda world, args, options: "/tmp",
    "tempfile.TemporaryDirectory": _temporary,
    "tempfile.NamedTemporaryFile": _temporary_file,
    "types.ModuleType": _new_module,
    "importlib.util.spec_from_file_location": _module_from_file,
    "importlib.util.module_from_spec": lambda world, args, options: args[0] if args else UNKNOWN,
}
