"""submission.json: every problem is told with its place, and the figures are found under the names in use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.static.recursion import recursion
from pgolf_check.submission.metadata import read_metadata
from pgolf_check.submission.model import Metadata

GOOD = {"name": "n", "github_id": "g", "val_bpb": 1.08, "bytes_total": 15_000_000}


def read(value: Any) -> Metadata:
    text = value if isinstance(value, str) else json.dumps(value, indent=1)
    return read_metadata("submission.json", text.encode())


def test_a_good_file_has_no_problem() -> None:
    found = read(GOOD)
    assert (found.problems, found.val_bpb, found.bytes_total) == ((), 1.08, 15_000_000)


def test_all_problems_at_once() -> None:
    told = [p.message for p in read({"name": 3, "val_bpb": None, "seeds": "x", "bytes_total": -1}).problems]
    assert len(told) == 5
    assert any("github_id or author" in message for message in told)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ('{\n "val_bpb": 1.0\n "x": 2}', 3, 2),
        ('{"val_bpb": 1.0} tail', 1, 18),
        ('{"name": "n", "github_id": "g", "val_bpb": NaN}', 1, 44),
        ("[" * 10_000 + "]" * 10_000, 1, 1),
        ('{"a":' * 10_000, 1, 1),
        ("[1]", 1, 1),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, line: int, column: int) -> None:
    found = read(text)
    assert found.val_bpb is None
    assert (line, column) in [(p.location.line, p.location.column) for p in found.problems]


@pytest.mark.parametrize(("depth", "nests"), [(90, False), (110, True), (5_000, True)])
def test_nesting_is_refused_whatever_room_the_stack_has(depth: int, nests: bool) -> None:
    for limit in (1_000, 12_000):
        with recursion(limit):
            found = read('{"val_bpb": 1.0, "a": ' + "[" * depth + '"]"' + "]" * depth + "}")
        assert ("nests too deep" in "".join(p.message for p in found.problems)) is nests


def test_a_repeated_key_is_told() -> None:
    found = read('{"name": "n", "author": "a", "val_bpb": 1.1, "val_bpb": 1.0}')
    assert found.val_bpb == 1.0
    assert ["twice" in p.message for p in found.problems] == [True]


def test_a_mark_of_byte_order_is_no_problem() -> None:
    assert read_metadata("s", b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).problems == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"val_bpb": "~1.19"}, 1.19),
        ({"val_bpb": None, "mean_val_bpb": 1.2}, 1.2),
        ({"val_bpb": {"mean": 1.3}}, 1.3),
        ({"val_bpb": "TBD"}, None),
        ({"val_bpb": True}, None),
        ({"val_bpb": 0.0}, None),
    ],
)
def test_headline(value: dict[str, Any], expected: float | None) -> None:
    assert read(value).val_bpb == expected


@pytest.mark.parametrize(
    "value",
    [
        {"seed_results": {"42": {"val_bpb": 1.1}, "7": {"val_bpb": 1.2}}},
        {"seeds": {"42": {"val_bpb": 1.1}, "7": {"val_bpb": 1.2}}},
        {"seed_results": [{"seed": 42, "val_bpb": 1.1}, {"seed": 7, "val_bpb": 1.2}]},
        {"seed_42": {"val_bpb": 1.1}, "seed_7": {"val_bpb": 1.2}},
        {"results": {"seed_42": {"val_bpb": "1.1"}, "seed_7": {"val_bpb": 1.2}}, "seeds": [7, 42]},
    ],
)
def test_per_seed(value: dict[str, Any]) -> None:
    found = read(value)
    assert (dict(found.seed_bpb), sorted(found.seeds)) == ({7: 1.2, 42: 1.1}, [7, 42])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)


@given(st.dictionaries(st.sampled_from(["val_bpb", "seeds", "seed_results", "bytes_total", "seed_1", "name", "track"]), JSON))
def test_any_object_is_answered(value: dict[str, Any]) -> None:
    read(value)
