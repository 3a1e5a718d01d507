"""The re-run: what a run writes and states against the claim, the replay of a ledger against its order, exit codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.cli import main
from pgolf_check.dynamic.rerun.declared import declared_launch
from pgolf_check.dynamic.rerun.replay import BrokenReplay, read_replay
from pgolf_check.dynamic.shard import shard_bytes
from pgolf_check.submission.load import load

TOKENS = np.arange(9, dtype=np.uint16)
LEDGER = [
    {"event": "stream", "schema": "pgolf-ledger/1", "tokens": 9, "sha256": hashlib.sha256(TOKENS.tobytes()).hexdigest()},
    {"event": "score", "first": 1, "end": 5, "state": 0, "nats": 3.0, "bytes": 4},
    {"event": "update", "first": 1, "end": 5, "state": 1, "before": 0},
    {"event": "score", "first": 5, "end": 9, "state": 1, "nats": 2.545177444479562, "bytes": 4},
    {"event": "total", "tokens": 8, "bytes": 8, "nats": 5.545177444479562},
]
"""One bit per byte."""
SCRIPT = """\
import os, pathlib, sys
out = pathlib.Path("run")
out.mkdir(exist_ok=True)
assert pathlib.Path("data/fineweb_val_000000.bin").exists()
(out / "model.bin").write_bytes(bytes({size}))
(out / "ledger_seed42.jsonl").write_text({ledger!r})
print("seed:", sys.argv[1:])
print("Serialized model int8+zlib: {size} bytes")
print("final_int8_zlib_roundtrip_exact val_loss:1.38629436 val_bpb:{bpb:.8f}")
{last}
"""


def text(events: list[dict[str, object]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def submission(
    folder: Path,
    *,
    bpb: float = 1.0,
    size: int = 1000,
    claim: float = 1.0,
    written: str = text(LEDGER),
    shipped: str = "",
    last: str = "",
) -> Path:
    """A submission whose script writes a model and a ledger, and the data beside it in `data`."""
    place = folder / "records" / "track_non_record_16mb" / "one"
    place.mkdir(parents=True)
    (place / "train_gpt.py").write_text(SCRIPT.format(bpb=bpb, size=size, ledger=written, last=last))
    (place / "submission.json").write_text(json.dumps({"val_bpb": claim, "seeds": [42], "track": "track_non_record_16mb"}))
    (place / "README.md").write_text("```\npython train_gpt.py --seed 7 --data data --out run\n```\n")
    if shipped:
        (place / "ledger_seed42.jsonl").write_text(shipped)
    (folder / "data").mkdir()
    (folder / "data" / "fineweb_val_000000.bin").write_bytes(shard_bytes(TOKENS))
    return place


def verb(place: Path, *more: str) -> int:
    return main(["rerun", str(place), "--data", str(place.parents[2] / "data"), "--seconds", "30", *more])


def test_what_is_as_claimed_is_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb(submission(tmp_path, shipped=text(LEDGER))) == 0
    out = capsys.readouterr().out
    assert "train_gpt.py --seed=42 --data data --out run" in out
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        [name, "confirmed"] for name in ("run", "score", "size", "ledger", "stream", "sum", "replay")
    ]


LEARNT_FIRST = text([LEDGER[0], LEDGER[2], *LEDGER[1:2], *LEDGER[3:]])
OTHER_STREAM = text([{**LEDGER[0], "sha256": "0" * 64}, *LEDGER[1:]])
WITHOUT_UPDATE = text([*LEDGER[:2], *LEDGER[3:]])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"bpb": 1.2}, "score   contradicted"),
        ({"size": 17_000_000}, "size    contradicted"),
        ({"written": LEARNT_FIRST}, "ledger  contradicted"),
        ({"written": OTHER_STREAM}, "stream  contradicted"),
        ({"bpb": 0.9}, "sum     contradicted"),
        ({"shipped": WITHOUT_UPDATE}, "replay  contradicted"),
        ({"shipped": LEARNT_FIRST}, "replay  contradicted"),
    ],
)
def test_what_is_not_as_claimed_is_contradicted(
    changed: dict[str, object], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb(submission(tmp_path, **changed)) == 1  # type: ignore[arg-type]
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("raise RuntimeError('odd shape')", 2),
        ("raise RuntimeError('Found no NVIDIA driver')", 4),
        ("import time; time.sleep(60)", 2),
    ],
)
def test_a_run_that_fails_is_no_answer(last: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgolf_check.dynamic.sandbox.gpu_devices", lambda: ())
    assert verb(submission(tmp_path, last=last), "--seconds", "3") == code


def test_without_a_score_there_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = submission(tmp_path)
    (place / "train_gpt.py").write_text("print('done')\n")
    assert verb(place) == 2
    assert "the run states none" in capsys.readouterr().out


def test_data_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = submission(tmp_path)
    (tmp_path / "data" / "fineweb_val_000000.bin").unlink()
    assert verb(place) == 2
    assert "no data; expected the folder" in capsys.readouterr().err


def test_processes_and_environment_are_those_of_the_command(tmp_path: Path) -> None:
    place = submission(tmp_path)
    (place / "README.md").write_text("```\nTTT=1 SEED=7 torchrun --standalone --nproc_per_node=8 train_gpt.py\n```\n")
    launch = declared_launch(load(str(place)), 42)
    assert launch.processes == 8 and launch.environment == {"TTT": "1", "SEED": "42"} and launch.arguments == ()
    assert launch.argv[2:] == ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=8", "train_gpt.py")
    (place / "README.md").write_text("no command\n")
    assert declared_launch(load(str(place)), None).argv[2:] == ("train_gpt.py",)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([*LEDGER[:2], LEDGER[1], *LEDGER[2:]], "are scored a second time"),
        ([*LEDGER[:3], LEDGER[4]], "position 5 is not scored"),
        ([*LEDGER[:4], {**LEDGER[4], "nats": 5.0}], "the scores sum to"),
        ([*LEDGER[:4], {**LEDGER[4], "bytes": 9}], "the scores sum to"),
        ([LEDGER[0], {**LEDGER[1], "end": 12}, *LEDGER[3:]], "expected end to be a whole number from 2 to 9"),
        ([LEDGER[0], {**LEDGER[1], "nats": float("nan")}, *LEDGER[3:]], "expected nats to be a number"),
        ([LEDGER[0], {**LEDGER[1], "nats": 10**500}, *LEDGER[3:]], "expected nats to be a number"),
        ([LEDGER[0], {**LEDGER[1], "nats": True}, *LEDGER[3:]], "expected nats to be a number"),
        ([LEDGER[0], {**LEDGER[1], "event": "look"}, *LEDGER[3:]], "expected a score or an update"),
        ([{**LEDGER[0], "tokens": 1 << 40}, *LEDGER[1:]], "expected tokens to be a whole number"),
        (LEDGER[:1], "it has no events"),
        (LEDGER[1:], "expected tokens to be"),
        ([LEDGER[0], {"event": "x" * 2000}, LEDGER[4]], "is longer than"),
    ],
)
def test_a_replay_that_breaks_the_order_is_none(events: list[dict[str, object]], why: str) -> None:
    with pytest.raises(BrokenReplay, match=why):
        read_replay(text(events).encode())


@given(st.binary(max_size=200), st.integers(0, 5))
def test_whatever_is_read_is_a_replay_or_a_reason(junk: bytes, place: int) -> None:
    lines = text(LEDGER).encode().splitlines()
    try:
        read_replay(b"\n".join([*lines[:place], junk, *lines[place:]]))
    except BrokenReplay as error:
        assert str(error)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.data())
def test_chunks_that_are_scored_then_learnt_from_are_in_order(sizes: list[int], data: st.DataObject) -> None:
    bounds = [1, *(1 + int(b) for b in np.cumsum(sizes))]
    events: list[dict[str, object]] = [{"event": "stream", "schema": "pgolf-ledger/1", "tokens": bounds[-1], "sha256": ""}]
    for number, (first, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        events.append({"event": "score", "first": first, "end": end, "state": number, "nats": 0.5, "bytes": 2})
        since = data.draw(st.integers(1, end - 1))
        events.append({"event": "update", "first": since, "end": end, "state": number + 1, "before": number})
    total = {"event": "total", "tokens": bounds[-1] - 1, "bytes": 2 * len(sizes), "nats": 0.5 * len(sizes)}
    assert len(read_replay(text([*events, total]).encode()).acts) == 2 * len(sizes)
    events[1], events[2] = events[2], events[1]
    with pytest.raises(BrokenReplay, match="learnt from before"):
        read_replay(text([*events, total]).encode())
