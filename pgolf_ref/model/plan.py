"""The virtual layer plan: which block runs when, and which earlier output it receives through a U-Net skip.

Invariants: computed once from the configuration; every saved output is used exactly once, last saved first.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a block. Before it, `skip_weights[skip] * (output of step source)` is added, unless skip is None."""

    block: int
    skip: int | None = None
    source: int | None = None


def layer_plan(layers: int) -> tuple[Step, ...]:
    """The first half of the blocks feeds the second half crosswise: 9 layers give 0 1 2 3 | 4+3 5+2 6+1 7+0 8."""
    half = layers // 2
    encoder = [Step(block) for block in range(half)]
    skipping = [Step(half + i, skip=i, source=half - 1 - i) for i in range(half)]
    plain = [Step(block) for block in range(2 * half, layers)]
    return (*encoder, *skipping, *plain)


def skip_count(layers: int) -> int:
    return layers // 2
