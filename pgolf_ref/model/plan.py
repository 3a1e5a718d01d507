"""The virtual layer plan: which block runs when, in which pass of a loop, and which earlier output it receives through a skip.

Invariants: computed once from the configuration; every saved output is used at most once, last saved first; a plan without loops
is that of no recurrence at all.
"""

from dataclasses import dataclass, replace

from pgolf_ref.config import ModelConfig
from pgolf_ref.config.block import LANES


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a block. Before it, skip number `skip` brings the output of step `source`, unless skip is None."""

    block: int
    skip: int | None = None
    source: int | None = None
    repeat: int = 0  # how often the block has run before
    enters: int | None = None  # the number of the pass that begins here
    lanes: bool = False  # attention and MLP have residual streams of their own


@dataclass(frozen=True, slots=True)
class Phase:
    """A plan and the fraction of the run at which it begins."""

    start: float
    steps: tuple[Step, ...]


def layer_plan(layers: int) -> tuple[Step, ...]:
    """The first half of the blocks feeds the second half crosswise: 9 layers give 0 1 2 3 | 4+3 5+2 6+1 7+0 8."""
    return _joined([Step(block) for block in range(layers)], True)


def phases(config: ModelConfig) -> tuple[Phase, ...]:
    """The plans of a run in order of their beginning; the last is that of the finished model."""
    r = config.recurrence
    starts = r.starts * r.loops if len(r.starts) == 1 else r.starts
    passes = [(0.0, 0)] + [(start, number) for number, start in enumerate(starts, start=1)][: r.loops]
    begins = dict(passes)  # of passes that begin together only the last counts
    return tuple(Phase(start, plan(config, loops)) for start, loops in begins.items())


def plan(config: ModelConfig, loops: int) -> tuple[Step, ...]:
    """The steps of a model whose loop has `loops` extra passes."""
    b, parallel_from = config.block, config.block.parallel_from
    order = _looped(config, loops)
    seen: dict[int, int] = {}
    steps = []
    for block, enters in order:
        repeat = seen.get(block, 0)
        seen[block] = repeat + 1
        steps.append(Step(block, repeat=repeat, enters=enters, lanes=b.parallel in LANES and block >= parallel_from))
    return _joined(steps, b.skips == "unet")


def skip_count(steps: tuple[Step, ...]) -> int:
    return sum(step.skip is not None for step in steps)


def in_words(steps: tuple[Step, ...]) -> str:
    """Such as `0 1 2 | 3+2 4+1 5+0`: blocks in order, each with the step whose output it gets."""
    words = [f"{step.block}" + ("" if step.source is None else f"+{step.source}") for step in steps]
    first = next((i for i, step in enumerate(steps) if step.skip is not None), None)
    return " ".join(words if first is None else [*words[:first], "|", *words[first:]])


def _looped(config: ModelConfig, loops: int) -> list[tuple[int, int | None]]:
    """(block, pass that begins with it) in order of application."""
    r = config.recurrence
    if not r.loops:
        return [(block, None) for block in r.sequence or range(config.layers)]
    loop = [[(block, number if block == r.first else None) for block in range(r.first, r.last + 1)] for number in range(loops + 1)]
    before = [(block, None) for block in range(r.first)]
    after = [(block, None) for block in range(r.last + 1, config.layers)]
    return [*before, *(item for one in loop for item in one), *after]


def _joined(steps: list[Step], skips: bool) -> tuple[Step, ...]:
    """The outputs of the first half of the steps come back in the second half, last first."""
    half = len(steps) // 2 if skips else 0
    skipping = [replace(step, skip=i, source=half - 1 - i) for i, step in enumerate(steps[half : 2 * half])]
    return (*steps[:half], *skipping, *steps[2 * half :])
