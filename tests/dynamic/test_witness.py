"""The dynamic witness as a whole: what could not be run is undecided and says why, and the stream is of the script's vocabulary."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from submissions import submission

from pgolf_check.corpus.pool import judge_all
from pgolf_check.corpus.results import as_object
from pgolf_check.corpus.worker import Options
from pgolf_check.dynamic import witness
from pgolf_check.dynamic.canary import Evidence
from pgolf_check.dynamic.facts import DynamicFacts
from pgolf_check.dynamic.harness.configuration import STREAM, Configuration, Probe, of_roles
from pgolf_check.dynamic.harness.trial import Stated, Trial
from pgolf_check.errors import UserError
from pgolf_check.model import Witness


def test_a_script_that_cannot_be_run_is_undecided_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "train_gpt.py").write_text("raise RuntimeError('odd shape')\n")
    options = Options(witnesses=frozenset({Witness.DYNAMIC}))
    (answered,) = judge_all([str(tmp_path)], options)
    answer = as_object(answered, options)
    assert answer["verdict"] == "incomplete"
    assert "odd shape" in answer["ran"] and answer["ran"].startswith("train_gpt.py could not be run")
    json.dumps(answer)


def test_nothing_is_run_where_a_control_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(allow_weak: bool) -> None:
        raise UserError("the control legal.py could not be run here")

    monkeypatch.setattr(witness, "_controlled", fails)
    found = witness.probe(submission())
    assert found.problem == "the control legal.py could not be run here" and not found.ran


def test_a_submission_without_a_script_is_undecided() -> None:
    assert DynamicFacts("", stopped="there is no script to run").problem
    assert witness.probe(submission(entry="", files=())).problem == "there is no script to run"


@pytest.mark.parametrize(
    ("source", "vocab"),
    [
        ('size = int(os.environ.get("VOCAB_SIZE", 8192))', STREAM.vocab),
        ("vocab_size: int = 8192", 8192),
        ('path = "data/datasets/fineweb10B_sp4096"', 4096),
        ("vocab_size = 100", STREAM.vocab),
        ("", STREAM.vocab),
    ],
)
def test_the_stream_is_of_the_vocabulary_that_the_script_fixes(source: str, vocab: int) -> None:
    assert witness.stream_of(source).vocab == vocab


def test_runs_that_were_not_made_count_as_nothing() -> None:
    def told(*log_e: float) -> DynamicFacts:
        trials = tuple(Trial(Probe.TRAINING, Configuration("", {}), (Stated(1, 1.0, Evidence(e)),), ()) for e in log_e)
        return DynamicFacts("train_gpt.py", trials)

    alone, both = told(20.0).evidence, told(20.0, 20.0).evidence
    assert alone is not None and both is not None and told().evidence is None
    assert math.isclose(math.exp(alone.log_e), math.exp(20.0) / 6) and math.isclose(math.exp(both.log_e), 2 * math.exp(20.0) / 6)


def test_tables_are_made_small_by_the_names_of_their_variables() -> None:
    source = 'os.environ.get("NGRAM_BUCKETS", 4194304); os.environ["TTT_STRIDE"]; os.environ.get("BUCKETS_SEEN", 0)'
    assert of_roles(source) == {"NGRAM_BUCKETS": 4096, "TTT_STRIDE": 256}
