"""pgolf-check from the outside: exit codes, the default verb, one sentence per mistake."""

from __future__ import annotations

import base64
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import BASE, build, cases
from pgolf_check.cli import main
from pgolf_check.rules.rulebook import load_rulebook

CODES = {"clean": 0, "illegal": 1, "ineligible": 1, "incomplete": 2, "review": 3}


@pytest.mark.parametrize("verdict", CODES)
def test_the_exit_code_is_that_of_the_verdict(verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = next(c for c in cases() if c.expect["verdict"] == verdict and not set(c.expect) & {"profile", "pull_request"})
    witnesses = case.expect.get("witnesses", ["paper", "static"])
    verb = witnesses[0] if len(witnesses) == 1 else "check"
    assert main([verb, str(build(case, tmp_path))]) == CODES[verdict]
    assert f": {verdict} ({', '.join(witnesses)})\n" in capsys.readouterr().out


def test_several_paths_have_the_worst_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    illegal = next(c for c in cases() if c.name == "C302/reject_last_of_two_epochs")
    assert main(["check", str(BASE), str(build(illegal, tmp_path))]) == 1
    assert main(["check", str(BASE), str(tmp_path / "missing")]) == 2
    assert main(["paper", str(BASE)]) == main(["static", str(BASE)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "there is no such file or folder"),
        (["check"], "Missing argument"),
        ([str(BASE), "--profile", "lenient"], "no profile"),
        ([str(BASE), "--select", "Q9"], "no rule"),
        ([str(BASE), "--edition", "nowhere.toml"], "--edition"),
        ([str(BASE), "--as-of", "soon"], "soon"),
        ([str(BASE), "--repo", "nowhere"], "REF:PATH"),
        (["explain", "C999"], "pgolf-check rules"),
        (["corpus", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_a_mistake_is_one_sentence_and_2(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error


def test_a_report_is_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for _ in range(2):
        assert main([str(BASE), "--format", "json"]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["path"] == "fixtures/_base"


def test_a_finding_shows_its_path_with_the_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = next(c for c in cases() if c.name == "C402/reject_adapted_model_scored_again")
    assert main(["static", str(build(case, tmp_path))]) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("1. train_gpt.py:") and "validation tokens are read" in line for line in lines)
    assert any(line.endswith("| optimizer.step()") for line in lines)
    assert any("the score is reported: final_int8_zlib_roundtrip" in line for line in lines)


def test_a_packed_script_is_told_by_the_lines_of_its_decoded_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = next(c for c in cases() if c.name == "C402/reject_adapted_model_scored_again")
    script = build(case, tmp_path) / "train_gpt.py"
    assert main(["static", str(script)]) == 1
    plain = capsys.readouterr().out
    packed = base64.b85encode(lzma.compress(script.read_bytes())).decode()
    script.write_text(f'import lzma, base64\nexec(lzma.decompress(base64.b85decode("{packed}")))\n', encoding="utf-8")
    assert main(["static", str(script)]) == 1
    assert capsys.readouterr().out == plain


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    listed = capsys.readouterr().out
    for code, page in load_rulebook().rules.items():
        assert f"{code}  {page.name}" in listed or f"{code} {page.name}" in listed.replace("  ", " ")
    assert main(["explain", "c301"]) == 0
    by_code = capsys.readouterr().out
    assert main(["explain", "update-before-score"]) == 0
    assert capsys.readouterr().out == by_code
    assert "## What breaks it" in by_code and "https://github.com/openai/parameter-golf" in by_code


def test_help_loads_neither_a_parser_nor_torch() -> None:
    code = (
        "import sys; from pgolf_check.cli import main; main(['--help']);"
        "print([n for n in ('torch', 'libcst', 'numpy', 'scipy', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_checker_runs_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from pgolf_check.audit import audit; print(audit(sys.argv[1]).verdict)"
    done = subprocess.run([sys.executable, "-c", code, str(BASE)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "clean"
