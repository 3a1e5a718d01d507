"""The script that is judged when a helper is named."""

from __future__ import annotations

import pytest

from pgolf_check.submission.entry import for_named
from pgolf_check.submission.model import Script

TRAINS = "loss = F.cross_entropy(x, y)\nloss.backward()\n"


def scripts(**texts: str | None) -> dict[str, Script]:
    return {f"{name}.py": Script(f"{name}.py", 1, text) for name, text in texts.items()}


@pytest.mark.parametrize(
    ("given", "named", "judged"),
    [
        (scripts(train_gpt=TRAINS, other=TRAINS), "other", "other"),
        (scripts(train_gpt=TRAINS, main=f"import helper\n{TRAINS}", helper="x = 1"), "helper", "main"),
        (
            scripts(train_gpt=TRAINS, main=f"from middle import f\n{TRAINS}", middle="from helper import g", helper="x = 1"),
            "helper",
            "main",
        ),
        (scripts(train_gpt=TRAINS, prepare="import helper\nopen('fineweb_val_0.bin')", helper="x = 1"), "helper", "train_gpt"),
        (scripts(train_gpt=None, helper="x = 1"), "helper", "train_gpt"),
        (scripts(helper="x = 1", prepare="import helper"), "helper", "helper"),
        (scripts(a="import b", b="import a"), "a", "a"),
        (scripts(train_gpt=TRAINS, main=f"import helpers\n{TRAINS}", helper="x = 1"), "helper", "train_gpt"),
    ],
)
def test_a_helper_is_judged_through_what_runs_it(given: dict[str, Script], named: str, judged: str) -> None:
    assert for_named(given, f"{named}.py", ()) == f"{judged}.py"
