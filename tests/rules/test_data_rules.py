"""D101 to D103, D106, D107, C102 and C107: what logs, READMEs and the text of a source tell about data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rulings import blocks, check, with_runs, with_source
from submissions import calibration, final, log, run, submission, three_logs

from pgolf_check.model import Certainty, Location, Severity, Status
from pgolf_check.submission.model import File, Gates, Script


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
