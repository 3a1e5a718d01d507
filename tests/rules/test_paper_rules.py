"""Each paper rule on submissions built in memory: what breaks it, what looks like it and is legal, what cannot be decided."""

from __future__ import annotations

import datetime
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from submissions import SEEDS, SOURCE, facts, final, log, model_of, run, submission, three_logs

from pgolf_check.model import Answer, Certainty, Location, Severity, Status, Step
from pgolf_check.rules.registry import all_rules
from pgolf_check.static.facts import StaticFacts
from pgolf_check.submission.model import Calibration, File, Gates, Log, Metadata, Problem, Script, Submission, Untimed

CAP = 16_000_000


def check(code: str, judged: Submission | None = None, **changes: Any) -> Answer:
    return all_rules()[code].check(facts(judged, **changes))


def with_runs(**changes: Any) -> Submission:
    return submission(logs=three_logs(**changes))


def other_track(**changes: Any) -> Submission:
    return submission(path="records/track_non_record_16mb/study", **changes)


def blocks(answer: Answer) -> bool:
    return any(f.ceiling is Severity.BLOCK and f.certainty is not Certainty.POSSIBLE for f in answer.findings)


def figure(answer: Answer, name: str) -> Any:
    return next(f.value for f in answer.figures if f.name == name)


@pytest.mark.parametrize("code", ["B101", "P101", "P102", "S101", "T101", "T102", "V102", "X101", "X103"])
def test_the_legal_record_passes(code: str) -> None:
    answer = check(code)
    assert (answer.status, answer.findings) == (Status.PASS, ())


# S101


def test_s101_the_worst_logged_total_counts() -> None:
    over = run("worst.log", seed=7, total_bytes=CAP + 1, total_location=Location("worst.log", 9))
    answer = check("S101", submission(logs=(*three_logs(), log("worst.log", over))))
    assert blocks(answer) and answer.findings[0].locations == (Location("worst.log", 9),)
    assert figure(answer, "logged_total") == CAP + 1
    assert not check("S101", with_runs(total_bytes=CAP)).findings


def test_s101_a_script_that_can_be_packed_is_a_note_except_under_strict() -> None:
    source = "\n".join(f"value_{i} = {i}  # a comment that packing removes" for i in range(4_000))
    long = submission(
        scripts={"train_gpt.py": Script("train_gpt.py", len(source), source)},
        logs=three_logs(model_bytes=CAP - 60_000, total_bytes=CAP - 20_000),
    )
    answer = check("S101", long)
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE]
    assert figure(answer, "packed_total") < CAP < figure(answer, "plain_total")
    assert blocks(check("S101", long, profile="strict"))


def test_s101_a_script_that_cannot_be_packed_blocks() -> None:
    judged = with_runs(model_bytes=CAP - 10, total_bytes=CAP - 5)
    assert blocks(check("S101", judged))


def test_s101_an_opaque_script_counts_as_it_is() -> None:
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", 200_000, None, "unknown encoding")})
    assert blocks(check("S101", judged))


def test_s101_needs_a_size() -> None:
    assert check("S101", with_runs(model_bytes=None, total_bytes=None)).status is Status.NOT_ANALYSED


def test_s101_a_trial_run_in_the_same_log_does_not_count() -> None:
    trial = run(total_bytes=CAP + 500_000, finals=(final(val_bpb=1.5, location=Location("train.log", 3)),))
    real = run(first_line=50, last_line=90)
    assert not check("S101", submission(logs=(log("train.log", trial, real),))).findings


# T101 and T102


@pytest.mark.parametrize(("code", "field"), [("T101", "train_seconds"), ("T102", "total_eval_seconds")])
def test_budgets(code: str, field: str) -> None:
    assert not check(code, with_runs(**{field: 600.0})).findings
    assert [f.ceiling for f in check(code, with_runs(**{field: 601.0})).findings] == [Severity.NOTE] * 3
    assert blocks(check(code, with_runs(**{field: 601.2})))
    unknown = check(code, with_runs(**{field: 650.0}, world_size=None))
    assert {f.certainty for f in unknown.findings} == {Certainty.POSSIBLE}
    assert not blocks(check(code, with_runs(**{field: 5000.0}, world_size=1)))
    assert check(code, other_track(logs=three_logs(**{field: 5000.0}))).status is Status.NOT_APPLICABLE


def test_the_track_is_that_of_the_folder_else_of_the_metadata() -> None:
    study = Metadata("submission.json", {"name": "non-record study"}, val_bpb=1.081, track="non-record-16mb")
    long = three_logs(train_seconds=5000.0)
    assert check("T101", submission(path="somewhere", metadata=study, logs=long)).status is Status.NOT_APPLICABLE
    assert blocks(check("T101", submission(metadata=study, logs=long)))
    untold = submission(path="somewhere", metadata=replace(study, track=""), logs=long, readme="# Non-record study")
    assert blocks(check("T101", untold))


def test_t101_needs_a_time() -> None:
    assert check("T101", with_runs(train_seconds=None)).status is Status.NOT_ANALYSED


def test_t102_lines_of_one_run_are_alternatives() -> None:
    lines = tuple(final(eval_seconds=400.0, location=Location("train.log", n)) for n in (30, 31, 32))
    assert not check("T102", with_runs(finals=lines)).findings
    slow = (*lines, final(eval_seconds=616.0, location=Location("train.log", 33)))
    answer = check("T102", with_runs(finals=slow))
    assert blocks(answer) and answer.findings[0].locations[0].line == 33


def test_t102_diagnostics_are_not_charged() -> None:
    lines = (final(), final(eval_seconds=700.0, diagnostic=True, location=Location("train.log", 12)))
    assert not check("T102", with_runs(finals=lines)).findings


def test_t102_needs_a_time() -> None:
    assert check("T102", with_runs(finals=(final(eval_seconds=None),))).status is Status.NOT_ANALYSED


# V102


def test_v102_counts_distinct_seeds() -> None:
    one = three_logs()[:1]
    assert blocks(check("V102", submission(logs=one)))
    assert blocks(check("V102", submission(logs=())))
    assert blocks(check("V102", with_runs(seed=42)))
    assert check("V102", other_track(logs=one)).status is Status.NOT_APPLICABLE


def test_v102_one_log_may_hold_several_runs() -> None:
    runs = [run(seed=seed, first_line=1 + 50 * n) for n, seed in enumerate(SEEDS)]
    assert not check("V102", submission(logs=(log("all.log", *runs),))).findings


def test_v102_copies_of_a_log_are_one() -> None:
    copies = tuple(Log(f"seed{n}.log", "the same text", runs=(run(seed=None),)) for n in range(3))
    assert figure(check("V102", submission(logs=copies)), "distinct_runs") == 1


def test_v102_without_seeds_scores_tell_runs_apart() -> None:
    logs = tuple(log(f"{n}.log", run(seed=None, finals=(final(val_bpb=1.08 + n / 1e4),))) for n in range(3))
    assert not check("V102", submission(logs=logs)).findings


def test_v102_an_unfinished_run_is_none() -> None:
    assert blocks(check("V102", with_runs(finals=(final(diagnostic=True),))))


# B101


@pytest.mark.parametrize(("factor", "code"), [(1.177, "B101"), (1.09, "B101"), (1.0005, "B101"), (0.98, "B104"), (0.2, "B104")])
def test_bytes_that_are_not_those_of_the_split(factor: float, code: str) -> None:
    judged = with_runs(finals=(final(val_bpb=1.08099999 / factor),))
    assert {c for c in ("B101", "B103", "B104") if blocks(check(c, judged))} == {code}
    assert figure(check("B101", judged), "implied_bytes") == pytest.approx(151_078_222 * factor, rel=1e-5)


def test_b104_a_dropped_end_asks_for_review() -> None:
    answer = check("B104", with_runs(finals=(final(val_bpb=1.08099999 / 0.9995),)))
    assert {f.ceiling for f in answer.findings} == {Severity.REVIEW}


def test_b103_bytes_of_the_transformed_text() -> None:
    loss = 1.08 * 0.6931471805599453 * 164_594_397 / 47_851_520
    judged = with_runs(val_tokens=47_851_520, dataset="", finals=(final(val_bpb=1.08, val_loss=loss),))
    assert {c for c in ("B101", "B103", "B104") if blocks(check(c, judged))} == {"B103"}
    assert check("B103").status is Status.NOT_APPLICABLE


def test_one_finding_for_the_lines_of_a_run() -> None:
    lines = tuple(final(val_bpb=0.9 + n / 100, digits=4 + n, location=Location("train.log", 30 + n)) for n in range(3))
    answer = check("B101", submission(logs=(log("train.log", run(finals=lines)),)))
    assert [f.locations for f in answer.findings] == [(Location("train.log", 32),)]


def test_b101_another_lossless_tokenizer_passes() -> None:
    tokens = 36_300_000
    loss = 1.08 * 0.6931471805599453 * 151_077_000 / tokens
    assert not check("B101", with_runs(val_tokens=tokens, dataset="other", finals=(final(val_bpb=1.08, val_loss=loss),))).findings


def test_b101_rounded_lines_are_given_their_rounding() -> None:
    assert not check("B101", with_runs(finals=(final(val_bpb=1.081, val_loss=2.792, digits=3),))).findings
    assert blocks(check("B101", with_runs(finals=(final(val_bpb=1.07, val_loss=2.792, digits=3),))))


def test_b101_without_a_token_count_the_named_data_set_decides() -> None:
    doubled = (final(val_bpb=1.08099999 / 1.177),)
    answer = check("B101", with_runs(val_tokens=None, finals=doubled))
    assert blocks(answer) and answer.findings[0].certainty is Certainty.LIKELY
    assert not check("B101", with_runs(val_tokens=None)).findings
    assert check("B101", with_runs(val_tokens=None, dataset="mine", finals=doubled)).status is Status.NOT_ANALYSED


def test_b101_a_run_that_is_not_claimed_is_a_note() -> None:
    other = log("ablation.log", run("ablation.log", seed=1, finals=(final("ablation.log", val_bpb=0.9),)))
    answer = check("B101", submission(logs=(*three_logs(), other)))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE]


def test_b101_a_score_that_another_line_states_alone_may_not_belong_to_the_loss() -> None:
    """A mixture's score next to the loss of the model alone."""
    mixed = final(val_bpb=0.9418), final(val_bpb=0.9418, val_loss=None, location=Location("train.log", 29))
    answer = check("B101", with_runs(finals=mixed))
    assert {f.certainty for f in answer.findings} == {Certainty.POSSIBLE}
    assert blocks(check("B101", with_runs(finals=mixed[:1])))


def test_b101_a_loss_per_byte_implies_nothing() -> None:
    per_byte = (final(val_bpb=1.08099999, val_loss=1.08099999 * math.log(2)),)
    assert check("B101", with_runs(finals=per_byte)).status is Status.NOT_ANALYSED
    assert check("B101", with_runs(finals=per_byte, val_tokens=151_078_222)).status is Status.PASS


def test_b101_needs_both_figures() -> None:
    assert check("B101", with_runs(finals=(final(val_loss=None),))).status is Status.NOT_ANALYSED


@pytest.mark.parametrize("bare", [True, False])
def test_b101_a_tokenizer_without_a_bare_space(bare: bool) -> None:
    pieces = [("\u2581the", 1), ("<0x20>", 6), *([("\u2581", 1)] if bare else [])]
    data = model_of(pieces)
    shipped = File("own.model", len(data), data)
    told = submission(files=(shipped,))
    assert not check("B101", told).findings
    wrong = check("B101", replace(told, logs=three_logs(finals=(final(val_bpb=0.9),))))
    assert blocks(wrong) and ("own.model has no piece" in wrong.findings[0].message) != bare
    untold = check("B101", replace(told, logs=()))
    assert untold.status is Status.NOT_ANALYSED
    assert [f.certainty for f in untold.findings] == ([] if bare else [Certainty.POSSIBLE])


# D103


def calibration(data: str = "training", seconds: float | None = 3.6, line: int = 22) -> Calibration:
    return Calibration(Location("train.log", line), "gptq:calibrating", data, seconds)


def test_d103_calibration_on_training_data_after_the_budget() -> None:
    assert blocks(check("D103", with_runs(calibrations=(calibration(),))))
    assert [f.certainty for f in check("D103", with_runs(calibrations=(calibration(""),))).findings] == [Certainty.LIKELY] * 3
    assert not check("D103", with_runs(calibrations=(calibration("self-generated"), calibration("")))).findings
    assert not check("D103", with_runs(calibrations=(calibration(line=19),))).findings
    assert not check("D103", with_runs(calibrations=(calibration(),), train_seconds=588.0)).findings
    assert not blocks(check("D103", with_runs(calibrations=(calibration(),), world_size=1)))


@pytest.mark.parametrize(("seconds", "ceiling"), [(0.5, None), (4.0, Severity.NOTE), (40.0, Severity.REVIEW)])
def test_d103_time_set_aside_that_does_not_suffice(seconds: float, ceiling: Severity | None) -> None:
    for told in ({"reserved_seconds": 0.5}, {"config": {"gptq_reserve_seconds": "0.5"}}):
        answer = check("D103", with_runs(calibrations=(calibration(seconds=seconds),), **told))
        assert {f.ceiling for f in answer.findings} == ({ceiling} if ceiling else set())


TRAINS = """
import os, time
class Args:
    files = os.path.join("data", "fineweb_train_*.bin")
    limit = 600.0
    short = float(os.environ.get("LIMIT", "583"))
    every = 500
def collect(model, pattern):
    model.register_forward_hook(print)
def main(model, args=Args()):
    end = {limit}
    start = time.perf_counter()
    for step in range(9000):
        model(1).backward()
        elapsed = 1000 * (time.perf_counter() - start)
        if step % args.every == 0:
            print(step)
        if elapsed > end:
            break
    {after}
"""


@pytest.mark.parametrize(
    ("after", "limit", "found"),
    [
        ("collect(model, args.files)", "args.limit", True),
        ("batches = Loader(args.files)\n    collect(model, batches)", "args.limit", True),
        ("collect(model, args.files)", "args.limit - 10", False),
        ("collect(model, args.files)", "1000.0 * args.short", False),
        ("collect(model, generate(model))", "args.limit", False),
        ("print(args.files)", "args.limit", False),
    ],
)
def test_d103_by_the_order_of_the_script(after: str, limit: str, found: bool) -> None:
    source = TRAINS.format(after=after, limit=limit)
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", len(source), source)}, logs=())
    assert blocks(check("D103", judged)) == found
    assert check("D103", judged).status is (Status.FAIL if found else Status.NOT_ANALYSED)


# D101, D102, C102, C107 and T103: what logs and READMEs tell


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ln -s $D/fineweb_val_000000.bin $E/fineweb_train_000000.bin", True),
        ("cp fineweb_val_000000.bin other/fineweb_train_000000.bin && ls", True),
        ("cp fineweb_train_000000.bin fineweb_val_000000.bin", False),
        ("the file fineweb_val_000000.bin is not fineweb_train_000000.bin", False),
    ],
)
def test_d101_commands(line: str, found: bool) -> None:
    judged = submission(files=(File("prepare.sh", len(line), line.encode()),))
    assert bool(check("D101", judged).findings) == found


def test_d101_training_files_of_the_validation_split() -> None:
    config = {"train_files": "./data/fineweb_val_*.bin"}
    assert blocks(check("D101", with_runs(config=config)))
    assert not check("D101", with_runs(config={"train_files": "./data/fineweb_train_*.bin"})).findings


def test_d102_one_finding_for_runs_of_one_data_set() -> None:
    nested = with_runs(train_shards=1499, dataset="/d/datasets/datasets/caseops")
    answer = check("D102", nested)
    assert blocks(answer) and len(answer.findings) == 1 and len(answer.findings[0].locations) == 3
    assert not blocks(check("D102", with_runs(train_shards=1499, dataset="/d/datasets/caseops")))
    assert check("D102", with_runs(train_shards=1499)).findings
    assert not check("D102", with_runs(train_shards=80, dataset="/d/datasets/datasets/caseops")).findings
    assert check("D102", with_runs(train_shards=None)).status is Status.NOT_ANALYSED


def gates(**counts: int) -> dict[str, Any]:
    return {"gates": (Gates(Location("train.log", 21), "hints", counts),)}


def test_c102_gates_that_read_the_target() -> None:
    assert blocks(check("C102", with_runs(**gates(token_gate=5, within_gate=1, word_gate=0))))
    assert not check("C102", with_runs(**gates(token_gate=5, within_gate=0, word_gate=0, agree2plus=0))).findings
    assert check("C102").status is Status.NOT_APPLICABLE
    other = log("trial.log", run("trial.log", seed=5, finals=(final("trial.log", val_bpb=1.2),), **gates(within_gate=9)))
    assert not blocks(check("C102", submission(logs=(*three_logs(), other))))


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Gates were tuned by a sweep over dumped distributions.", True),
        ("The temperature was calibrated on validation tokens.", True),
        ("Nothing was tuned on validation tokens.", True),
        ("No constant was tuned on validation tokens.", False),
        ("The learning rate was tuned.", False),
        ("We fine-tuned on scored validation tokens.", False),
    ],
)
def test_c107_sentences(sentence: str, found: bool) -> None:
    answer = check("C107", submission(readme=f"# A record\n\n{sentence} It is small.\n"))
    assert bool(answer.findings) == found and not blocks(answer)


def test_t103_work_outside_the_timer() -> None:
    answer = check("T103", with_runs(untimed=(Untimed(Location("train.log", 22), "outside timer", 164.5),)))
    assert len(answer.findings) == 3 and figure(answer, "seconds_outside_timers") == 164.5
    assert not check("T103").findings
    generated = calibration("self-generated", 560.0)
    assert len(check("T103", with_runs(calibrations=(generated,))).findings) == 3
    assert not check("T103", with_runs(calibrations=(generated,), train_seconds=580.0)).findings
    assert not check("T103", with_runs(calibrations=(calibration("self-generated", 100.0),))).findings


# D106, D107 and S102: what the source text shows


@pytest.mark.parametrize(
    ("source", "ceiling"),
    [
        ("import requests\nrequests.get('http://x')\n", Severity.BLOCK),
        ("from huggingface_hub import hf_hub_download as get\ndef main():\n    get('a', 'b')\nmain()\n", Severity.BLOCK),
        ("import os\nos.system('curl http://x -o y')\n", Severity.BLOCK),
        ("import subprocess as s, sys\ns.run([sys.executable, '-m', 'pip', 'install', 'x'])\n", Severity.BLOCK),
        ("import requests\ndef never():\n    requests.get('http://x')\n", Severity.NOTE),
        ("import os\nos.system('ls -l')\nprint('pip install x; curl http://x')\n", None),
        ("class requests:\n    get = print\nrequests.get('http://x')\n", None),
    ],
)
def test_d106_calls(source: str, ceiling: Severity | None) -> None:
    answer = check("D106", with_source(source))
    assert [f.ceiling for f in answer.findings] == ([ceiling] if ceiling else [])


def test_d106_the_other_track_asks_for_review() -> None:
    source = "import requests\nrequests.get('http://x')\n"
    judged = replace(with_source(source), path="records/track_non_record_16mb/study")
    assert [f.ceiling for f in check("D106", judged).findings] == [Severity.REVIEW]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("sp.encode(text.lower())\n", True),
        ("ids = [sp.EncodeAsIds(t.casefold()) for t in texts]\n", True),
        ("import unicodedata as u\nsp.encode(u.normalize('NFC', t))\n", True),
        ("name = text.lower()\nsp.encode(text)\n", False),
        ("print(text.lower().strip())\n", False),
    ],
)
def test_d107_text_that_is_changed_before_it_is_encoded(source: str, found: bool) -> None:
    assert bool(check("D107", with_source(source)).findings) == found


def test_s102_follows_modules_through_the_folder() -> None:
    files = {"a.py": "import parts.b\n", "parts/b.py": "KERNEL = 'kernels/k.cu'\n", "kernels/k.cu": "", "unused.py": ""}
    judged = submission(
        files=tuple(File(name, 100, text.encode()) for name, text in files.items()),
        scripts={
            "train_gpt.py": Script("train_gpt.py", 9, "import a\n"),
            **{name: Script(name, 100, text) for name, text in files.items() if name.endswith(".py")},
        },
    )
    answer = check("S102", judged)
    assert figure(answer, "local_code") == 300
    assert "kernels/k.cu" in answer.findings[0].message and "unused.py" not in answer.findings[0].message
    assert not check("S102", replace(judged, logs=three_logs(code_bytes=309))).findings


def test_s101_files_beside_the_script_are_a_total_of_their_own() -> None:
    beside = File("layers.py", 200_000, b"x = 1\n")
    judged = submission(
        files=(beside,),
        scripts={
            "train_gpt.py": Script("train_gpt.py", len(SOURCE), "import layers\n"),
            "layers.py": Script("layers.py", 200_000, "x = 1\n"),
        },
    )
    answer = check("S101", judged)
    assert figure(answer, "with_local_files_total") == 15_900_000 + len(SOURCE) + 200_000
    assert not blocks(answer) and blocks(check("S101", judged, profile="strict"))


# V101, V103 and V104


def test_v101_against_the_record_that_stood() -> None:
    dated = Metadata("submission.json", {"date": "2026-04-09"}, val_bpb=1.081)
    logs = three_logs(finals=(final(val_bpb=1.0810),))
    judged = submission(metadata=dated, logs=logs)
    assert figure(check("V101", judged), "standing_bpb") == pytest.approx(1.08217956)
    assert not check("V101", judged).findings
    later = replace(judged, metadata=replace(dated, data={"date": "2026-04-12"}))
    assert [f.ceiling for f in check("V101", later).findings] == [Severity.REVIEW]
    named = check("V101", judged, as_of=datetime.date(2026, 4, 12))
    assert blocks(named) and named.findings[0].message.count("1.07336")


def test_v101_the_readmes_margin_binds_under_strict_only() -> None:
    logs = tuple(
        log(f"{seed}.log", run(f"{seed}.log", seed=seed, finals=(final(f"{seed}.log", val_bpb=1.0809 + seed / 1e7),)))
        for seed in SEEDS
    )
    judged = submission(metadata=Metadata("submission.json", {"date": "2026-04-09"}, val_bpb=1.0809), logs=logs)
    assert not check("V101", judged).findings
    assert check("V101", judged, profile="strict").findings


def test_v103_settings_that_name_the_run_may_differ() -> None:
    def judged(*configs: dict[str, str]) -> Submission:
        return submission(logs=tuple(log(f"{n}.log", run(f"{n}.log", seed=n, config=c)) for n, c in enumerate(configs)))

    assert not check("V103", judged({"lr": "1", "run_id": "a"}, {"lr": "1", "run_id": "b"})).findings
    assert not check("V103", judged({"lr": "1", "x": "/a"}, {"lr": "1", "x": "/b"}, {"lr": "1", "y": "2"})).findings
    assert "lr" in check("V103", judged({"lr": "1"}, {"lr": "2"})).findings[0].message
    assert check("V103", judged({})).status is Status.NOT_APPLICABLE
    assert check("V103", judged({}, {})).status is Status.NOT_ANALYSED


@given(st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3", "d = 4"]), min_size=1, max_size=30))
def test_v104_the_same_lines_are_the_same_script(lines: list[str]) -> None:
    source = "\n".join(lines)
    logs = tuple(replace(entry, embedded_source=source + "\n\n") for entry in three_logs())
    judged = replace(with_source(source), logs=logs)
    assert not check("V104", judged).findings
    other = check("V104", replace(judged, logs=tuple(replace(entry, embedded_source="z = 0\n" * 40) for entry in logs)))
    assert blocks(other) and figure(other, "least_share_of_equal_lines") == 0


# P101 to P103


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metadata": None}, "submission.json"),
        ({"logs": ()}, "log"),
        ({"logs": (Log("train.log", "no run in it"),)}, "log"),
        ({"files": (File("train_gpt.py", 10, b""),)}, "README.md"),
        ({"files": (File("README.md", 0, b""),)}, "README.md"),
        ({"scripts": {}, "entry": ""}, "script"),
        ({"scripts": {"train_gpt.py": Script("train_gpt.py", 0, "")}}, "script"),
    ],
)
def test_p101(changes: dict[str, Any], told: str) -> None:
    for judged in (submission(**changes), other_track(**changes)):
        answer = check("P101", judged)
        assert blocks(answer) and len(answer.findings) == 1
        assert told in answer.findings[0].message


def test_p102_blocks_without_a_score() -> None:
    unreadable = Metadata("submission.json", {}, (Problem(Location("submission.json", 3), "trailing comma"),))
    assert blocks(check("P102", submission(metadata=unreadable)))
    null = Metadata("submission.json", {"name": "a", "author": "b", "val_bpb": None})
    assert blocks(check("P102", submission(metadata=null)))


def test_p102_lesser_problems_are_notes() -> None:
    metadata = Metadata(
        "submission.json", {"val_bpb": 1.08}, (Problem(Location("submission.json", 3), "seeds is a word"),), val_bpb=1.08
    )
    answer = check("P102", submission(metadata=metadata))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE] * 3


def test_p102_needs_a_file() -> None:
    assert check("P102", submission(metadata=None)).status is Status.NOT_APPLICABLE


def with_source(text: str, *files: str, **script: Any) -> Submission:
    return submission(
        scripts={"train_gpt.py": Script("train_gpt.py", len(text), text, **script)},
        files=tuple(File(name, 1, b"\n") for name in ("train_gpt.py", *files)),
    )


@pytest.mark.parametrize("source", ["def f(:\n", "<<<<<<< HEAD\nx = 1\n", "x = 'cut\n", "(" * 10_000])
def test_p103_text_that_does_not_parse(source: str) -> None:
    assert blocks(check("P103", with_source(source)))


@pytest.mark.parametrize(
    "source", [SOURCE, "x = f'{d['a']}'\n", "try:\n    import nothing\nexcept ImportError:\n    pass\n", "import os.path\n"]
)
def test_p103_text_that_parses(source: str) -> None:
    assert check("P103", with_source(source)).status is Status.PASS


def test_p103_absent_modules() -> None:
    assert [f.certainty for f in check("P103", with_source("import helper\n")).findings] == [Certainty.POSSIBLE]
    assert blocks(check("P103", with_source("from . import helper\n")))
    assert not check("P103", with_source("import helper\n", "helper.py")).findings
    assert not check("P103", with_source("from helper.parts import x\n", "helper/parts.py")).findings
    assert not check("P103", with_source("import helper\n", modules={"helper": "x = 1\n"})).findings


def test_p103_requirements_are_present() -> None:
    judged = with_source("import my_helper\n")
    required = File("requirements.txt", 20, b"torch>=2\nmy-helper==1.0\n")
    assert not check("P103", replace(judged, files=(*judged.files, required))).findings


# X101


def test_x101_code_that_cannot_be_read() -> None:
    hidden = Script("train_gpt.py", 50, None, "the payload is damaged")
    answer = check("X101", submission(scripts={"train_gpt.py": hidden}))
    assert blocks(answer) and "damaged" in answer.findings[0].message


def test_x101_a_helper_counts_if_the_entry_names_it() -> None:
    helper = Script("helper.py", 50, None, "the payload is damaged")
    entry = Script("train_gpt.py", 20, "import helper\n")
    assert blocks(check("X101", submission(scripts={"train_gpt.py": entry, "helper.py": helper})))
    alone = replace(entry, text="import torch\n")
    answer = check("X101", submission(scripts={"train_gpt.py": alone, "helper.py": helper}))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE]


def test_x101_what_the_static_witness_could_not_read() -> None:
    problem = StaticFacts((), (Step(Location("train_gpt.py", 3), "does not parse: a bracket"),))
    assert blocks(check("X101", static=problem))
