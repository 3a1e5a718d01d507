"""What a script alone shows of D103: after its training loop it hooks the model and feeds it training shards.

Read where no log tells how long the run trained. The training loop is the last loop that calls `backward`; training data is what a
glob of training shards names, or a value made from that.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Location, Step
from pgolf_check.static import ir
from pgolf_check.static.walk import calls, dotted, walk

HOOK = "register_forward_hook"
CLOCKS = frozenset({"time", "perf_counter", "monotonic", "process_time"})
DEPTH = 4
"""Assignments through which a limit or a reading of the clock is followed."""
SHARDS = "train_*"
"""What the glob of the training shards ends in, before the suffix."""


def calibration_after_training(path: str, module: ir.Module, budget: float) -> tuple[Step, ...]:
    """The end of the training loop and the calls behind it that collect statistics of training data; () if there is none.

    Also () where the loop's limit has something taken off it, or is itself below the budget (seconds): then time is set aside.
    """
    functions = {node.name: node for node in walk(module) if isinstance(node, ir.Function)}
    hooking = {name for name, function in functions.items() if _calls(function, HOOK)}
    shards = _names_of_shards(module)
    if not (hooking and shards):
        return ()
    for body in (module.body, *(function.body for function in functions.values())):
        loops = [index for index, node in enumerate(body) if isinstance(node, ir.While | ir.For) and _calls(node, "backward")]
        if not loops:
            continue
        loop, after = body[loops[-1]], body[loops[-1] + 1 :]
        found = [call for node in after for call in calls(node) if _collects(call, hooking, shards, body)]
        if found and not _sets_aside(body, loop) and not _ends_before(budget, module, loop):
            end = Step(_place(path, loop), "the training loop, which may use all of its time")
            return (end, *(Step(_place(path, call), "collects statistics of training data") for call in found))
    return ()


def _calls(node: ir.Node, method: str) -> bool:
    return any(isinstance(call.func, ir.Attr) and call.func.name == method for call in calls(node))


def _names_of_shards(module: ir.Module) -> set[str]:
    """The names and attributes that are assigned a glob of training shards."""
    names: set[str] = set()
    for node in walk(module):
        if isinstance(node, ir.Assign | ir.Annotated) and node.value is not None:
            targets = node.targets if isinstance(node, ir.Assign) else (node.target,)
            if any(isinstance(c, ir.Const) and isinstance(c.value, str) and SHARDS in c.value for c in walk(node.value)):
                names.update(_last(target) for target in targets)
    return names - {""}


def _last(node: ir.Node) -> str:
    return dotted(node).rpartition(".")[2]


def _reads(node: ir.Node, names: set[str]) -> bool:
    return any(isinstance(part, ir.Name | ir.Attr) and _last(part) in names for part in walk(node))


def _collects(call: ir.Call, hooking: set[str], shards: set[str], body: tuple[ir.Node, ...]) -> bool:
    """Whether a call hands training shards, or a local made from them, to a function that hooks the model."""
    if dotted(call.func) not in hooking:
        return False
    made = {
        _last(target)
        for node in walk(body)
        if isinstance(node, ir.Assign) and isinstance(node.value, ir.Call) and _reads(node.value, shards)
        for target in node.targets
    }
    return any(_reads(argument.value, shards | made) for argument in call.args)


def _sets_aside(body: tuple[ir.Node, ...], loop: ir.Node) -> bool:
    """Whether a limit that the loop compares with is computed with something taken off."""
    limits = {
        name
        for node in walk(loop)
        if isinstance(node, ir.Compare)
        for side in (node.left, *node.rights)
        for part in walk(side)
        if isinstance(part, ir.Name | ir.Attr) and (name := _last(part))
    }
    for node in walk(body):
        if isinstance(node, ir.Assign) and node.at < loop.at and {_last(t) for t in node.targets} & limits:
            if any(isinstance(part, ir.Binary) and part.op == "-" for part in walk(node.value)):
                return True
        elif isinstance(node, ir.AugAssign) and node.at < loop.at and node.op == "-" and _last(node.target) in limits:
            return True
    return False


def _ends_before(budget: float, module: ir.Module, loop: ir.Node) -> bool:
    """Whether the clock is compared, in a loop, with a limit that is made of a number of seconds below the budget, but over half of it."""
    made = _assignments(module)
    clocked = {name for name in made if any(_reads_clock(value) for value in made[name])}
    for _ in range(DEPTH):
        clocked |= {name for name in made if any(_reads(value, clocked) for value in made[name])}
    sides = [
        (one, other)
        for node in walk(loop)
        if isinstance(node, ir.Compare)
        for left, right in zip((node.left, *node.rights), node.rights, strict=False)
        for one, other in ((left, right), (right, left))
    ]
    limits = [other for one, other in sides if (_reads(one, clocked) or _reads_clock(one)) and not _reads(other, clocked)]
    seconds = [n for n in _numbers(limits, made) if budget / 2 < n <= budget + 1]
    return bool(seconds) and max(seconds) < budget


def _assignments(module: ir.Module) -> dict[str, list[ir.Node]]:
    """The values that each name or attribute is assigned anywhere, by its last part."""
    made: dict[str, list[ir.Node]] = {}
    for node in walk(module):
        if isinstance(node, ir.Assign | ir.Annotated | ir.AugAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ir.Assign) else (node.target,):
                made.setdefault(_last(target), []).append(node.value)
    made.pop("", None)
    return made


def _reads_clock(node: ir.Node) -> bool:
    return any(_last(call.func) in CLOCKS for call in calls(node))


def _numbers(values: list[ir.Node], made: dict[str, list[ir.Node]]) -> Iterator[float]:
    """The numbers, also those in texts, that values are made of, and a thousandth of each: limits are held in milliseconds too."""
    done: set[str] = set()
    for _ in range(DEPTH):
        named: set[str] = set()
        for part in walk(tuple(values)):
            if isinstance(part, ir.Const) and isinstance(part.value, int | float | str):
                try:
                    yield from (float(part.value), float(part.value) / 1000)
                except (ValueError, OverflowError):
                    continue
            elif isinstance(part, ir.Name | ir.Attr):
                named.add(_last(part))
        values = [value for name in sorted(named - done) for value in made.get(name, ())]
        done |= named


def _place(path: str, node: ir.Node) -> Location:
    return Location(path, *ir.place(node.at))
