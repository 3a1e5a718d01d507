"""The entropy canary for a scorer at hand: its loss on random tokens as an e-value."""

from __future__ import annotations

import math
import random

from pgolf_check.dynamic.canary import ALPHA, FLOAT32_EXCESS, Evidence, Exposure, evidence
from pgolf_check.testing.scorer import Scorer, losses_by_position


def canary_evidence(
    score: Scorer,
    *,
    alphabet: int,
    length: int = 4096,
    context: int = 0,
    seed: int | None = None,
    excess: float = FLOAT32_EXCESS,
    alpha: float = ALPHA,
) -> Evidence:
    """The evidence of one run on `length` uniform random tokens: `assert not canary_evidence(...).convicts()`.

    Without `seed` the stream is drawn from the operating system, which no scorer can know; with one the theorem of `dynamic.canary`
    holds only if the scorer does not. Raises AssertionError for losses that are missing or no numbers, ValueError for a stream
    without scored positions.
    """
    rng = random.SystemRandom() if seed is None else random.Random(seed)
    losses = losses_by_position(score, [rng.randrange(alphabet) for _ in range(length)], context)
    return evidence(_total(losses), alphabet, Exposure.once(len(losses)), excess=excess, alpha=alpha)


def _total(losses: dict[int, float]) -> float:
    """The sum of losses in nats; one impossible token outweighs whatever the others gain, even an infinite gain."""
    return math.inf if math.inf in losses.values() else math.fsum(losses.values())
