"""S101 and S102: which bytes count, what is packed, and which files the script brings in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rulings import blocks, check, figure, with_runs
from submissions import SOURCE, final, log, run, submission, three_logs

from pgolf_check.model import Location, Severity, Status
from pgolf_check.submission.model import File, Script, Submission

CAP = 16_000_000


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


def test_s101_an_earlier_run_of_a_seed_that_states_the_claim_is_for_review() -> None:
    def large(seed: int) -> Submission:
        path = "v1.log"
        earlier = run(path, seed=seed, finals=(final(path, val_bpb=1.2),), total_bytes=CAP + 9, model_bytes=CAP - 1)
        return submission(logs=(*three_logs(), log(path, earlier)))

    answer = check("S101", large(42))
    assert [f.ceiling for f in answer.findings] == [Severity.REVIEW] and figure(answer, "plain_total") < CAP
    assert blocks(check("S101", large(7)))
    elsewhere = replace(large(7), path="records/track_non_record_16mb/study")
    assert [f.ceiling for f in check("S101", elsewhere).findings] == [Severity.REVIEW]


def long_script(source: str, model: int) -> Submission:
    """A script whose plain total is over the cap, next to a model of this size."""
    return submission(
        scripts={"train_gpt.py": Script("train_gpt.py", len(source), source)}, logs=three_logs(model_bytes=model, total_bytes=model)
    )


def test_s101_a_script_that_could_not_be_minified_is_left_to_a_person() -> None:
    """What packs to more than the room only because this interpreter cannot parse it may fit once minified."""
    source = "".join(f"value_{i:x} = {i * 7919 % 10007}\n" for i in range(4_000))
    over = long_script(source, CAP - 9_000)
    assert blocks(check("S101", over))
    later = long_script(source + 'print(f"{"".join(["a"])}")\n', CAP - 9_000)
    assert [f.ceiling for f in check("S101", later).findings] == [Severity.REVIEW]
    hopeless = long_script(source + 'print(f"{"".join(["a"])}")\n', CAP)
    assert blocks(check("S101", hopeless))


def test_s101_packing_ends_with_the_first_form_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgolf_check.stats.size._minified", lambda source, tree: pytest.fail("it was minified"))
    source = "".join(f"value_{i} = {i}  # a comment\n" for i in range(4_000))
    assert [f.ceiling for f in check("S101", long_script(source, CAP - 60_000)).findings] == [Severity.NOTE]
