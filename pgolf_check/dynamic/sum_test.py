"""The sum test: the probabilities of different tokens at one position must not sum to more than 1. Takes numbers only.

Proof. A legal score of position p is -ln p(x) with p a distribution that is fixed before x is read. Put each of a set of different
tokens at p, all else equal: the losses are those of one distribution, so that sum exp(-loss) <= 1, up to floating point. A larger sum
shows a "distribution" that depends on the token which it scores: a cache looked up with the target in the key, a gate that reads the
target, a state that has trained on it. Any subset of the tokens is enough; all of them show the whole sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

FLOAT32_EXCESS = 1e-5
BFLOAT16_EXCESS = 4e-3
"""How far the sum of a bfloat16 softmax was seen above 1."""


def log_sum(losses: Mapping[int, float]) -> float:
    """The logarithm of the summed probabilities of tokens, from the loss (nats) that each had at one position.

    Raises ValueError without tokens or if a loss is no number.
    """
    logs = [-loss for loss in losses.values()]
    if not logs or any(math.isnan(log) for log in logs):
        raise ValueError("the losses of the tokens at a position must be numbers, and at least one")
    top = max(logs)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))


def exceeds_one(losses: Mapping[int, float], excess: float = FLOAT32_EXCESS) -> bool:
    """Whether the probabilities of these tokens sum to more than 1 + `excess`."""
    return log_sum(losses) > math.log1p(excess)
