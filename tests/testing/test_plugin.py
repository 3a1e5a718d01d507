"""The plugin is there for whoever installs the package."""

from __future__ import annotations

from collections.abc import Callable

from fixtures import BASE
from pgolf_check.model import Report


def test_a_test_can_ask_for_the_verdict(judge_submission: Callable[..., Report]) -> None:
    assert judge_submission(str(BASE)).verdict == "clean"
