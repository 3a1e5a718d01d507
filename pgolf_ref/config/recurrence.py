"""Which block runs when: shared blocks, loops over some of them, and what tells the passes of a loop apart."""

from dataclasses import dataclass

from pgolf_ref.config.attention import within
from pgolf_ref.config.checks import broken, ranges

PREFIX = "model.recurrence"
MAX_LOOPS = 64


@dataclass(frozen=True, slots=True)
class RecurrenceConfig:
    """The defaults are each block once, in order."""

    sequence: tuple[int, ...] = ()  # blocks in order of application; none = each once
    loops: int = 0  # extra passes over the blocks first to last
    first: int = 0
    last: int = 0
    starts: tuple[float, ...] = (0.0,)  # fraction of the run at which the passes begin: one for all, or one per pass
    untied_mlp: bool = False  # extra passes have MLPs of their own, copied when they begin
    pass_embedding: bool = False  # a learned vector per pass, added before it
    film: bool = False  # a learned scale and shift per pass and channel
    timestep: bool = False  # a sinusoid of the number of the pass, with a learned weight per channel
    loop_norm: bool = False  # RMS norm before each extra pass
    reinject: bool = False  # a learned multiple of the first residual, added before each extra pass


def problems(r: RecurrenceConfig) -> list[str]:
    """Every value of the section that is none."""
    found = ranges(PREFIX, r, {"0 or more": ("loops", "first", "last"), "in [0, 1)": ("starts",)})
    return found + broken(
        [
            (f"{PREFIX}.loops must be at most {MAX_LOOPS}", r.loops <= MAX_LOOPS),
            (f"{PREFIX}.starts must not fall", list(r.starts) == sorted(r.starts)),
        ]
    )


def recurrence_rules(r: RecurrenceConfig, layers: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) in a model of `layers` blocks."""
    per_pass = r.pass_embedding or r.film or r.timestep or r.loop_norm or r.reinject or r.untied_mlp
    return [
        (f"{PREFIX}.sequence must hold at most {MAX_LOOPS} applications per block", len(r.sequence) <= MAX_LOOPS * layers),
        (f"{PREFIX}.sequence must name blocks, from block 0 on", within(r.sequence, layers) and r.sequence[:1] in ((), (0,))),
        (f"{PREFIX}.sequence must use every block", not r.sequence or set(r.sequence) == set(range(layers))),
        (f"{PREFIX}.sequence and loops exclude each other", not (r.sequence and r.loops)),
        (f"{PREFIX}.first must be at most last, and last a block", not r.loops or r.first <= r.last < layers),
        (f"{PREFIX}.starts must hold one number, or one per loop", len(r.starts) in (1, r.loops)),
        (f"{PREFIX}.loops must be positive for what differs between passes", not per_pass or r.loops > 0),
    ]
