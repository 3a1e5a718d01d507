"""Illegal twins of a bundle, as small edits of its text: each breaks a rule on the evaluation, and is caught with it (bench/twins.md).

C107 is told by the README. Not among them: C100, which is for the dynamic witness alone.
"""

from pathlib import Path

import pytest
from runs import brisk
from twins import TWINS, Twin, edited, script_of, write

from pgolf_check.audit import audit
from pgolf_check.model import Severity, Status, Verdict, Witness
from pgolf_ref.bundle.program import bundle, readable
from pgolf_ref.config import load_recipe
from pgolf_ref.script import encoded


@pytest.mark.parametrize("twin", TWINS, ids=[twin["rule"] for twin in TWINS])
def test_a_twin_is_caught_with_its_rule(tmp_path: Path, twin: Twin) -> None:
    changed = edited(script_of(twin), twin["edits"])
    compile(changed, "train_gpt.py", "exec")
    write(twin, changed, tmp_path)
    report = audit(str(tmp_path), witnesses=(Witness(twin.get("witness", "static")),))
    found = {(judged.finding.rule, judged.severity) for judged in report.findings if judged.severity is not Severity.NOTE}
    of_code = {(rule, severity) for rule, severity in found if rule.startswith(("C", "D", "X"))}
    beside = {(rule, Severity.BLOCK) for rule in twin.get("beside", ())}
    assert of_code == {(twin["rule"], Severity(twin.get("severity", "block")))} | beside
    assert found == of_code or twin.get("witness") == "paper", "a folder without logs and metadata is no submission"


PLAIN_BYTES, PACKED_BYTES = 60_000, 22_000  # that sp8192 may have as it is shipped, and packed
PHASES = ("evaluate.layout=documents", "ttt.phases=[2, 4]", "ttt.lora.rank=2", "ttt.lora.chunk_tokens=6")


@pytest.mark.parametrize("pack", [True, False])
def test_the_bundle_of_a_legal_recipe_is_clean(tmp_path: Path, pack: bool) -> None:
    """A record stack with calibration and test-time training, packed; and adapters with phases between which the weights learn."""
    script = bundle(load_recipe("sp8192"), pack=True) if pack else readable(brisk(*PHASES))
    assert not pack or len(encoded(script)) <= PACKED_BYTES
    assert not pack or len(encoded(bundle(load_recipe("sp8192")))) <= PLAIN_BYTES
    (tmp_path / "train_gpt.py").write_bytes(encoded(script))
    (tmp_path / "README.md").write_text("a submission", encoding="utf-8")
    report = audit(str(tmp_path), witnesses=(Witness.STATIC,))
    assert report.verdict is Verdict.CLEAN, [judged.finding.message for judged in report.findings]
    assert {answer.rule for answer in report.answers if answer.status is Status.PASS} >= {
        twin["rule"] for twin in TWINS if "witness" not in twin
    }
