"""Functions of torch.distributed: eight ranks, of which this is the first."""

from __future__ import annotations

from pgolf_check.static.effects.sequences import append, summary
from pgolf_check.static.effects.signature import Args, Effect, Keywords, known
from pgolf_check.static.machine import Machine
from pgolf_check.static.values import Data, Sequence, Value, deps_of


def _all_gather_object(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1 and type(args[0]) is Sequence:
        append(m, args[0], args[1])
    return None


def _all_gather(m: Machine, args: Args, keywords: Keywords) -> Value:
    target, source = (args[0], args[1]) if len(args) > 1 else (None, None)
    if type(target) is Data:
        m.write(target, deps_of(source), replace=True)
    elif type(target) is Sequence:
        each = summary(target)
        if type(each) is Data:
            m.write(each, deps_of(source), replace=False)
        append(m, target, source)
    return None


def _gather_list(m: Machine, args: Args, keywords: Keywords) -> Value:
    """torch.distributed.gather(tensor, list): one rank gets every rank's tensor."""
    target = args[1] if len(args) > 1 else keywords.get("gather_list")
    if args and target is not None:
        _all_gather(m, (target, args[0]), {})
    return None


FUNCTIONS: dict[str, Effect] = {
    "torch.distributed.is_initialized": known(True),
    "torch.distributed.is_available": known(True),
    "torch.distributed.get_rank": known(0),
    "torch.distributed.get_world_size": known(8),
    "torch.cuda.is_available": known(True),
    "torch.cuda.device_count": known(8),
    "torch.distributed.all_gather_object": _all_gather_object,
    "torch.distributed.all_gather": _all_gather,
    "torch.distributed.all_gather_into_tensor": _all_gather,
    "torch.distributed.gather": _gather_list,
    "torch.distributed.gather_object": _all_gather_object,
}
