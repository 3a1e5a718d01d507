"""Upper bounds of numbers, against the numbers themselves."""

from __future__ import annotations

import operator

from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.static.effects.bounds import highest, of_binary, of_greatest, of_least
from pgolf_check.static.values import Data, Value

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}
NUMBERS = st.integers(-1000, 1000)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Value, int]:
    """A value of the engine, and a number that it may stand for."""
    number = draw(NUMBERS)
    if draw(st.booleans()):
        return number, number
    value = Data(scalar=True)
    value.high = draw(st.none() | NUMBERS.map(lambda above: number + abs(above)))
    return value, number


@given(st.sampled_from(sorted(OPERATORS)), numbers(), numbers())
def test_no_result_is_above_its_bound(op: str, left: tuple[Value, int], right: tuple[Value, int]) -> None:
    bound = of_binary(op, left[0], right[0])
    if bound is not None and (op not in ("//", "%") or right[1]):
        assert OPERATORS[op](left[1], right[1]) <= bound


@given(st.lists(numbers(), min_size=1, max_size=5))
def test_the_least_and_the_greatest_are_not_above_their_bounds(values: list[tuple[Value, int]]) -> None:
    least, greatest = of_least(v for v, _ in values), of_greatest(v for v, _ in values)
    assert least is None or min(n for _, n in values) <= least
    assert greatest is None or max(n for _, n in values) <= greatest


def test_the_least_has_a_bound_where_one_number_has() -> None:
    assert of_least((Data(scalar=True), 7)) == 7
    assert of_greatest((Data(scalar=True), 7)) is None


def test_a_number_that_an_iteration_tagged_has_no_bound_of_its_own() -> None:
    assert highest(Data(const=0, scalar=True)) is None
