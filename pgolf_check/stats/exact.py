"""Scores that a run states twice, rounded and exact, taken once."""

from __future__ import annotations

from collections.abc import Sequence

from pgolf_check.submission.model import FinalLine


def most_exact(finals: Sequence[FinalLine]) -> tuple[FinalLine, ...]:
    """The lines without those that another line of the run states with more digits."""
    return tuple(line for line in finals if not any(_states(other, line) for other in finals))


def _states(exact: FinalLine, rounded: FinalLine) -> bool:
    return exact.digits > rounded.digits and abs(exact.val_bpb - rounded.val_bpb) <= 0.6 * 10.0**-rounded.digits
