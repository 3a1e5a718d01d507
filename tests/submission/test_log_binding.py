"""Which logs embed the source of another program."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fixtures import BASE
from pgolf_check.submission.load import load
from pgolf_check.submission.log_binding import lines, shared, without_foreign_logs

LINES = st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3", "", "d = 4  "]), max_size=8).map("\n".join)


@given(LINES, LINES)
def test_the_share_is_that_of_equal_lines(left: str, right: str) -> None:
    assert 0 <= shared(lines(left), lines(right)) == shared(lines(right), lines(left)) <= 1
    assert shared(lines(left), lines(left)) == (1 if left.strip() else 0)


def test_a_log_of_another_program_is_left_out_and_a_draft_of_the_script_is_not() -> None:
    submission = load(str(BASE))
    text = submission.scripts[submission.entry].text or ""
    first, second, third = submission.logs[:3]
    draft, other = text.replace("args.lr", "args.rate"), "import os\nprint(os.name)\n" * 40
    told = replace(
        submission,
        logs=(replace(first, embedded_source=draft), replace(second, embedded_source=other), replace(third, embedded_source=None)),
    )
    assert without_foreign_logs(told).logs == (told.logs[0], told.logs[2])
    assert without_foreign_logs(submission) is submission
