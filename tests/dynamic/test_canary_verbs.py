"""Shards of random tokens, and the judgement of the logs of runs that scored them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pgolf_check.cli import main
from pgolf_check.dynamic.shard import HEADER, Layout, draw, read_note
from pgolf_check.errors import UserError

TOKENS, VOCAB = 40_000, 1024
STEP = "step:10/10 val_loss:6.9000 val_bpb:4.1000 train_time:100ms step_avg:10ms\n"


def made(folder: Path, *more: str) -> Path:
    shard = folder / "fineweb_val_000000.bin"
    assert main(["canary", "make-shard", str(shard), "--tokens", str(TOKENS), "--vocab", str(VOCAB), *more]) == 0
    return shard


def judged(folder: Path, loss: str, *more: str, shard: Path | None = None) -> int:
    log = folder / "train.log"
    line = f"final_int8_zlib_roundtrip_exact val_loss:{loss} val_bpb:4.10000000\n"
    log.write_text(STEP + line, encoding="utf-8")
    shard = shard or made(folder)
    return main(["canary", "judge", f"{shard}.json", str(log), *more])


def test_a_shard_holds_what_its_note_says(tmp_path: Path) -> None:
    shard = made(tmp_path, "--document-tokens", "12", "--symbols", "16")
    header, tokens = np.fromfile(shard, dtype="<i4", count=HEADER), np.fromfile(shard, dtype="<u2", offset=4 * HEADER)
    note = read_note(Path(f"{shard}.json"))
    assert list(header[:3]) == [20240520, 1, TOKENS] and len(tokens) == TOKENS
    assert set(tokens[::12]) == {1} and len(set(tokens)) == 17
    assert note.fresh and note.layout.alphabet == 16
    assert note.layout.random == TOKENS - 1 - (tokens[1:] == 1).sum()
    assert (draw(note.layout, int(note.seed, 16)) == tokens).all()


def test_long_documents_of_few_symbols_begin_at_random(tmp_path: Path) -> None:
    shard = made(tmp_path, "--document-tokens", "100", "--symbols", "16")
    tokens, note = np.fromfile(shard, dtype="<u2", offset=4 * HEADER), read_note(Path(f"{shard}.json"))
    begins = np.flatnonzero(tokens == 1)
    assert begins[0] == 0 and np.diff(begins).min() > 1 and len(set(np.diff(begins))) > 50
    assert 300 < len(begins) < 500 and note.layout.random == TOKENS - 1
    assert (draw(note.layout, int(note.seed, 16)) == tokens).all()


def test_shards_differ_and_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = made(tmp_path / "a")
    seed = json.loads(Path(f"{first}.json").read_text())["seed"]
    (tmp_path / "b").mkdir()
    again = made(tmp_path / "b", "--seed", seed)
    assert first.read_bytes() == again.read_bytes()
    assert not read_note(Path(f"{again}.json")).fresh
    assert made(tmp_path).read_bytes() != first.read_bytes()


@pytest.mark.parametrize(
    ("loss", "code", "told"),
    [
        (f"{math.log(VOCAB):.8f}", 3, "acquits nobody"),
        ("6.93226000", 3, "acquits nobody"),
        ("6.92447000", 1, "C100 better-than-chance"),
        ("3.91740000", 1, "C100 better-than-chance"),
    ],
)
def test_a_loss_below_the_entropy_convicts(
    loss: str, code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tmp_path, loss) == code
    assert told in capsys.readouterr().out


def test_a_known_seed_is_no_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, "3.91740000", shard=made(tmp_path, "--seed", "ab12")) == 3
    assert "no evidence" in capsys.readouterr().out


def test_a_bfloat16_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, "6.8750") == 2
    assert "bfloat16" in capsys.readouterr().err


def test_repeated_positions_weaken_the_evidence(tmp_path: Path) -> None:
    assert judged(tmp_path, "6.92447000", "--sliding", "256", "64") == 1
    assert judged(tmp_path, "6.92447000", "--sliding", "4096", "1") == 3


def test_wrong_input_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canary", "judge", str(tmp_path / "none.json"), str(tmp_path / "none.log")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "x.json").write_text("{}")
    assert main(["canary", "judge", str(tmp_path / "x.json"), str(tmp_path / "none.log")]) == 2
    assert "no note of a canary shard" in capsys.readouterr().err
    with pytest.raises(UserError, match="expected 2 to"):
        Layout(100, 10, 50)
