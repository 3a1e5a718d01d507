"""The words of a source hold those of each of its names and literals, however they are spelled."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.rules.words import may_hold, words

WORDS = ("pip", "install", "curl", "requests", "x_1", "été", "train")


def escaped(character: str, way: int) -> str:
    """One character of a literal, in one of the ways in which Python spells it."""
    number = ord(character)
    spellings = (character, f"\\x{number:02x}", f"\\u{number:04x}", f"\\U{number:08x}", f"\\{number:03o}")
    return spellings[way % len(spellings)]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.data())
def test_no_spelling_of_a_literal_hides_its_words(told: list[str], data: st.DataObject) -> None:
    text = " ".join(told)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=3)) | {0, len(text)})
    prefix = st.sampled_from(("", "u", "f", "F"))
    parts = [text[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]
    between = st.sampled_from((" ", "\n", "  # a comment\n    ", "\\\n"))
    source = "(" + "".join(
        data.draw(between) + data.draw(prefix) + '"' + "".join(escaped(c, data.draw(st.integers(0, 4))) for c in part) + '"'
        for part in parts
    )
    source += ")\n"
    assert eval(source) == text
    assert all(may_hold(source, {word}) for word in told)


@pytest.mark.parametrize(
    "source",
    ["'cu\\\nrl'", "'''c''' 'url'", "'\\N{LATIN SMALL LETTER C}url'", "u'cu' r'rl'", "import curl as c", "'cu' '' f'' 'rl'"],
)
def test_other_spellings(source: str) -> None:
    assert may_hold(source, {"curl"})


def test_texts_of_a_list_are_not_joined() -> None:
    assert not may_hold("['cu', 'rl']", {"curl"}) and words("['cu', 'rl']") == {"cu", "rl"}


@given(st.text(alphabet="\\xuUN{}'\"\n 07afz#", max_size=60))
def test_damaged_escapes_are_words_of_their_own(text: str) -> None:
    assert set(re.findall(r"\w+", text)) <= words(text)
