"""The action, the example workflow and the hook: pinned, without rights they do not need, and in step with the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate.repository import NEW, Challenge

from fixtures import BASE, ROOT
from pgolf_check.cli import cli, main
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.waivers import load_waivers

TOP = ROOT.parent
ACTION = yaml.safe_load((TOP / "action.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((TOP / "examples" / "gate.yml").read_text(encoding="utf-8"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def steps() -> list[dict[str, Any]]:
    jobs = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    return [*ACTION["runs"]["steps"], *jobs]


def test_every_action_is_pinned_to_a_commit() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used and all(PINNED.fullmatch(name) or name == "OWNER/pgolf@REF" for name in used)


def test_no_script_is_built_from_an_event() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_the_pull_request_is_never_checked_out() -> None:
    checkouts = [step["with"] for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts == [{"fetch-depth": 0, "persist-credentials": False}]
    assert not any(re.search(r"git (checkout|switch|merge|reset|worktree|pull)", step.get("run", "")) for step in steps())


def test_who_reads_the_pull_request_may_write_nothing() -> None:
    assert WORKFLOW["permissions"] == {}
    rights = {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()}
    assert rights == {
        "judge": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "code-scanning": {"security-events": "write"},
    }
    judge = json.dumps(WORKFLOW["jobs"]["judge"])
    assert "secrets." not in judge and "token" not in judge
    writers = [step.get("uses", "") for name in ("comment", "code-scanning") for step in WORKFLOW["jobs"][name]["steps"]]
    assert not any(use.startswith("actions/checkout@") for use in writers)


def test_the_workflow_gives_the_action_inputs_that_it_has() -> None:
    given = next(step["with"] for step in steps() if step.get("uses") == "OWNER/pgolf@REF")
    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, value in ACTION["inputs"].items() if value.get("required")} <= set(given)


def run_action(tmp_path: Path, challenge: Challenge, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Run the script of the step that judges, as the runner would."""
    step = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "judge")
    program = tmp_path / "temp" / "pgolf" / "bin" / "pgolf-check"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{TOP}" exec {sys.executable} -P -m pgolf_check "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    names = {line.split(".")[1].split(" ")[0]: key for key, line in step["env"].items()}
    values = {name: value.get("default", "") for name, value in ACTION["inputs"].items()} | inputs
    output = tmp_path / "output"
    output.write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        **{names[name]: value for name, value in values.items()},
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=challenge.path, env=environment, capture_output=True, check=False)
    lines = output.read_text(encoding="utf-8").splitlines()
    return done.returncode, done.stdout.decode(), dict(line.split("=", 1) for line in lines)


@pytest.fixture
def challenge(tmp_path: Path) -> Challenge:
    challenge = Challenge(tmp_path / "a repo")
    with challenge.pull_request("good"):
        challenge.submit(NEW)
    with challenge.pull_request("bad"):
        challenge.submit(NEW)
        challenge.write("train_gpt.py", "print('faster')\n")
    with challenge.pull_request("unclear"):
        challenge.write("README.md", "a note\n")
    return challenge


def test_the_action_tells_and_writes_what_the_gate_found(challenge: Challenge, tmp_path: Path) -> None:
    code, told, outputs = run_action(tmp_path, challenge, base="main", head="good")
    assert (code, outputs["exit-code"]) == (0, "0")
    code, told, outputs = run_action(tmp_path, challenge, base="main", head="bad")
    assert (code, outputs["exit-code"]) == (1, "1")
    assert "::error file=train_gpt.py,title=P104" in told
    assert json.loads(Path(outputs["sarif"]).read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert Path(outputs["comment"]).read_text(encoding="utf-8").startswith("<!-- pgolf-check -->")
    assert (tmp_path / "summary").read_text(encoding="utf-8").count("## pgolf-check") == 2


def test_a_review_fails_the_check_unless_the_reviewers_say_otherwise(challenge: Challenge, tmp_path: Path) -> None:
    where = {"base": "main", "head": "unclear"}
    assert run_action(tmp_path, challenge, **where)[0] == 3
    code, _, outputs = run_action(tmp_path, challenge, **where, **{"review-passes": "true"})
    assert (code, outputs["exit-code"]) == (0, "3")


def test_the_action_takes_waivers_and_refuses_nonsense(challenge: Challenge, tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text('[[waiver]]\ncode = "P104"\npath = "."\nreason = "r"\nexpires = 9999-01-01\n', encoding="utf-8")
    assert run_action(tmp_path, challenge, base="main", head="bad", waivers=str(file))[0] == 0
    assert run_action(tmp_path, challenge, base="main", head="--help")[0] == 2
    assert run_action(tmp_path, challenge, base="main; touch owned", head="good")[0] == 2
    assert not (challenge.path / "owned").exists()


def test_the_example_waivers_are_valid() -> None:
    assert load_waivers(str(TOP / "examples" / "waivers.toml"), load_rulebook().rules)


def test_the_hook_judges_the_submission_of_a_metadata_file() -> None:
    (hook,) = yaml.safe_load((TOP / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, verb = hook["entry"].split()
    assert program == "pgolf-check" and verb in cli.commands
    assert re.search(hook["files"], "records/track_10min_16mb/mine/submission.json")
    assert not re.search(hook["files"], "records/track_10min_16mb/mine/train.log")
    assert main([verb, str(BASE / "submission.json")]) == 0
