"""Time by a clock that the test moves."""

import pytest

from pgolf_ref.clock import Clock


class Hand:
    """A clock's hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_phase_counts_its_own_time_without_pauses() -> None:
    hand = Hand()
    with Clock(hand).phase("train", 10.0) as phase:
        hand.at += 3
        assert (phase.seconds, phase.remaining) == (3.0, 7.0)
        with phase.paused():
            hand.at += 50
            assert phase.seconds == 3.0
        hand.at += 2
    hand.at += 99
    assert phase.seconds == 5.0


def test_phases_are_reported_in_order_even_after_an_error() -> None:
    hand = Hand()
    clock = Clock(hand)
    with clock.phase("train"):
        hand.at += 1
    with pytest.raises(ZeroDivisionError), clock.phase("eval", 2.0):
        hand.at += 4
        raise ZeroDivisionError
    with clock.phase("train"):
        hand.at += 2
    assert [(p.name, p.seconds) for p in clock.phases] == [("train", 1.0), ("eval", 4.0), ("train", 2.0)]
    assert clock.seconds("train") == 3.0


def test_remaining_is_never_negative_and_infinite_without_a_budget() -> None:
    hand = Hand()
    clock = Clock(hand)
    with clock.phase("a", 1.0) as limited, clock.phase("b") as free:
        hand.at += 5
        assert limited.remaining == 0.0
        assert free.remaining == float("inf")
