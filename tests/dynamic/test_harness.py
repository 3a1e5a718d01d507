"""The harness: controls through the stand-ins, the attention against brute force, what a printed loss proves, what could not run."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
import torch
from uncontained import run

from pgolf_check.dynamic.harness import calibration, trial
from pgolf_check.dynamic.harness.configuration import STREAM, Configuration, Probe, colliding, first_configuration, on_stream
from pgolf_check.dynamic.harness.tokenizer import PIECE_BYTES, model_bytes
from pgolf_check.dynamic.shard import draw
from pgolf_check.errors import UserError

FIRST = first_configuration(Probe.EVALUATION)


def test_the_legal_control_shows_nothing_and_the_leaking_one_is_convicted() -> None:
    calibration.check_controls(run)


def test_nothing_is_judged_where_a_control_fails() -> None:
    def broken(*_: object) -> trial.Ended:
        return trial.Ended(1, "", "Traceback\nImportError: no torch\n")

    with pytest.raises(UserError, match=r"legal.py could not be run here.*ImportError: no torch"):
        calibration.check_controls(broken)

    def leaks_always(*_: object) -> trial.Ended:
        return trial.Ended(0, "final_int8_zlib_roundtrip_exact val_loss:5.12345678 val_bpb:1.45000000\n", "")

    with pytest.raises(UserError, match=r"legal.py shows .* nothing was expected"):
        calibration.check_controls(leaks_always)


def test_a_script_that_states_no_loss_could_not_be_run_and_every_reason_is_told() -> None:
    tried = trial.try_script("train_gpt.py", {"train_gpt.py": b"raise RuntimeError('odd shape')"}, Probe.TRAINING, run)
    assert tried.ran is None and tried.evidence is None
    assert len(tried.reasons) == 3 and all("odd shape" in reason for reason in tried.reasons)


def test_a_run_that_stops_after_its_first_loss_is_said_to_be_cut_short() -> None:
    line = "final_int8_zlib_roundtrip_exact val_loss:6.93147181 val_bpb:1.90000000\n"

    def stopped(*_: object) -> trial.Ended:
        return trial.Ended(137, line, "")

    def whole(*_: object) -> trial.Ended:
        return trial.Ended(0, line, "a warning\n")

    files = {"train_gpt.py": b""}
    first = trial.try_script("train_gpt.py", files, Probe.EVALUATION, stopped)
    assert first.ran is not None and first.cut_short == "stopped with status 137"
    assert trial.try_script("train_gpt.py", files, Probe.EVALUATION, whole).cut_short == ""


def test_what_asks_for_a_gpu_runs_without_one() -> None:
    script = b"""
import torch
torch.compiler.cudagraph_mark_step_begin()
total = torch.compile(lambda each: each.sum(), fullgraph=True)
loss = total(torch.full((3,), 2.5, device="cuda", dtype=torch.bfloat16))
torch.cuda.synchronize()
print(f"final_int8_zlib_roundtrip_exact val_loss:{loss.item():.8f} val_bpb:1.90000000")
"""
    ran = trial.try_script("a.py", {"a.py": script}, Probe.EVALUATION, run)
    assert [stated.loss for stated in ran.stated] == [7.5], ran.reasons


def test_a_loss_convicts_only_below_the_entropy() -> None:
    def evidence(loss: float) -> bool:
        (stated,) = trial.losses(f"final_int8_zlib_roundtrip_exact val_loss:{loss:.8f} val_bpb:1.90000000\n", FIRST)
        return stated.evidence.convicts()

    entropy = math.log(STREAM.alphabet)
    assert not evidence(entropy) and not evidence(entropy - 1e-3)
    assert evidence(entropy - 5e-3)
    assert trial.losses("final val_loss:5.12 val_bpb:1.45\n", FIRST) == ()


def test_bits_per_byte_count_only_where_every_symbol_is_a_word_and_no_shard_tells_the_bytes() -> None:
    few = on_stream(FIRST, colliding(STREAM, settable=True))
    chance = math.log2(few.layout.alphabet) / PIECE_BYTES

    def stated(bpb: float, of: Configuration = few) -> tuple[trial.Stated, ...]:
        return trial.losses(f"final_mixture val_bpb:{bpb:.8f}\n", of)

    assert not stated(0.7 * chance)[0].evidence.convicts() and stated(0.6 * chance)[0].evidence.convicts()
    assert stated(0.6 * chance, FIRST) == ()
    assert stated(0.6 * chance, replace(few, splits=("train", "val", "val_bytes"))) == ()


def test_a_loss_is_taken_where_it_is_stated_in_most_digits() -> None:
    name = "final_int8_zlib_roundtrip"
    lines = [f"{name} val_loss:6.9315 val_bpb:1.9000", f"{name}_exact val_loss:6.93147181 val_bpb:1.90000000"]
    assert [each.text for each in trial.statements("\n".join(lines))] == lines[1:]
    assert [each.text for each in trial.statements(lines[0])] == lines[:1]
    assert trial.statements(f"{name} val_loss:6.9 val_bpb:1.9") == trial.statements("") == ()


def test_a_loss_in_another_unit_convicts_nobody() -> None:
    per_byte = math.log(STREAM.alphabet) / PIECE_BYTES
    line = f"final_int8_zlib_roundtrip_exact val_loss:{per_byte:.8f} val_bpb:{per_byte / math.log(2):.8f}\n"
    (stated,) = trial.losses(line, FIRST)
    assert stated.loss > math.log(STREAM.alphabet) and not stated.evidence.convicts()


def test_terse_lines_count_where_there_are_no_others_but_not_those_of_the_training() -> None:
    terse = "s:6/6 vl:6.1000 bpb:1.8\ndiag vl:6.1000 bpb:1.8\nngram_x vl:6.20281339 bpb:0.94389363\n"
    assert [stated.loss for stated in trial.losses(terse, FIRST)] == [6.20281339]
    usual = "final_int8_zlib_roundtrip_exact val_loss:6.90000000 val_bpb:1.90000000\n"
    assert trial.losses(terse + usual, FIRST)[-1].loss == 6.9


def test_whoever_knows_how_documents_begin_scores_no_token_of_few_symbols_below_the_entropy() -> None:
    layout = on_stream(FIRST, colliding(STREAM, settable=True)).layout
    tokens = draw(layout, 7)
    begins = tokens == layout.bos
    chance = np.where(np.roll(begins, 1), 0.0, 1 / layout.document_tokens)
    known = np.where(begins, chance, (1 - chance) / layout.alphabet)[1:]
    assert begins[0] and not (begins[1:] & begins[:-1]).any() and 10 < begins.sum() < 80
    assert (-np.log(known) >= math.log(layout.alphabet)).all() and layout.random == len(known)


def test_a_file_may_not_leave_the_folder_of_the_run() -> None:
    with pytest.raises(ValueError, match="leads out"):
        trial.try_script("../a.py", {"../a.py": b""}, Probe.EVALUATION, run)


@pytest.mark.parametrize("vocab", [6, 1024, 65536])
def test_sentencepiece_reads_a_tokenizer_of_the_wanted_size(vocab: int) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model_bytes(vocab))
    assert processor.vocab_size() == vocab
    assert processor.is_control(1) and processor.is_unknown(3) and processor.bos_id() == 1
    words = [processor.id_to_piece(i).replace("▁", " ") for i in range(5, vocab)]
    assert {len(word.encode()) for word in words} == {PIECE_BYTES} and len(set(words)) == vocab - 5


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
