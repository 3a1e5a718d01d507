"""The entropy canary: how unlikely a total loss on uniform random tokens is for a legal scorer. Takes numbers only.

Theorem. Let T scored positions of a stream be i.i.d. uniform over K symbols. A legal scorer fixes p_t, a distribution over the tokens,
before x_t is read: p_t depends on the artifact and on tokens other than x_t that say nothing about it. Then, whatever the scorer,

    E[K p_t(x_t) | past] = sum over the K symbols of p_t(v) <= 1,

and it is at most 1 wherever no token is likelier than 1/K, given the past. So the product of K p_t(x_t) is a non-negative supermartingale
that starts at 1. With S the total loss in nats, M = exp(T ln K - S) has E[M] <= 1: it is an *e-value*. By Markov P(M >= 1/alpha) <= alpha,
at any stopping time by Ville. K is the alphabet of the stream, not the vocabulary. A large M convicts (rule C100); a small one acquits nobody.

What is taken off first:

* Positions that are not random (BOS, say) stay in S and out of T: their loss is not negative, so that M only becomes smaller.
* Floating point: probabilities may sum to 1 + eps, the product is then at most (1 + eps)^N in expectation over N scorings; ln(1 + eps)
  <= eps nats are taken off for every scoring. Losses of a position that is not random are at least -eps for the same reason.
* Printed digits: the loss is at most the printed one plus half a unit of its last digit.
* Positions scored w_t times, w_t <= w, W in total, by distributions that are all fixed before x_t. Two e-values bound this:
  (a) M^(1/w) with M = exp(W ln K - S): for the n <= w scorings X_i of one position, by Hoelder and Jensen,
  E[prod X_i^(1/w)] <= prod E[X_i^(n/w)]^(1/n) <= prod E[X_i]^(1/w) <= 1.
  (b) exp(T ln K - S): keep the first scoring of each position; the losses that S has beside them are not negative.
  Both convict iff S is below a bound that is known beforehand, W ln K - w ln(1/alpha) and T ln K - ln(1/alpha). Taking the one
  with the higher bound is a choice without the data, so that what comes out is an e-value, too. The w_t must not depend on x.
* Fewer positions than thought: if T' >= T were scored at a mean loss L, then exp(T (ln K - L)) = M'^(T/T') is an e-value by Jensen.

Several lines, probes or retries: the mean of their e-values is an e-value, whatever their dependence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

ALPHA = 1e-6
"""The share of legal scorers that may be convicted by chance."""
FLOAT32_EXCESS = 1e-5
"""How far float32 probabilities may sum above 1."""
BFLOAT16_BITS = 8
"""Significant bits of a bfloat16."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a stream was scored: T distinct random positions, W scorings of them, at most w of one, and scorings of other positions."""

    positions: int
    scorings: int
    most: int = 1
    other: int = 0

    def __post_init__(self) -> None:
        possible = 1 <= self.positions <= self.scorings <= self.most * self.positions and self.other >= 0
        if not possible:
            raise ValueError(f"impossible counts of scorings: {self}; expected 1 <= positions <= scorings <= most * positions")

    @classmethod
    def once(cls, positions: int, other: int = 0) -> Exposure:
        """Every position is scored once."""
        return cls(positions, positions, 1, other)

    @property
    def total(self) -> int:
        """All scorings: what a mean loss is divided by."""
        return self.scorings + self.other


@dataclass(frozen=True, slots=True)
class Evidence:
    """An e-value, as its natural logarithm."""

    log_e: float

    @property
    def log10(self) -> float:
        return self.log_e / math.log(10)

    def convicts(self, alpha: float = ALPHA) -> bool:
        """Whether at most a share `alpha` of legal scorers shows as much."""
        return self.log_e >= -math.log(alpha)


def evidence(nats: float, alphabet: int, exposure: Exposure, *, excess: float = FLOAT32_EXCESS, alpha: float = ALPHA) -> Evidence:
    """The evidence of a total loss of `nats` over all scorings, of a stream over `alphabet` symbols.

    `alpha` must be chosen before the loss is known: it decides which of the two bounds for repeated positions is used.
    Raises ValueError for a loss that is no number, an alphabet below 2, an alpha outside (0, 1) or a negative excess.
    """
    if math.isnan(nats) or alphabet < 2 or not 0 < alpha < 1 or not 0 <= excess < math.inf:
        raise ValueError(f"no evidence from {nats} nats over {alphabet} symbols, excess {excess}, alpha {alpha}")
    loss = nats + exposure.total * math.log1p(excess)
    entropy, threshold = math.log(alphabet), -math.log(alpha)
    all_bound = exposure.scorings * entropy - exposure.most * threshold
    first_bound = exposure.positions * entropy - threshold
    if all_bound > first_bound:
        return Evidence((exposure.scorings * entropy - loss) / exposure.most)
    return Evidence(exposure.positions * entropy - loss)


def most_nats(loss: float, digits: int, exposure: Exposure) -> float:
    """The largest total that a mean loss printed with `digits` decimals admits."""
    return (loss + 0.5 * 10.0**-digits) * exposure.total


def most_nats_of_bpb(bpb: float, digits: int, byte_count: int) -> float:
    """The largest total that bits per byte printed with `digits` decimals admit; `byte_count`: the bytes of all scorings."""
    return (bpb + 0.5 * 10.0**-digits) * math.log(2.0) * byte_count


def combined(parts: Iterable[Evidence]) -> Evidence:
    """The mean of e-values. The number of parts must not depend on what they show. Raises ValueError without parts."""
    logs = [part.log_e for part in parts]
    top = max(logs)
    if math.isinf(top):
        return Evidence(top)
    return Evidence(top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs)))


def sliding_exposure(tokens: int, window: int, stride: int, shortest: int = 1) -> Exposure:
    """The scorings of the commonest sliding loop over `tokens` random tokens, the first of which is only context.

    Windows begin at every multiple of `stride` and end with the stream if it is nearer than `window` targets; the first scores all
    its targets, each later one its last `stride`. One of fewer than `shortest` targets is left out, unless it is the first.
    """
    targets = tokens - 1
    if not 1 <= stride <= window or targets < 1:
        raise ValueError(f"no windows of {window} targets every {stride} over {tokens} tokens")
    within = max((targets - window) // stride, 0)
    covered = min(window, targets) + within * stride
    base = max(targets - window, 0)
    times = [int(position < covered) for position in range(base, targets)]
    for start in range((within + 1) * stride, targets, stride):
        if targets - start >= shortest:
            for position in range(max(targets - stride, start), targets):
                times[position - base] += 1
    return Exposure(base + sum(map(bool, times)), base + sum(times), max(times))


def may_be_bfloat16(loss: float, digits: int) -> bool:
    """Whether a printed loss is that of a bfloat16: ln 8192 = 9.0109 prints as 9.0000, a false proof from 1,300 tokens on."""
    if not math.isfinite(loss) or loss == 0:
        return True
    spacing = 2.0 ** (math.frexp(loss)[1] - BFLOAT16_BITS)
    return abs(loss - round(loss / spacing) * spacing) <= 0.5 * 10.0**-digits
