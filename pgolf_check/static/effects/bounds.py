"""Upper bounds of numbers that are not known themselves: how far into a stream a part reaches at most.

A number that a loop iteration tagged is another one in the next, so only plain numbers and bounds count, never its known value.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgolf_check.static.values import Data, Value


def highest(value: Value) -> int | None:
    """What a number is at most; None if that is not known."""
    if type(value) is Data:
        return value.high
    return value if type(value) is int else None


def of_least(values: Iterable[Value]) -> int | None:
    """The upper bound of the least of some numbers."""
    return min((bound for value in values if (bound := highest(value)) is not None), default=None)


def of_greatest(values: Iterable[Value]) -> int | None:
    """The upper bound of the greatest of some numbers."""
    bounds = [highest(value) for value in values]
    return max((bound for bound in bounds if bound is not None), default=None) if None not in bounds else None


def of_binary(op: str, left: Value, right: Value) -> int | None:
    """The upper bound of `left op right`, where that is plain: sums, and products and quotients with a number that is not negative."""
    a, b = highest(left), highest(right)
    if op == "+":
        return a + b if a is not None and b is not None else None
    if op == "*":
        factor = right if type(right) is int else left
        return a * b if a is not None and b is not None and type(factor) is int and factor >= 0 else None
    if type(right) is not int or a is None:
        return None
    if op == "-":
        return a - right
    return a // right if op == "//" and right > 0 else None
