"""What the strategies draw, and what they shrink to."""

from __future__ import annotations

from itertools import chain

from hypothesis import find, given, settings
from hypothesis import strategies as st

from pgolf_check.testing.strategies import chunkings, documents, streams, strides

SEARCH = settings(database=None, derandomize=True)


@given(st.integers(0, 12), st.data())
def test_a_chunking_covers_each_position_once(length: int, data: st.DataObject) -> None:
    chunks = data.draw(chunkings(length))
    assert list(chain.from_iterable(chunks)) == list(range(length)) and all(chunks)


@given(strides(16))
def test_a_stride_leaves_no_gap(drawn: tuple[int, int]) -> None:
    window, stride = drawn
    assert 1 <= stride <= window <= 16


@given(documents(4, bos=3, min_documents=2))
def test_a_document_begins_with_its_only_bos(batch: list[list[int]]) -> None:
    assert 2 <= len(batch) <= 4
    assert all(document[0] == 3 and len(document) > 1 and set(document[1:]) <= {0, 1, 2} for document in batch)


def test_examples_shrink_to_the_simplest() -> None:
    assert find(streams(5), lambda tokens: len(tokens) > 2, settings=SEARCH) == [0, 0, 0]
    assert find(chunkings(6), lambda chunks: True, settings=SEARCH) == [range(6)]
    assert find(strides(8), lambda drawn: drawn[1] > 1, settings=SEARCH) == (2, 2)
    assert find(documents(3, bos=0), lambda batch: len(batch) > 1, settings=SEARCH) == [[0, 1], [0, 1]]
