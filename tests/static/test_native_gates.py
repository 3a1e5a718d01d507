"""What becomes of a C function's outputs: thresholds and weights that switch a gate off, scores that it divides, files between processes."""

from __future__ import annotations

import pytest
from abstract_runs import ran

from pgolf_check.static.facts import StaticRun

C_SOURCE = '''
import ctypes

SOURCE = r"""
void hints(const long *tokens, const double *nll, const int *lut, long n, double *gate, double *out) {
    for (long i = 0; i < n; i++) {
        long t = tokens[i];
        gate[i] = lut[t] > 3 ? 0.5 : 0.1;
        out[0] += LINE
    }
}
"""
lib = ctypes.CDLL("hints.so")
targets = y[:512].numpy()
nll = F.cross_entropy(model(x[:512]), y[:512], reduction="none").detach().numpy()
gate, out, lut = np.zeros(512), np.zeros(1), np.zeros(1024, dtype=np.int32)
'''
CALL = """
lib.hints(targets, SCORES, lut, 512, gate, out)
opened = gate > THRESHOLD
kept = np.ones(512)
kept[opened] = KEPT
loss = nll.mean() - (opened * gate * WEIGHT).mean()
print(f"final val_bpb:{loss.item():.4f}")
"""


def called(threshold: str, weight: str, kept: str) -> StaticRun:
    call = CALL.replace("THRESHOLD", threshold).replace("WEIGHT", weight).replace("KEPT", kept).replace("SCORES", "np.zeros(512)")
    return ran(C_SOURCE.replace("LINE", "1.0;") + call)


@pytest.mark.parametrize(
    ("threshold", "weight", "kept", "off"),
    [
        ("0.4", "0.7", "0.5", False),
        ("99.0", "0.7", "0.5", True),
        ("0.4", "0.0", "0.5", True),
        ("0.4", "0.7", "0", True),
        ("2", "0.7", "0.5", False),
    ],
)
def test_a_gate_may_be_off_by_its_threshold_or_weight(threshold: str, weight: str, kept: str, off: bool) -> None:
    run = called(threshold, weight, kept)
    assert run.claim is not None
    assert {m.kind for m in run.claim.mixtures} == {"gate"}
    assert run.gates_off is off


FILE = """
targets.tofile("part.tmp")
nll.tofile("scores.tmp")
os.replace("part.tmp", f"{os.getcwd()}/part_{os.getpid()}.bin")
kept = np.fromfile(os.path.join(os.getcwd(), "part_0.bin"), dtype=np.int64)
scores = np.fromfile("scores.tmp", dtype=np.float64)
lib.hints(kept, scores, lut, 512, gate, out)
print(f"final val_bpb:{out[0]:.4f}")
"""


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("exp(-nll[i] / (double)lut[t]);", {"shared", "gate"}),
        ("exp(-nll[i]);", {"native"}),
        ("exp(-nll[i] / 2.0);", {"native"}),
    ],
)
def test_scores_and_tokens_reach_c_code_through_files(line: str, kinds: set[str]) -> None:
    run = ran(C_SOURCE.replace("LINE", line) + FILE)
    assert run.claim is not None
    assert {m.kind for m in run.claim.mixtures} == kinds
