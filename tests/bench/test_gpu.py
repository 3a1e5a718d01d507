"""bench/gpu.sh runs from end to end: on a CPU, with small shapes and a stand-in for both scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

from corpora import VOCAB, prepared
from test_train_bench import SCRIPT

ROOT = Path(__file__).resolve().parents[2]
TINY = (f"model.vocab_size={VOCAB}", "model.dim=64", "data.seq_len=32", "data.batch_tokens=256", "evaluate.stride=32")


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    flags = " ".join(["--env START=2.0", *(f"--set {value}" for value in TINY)])
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "OMP_NUM_THREADS": "1",
        "SMALL": "1",
        "STEPS": "2",
        "FLAGS": flags,
        **variables,
    }
    command = [str(ROOT / "bench" / "gpu.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_both_recipes_are_measured_against_their_scripts(tmp_path: Path) -> None:
    script, out = tmp_path / "train_gpt.py", tmp_path / "out"
    script.write_text(SCRIPT, encoding="utf-8")
    done = run(script, script, prepared(), prepared(), out)
    assert done.returncode == 0, done.stderr
    for recipe in ("naive", "sp8192"):
        figures = json.loads((out / recipe / "bench.json").read_text())
        assert figures["recipe"] == recipe and figures["measured"]["tokens"] == 256
        assert figures["against"]["other"]["losses"] == [3.61, 3.24]
    page = (out / "gpu.md").read_text()
    assert page.startswith("# The reference on a GPU\n") and "**No GPU was at hand.**" in page
    assert page.count("\n## `") == 2 and page.count("\n### Against train_gpt.py") == 2


def test_a_failure_leaves_no_page(tmp_path: Path) -> None:
    done = run(tmp_path / "none.py", tmp_path / "none.py", prepared(), prepared(), tmp_path / "out")
    assert done.returncode == 1 and "no script" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "gpu.md").exists()


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("usage: bench/gpu.sh")
