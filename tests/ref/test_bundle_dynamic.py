"""The dynamic witness runs a bundle: a legal one shows nothing, and a twin that trains before it scores is convicted."""

from pathlib import Path

import pytest
from twins import TWINS, edited, script_of, write

from pgolf_check.audit import audit
from pgolf_check.model import Status, Witness

LEGAL = {"rule": "", "told": "a submission", "edits": []}
TRAINED = next(twin for twin in TWINS if twin["rule"] == "C301")


@pytest.mark.parametrize(("twin", "status"), [(LEGAL, Status.PASS), (TRAINED, Status.FAIL)], ids=["legal", "C301"])
def test_what_random_tokens_show_of_a_bundle(tmp_path: Path, twin: dict[str, object], status: Status) -> None:
    write(twin, edited(script_of(twin), twin["edits"]), tmp_path)  # type: ignore[arg-type]
    report = audit(str(tmp_path), witnesses=(Witness.DYNAMIC,))
    (answer,) = [answer for answer in report.answers if answer.rule == "C100"]
    figures = {figure.name: figure.value for figure in answer.figures}
    assert answer.status is status and "evaluation: shrunk" in figures["ran"], (answer.reason, figures)
