"""What goes through a forward pass beside the residual: documents, values of earlier blocks, and adapters.

An adapter may change the output of a matrix, given its input: low-rank updates at evaluation go through the one forward pass
that training uses, so that no technique can be missing from a copy.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from pgolf_ref.model.past import Past

Adapt = Callable[[str, Tensor, Tensor], Tensor]  # slot, input, output -> output
Adapters = Callable[[int], Adapt]  # number of the application of a block -> its adapter; the one after the last is the head's

# query, key, value, head: beside the matrix; attention, mlp: from the normalised input of the half-block to its output.
SLOTS = ("query", "key", "value", "attention", "mlp", "head")


def unadapted(slot: str, given: Tensor, output: Tensor) -> Tensor:
    return output


@dataclass(slots=True)
class Values:
    """The values that later blocks may mix in, (B, T, kv_dim) each; the first and the latest so far."""

    first: Tensor | None = None
    latest: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """Context of one application of a block."""

    segments: Tensor | None = None  # numbers of documents, int64 (B, T); None = a row is one document
    values: Values = field(default_factory=Values)
    value_embedding: Tensor | None = None  # (B, T, kv_dim), for blocks that have one
    x0: Tensor | None = None  # the first residual (B, T, d)
    adapt: Adapt = unadapted
    repeat: int = 0  # how often the block has run before
    backend: str = "auto"
    past: Past | None = None  # keys and values of positions before those that go through
