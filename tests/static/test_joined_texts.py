"""What is left of two texts where branches meet."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.static.joins import join
from pgolf_check.static.values import Data

PARTS = st.lists(st.one_of(st.none(), st.text("ab", min_size=1, max_size=4)), min_size=1, max_size=4).map(tuple)


def pattern(parts: tuple[str | None, ...]) -> str:
    return "".join(".*" if part is None else re.escape(part) for part in parts)


@given(PARTS, PARTS, st.text("ab", max_size=3))
def test_the_joined_text_fits_both(a: tuple[str | None, ...], b: tuple[str | None, ...], filling: str) -> None:
    joined = join(Data(parts=a, scalar=True), Data(parts=b, scalar=True))
    assert isinstance(joined, Data) and joined.parts is not None
    for parts in (a, b):
        text = "".join(filling if part is None else part for part in parts)
        assert re.fullmatch(pattern(joined.parts), text)


def test_the_ends_are_kept() -> None:
    joined = join(Data(parts=(None, "/rank0.bin"), scalar=True), Data(parts=(None, "/rank1.bin"), scalar=True))
    assert isinstance(joined, Data) and joined.parts == (None, "/rank", None, ".bin")
