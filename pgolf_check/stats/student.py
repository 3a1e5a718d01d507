"""Student's t distribution from the incomplete beta function, without scipy, whose import takes longer than everything else here."""

from __future__ import annotations

import math

STEPS = 300
TINY = 1e-300
CLOSE = 1e-15


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for `df` > 0 degrees of freedom, whole or not."""
    if not df > 0:
        raise ValueError(f"{df} degrees of freedom; expected more than 0")
    whole = df + t * t
    tail = 0.5 * _beta(df / 2, 0.5, df / whole, t * t / whole) if math.isfinite(whole) else 0.0
    return tail if t < 0 else 1.0 - tail


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p, for 0 < p < 1."""
    if not 0 < p < 1:
        raise ValueError(f"{p} is no probability between 0 and 1")
    low, high = -1.0, 1.0
    while t_cdf(low, df) > p:
        low *= 2
    while t_cdf(high, df) < p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 - x, given apart because it may be tiny."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    front = math.exp(a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away(1 + term * d)
            c = _away(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return result


def _away(value: float) -> float:
    return value if abs(value) > TINY else TINY
