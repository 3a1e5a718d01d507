"""The pytest plugin: a fixture with which a participant's own tests ask for the verdict on a submission."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgolf_check.model import Report


@pytest.fixture
def judge_submission() -> Callable[..., Report]:
    """`judge_submission(path)` is the report on a submission; see `pgolf_check.audit.audit` for what else it takes."""
    from pgolf_check.audit import audit

    return audit
