"""Scripts that unpack themselves: every byte survives in a literal, the script runs as it did, and the checker reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgolf_check.submission.unwrap import unwrap
from pgolf_ref.bundle.pack import packed, written
from pgolf_ref.script import ONE_BYTE, encoded, read_script

EVERY = bytes(range(256))


def ran(script: str) -> Mapping[str, Any]:
    """The names of a script after its run, from the bytes of its file."""
    names: dict[str, Any] = {}
    exec(compile(encoded(script), "train_gpt.py", "exec"), names)
    return names


@given(st.binary())
@example(EVERY)
@example(b"\x000\x008\x00")
@example(b'\'"\\\r\n""')
def test_a_literal_holds_every_byte(data: bytes) -> None:
    text = written(data)
    assert "\n" not in text and ran(f"{ONE_BYTE}found = {text}.encode('l1')")["found"] == data


@pytest.mark.parametrize("with_brotli", [True, False])
def test_a_packed_script_does_what_the_script_does_and_is_read(with_brotli: bool, tmp_path: Path) -> None:
    script = f"import brotli\nfound = {EVERY!r}, 'ä▁'\n" + "".join(f"x{number} = {number**9}\n" for number in range(99))
    form = packed(script, with_brotli=with_brotli)
    assert ran(form)["found"] == (EVERY, "ä▁") and ("brotli" in form) is with_brotli
    file = tmp_path / "train_gpt.py"
    file.write_bytes(encoded(form))
    assert read_script(file) == form and file.stat().st_size == len(form)
    unwrapped = unwrap("train_gpt.py", file.read_bytes(), lambda path: None)
    assert unwrapped.text == script and unwrapped.layers == ("brotli" if with_brotli else "lzma",)


def test_a_script_of_more_characters_is_utf8(tmp_path: Path) -> None:
    file = tmp_path / "train_gpt.py"
    file.write_bytes(encoded("x = 'ä▁'\n"))
    assert read_script(file) == "x = 'ä▁'\n"
