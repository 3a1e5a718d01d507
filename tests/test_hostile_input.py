"""Submissions that nobody should have to read: each is answered with a sentence or a finding, in bounded time and memory."""

from __future__ import annotations

import base64
import codecs
import lzma
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import BASE

GIBIBYTE = 1 << 30


def script(source: str | bytes) -> Callable[[Path], None]:
    data = source.encode() if isinstance(source, str) else source
    return lambda folder: (folder / "train_gpt.py").write_bytes(data) and None


def bomb(folder: Path) -> None:
    """10 GB of zeros in a script of a few kilobytes."""
    packed = lzma.compress(bytes(1 << 24)) * 640
    wrapped = base64.b85encode(lzma.compress(packed))
    assert len(wrapped) < 12_000
    script(f"import lzma, base64\nexec(lzma.decompress(lzma.decompress(base64.b85decode({wrapped!r}))))\n")(folder)


def logs(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        for log in folder.glob("*.log"):
            log.write_bytes(change(log.read_bytes()))

    return rewrite


def metadata(folder: Path) -> None:
    (folder / "submission.json").write_text('{"name": "x", ')


CASES: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "no bytes": (script(""), 1, "block P101"),
    "50 MB": (script(b"x = 1\n" * 8_400_000), 1, "are not read"),
    "brackets": (script("x = " + "(" * 10_000 + "1" + ")" * 10_000 + "\n"), 1, "brackets nested more than"),
    "signs": (script("x = " + "-" * 100_000 + "1\n"), 1, "signs in a row"),
    "sum": (script("x = " + "+".join("a" * 50_000) + "\n"), 1, "an expression of more than"),
    "elif": (script("if x: pass\n" + "elif x: pass\n" * 30_000), 1, "`elif`"),
    "no text": (script(bytes(range(256)) * 400), 1, "does not parse"),
    "bomb": (bomb, 2, "unpacks to more than"),
    "broken metadata": (metadata, 1, "is not JSON"),
    "UTF-16 log": (logs(lambda data: codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le")), 0, "clean"),
    "BOM": (logs(lambda data: codecs.BOM_UTF8 + data), 0, "clean"),
    "CRLF": (logs(lambda data: data.replace(b"\n", b"\r\n")), 0, "clean"),
}


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_answered(name: str, tmp_path: Path) -> None:
    change, code, told = CASES[name]
    folder = tmp_path / "submission"
    shutil.copytree(BASE, folder)
    change(folder)
    done = judged(str(folder))
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (code, False), done.stdout + done.stderr
    assert told in done.stdout


@pytest.mark.parametrize(("name", "told"), [("missing", "there is no such file or folder"), ("empty", "the folder is empty")])
def test_what_is_no_submission_is_one_sentence(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = judged(str(tmp_path / name))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr


def judged(path: str) -> subprocess.CompletedProcess[str]:
    """The checker in a process of its own that may take 1 GiB, and so may each process that it starts."""
    return subprocess.run(
        [sys.executable, "-m", "pgolf_check", path],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (GIBIBYTE, GIBIBYTE)),
    )
