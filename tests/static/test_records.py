"""Reads are merged without losing any overlap, and without adding one where few remain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.model import Location, Region
from pgolf_check.static.records import MANY_READS, Deps, Read, merged, narrowed, reads_of

HERE = Location("a.py", 1)
iterations = st.frozensets(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=6)
reads = st.frozensets(st.builds(lambda i: Read(Region("validation", i), HERE), iterations), min_size=1, max_size=60)


def overlaps(deps: Deps, region: Region) -> bool:
    return any(read.region.overlaps(region) for read in reads_of(deps))


@given(reads, st.lists(st.builds(lambda i: Region("validation", i), iterations), min_size=1, max_size=20))
def test_merging_keeps_every_overlap(deps: Deps, others: list[Region]) -> None:
    fewer = merged(deps)
    exact = len(fewer) <= MANY_READS and len(deps) <= MANY_READS
    for other in others:
        assert overlaps(fewer, other) or not overlaps(deps, other)
        assert not exact or overlaps(deps, other) == overlaps(fewer, other)


@given(st.sets(st.integers(0, 2), min_size=1))
def test_iterations_of_one_loop_become_one_read(numbers: set[int]) -> None:
    deps = frozenset(
        Read(Region("validation", frozenset(((1, number), (2, other)))), HERE) for number in numbers for other in range(13)
    )
    found = reads_of(merged(deps))
    assert {read.region.iterations for read in found} == {
        frozenset({(1, number) for number in numbers} | {(2, other) for other in range(13)})
    }


@given(reads, iterations)
def test_narrowing_stays_within_what_was_read(deps: Deps, chosen: frozenset[tuple[int, int]]) -> None:
    for other in (Region("validation", frozenset(((1, 0),))), Region("validation", frozenset(((2, 1), (3, 2))))):
        if any(read.region.within(chosen).overlaps(other) for read in reads_of(deps)):
            assert overlaps(narrowed(deps, chosen), other)
