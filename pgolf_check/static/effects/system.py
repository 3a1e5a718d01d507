"""The environment, files, logs, other processes and C libraries."""

from __future__ import annotations

from pgolf_check.static.effects import files, native
from pgolf_check.static.effects.builtins import BUILTINS
from pgolf_check.static.effects.sequences import elements
from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, first, known
from pgolf_check.static.effects.texts import parts_of
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import has_reads, union
from pgolf_check.static.values import NO_CONST, Data, Instance, Mapping, Sequence, Value, constant, deps_of


def _environment(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.acts += 1
    name = constant(args[0]) if args else NO_CONST
    default = args[1] if len(args) > 1 else keywords.get("default")
    if isinstance(name, str):
        m.variables.add(name)
        return m.environment.get(name, default)
    return Data(parts=(None,), scalar=True)


def _set_default(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.acts += 1
    if len(args) == 2 and isinstance(constant(args[0]), str) and isinstance(constant(args[1]), str):
        return m.environment.setdefault(constant(args[0]), constant(args[1]))
    return Data(parts=(None,), scalar=True)


def _update_environment(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.acts += 1
    if args and type(args[0]) is Mapping:
        m.environment.update({k: v for k, v in args[0].items.items() if isinstance(k, str) and isinstance(v, str)})
    return None


def _save(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1:
        files.save(m, args[0], args[1])
    return None


def _save_array(m: Machine, args: Args, keywords: Keywords) -> Value:
    if args:
        files.save(m, Sequence("tuple", (*args[1:], *keywords.values())), args[0])
    return None


def _load(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.load(m, args[0]) if args else Data()


def _glob(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.glob(m, args[0]) if args else Sequence("list")


def _path(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.join_paths(args) if args else "."


def _buffer(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.new_buffer(m, args)


def _parser(m: Machine, args: Args, keywords: Keywords) -> Value:
    return Instance("argparse.ArgumentParser")


def _log_text(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.report(parts_of(args[0]) if args else (None,), union(deps_of(a) for a in (*args, *keywords.values())))
    return None


def _channel(m: Machine, args: Args, keywords: Keywords) -> Value:
    """A way for data that leaves no trace in the source: descriptors, sockets."""
    if any(has_reads(deps_of(a)) for a in (*args, *keywords.values())):
        m.not_followed("validation data is handed to a file descriptor")
    return Data(scalar=True)


def _pipe(m: Machine, args: Args, keywords: Keywords) -> Value:
    """Both ends of a pipe are one object: what is sent at one end comes out at the other."""
    both = Sequence("list")
    return Sequence("tuple", (both, both))


def _shared_memory(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.not_followed("memory is shared under a name")
    return Data()


def _subprocess(m: Machine, args: Args, keywords: Keywords) -> Value:
    words = [word for a in args for word in (elements(m, a) if type(a) is Sequence else (a,))]
    validation = next((word for word in words if files.stream_of(word) == "val"), NO_CONST)
    if validation is not NO_CONST:
        return files.read_file(m, validation)
    deps = union(deps_of(a) for a in (*args, *keywords.values()))
    if has_reads(deps):
        m.not_followed("validation data is handed to another process")
    return Data(deps)


def _json_dump(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1:
        files.save(m, args[0], args[1])
        m.report((None,), deps_of(args[0], 4))
    return None


FUNCTIONS: dict[str, Effect] = {
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "os.environ.setdefault": _set_default,
    "os.environ.update": _update_environment,
    "os.environ.pop": _environment,
    "os.environ.copy": known(Mapping({}, Data(parts=(None,)))),
    "os.path.join": _path,
    "glob.glob": _glob,
    "glob.iglob": _glob,
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "os.path.abspath": first,
    "os.path.expanduser": first,
    "os.path.realpath": first,
    "os.fspath": first,
    "os.listdir": lambda m, a, k: files.glob(m, files.join_paths((*a[:1], "*"))),
    "io.BytesIO": _buffer,
    "io.StringIO": _buffer,
    "io.open": BUILTINS["open"],
    "lzma.open": BUILTINS["open"],
    "gzip.open": BUILTINS["open"],
    "bz2.open": BUILTINS["open"],
    "argparse.ArgumentParser": _parser,
    "ctypes.CDLL": native.open_library,
    "ctypes.cdll.LoadLibrary": native.open_library,
    "ctypes.PyDLL": native.open_library,
    "ctypes.c_void_p": first,
    "ctypes.cast": first,
    "ctypes.byref": first,
    "ctypes.pointer": first,
    "json.dump": _json_dump,
    "sys.stdout.write": _log_text,
    "sys.stderr.write": _log_text,
    "os.write": _channel,
    "os.pwrite": _channel,
    "os.sendfile": _channel,
    "multiprocessing.Pipe": _pipe,
    "torch.multiprocessing.Pipe": _pipe,
    "multiprocessing.shared_memory.SharedMemory": _shared_memory,
    "subprocess.run": _subprocess,
    "subprocess.check_output": _subprocess,
    "subprocess.Popen": _subprocess,
}

BY_NAME: dict[tuple[str, str], Effect] = {
    **by_name("torch", "save", _save),
    **by_name("torch", "load", _load),
    **by_name("pickle", "dump", _save),
    **by_name("pickle", "load", _load),
    **by_name("numpy", "save savez savez_compressed tofile", _save_array),
    **by_name("numpy", "fromfile load memmap loadtxt", _load),
    **by_name("torch", "from_file", _load),
    **by_name("os", "replace rename", files.move),
    **by_name("shutil", "move copy copy2 copyfile", files.move),
    **by_name("logging", "info debug warning error log", _log_text),
    **by_name("wandb", "log", _log_text),
}
