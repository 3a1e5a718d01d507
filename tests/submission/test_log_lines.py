"""The words that are looked for before the patterns of log lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.model import Location
from pgolf_check.submission import log_lines

CLUES = {
    **{name: value for name, value in vars(log_lines).items() if isinstance(value, log_lines.Clue)},
    **dict(log_lines.PHASES),
}


@pytest.mark.parametrize("name", sorted(CLUES))
@given(st.data())
def test_whatever_a_pattern_finds_holds_one_of_its_words(name: str, data: st.DataObject) -> None:
    clue = CLUES[name]
    line = log_lines.Line(data.draw(st.from_regex(clue.pattern, alphabet=st.characters(codec="ascii"))), Location("train.log", 1))
    assert clue.pattern.search(line.text) is not None
    assert clue.search(line) is not None
