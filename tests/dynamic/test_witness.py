"""The dynamic witness as a whole: what could not be run is undecided and says why, and the stream is of the script's vocabulary."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from submissions import submission

from pgolf_check.audit import audit
from pgolf_check.corpus.pool import judge_all
from pgolf_check.corpus.results import as_object
from pgolf_check.corpus.worker import Options
from pgolf_check.dynamic import witness
from pgolf_check.dynamic.canary import Evidence
from pgolf_check.dynamic.facts import DynamicFacts
from pgolf_check.dynamic.harness.configuration import STREAM, Configuration, Probe, colliding, first_configuration, of_roles
from pgolf_check.dynamic.harness.declared import NOTHING, Declared, declared
from pgolf_check.dynamic.harness.trial import Stated, Trial
from pgolf_check.dynamic.shard import Layout, draw
from pgolf_check.errors import UserError
from pgolf_check.model import Severity, Witness
from pgolf_check.static.facts import StaticFacts, StaticRun
from pgolf_check.submission.model import Script


def test_a_script_that_cannot_be_run_is_undecided_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "train_gpt.py").write_text("raise RuntimeError('odd shape')\n")
    options = Options(witnesses=frozenset({Witness.DYNAMIC}))
    (answered,) = judge_all([str(tmp_path)], options)
    answer = as_object(answered, options)
    assert answer["verdict"] == "incomplete"
    assert "odd shape" in answer["ran"] and answer["ran"].startswith("train_gpt.py could not be run")
    json.dumps(answer)


def test_a_crash_of_the_static_witness_is_none_of_a_run_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(*_: object) -> StaticFacts:
        raise ZeroDivisionError

    monkeypatch.setattr("pgolf_check.static.engine.analyse", crashes)
    monkeypatch.setattr(witness, "probe", lambda *_: DynamicFacts("train_gpt.py", stopped="not run in this test"))
    (tmp_path / "train_gpt.py").write_text("print('a script of its own')\n")

    def rules(*witnesses: Witness) -> set[str]:
        return {judged.finding.rule for judged in audit(str(tmp_path), witnesses=witnesses).findings}

    assert "X103" not in rules(Witness.DYNAMIC)
    assert "X103" in rules(Witness.STATIC, Witness.DYNAMIC)


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
        ("""meta = {"vocab_size": 8192}""", 8192),
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
    assert math.isclose(math.exp(alone.log_e), math.exp(20.0) / 9) and math.isclose(math.exp(both.log_e), 2 * math.exp(20.0) / 9)


def test_tables_are_made_small_by_the_names_of_their_variables() -> None:
    source = 'os.environ.get("NGRAM_BUCKETS", 4194304); os.environ["TTT_STRIDE"]; os.environ.get("BUCKETS_SEEN", 0)'
    assert of_roles(source) == {"NGRAM_BUCKETS": 4096, "TTT_STRIDE": 128}
    assert of_roles("", Declared(variables=("PHRASE_TABLE_BITS",))) == {"PHRASE_TABLE_BITS": 12}


def test_a_run_is_that_which_is_declared_shrunk() -> None:
    said = Declared({"TTT_ENABLED": "0", "TTT_STEPS": "0", "NUM_LAYERS": "11", "XSA_LAST_N": "4"}, ("TTT_STEPS", "TTT_LR"))
    variables = first_configuration(Probe.EVALUATION, declared=said).variables
    assert {name: variables[name] for name in ("TTT_ENABLED", "TTT_STEPS", "NUM_LAYERS", "XSA_LAST_N", "EMBED_LR")} == {
        "TTT_ENABLED": "0", "TTT_STEPS": "0", "NUM_LAYERS": "2", "XSA_LAST_N": "4", "EMBED_LR": "0",
    }  # fmt: skip
    assert "TTT_ENABLED" not in first_configuration(Probe.EVALUATION).variables


def test_what_a_log_printed_stands_for_the_variables_of_the_same_name() -> None:
    run = StaticRun(
        "log", Severity.BLOCK, None, False, (), (),
        environment=(("RANK", "0"), ("TTT_LR", "0.1")), printed=(("ttt_enabled", "True"), ("dim", "512")), variables=("RANK", "TTT_ENABLED"),
    )  # fmt: skip
    assert declared(StaticFacts((run,))) == Declared({"TTT_ENABLED": "1", "TTT_LR": "0.1"}, ("TTT_ENABLED",))
    assert declared(None) == NOTHING


@pytest.mark.parametrize("vocab", [1024, 8192, 50257])
def test_the_symbols_of_the_probe_of_tables_are_congruent_and_those_of_both_shards(vocab: int) -> None:
    layout = colliding(Layout(tokens=1000, vocab=vocab), settable=False)
    train, val = (set(draw(layout, seed).tolist()) - {layout.bos} for seed in (1, 2))
    assert train == val and len(val) == layout.alphabet and max(val) < vocab
    assert {symbol % layout.modulus for symbol in val} == {layout.modulus - 1}


def test_rates_of_adapters_are_raised_from_what_is_declared_or_the_default() -> None:
    source = 'float(os.environ.get("TTT_LORA_LR", 0.001)); bool(int(os.environ.get("TTT_COSINE_LR", "1")))'
    assert of_roles(source) == {"TTT_LORA_LR": pytest.approx(0.05)}
    assert of_roles(source, Declared({"TTT_LORA_LR": "1e-4"})) == {"TTT_LORA_LR": pytest.approx(0.005)}
    assert of_roles('os.environ.get("TTT_LORA_LR", rate)') == {"TTT_LORA_LR": 0.05}


@pytest.mark.parametrize(("states", "made"), [((), 1), ((0,), 3), ((0, 2), 3)])
def test_later_probes_are_made_if_the_first_stated_a_loss(
    states: tuple[int, ...], made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Probe] = []

    def stated(script: str, files: object, which: Probe, run: object, first: Configuration) -> Trial:
        tried.append(which)
        ran = len(tried) - 1 in states
        return Trial(which, first if ran else None, (Stated(1, 7.0, Evidence(-1.0)),) if ran else (), ("odd shape",))

    monkeypatch.setattr(witness, "_controlled", lambda allow_weak: None)
    monkeypatch.setattr(witness, "try_script", stated)
    text = "np.add.at(counts, keys, 1)\n"
    found = witness.probe(submission(scripts={"train_gpt.py": Script("train_gpt.py", len(text), text)}))
    assert tried == list(Probe)[:made] and len(found.ran) == len(states)
