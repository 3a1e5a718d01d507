"""The one table of what functions and methods outside the submission do.

Everything not listed is *pure*: its result depends on its arguments, and it writes nothing, but it may call the functions of the source
that it gets. Functions are looked up by full dotted name first, then by package and last component.
"""

from __future__ import annotations

import math

from pgolf_check.static.effects import computations, distributed, files, functional, mixing, native, system
from pgolf_check.static.effects.builtins import BUILTINS
from pgolf_check.static.effects.callbacks import handed_on, is_callback
from pgolf_check.static.effects.dynamic import run_source
from pgolf_check.static.effects.modules import (
    HANDLE,
    MODULE_METHODS,
    OPTIMIZER_METHODS,
    is_optimizer,
    module_method,
    new_module,
    new_optimizer,
    optimizer_method,
    remove_hook,
    states_in,
)
from pgolf_check.static.effects.options import parser_method
from pgolf_check.static.effects.reflection import ANY
from pgolf_check.static.effects.scores import holds_tokens, picked
from pgolf_check.static.effects.sequences import elements, iterate, mapping_method, sequence_method
from pgolf_check.static.effects.signature import Args, Effect, Keywords, pure
from pgolf_check.static.effects.tensors import data_method
from pgolf_check.static.effects.text_methods import text_method
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import has_reads, states_of, union
from pgolf_check.static.values import (
    NO_CONST,
    Bound,
    Class,
    Data,
    Function,
    Instance,
    Mapping,
    Scope,
    Sequence,
    Value,
    deps_of,
    unwrapped,
)

CONSTANT_ATTRIBUTES: dict[str, object] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "numpy.pi": math.pi,
    "numpy.inf": math.inf,
    "torch.inf": math.inf,
    "os.sep": "/",
    "sys.version_info": None,
}
LIBRARIES = frozenset(
    """torch numpy math os sys time builtins random re glob pathlib io zlib lzma bz2 gzip brotli zstandard copy collections functools
    itertools contextlib json pickle sentencepiece subprocess uuid struct datetime string typing dataclasses warnings logging argparse
    operator hashlib base64 shutil tempfile platform inspect traceback threading queue concurrent multiprocessing triton
    flash_attn_interface flash_attn scipy numba wandb tqdm mlx types abc enum heapq bisect statistics gc signal socket fcntl ctypes
    importlib einops fla mamba_ssm causal_conv1d huggingface_hub datasets transformers tiktoken tokenizers psutil __future__ ast
    textwrap secrets decimal fractions array mmap weakref atexit errno stat getpass urllib requests http pprint numbers""".split()
)


FOREACH = "_foreach_"


def call_external(m: Machine, path: str, args: Args, keywords: Keywords, scope: Scope | None) -> Value:
    """Call a function or class outside the submission, by dotted name; a tensor given as `out` is what it returns."""
    if path in ("builtins.exec", "builtins.eval"):
        return run_source(m, args, scope)
    result = _called(m, path, args, keywords)
    out = keywords.get("out")
    if type(out) is not Data or not path.startswith(("torch.", "numpy.")):
        return result
    m.write(out, deps_of(result), replace=True)
    return out


def _called(m: Machine, path: str, args: Args, keywords: Keywords) -> Value:
    package, _, name = path.partition(".")
    last = path.rpartition(".")[2]
    effect = FUNCTIONS.get(path)
    if effect is not None:
        return effect(m, args, keywords)
    if package == "builtins":
        builtin = BUILTINS.get(name)
        result = builtin(m, args, keywords) if builtin is not None else handed_on(m, args, keywords)
        return picked(m, name, args, result) if type(result) is Data else result
    if args and type(args[0]) in (Data, Instance) and path.split(".")[-2][:1].isupper() and not last.startswith("__"):
        return _of_class(m, path, args, keywords)
    if package == "torch" and last[:1].isupper():
        return _torch_class(m, path, last, args, keywords)
    if last == ANY and any(deps_of(v) for v in (*args, *keywords.values())):
        m.not_followed("a function is looked up by a name that is computed, and gets a model, a table or validation data")
    if package == "torch" and last.startswith(FOREACH):
        return _each(m, last.removeprefix(FOREACH), args, keywords)
    effect = BY_NAME.get((package, last))
    if effect is not None:
        return effect(m, args, keywords)
    if package in ("torch", "numpy") and last.endswith("_") and not last.endswith("__") and args:
        return data_method(m, args[0], last, args[1:], keywords)
    if path.startswith("torch.optim.") and last.islower() and args and type(args[0]) is Sequence:
        return computations.scattered(m, args, keywords)
    if package not in LIBRARIES:
        _unlisted(m, path, (*args, *keywords.values()))
    return picked(m, last, args, handed_on(m, args, keywords))


def _each(m: Machine, name: str, args: Args, keywords: Keywords) -> Value:
    """`torch._foreach_add_(tensors, others)`: a method of each tensor."""
    results = [call_method(m, v, name, tuple(iterate(m, a) for a in args[1:]), keywords) for v in elements(m, args[0])]
    return Sequence("list", tuple(results))


def _of_class(m: Machine, path: str, args: Args, keywords: Keywords) -> Value:
    """`torch.Tensor.add_(x, y)`: a method of the first argument, called through its class."""
    return call_method(m, args[0], path.rpartition(".")[2], args[1:], keywords)


def _unlisted(m: Machine, path: str, values: Args) -> None:
    """A callee that nothing is known of: noted if it gets validation data and a state that it may write, or tokens that it may score.

    What a model computes on the way to its output may change in it unseen: no state is in reach.
    """
    deps = union(deps_of(v) for v in values)
    if not has_reads(deps) or not states_of(deps):
        return
    if any(holds_tokens(value) or states_in(value) for value in values):
        m.not_followed(f"{path} is not known, and gets validation data together with a model or table")


def _torch_class(m: Machine, path: str, last: str, args: Args, keywords: Keywords) -> Value:
    if path.startswith("torch.optim") and "lr_scheduler" not in path:
        return new_optimizer(path, args, keywords)
    if path.startswith(("torch.nn", "torch.distributed")) and not path.startswith("torch.nn.attention"):
        return new_module(m, path, args, keywords)
    if last == "Generator" or last in ("Event", "Stream"):
        return Data()
    return handed_on(m, args, keywords)


def call_method(m: Machine, receiver: Value, name: str, args: Args, keywords: Keywords) -> Value:
    """Call a method of a value whose class is not in the source."""
    kind = type(receiver)
    if name == ANY:
        m.not_followed("a method is called by a name that is computed")
        return Data(union(deps_of(v) for v in (receiver, *args, *keywords.values())))
    if kind is Sequence:
        if is_callback(keywords.get("key")):
            handed_on(m, (receiver,), keywords)
        return sequence_method(m, receiver, name, args)
    if kind is Mapping:
        return mapping_method(m, receiver, name, args)
    if kind is Instance:
        return _instance_method(m, receiver, name, args, keywords)
    if kind is Class:
        return _unbound(m, receiver, name, args, keywords)
    if isinstance(receiver, (str, bytes)) or (kind is Data and receiver.parts is not None):
        return text_method(m, receiver, name, args, keywords)
    if kind is Data:
        return data_method(m, receiver, name, args, keywords)
    if receiver is None:
        return None
    if kind in (Function, Bound):
        return pure(m, args, keywords)
    return handed_on(m, (receiver, *args), keywords)


def _unbound(m: Machine, cls: Class, name: str, args: Args, keywords: Keywords) -> Value:
    """`Base.method(self, ...)` of an external base: as the method of the instance; else `Class._make` and its kind."""
    if name == "apply" and cls.derives("autograd.Function"):
        _differentiable(m, cls, args, keywords)
    if args and type(args[0]) is Instance:
        return _instance_method(m, args[0], name, args[1:], keywords)
    return Data(union(deps_of(a) for a in args))


def _differentiable(m: Machine, cls: Class, args: Args, keywords: Keywords) -> None:
    """A function with a backward of its own: its forward runs, and the backward pass will call the other."""
    from pgolf_check.static.calls import call

    context = Instance("torch.autograd.function.FunctionCtx")
    forward, backward = (unwrapped(cls.lookup(n)) for n in ("forward", "backward"))
    if type(forward) is Function:
        call(m, forward, (context, *args), keywords)
    if type(backward) is Function:
        m.backward_hooks = [hook for hook in m.backward_hooks if hook[0] is not backward]
        m.on_backward(backward, (context, Data(union(deps_of(a) for a in args))))


def _instance_method(m: Machine, receiver: Instance, name: str, args: Args, keywords: Keywords) -> Value:
    cls = receiver.cls
    if isinstance(cls, str):
        if cls == native.LIBRARY:
            return native.call_native(m, name, args)
        if cls == HANDLE:
            return remove_hook(m, receiver) if name == "remove" else None
        if cls in files.FILE_CLASSES:
            return files.file_method(m, receiver, name, args)
        if cls.startswith("torch.optim") and name in OPTIMIZER_METHODS:
            return optimizer_method(m, receiver, name, (*args, *keywords.values()))
        items = receiver.attrs.get("__items__")
        if name in ("append", "extend", "insert") and type(items) is Sequence:
            return sequence_method(m, items, name, args)
        if name in ("items", "keys", "values", "update", "get", "pop") and type(items) is Mapping:
            return mapping_method(m, items, name, args)
        if name in ("values", "items") and type(items) is Sequence:
            return items
    elif is_optimizer(cls) and name in OPTIMIZER_METHODS:
        return optimizer_method(m, receiver, name, (*args, *keywords.values()))
    if receiver.state is not None and name in MODULE_METHODS:
        return module_method(m, receiver, name, args, keywords)
    if name == "step":
        for arg in args:
            if type(arg) is Instance and arg is not receiver:
                call_bound(m, arg, "step")
        return Data()
    if cls == "argparse.ArgumentParser":
        return parser_method(m, receiver, name, args, keywords)
    if name == "start" and type(cls) is Class and cls.lookup("run") is not NO_CONST:
        return call_bound(m, receiver, "run")
    return handed_on(m, (receiver, *args), keywords)


def call_bound(m: Machine, receiver: Instance, name: str) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.effects.attributes import get_attribute

    return call(m, get_attribute(m, receiver, name), (), {})


FUNCTIONS: dict[str, Effect] = {**computations.FUNCTIONS, **distributed.FUNCTIONS, **functional.FUNCTIONS, **system.FUNCTIONS}
BY_NAME: dict[tuple[str, str], Effect] = {**computations.BY_NAME, **mixing.BY_NAME, **functional.BY_NAME, **system.BY_NAME}
