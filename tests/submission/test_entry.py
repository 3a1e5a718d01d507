"""The script that is judged when a helper is named."""

from __future__ import annotations

import pytest

from pgolf_check.model import Location
from pgolf_check.submission.entry import for_named, programs_of
from pgolf_check.submission.model import Command, Script

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
        (scripts(train_gpt=TRAINS, main=f"import helpers\n{TRAINS}", helper="x = 1"), "helper", "helper"),
        (scripts(train_gpt=TRAINS, helper="if __name__ == '__main__':\n    x = 1"), "helper", "train_gpt"),
    ],
)
def test_a_helper_is_judged_through_what_runs_it(given: dict[str, Script], named: str, judged: str) -> None:
    assert for_named(given, f"{named}.py", ()) == f"{judged}.py"


def test_programs_that_import_a_script_are_found_the_launched_one_first() -> None:
    known = scripts(train_gpt=TRAINS, second="import train_gpt", middle="import train_gpt", top="from middle import f")
    assert programs_of(known, "train_gpt.py", ()) == ["second.py", "top.py"]
    launched = Command(Location("README.md"), "python top.py", "top.py")
    assert programs_of(known, "train_gpt.py", (launched,)) == ["top.py", "second.py"]
