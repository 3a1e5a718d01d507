"""Logs of both grammars are read to the same facts, whatever their encoding, prefix and embedded source."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_check.submission.logs import read_log
from pgolf_check.submission.model import Log, Run

RULER = "=" * 100
SOURCE = '"""A trainer."""\nimport torch\nfrom pathlib import Path\n\ndef main():\n    log0(f"final_x val_loss:{a} val_bpb:1.0")\n    return 1\n\nmain()'
A = """val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path=./data/tok.model
train_loader:dataset:fineweb10B_sp1024 train_shards:80
val_loader:shards pattern=./data/val_*.bin tokens:62021632
world_size:8 grad_accum_steps:1
iterations:20000 warmup_steps:20 max_wallclock_seconds:600.000
seed:1337
step:0/20000 val_loss:6.9622 val_bpb:4.1234 train_time:0ms step_avg:0.01ms
step:1/20000 train_loss:8.0069 lr:0.1 train_time:1214ms step_avg:1213.96ms
step:4518/20000 val_loss:2.0 val_bpb:1.2 train_time:600133ms step_avg:132ms
stopping_early: wallclock_cap train_time:600133ms step:4518/20000
DIAGNOSTIC post_ema val_loss:1.9185 val_bpb:1.1362 eval_time:2073ms
gptq:calibrating with training data...
gptq:calibrated 68 layers in 2.1s
Serialized model: 69118949 bytes
Code size: 52440 bytes
Total submission size: 69171389 bytes
Serialized model int8+zlib: 16,507,603 bytes (payload:18118784)
Total submission size int8+zlib: 16560043 bytes
sliding_eval [ 10.6%] 12832/121136 windows running_bpb=1.144500
final_int8_zlib_roundtrip val_loss:2.0649 val_bpb:1.2230 eval_time:1284ms
final_int8_zlib_roundtrip_exact val_loss:2.06492760 val_bpb:1.22296644"""
B = """Hyperparameters:
  data_dir: ./data
  datasets_dir: ./data/datasets/fineweb10B_sp8192
  max_wallclock_seconds: 600.0
  seed: 42
  tokenizer_path: ./tok.model
  ttt_enabled: True
  world_size: 8
train_shards: 128
val_tokens: 40540160
0/20000 val_loss: 6.9280 val_bpb: 4.1032
1/20000 train_loss: 6.9279 train_time: 0.0m tok/s: 8656612
5000/20000 train_loss: 2.9 train_time: 9.0m tok/s: 8656612
stopping_early: wallclock_cap train_time: 590116ms step: 5556/20000
pre-quantization post-ema val_loss:2.79 val_bpb:1.0800 eval_time:5580ms
Serialized model quantized+brotli: 15970000 bytes
Code size (uncompressed): 121884 bytes
Code size (compressed): 27310 bytes
Total submission size quantized+brotli: 15997310 bytes
quantized_ttt_phased val_loss:2.79241542 val_bpb:1.08103103 eval_time:500104ms
total_eval_time:497.5s"""


def log(text: str | bytes, name: str = "train.log") -> Log:
    found = read_log(name, text.encode() if isinstance(text, str) else text)
    assert found is not None
    return found


def test_family_a() -> None:
    (run,) = log(A).runs
    assert (run.seed, run.world_size, run.steps, run.train_seconds, run.stop and run.stop.line) == (1337, 8, 4518, 600.133, 10)
    assert (run.wallclock_cap, run.train_shards, run.val_tokens, run.dataset) == (600.0, 80, 62021632, "fineweb10B_sp1024")
    assert (run.model_bytes, run.code_bytes, run.total_bytes, run.tokenizer_path) == (16507603, 52440, 16560043, "./data/tok.model")
    assert run.config["iterations"] == "20000"
    assert [(f.label, f.val_bpb, f.digits, f.diagnostic, f.eval_seconds) for f in run.finals] == [
        ("DIAGNOSTIC post_ema", 1.1362, 4, True, 2.073),
        ("final_int8_zlib_roundtrip", 1.2230, 4, False, 1.284),
        ("final_int8_zlib_roundtrip_exact", 1.22296644, 8, False, None),
    ]
    assert [c.data for c in run.calibrations] == ["training", ""]
    assert run.complete


def test_family_b() -> None:
    (run,) = log(B).runs
    assert (run.seed, run.world_size, run.steps, run.train_seconds, run.total_eval_seconds) == (42, 8, 5556, 590.116, 497.5)
    assert (run.val_tokens, run.dataset, run.code_bytes, run.total_bytes) == (
        40540160,
        "./data/datasets/fineweb10B_sp8192",
        27310,
        15997310,
    )
    assert run.config["ttt_enabled"] == "True"
    assert [f.diagnostic for f in run.finals] == [True, False]
    assert (run.finals[1].val_loss, run.finals[1].eval_seconds) == (2.79241542, 500.104)


@pytest.mark.parametrize("text", [A, B])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_change_nothing(text: str, encoding: str) -> None:
    assert log(text.replace("\n", "\r\n").encode(encoding)).runs == log(text).runs


@given(
    st.sampled_from(["[rank0]:", "[rank0]: ", "0: ", "[2026-03-25 11:15:28] ", "2026-03-25 11:15:28,123 INFO: "]),
    st.sampled_from([A, B]),
)
@settings(max_examples=10, deadline=None)
def test_prefixes_change_only_columns(prefix: str, text: str) -> None:
    (plain,), (marked,) = log(text).runs, log("\n".join(prefix + line for line in text.split("\n"))).runs
    assert [f.text for f in plain.finals] == [f.text for f in marked.finals]
    assert (plain.seed, plain.train_seconds, plain.total_bytes, plain.config) == (
        marked.seed,
        marked.train_seconds,
        marked.total_bytes,
        marked.config,
    )
    assert {f.location.column for f in marked.finals} == {len(prefix) + 1}


def test_embedded_source_is_split_off_and_lines_stay() -> None:
    found = log(f"{SOURCE}\n{RULER}\n{A}")
    assert found.embedded_source == SOURCE
    assert "import torch" not in found.text
    assert found.runs[0].finals[-1].location.line == SOURCE.count("\n") + 2 + A.count("\n") + 1


def test_embedded_source_between_rulers() -> None:
    head, _, tail = B.partition("train_shards")
    found = log(f"{head}{RULER}\n{SOURCE}\n{RULER}\ntrain_shards{tail}")
    assert found.embedded_source == SOURCE
    assert found.runs[0].config["ttt_enabled"] == "True"
    assert len(found.runs) == 1


def test_appended_runs_with_their_sources() -> None:
    again = A.replace("seed:1337", "seed:42")
    found = log(f"{SOURCE}\n{RULER}\n{A}\n{SOURCE}\n{RULER}\n{again}")
    assert [run.seed for run in found.runs] == [1337, 42]
    assert found.runs[0].last_line < found.runs[1].first_line


def test_runs_are_split_where_steps_start_again() -> None:
    assert [run.steps for run in log(f"{A}\n{A}").runs] == [4518, 4518]
    assert [run.seed for run in log(f"{B}\n{B.replace('seed: 42', 'seed: 7')}").runs] == [42, 7]


def test_logs_are_told_by_content() -> None:
    assert read_log("notes.txt", b"torch\nnumpy\n") is None
    assert read_log("output.txt", A.encode()) is not None
    assert read_log("README.md", A.encode()) is None
    assert log("Traceback (most recent call last):\n").runs == ()


@pytest.mark.parametrize(
    "line",
    ["val_bpb: nan", "final val_bpb:inf", '    log0(f"final val_bpb:{x:.4f} 1.05")', "ttt_chunk [1/4] bpb=1.2", "delta_bpb:0.01"],
)
def test_lines_that_state_no_score(line: str) -> None:
    assert log(line).runs == ()


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_answered(data: bytes) -> None:
    read_log("x.log", data)


def test_a_dump_may_be_interrupted_by_lines_of_another_program() -> None:
    lines = (
        "Hyperparameters:",
        "  adam_wd: 0.02",
        "/bin/bash: libtinfo.so.6: no version information",
        "  gptq_reserve_seconds: 0.5",
    )
    ended = ("=" * 100, "  not_a_setting: 1", "1/2 train_loss: 2.0 train_time: 0.0m tok/s: 9")
    log = read_log("a.log", "\n".join((*lines, *ended)).encode())
    assert log is not None and log.runs[0].config == {"adam_wd": "0.02", "gptq_reserve_seconds": "0.5"}


def test_the_time_of_a_phase_is_no_setting() -> None:
    log = read_log("a.log", b"rope_base:10000\nphase:data seconds:0.012 budget:none\nstep:1/2 train_loss:2.0 train_time:1ms\n")
    assert log is not None and log.runs[0].config == {"rope_base": "10000"}


def only(line: str) -> Run:
    """The one run of a log of two steps that holds this line."""
    log = read_log("a.log", f"step:1/2 train_loss:2.0 train_time:1ms\n{line}\nstep:2/2 train_loss:1.9 train_time:2ms\n".encode())
    assert log is not None and len(log.runs) == 1
    return log.runs[0]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("gptq:calibrating with 64 batches (training data)...", "training"),
        ("full_gptq:collecting Hessians calib_batches=256", ""),
        ("gptq_loop_aware:merged 41 Hessians (16 crawler from phase2)", ""),
        ("gptq:generating autoregressive calibration data (64 seqs x 2048 tokens, temp=0.8)...", "self-generated"),
        ("gptq:using validation data for calibration (256 seqs)", "validation"),
    ],
)
def test_calibration_lines(line: str, data: str) -> None:
    assert [c.data for c in only(line).calibrations] == [data]


@pytest.mark.parametrize(
    "line", ["gptq_calib_batches:256 gptq_hessian:on", "  gptq_calibration_batches: 64", 'log0(f"gptq:calibrating {n}")']
)
def test_settings_are_no_calibration(line: str) -> None:
    assert not only(line).calibrations


@pytest.mark.parametrize(
    "line", ["Validation tokens: 40,540,160", "val_tokens: 40540160", "val_loader:shards pattern=x tokens:40540160"]
)
def test_validation_tokens(line: str) -> None:
    log = read_log("a.log", f"{line}\nstep:1/2 train_loss:2.0 train_time:1ms\n".encode())
    assert log is not None and log.runs[0].val_tokens == 40_540_160


def test_work_outside_the_timers() -> None:
    found = only("ngram_tilt:precompute_outside_timer_done elapsed=164.53s total_targets=47851520").untimed
    assert [u.seconds for u in found] == [164.53]
    assert not only("ngram_tilt:precompute_done elapsed=164.53s").untimed


@pytest.mark.parametrize(
    ("line", "kind", "seconds"),
    [
        ("Serialize: per-group lrzip compression done in 97.8s", "compression", 97.8),
        ("Deserialize: decompression done in 17.2s", "decompression", 17.2),
        ("ngram_tilt:precompute_done elapsed=164.53s total_targets=47851520", "hint precomputation", 164.53),
        ("ttt_lora:compile warmup done (88.8s)", "compile", 88.8),
        ("GPTQ:quantized in 5.1s", "quantisation", 5.1),
        ("quantization:done int6 time=2400ms", "quantisation", 2.4),
    ],
)
def test_phases(line: str, kind: str, seconds: float) -> None:
    assert [(p.kind, p.seconds) for p in only(line).phases] == [(kind, seconds)]


@pytest.mark.parametrize(
    "line", ["quantized val_loss:2.8 val_bpb:1.08 eval_time:80ms", "Serialize: done", "gptq:collected 66 Hessians in 4.3s"]
)
def test_scores_calibration_and_untimed_lines_are_no_phases(line: str) -> None:
    assert not only(line).phases


def test_gates() -> None:
    found = only("ngram_tilt:hints total=9 gated=3 token_gate=2 within_gate=1 word_gate=0 agree2plus=0").gates
    assert [dict(g.counts) for g in found] == [
        {"total": 9, "gated": 3, "token_gate": 2, "within_gate": 1, "word_gate": 0, "agree2plus": 0}
    ]
