"""The harness: controls through the stand-ins, the attention against brute force, what a printed loss proves, what could not run."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import sentencepiece
import torch

from pgolf_check.dynamic.harness import calibration, trial
from pgolf_check.dynamic.harness.configuration import STREAM, Probe
from pgolf_check.dynamic.harness.tokenizer import model_bytes
from pgolf_check.errors import UserError


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> trial.Ended:
    """Without a sandbox: the scripts of these tests are our own."""
    own = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=folder, env={**own, **variables}, capture_output=True, text=True, timeout=120)
    return trial.Ended(done.returncode, done.stdout, done.stderr)


def test_the_legal_control_shows_nothing_and_the_leaking_one_is_convicted() -> None:
    calibration.check_controls(run)


def test_nothing_is_judged_where_a_control_fails() -> None:
    def broken(*_: object) -> trial.Ended:
        return trial.Ended(1, "", "Traceback\nImportError: no torch\n")

    with pytest.raises(UserError, match=r"legal.py could not be run here.*ImportError: no torch"):
        calibration.check_controls(broken)

    def leaks_always(*_: object) -> trial.Ended:
        return trial.Ended(0, "final_int8_zlib_roundtrip_exact val_loss:5.12345678 val_bpb:2.50000000\n", "")

    with pytest.raises(UserError, match=r"legal.py shows .* nothing was expected"):
        calibration.check_controls(leaks_always)


def test_a_script_that_states_no_loss_could_not_be_run_and_every_reason_is_told() -> None:
    tried = trial.try_script("train_gpt.py", {"train_gpt.py": b"raise RuntimeError('odd shape')"}, Probe.TRAINING, run)
    assert tried.ran is None and tried.evidence is None
    assert len(tried.reasons) == 3 and all("odd shape" in reason for reason in tried.reasons)


def test_a_run_that_stops_after_its_first_loss_is_said_to_be_cut_short() -> None:
    line = "final_int8_zlib_roundtrip_exact val_loss:6.93147181 val_bpb:4.00000000\n"

    def stopped(*_: object) -> trial.Ended:
        return trial.Ended(137, line, "")

    def whole(*_: object) -> trial.Ended:
        return trial.Ended(0, line, "a warning\n")

    files = {"train_gpt.py": b""}
    first = trial.try_script("train_gpt.py", files, Probe.EVALUATION, stopped)
    assert first.ran is not None and first.cut_short == "stopped with status 137"
    assert trial.try_script("train_gpt.py", files, Probe.EVALUATION, whole).cut_short == ""


def test_a_loss_convicts_only_below_the_entropy() -> None:
    def evidence(loss: float) -> bool:
        (stated,) = trial.losses(f"final_int8_zlib_roundtrip_exact val_loss:{loss:.8f} val_bpb:4.00000000\n", STREAM)
        return stated.evidence.convicts()

    entropy = math.log(STREAM.alphabet)
    assert not evidence(entropy) and not evidence(entropy - 1e-3)
    assert evidence(entropy - 5e-3)
    assert trial.losses("final val_loss:5.12 val_bpb:2.51\n", STREAM) == ()


def test_a_file_may_not_leave_the_folder_of_the_run() -> None:
    with pytest.raises(ValueError, match="leads out"):
        trial.try_script("../a.py", {"../a.py": b""}, Probe.EVALUATION, run)


@pytest.mark.parametrize("vocab", [261, 1024, 8192])
def test_sentencepiece_reads_a_tokenizer_of_the_wanted_size(vocab: int) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model_bytes(vocab))
    assert processor.vocab_size() == vocab
    assert processor.is_byte(4) and processor.is_control(1) and processor.is_unknown(3) and processor.bos_id() == 1
    assert processor.decode(processor.encode("ab c")) == "ab c"


@pytest.mark.parametrize("causal", [True, False])
def test_packed_attention_is_that_of_each_sequence_by_itself(causal: bool) -> None:
    attention = _stand_in("attention")
    torch.manual_seed(0)
    q, k, v = torch.randn(7, 4, 8), torch.randn(7, 2, 8), torch.randn(7, 2, 8)
    bounds = torch.tensor([0, 3, 7], dtype=torch.int32)
    out = attention.packed(q, k, v, bounds, bounds, 4, 4, causal=causal)
    for start, end in ((0, 3), (3, 7)):
        for query in range(start, end):
            for head in range(4):
                keys = range(start, query + 1 if causal else end)
                scores = torch.stack([q[query, head].double() @ k[key, head // 2].double() for key in keys]) / math.sqrt(8)
                expected = scores.softmax(0) @ v[list(keys), head // 2].double()
                torch.testing.assert_close(out[query, head].double(), expected, atol=1e-5, rtol=1e-5)


def _stand_in(name: str):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(name, trial.LAUNCHER.with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
