"""What the reference writes is judged clean on its own data; a twin that trains before it scores is illegal."""

from pathlib import Path

import demo
import pytest
from corpora import prepared
from runs import brisk, experiment

from pgolf_check.audit import audit
from pgolf_check.model import Report, Severity, Status, Verdict
from pgolf_ref.bundle.program import readable


def report(folder: Path) -> Report:
    return audit(str(folder), edition=str(prepared() / "edition.toml"))


@pytest.fixture(scope="module")
def legal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission of three seeds with test-time training; read only."""
    out = tmp_path_factory.mktemp("judged") / "records" / "track_non_record_16mb" / "tiny"
    experiment(out, seeds=(5, 7, 9))
    return out


def test_a_submission_of_the_reference_is_clean(legal: Path) -> None:
    judged = report(legal)
    assert judged.verdict is Verdict.CLEAN, [j.finding.message for j in judged.findings]
    assert {"C301", "C302", "C401", "C402", "B101"} <= {a.rule for a in judged.answers if a.status is Status.PASS}


def test_its_twin_is_illegal_with_the_path_to_the_cause(legal: Path, tmp_path: Path) -> None:
    demo.make_twin(legal, brisk(), tmp_path / "twin")
    judged = report(tmp_path / "twin")
    assert judged.verdict is Verdict.ILLEGAL
    blocking = [j.finding for j in judged.findings if j.severity is Severity.BLOCK]
    assert {finding.rule for finding in blocking} == {"C301"}
    assert demo.SCRIPT in {step.location.path for step in blocking[0].trace}


def test_a_changed_evaluation_is_told_rather_than_copied_as_a_twin() -> None:
    script = readable(brisk())
    assert "everything" in demo.trained_on_everything(script)
    with pytest.raises(demo.DemoFailed, match="no longer loads its model"):
        demo.trained_on_everything(script.replace("restored_model(artifact", "restored_model(data"))
