"""The gate on pull requests of a real repository: what it judges, what it prints and writes, and that it runs nothing of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from gate.repository import NEW, STANDING, TRACK, Challenge
from report.runner import Command, commands
from report.test_formats import sarif_schema
from report.test_hostile import Tags, harmless, rendered

from pgolf_check.cli import main
from pgolf_check.report.escape import printable

TODAY = ("--as-of", "2026-05-02")


@dataclass(frozen=True)
class Judged:
    """What one run of the gate left."""

    exit_code: int
    output: str
    told: str
    sarif: Any
    comment: str
    page: str
    summary: str

    @property
    def commands(self) -> list[Command]:
        return commands(self.output)

    def of(self, rule: str, name: str = "error") -> list[Command]:
        return [c for c in self.commands if c.name == name and c.properties["title"].startswith(rule)]

    @property
    def verdicts(self) -> dict[str, str]:
        return {s["path"]: s["verdict"] for s in self.sarif["runs"][0]["properties"]["submissions"]}


@pytest.fixture
def challenge(tmp_path: Path) -> Challenge:
    return Challenge(tmp_path / "repo")


@pytest.fixture
def gate(challenge: Challenge, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Judged]:
    def judge(*options: str, head: str = "pr", repo: Path | None = None) -> Judged:
        out = {name: tmp_path / name for name in ("sarif", "comment", "html", "summary")}
        for path in out.values():
            path.unlink(missing_ok=True)
        files = [part for name, path in out.items() for part in (f"--{name}", str(path))]
        code = main(["gate", "--base", "main", "--head", head, "--repo", str(repo or challenge.path), *files, *options])
        shown = capsys.readouterr()
        read = {name: path.read_text(encoding="utf-8") if path.exists() else "{}" for name, path in out.items()}
        sarif = json.loads(read["sarif"])
        if sarif:
            sarif_schema().validate(sarif)
        return Judged(code, shown.out, shown.err, sarif, read["comment"], read["html"], read["summary"])

    return judge


def test_one_new_folder_passes(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
    challenge.write("README.md", "main moved on\n")
    challenge.commit()
    challenge.git("checkout", "-q", "pr")
    challenge.git("merge", "-q", "--no-edit", "main")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (0, {NEW: "clean"})
    assert {command.name for command in judged.commands} == {"notice"}
    assert f"### `{NEW}`: clean (paper, static)" in judged.comment
    assert judged.output.endswith(f"pgolf-check: clean ({NEW} clean)\n")


def test_the_same_bytes_from_a_bare_clone(challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        challenge.write("train_gpt.py", "print('faster')\n")
    challenge.git("clone", "-q", "--mirror", str(challenge.path), str(tmp_path / "bare"))
    assert gate() == gate(repo=tmp_path / "bare")


def test_an_edit_outside_the_folder_blocks(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        challenge.write("train_gpt.py", "print('faster')\n")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (1, {NEW: "ineligible"})
    assert [command.properties["file"] for command in judged.of("P104")] == ["train_gpt.py"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in judged.sarif["runs"][0]["results"]]
    assert "train_gpt.py" in uris
    assert "## pgolf-check: ineligible" in judged.summary


def test_a_renamed_record_blocks(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    with challenge.pull_request("pr"):
        challenge.git("mv", STANDING, NEW)
    judged = gate()
    assert judged.exit_code == 1
    assert "submissions that stand already" in judged.of("P104")[0].message


def test_the_worst_of_several_folders_counts(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    second = f"{TRACK}/Second"
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        (challenge.submit(second) / "submission.json").unlink()
    judged = gate()
    assert judged.exit_code == 1
    assert judged.verdicts == {NEW: "review", second: "ineligible"}
    assert len(judged.of("P104", "warning")) == 1
    assert judged.of("P101")[0].properties["file"] == f"{second}/submission.json"


def test_a_change_of_a_standing_record_is_judged_and_reviewed(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    with challenge.pull_request("pr"):
        challenge.write(f"{STANDING}/notes.md", "a note\n")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (3, {STANDING: "review"})


@pytest.mark.parametrize("path", ["train_gpt.py", "README.md", f"{TRACK}/notes.md"])
def test_without_a_submission_a_person_decides(challenge: Challenge, gate: Callable[..., Judged], path: str) -> None:
    with challenge.pull_request("pr"):
        challenge.write(path, "changed\n")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (3, {".": "review"})
    assert [c.properties.get("file") for c in judged.of("P104", "warning")] == [None, path]


def test_nothing_changed_is_not_clean(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    judged = gate(head="main")
    assert judged.exit_code == 3
    assert "changes nothing" in judged.of("P104", "warning")[0].message


def test_submodules_and_leaving_links_block(challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of the build machine\n", encoding="utf-8")
    with challenge.pull_request("pr"):
        folder = challenge.submit(NEW)
        (folder / "README.md").unlink()
        os.symlink(secret, folder / "README.md")
        challenge.git("add", "--all")
        challenge.submodule(f"{NEW}/kernels")
        challenge.git("commit", "-q", "-m", "submodule")
    judged = gate()
    assert judged.exit_code == 1
    assert {judged.of("P104")[0].properties["file"]} == {f"{NEW}/README.md"}
    assert "kernels" in judged.of("P104")[0].message
    assert "a secret" not in judged.output + judged.page + judged.comment + json.dumps(judged.sarif)


def test_a_submodule_for_the_whole_folder_is_no_submission(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    challenge.git("checkout", "-q", "-b", "pr")
    challenge.submodule(NEW)
    challenge.git("commit", "-q", "-m", "submodule")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (3, {".": "review"})


HOSTILE = (
    "a b",
    "a\nb",
    "x\n::error file=train_gpt.py::owned",
    "::error::owned",
    "##[error]owned",
    "%0A::error::owned",
    "\x1b[31mred\x1b[0m",
    "a,line=1:2%",
    "<script>alert(1)<",
    "`a` [x](http:evil) ![y](z) @someone #1",
    "-->",
    "a:b",
    "{{ 7 * 7 }}",
    "\u202eevil",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_shown(challenge: Challenge, gate: Callable[..., Judged], name: str) -> None:
    folder = f"{TRACK}/{name}"
    with challenge.pull_request("pr"):
        (challenge.submit(folder) / "submission.json").unlink()
        challenge.write(f"{name} outside", "x\n")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (1, {printable(folder): "ineligible"})
    assert judged.of("P104")[0].properties["file"] == printable(f"{name} outside")
    assert judged.of("P101")[0].properties["file"] == printable(f"{folder}/submission.json")
    assert not [c for c in judged.commands if "owned" in c.properties.get("title", "") or c.message == "owned"]
    assert len(judged.commands) == judged.output.count("\n") - 1
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in judged.sarif["runs"][0]["results"]}
    assert f"{folder}/submission.json" in map(unquote, uris)
    for shown in (judged.output, judged.comment, judged.summary, judged.page, judged.told):
        assert harmless(shown)
    assert rendered(judged.comment).tags <= {"! pgolf-check ", "h2", "h3", "p", "ul", "li", "ol", "strong", "code"}
    assert not {"script", "img", "a"} & Tags(judged.page).tags
    assert "{{ 7 * 7 }}" in judged.page or "7 * 7" not in name


README = """# Record
<script>alert(1)</script> ![x](http://evil/y) [click](javascript:z) @someone closes #1
::error file=train_gpt.py,line=1::owned
##[error]owned
\x1b[2J\x1b[31mgone
```
A=1 torchrun --nproc_per_node=8 train_gpt.py ; ::error::owned
```
"""


def test_a_hostile_readme_metadata_and_source_are_only_shown(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    owned = "x\n::error::owned\n##[error]owned <script>alert(1)</script> \x1b[31m"
    with challenge.pull_request("pr"):
        folder = challenge.submit(NEW)
        (folder / "README.md").write_text(README, encoding="utf-8")
        data = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
        strings = {key: owned for key, value in data.items() if isinstance(value, str)}
        (folder / "submission.json").write_text(json.dumps({**data, **strings, "val_bpb": owned, owned: owned}), encoding="utf-8")
        (folder / "train_gpt.py").write_text(f"# {owned!r}\nimport {'x' * 50}\nif True\n  '::error::owned'\n", encoding="utf-8")
    judged = gate()
    assert judged.exit_code == 1
    assert {command.name for command in judged.commands} <= {"error", "warning", "notice"}
    assert len(judged.commands) == judged.output.count("\n") - 1
    assert all(harmless(shown) for shown in (judged.output, judged.comment, judged.page, judged.told))
    assert not {"script", "img", "a"} & (Tags(judged.page).tags | rendered(judged.comment).tags)


def test_nothing_of_a_pull_request_runs(challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    touch = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        for name in (
            "train_gpt.py",
            "sitecustomize.py",
            "usercustomize.py",
            "conftest.py",
            "setup.py",
            "torch.py",
            "pgolf_check.py",
        ):
            challenge.write(f"{NEW}/{name}", touch)
            challenge.write(name, touch)
        challenge.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
        challenge.write(f"{NEW}/.gitattributes", "* filter=evil diff=evil\n")
        challenge.write(".gitmodules", f'[submodule "x"]\n path = x\n url = ext::touch {mark}\n update = !touch {mark}\n')
        challenge.write(f"{NEW}/run.sh", f"touch {mark}\n")
    for kind in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.evil.command", "core.fsmonitor"):
        challenge.git("config", kind, f"touch {mark}")
    before = challenge.git("status", "--porcelain=v2", "--branch") if not mark.exists() else ""
    mark.unlink(missing_ok=True)
    judged = gate()
    assert judged.exit_code == 1
    assert not mark.exists()
    assert challenge.git("-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch") == before


def waivers(path: Path, *entries: str) -> str:
    path.write_text("".join(f"[[waiver]]\n{entry}\n" for entry in entries), encoding="utf-8")
    return str(path)


OUTSIDE = 'code = "P104"\npath = "train_gpt.py"\nreason = "asked for in review"\n'


def test_waivers_are_obeyed_and_told(challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        challenge.write("train_gpt.py", "print('faster')\n")
    unused = 'code = "T101"\npath = "records/track_10min_16mb/Elsewhere"\nreason = "ten steps more"\nexpires = 2026-06-01'
    file = waivers(tmp_path / "w.toml", OUTSIDE + "expires = 2026-05-02", unused)
    judged = gate("--waivers", file, *TODAY)
    assert (judged.exit_code, judged.verdicts) == (0, {NEW: "clean"})
    assert "asked for in review" in judged.of("P104", "notice")[0].message
    told = [c.message for c in judged.commands if c.properties["title"] == "waiver"]
    assert len(told) == 1 and told[0].startswith("a waiver was not used: T101") and "ten steps more" in judged.comment
    assert (
        "a waiver was not used" in judged.told
        and "a waiver was not used" in gate("--waivers", file, *TODAY, "--format", "json").told
    )
    expired = gate("--waivers", waivers(tmp_path / "w.toml", OUTSIDE + "expires = 2026-05-01"), *TODAY)
    assert expired.exit_code == 1
    assert [c.message[:20] for c in expired.commands if c.properties["title"] == "waiver"] == ["a waiver has expired"]


def test_a_waiver_by_fingerprint_holds_for_that_finding(challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        challenge.write("train_gpt.py", "print('faster')\n")
    results = gate().sarif["runs"][0]["results"]
    name = next(r for r in results if r["ruleId"] == "P104")["partialFingerprints"]["pgolfFinding/v1"].partition(":")[0]
    entry = f'code = "P104"\nfingerprint = "{name}"\nreason = "read"\nexpires = 2026-06-01'
    assert gate("--waivers", waivers(tmp_path / "w.toml", entry), *TODAY).exit_code == 0
    other = entry.replace(name, "0" * 32)
    assert gate("--waivers", waivers(tmp_path / "w.toml", other), *TODAY).exit_code == 1


@pytest.mark.parametrize("option", ["--waivers", "--edition"])
def test_a_file_of_the_pull_request_is_refused(challenge: Challenge, gate: Callable[..., Judged], option: str) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        waivers(challenge.path / "w.toml", OUTSIDE + "expires = 2027-01-01")
    challenge.git("checkout", "-q", "pr")
    judged = gate(option, str(challenge.path / "w.toml"))
    assert judged.exit_code == 2
    assert "comes from the pull request" in judged.told


def test_a_file_that_the_pull_request_only_would_change_is_the_reviewers(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    file = waivers(challenge.path / "w.toml", OUTSIDE + "expires = 2027-01-01")
    challenge.commit()
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
        challenge.write("w.toml", "")
    judged = gate("--waivers", file, *TODAY)
    assert [c.properties["file"] for c in judged.of("P104")] == ["w.toml"]


def test_too_many_folders_are_refused(challenge: Challenge, gate: Callable[..., Judged]) -> None:
    with challenge.pull_request("pr"):
        for number in range(51):
            challenge.write(f"{TRACK}/{number}/README.md", "x\n")
    judged = gate()
    assert (judged.exit_code, judged.verdicts) == (2, {".": "review"})
    assert "51 submissions" in judged.of("not judged")[0].message and "51 submissions" in judged.comment


def test_a_file_that_cannot_be_written_is_told(challenge: Challenge, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--base", "main", "--repo", str(challenge.path), "--sarif", str(tmp_path / "missing" / "x")]
    assert main(["gate", *where]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_summary_is_appended_to(challenge: Challenge, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("before\n", encoding="utf-8")
    main(["gate", "--base", "main", "--repo", str(challenge.path), "--summary", str(summary)])
    assert re.match(r"before\n<!-- pgolf-check -->\n## pgolf-check: review\n", summary.read_text(encoding="utf-8"))


def test_git_is_not_led_elsewhere_by_the_environment(
    challenge: Challenge, gate: Callable[..., Judged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with challenge.pull_request("pr"):
        challenge.submit(NEW)
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert gate().exit_code == 0
