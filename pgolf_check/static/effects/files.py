"""Files: token shards are the streams, everything else carries what was written to it."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from pgolf_check.static.effects.streams import shipped
from pgolf_check.static.effects.texts import add_texts, make_text, parts_of
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, Deps, Trace, Traced, union
from pgolf_check.static.values import NO_CONST, NO_REST, Choice, Data, Instance, Sequence, Value, constant, deps_of, options

TOKEN_FILE = re.compile(r"\.(?:bin|npy|npz|u16|dat|parquet|jsonl)\b|\*")
VALIDATION = re.compile(r"(?:^|[^a-z])(?:val|valid|validation)(?:[^a-z]|$)", re.IGNORECASE)
SHARD = "fineweb_val_000000.bin"
OPEN = re.compile(r"fineweb_?\*")
SHORTEST_END = 3
"""Letters at the end of a path that many files share, such as a short suffix."""
TRAINING = re.compile(r"(?:^|[^a-z])train(?:ing)?(?:[^a-z]|$)", re.IGNORECASE)


def key_of(path: Value) -> object:
    """What identifies a file: its path as far as known."""
    known = constant(path)
    if known is not NO_CONST:
        return known
    if type(path) is Data and path.parts is not None:
        return path.parts
    if type(path) is Instance:
        return id(path)
    return None


def stream_of(path: Value) -> str:
    """The token stream that a path or glob pattern names: "val", "train" or "" for other files.

    Judged by the last component that is literal: it is a file pattern of the data set, not a name of the source.
    """
    for option in options(path):
        text = "\0".join(p if p is not None else "\1" for p in parts_of(option))
        name = text.rpartition("/")[2]
        if not TOKEN_FILE.search(name):
            continue
        if _is_set(name) or VALIDATION.search(name):
            return "val"
        if TRAINING.search(name):
            return "train"
    return ""


def _is_set(name: str) -> bool:
    """Whether a pattern spells a name of the validation shards with sets of characters, or leaves open which split it means."""
    pattern = name.replace("\0", "").replace("\1", "*")
    return ("[" in pattern or OPEN.match(pattern) is not None) and fnmatch(SHARD, pattern)


def read_file(m: Machine, path: Value) -> Data:
    """The content of a file."""
    m.acts += 1
    found = [m.files[key] for option in options(path) for key in _written_as(m, key_of(option))]
    stored = union(deps_of(content) for content in found)
    stream = stream_of(path)
    if stream == "val":
        return Data(union((stored, m.read(stream))), tokens=True)
    if stream == "train":
        m.trained = True
        return Data(union((stored, frozenset((Traced(Trace.TRAINING, m.here()),)))), tokens=True)
    tokens = any(type(content) is Data and content.tokens for content in found)
    return Data(union((stored, deps_of(path))), _call_tags(m), tokens=tokens)


def _written_as(m: Machine, key: object) -> list[object]:
    """The files of this run that a path may name."""
    if key in m.files:
        return [key]
    return [other for other in m.files if _may_be_one(key, other)]


def _may_be_one(key: object, other: object) -> bool:
    """Whether two paths, of which one at least has holes, may be one: what they begin and end with agrees, and the end is telling."""
    mine, theirs = (k if isinstance(k, tuple) else (k,) for k in (key, other))
    if len(mine) == len(theirs) == 1:
        return False
    ends = [(parts[0] or "", parts[-1] or "") for parts in (mine, theirs)]
    if not all(isinstance(text, str) for pair in ends for text in pair):
        return False
    (begin, end), (start, close) = ends
    telling = min(end.rpartition("/")[2], close.rpartition("/")[2], key=len)
    return (
        len(telling) > SHORTEST_END
        and (begin.startswith(start) or start.startswith(begin))
        and (end.endswith(close) or close.endswith(end))
    )


def move(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """os.replace, shutil.copy: what the first path names is found at the second."""
    if len(args) > 1:
        replace_file(m, args[1], read_file(m, args[0]))
    return args[1] if len(args) > 1 else Data()


def _call_tags(m: Machine) -> frozenset[tuple[int, int]]:
    """What is read anew in every iteration, such as a work queue's counter, is chosen by that iteration."""
    m.acts += 1
    return frozenset(m.loops[-1:])


def write_file(m: Machine, path: Value, content: Value) -> None:
    m.acts += 1
    deps = shipped(deps_of(content, 6))
    for option in options(path):
        key = key_of(option)
        present = m.files.get(key)
        tokens = any(type(v) is Data and v.tokens for v in (content, present))
        merged = Data(union((deps, NO_DEPS if present is None else deps_of(present))), tokens=tokens)
        m.heap.put_item(m.files, key, merged)


def replace_file(m: Machine, path: Value, content: Value) -> None:
    """Write a file from the start."""
    m.acts += 1
    key = key_of(path)
    if key is None:
        write_file(m, path, content)
    else:
        tokens = type(content) is Data and content.tokens
        m.heap.put_item(m.files, key, Data(shipped(deps_of(content, 6)), tokens=tokens))


def open_file(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Instance:
    handle = Instance("io.file")
    mode = args[1] if len(args) > 1 else keywords.get("mode", "r")
    handle.held = (args[0] if args else keywords.get("file"), mode)
    if isinstance(mode, str) and mode.startswith("w"):
        replace_file(m, handle.held[0], None)
    return handle


def new_buffer(m: Machine, args: tuple[Value, ...]) -> Instance:
    buffer = Instance("io.BytesIO")
    buffer.held = (buffer_content(args[0]) if args else Data(),)
    return buffer


def buffer_content(value: Value) -> Data:
    return Data(shipped(deps_of(value, 6)))


FILE_CLASSES = frozenset(("io.file", "io.BytesIO"))


def file_method(m: Machine, handle: Instance, name: str, args: tuple[Value, ...]) -> Value:
    """Methods of open files and in-memory buffers."""
    if handle.cls == "io.BytesIO":
        if name == "write" and args:
            m.heap.put(handle, "held", (buffer_content(join(handle.held[0], args[0])),))
            return Data(scalar=True)
        if name in ("getvalue", "read", "getbuffer"):
            return Data(deps_of(handle.held[0]))
        return Data(scalar=True)
    if name in ("write", "writelines") and args:
        write_text(m, handle, args[0])
        return Data(scalar=True)
    if name in ("read", "readline", "readlines", "readinto"):
        return read_file(m, handle.held[0])
    return Data(scalar=True)


def write_text(m: Machine, handle: Instance, content: Value) -> None:
    write_file(m, handle.held[0], content)
    m.report(parts_of(content), deps_of(content))


def save(m: Machine, content: Value, target: Value) -> None:
    """torch.save, pickle.dump, np.save: into a path, an open file or a buffer."""
    if type(target) is Instance and target.cls == "io.BytesIO":
        m.heap.put(target, "held", (buffer_content(content),))
    elif type(target) is Instance and target.cls == "io.file":
        write_file(m, target.held[0], content)
    else:
        replace_file(m, target, content)


def load(m: Machine, source: Value) -> Value:
    """torch.load and its kind."""
    if type(source) is Instance and source.cls == "io.BytesIO":
        return Data(deps_of(source.held[0]))
    path = source.held[0] if type(source) is Instance and source.cls == "io.file" else source
    m.trained = m.trained or not any(key_of(option) in m.files or stream_of(option) for option in options(path))
    return read_file(m, path)


def glob(m: Machine, pattern: Value) -> Value:
    """The paths that a pattern matches: one text stands for them."""
    parts = parts_of(pattern)
    path = Data(deps_of(pattern), parts=parts if None in parts else (*parts,), scalar=True)
    return Sequence("list", (), path, True)


def join_paths(args: tuple[Value, ...]) -> Value:
    flat: list[str | None] = []
    for index, part in enumerate(args):
        if index:
            flat.append("/")
        flat.extend(parts_of(part))
    return make_text(flat, union(deps_of(a) for a in args))


PATH_METHODS = frozenset(
    """glob rglob joinpath with_suffix with_name exists is_file is_dir read_text read_bytes write_text write_bytes resolve absolute
    expanduser stat open mkdir unlink iterdir as_posix relative_to""".split()
)


def path_method(m: Machine, path: Value, name: str, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """Methods of pathlib paths, which are texts here."""
    if name in ("glob", "rglob"):
        return glob(m, join_paths((path, *args)))
    if name == "iterdir":
        return glob(m, add_texts(path, "/*"))
    if name == "joinpath":
        return join_paths((path, *args))
    if name in ("read_text", "read_bytes"):
        return read_file(m, path)
    if name in ("write_text", "write_bytes") and args:
        replace_file(m, path, args[0])
        m.report(parts_of(args[0]), deps_of(args[0]))
        return Data(scalar=True)
    if name == "open":
        return open_file(m, (path, *args), keywords)
    if name in ("resolve", "absolute", "expanduser", "as_posix", "relative_to"):
        return path
    if name in ("with_suffix", "with_name") and args:
        return make_text((*parts_of(path)[:-1], None, *parts_of(args[0])))
    return Data(scalar=True)


__all__ = ["Choice", "Deps", "NO_REST"]
