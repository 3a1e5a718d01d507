"""Reading ahead changes nothing but when batches are read."""

import threading

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from toys import CountingLoader, small

from pgolf_ref.data.prefetch import Prefetching

CONFIG = small()
NUMBERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=12)


@given(numbers=NUMBERS, ahead=st.integers(0, 3), rank=st.integers(0, 1))
@settings(deadline=None)
def test_batches_are_those_of_the_loader_in_any_order(numbers: list[tuple[int, int]], ahead: int, rank: int) -> None:
    loader = Prefetching(CountingLoader(CONFIG), range(rank, 4, 2), ahead)
    for step, slot in numbers:
        for got, expected in zip(loader.batch(step, slot), CountingLoader(CONFIG).batch(step, slot), strict=True):
            assert torch.equal(got, expected)
    loader.close()


def test_it_reads_its_own_slots_ahead_and_each_batch_once() -> None:
    behind = CountingLoader(CONFIG)
    loader = Prefetching(behind, range(1, 4, 2), ahead=2)
    for step in range(3):
        for slot in (1, 3):
            loader.batch(step, slot)
    loader.close()
    assert behind.asked[:6] == [(0, 1), (0, 3), (1, 1), (1, 3), (2, 1), (2, 3)]
    assert behind.asked[6:] in ([], [(3, 1)], [(3, 1), (3, 3)])


class Slow(CountingLoader):
    """Batch (0, 1) is not read before the reader has got batch (0, 0)."""

    def __init__(self) -> None:
        super().__init__(CONFIG)
        self.delivered = threading.Event()

    def batch(self, step: int, slot: int) -> tuple[torch.Tensor, torch.Tensor]:
        if (step, slot) == (0, 1):
            assert self.delivered.wait(60)
        if (step, slot) == (0, 2):
            raise ValueError("a damaged shard")
        return super().batch(step, slot)


def test_a_batch_does_not_wait_for_those_ahead_and_errors_come_with_their_batch() -> None:
    behind = Slow()
    loader = Prefetching(behind, range(4))
    loader.batch(0, 0)
    behind.delivered.set()
    loader.batch(0, 1)
    with pytest.raises(ValueError, match="damaged"):
        loader.batch(0, 2)
    loader.close()
