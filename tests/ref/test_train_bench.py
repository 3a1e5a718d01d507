"""pgolf-train bench: what is counted and compared, not how fast anything is."""

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from corpora import VOCAB, prepared
from toys import CountingLoader, small, weights

from pgolf_ref.bench import peak
from pgolf_ref.bench.against import Comparison, Side, compare, environment
from pgolf_ref.bench.command import Asked, measured
from pgolf_ref.bench.lockstep import Worker
from pgolf_ref.bench.measure import PHASES, UNTIMED, Stopwatch, measure
from pgolf_ref.bench.report import as_figures, as_markdown
from pgolf_ref.cli import DONE, FAILED, USAGE, main
from pgolf_ref.config import Config, load_recipe
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.train import Trainer, build_model

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"vocab_size": VOCAB, "layers": 2, "dim": 32, "heads": 4, "kv_heads": 2, "mlp_mult": 2}
PLAIN = (
    *(f"model.{name}={value}" for name, value in SHAPE.items()),
    "data.seq_len=16",
    "data.batch_tokens=128",
    "data.slots=4",
    "evaluate.stride=16",
    "run.dtype=float32",
    "run.device=cpu",
    "run.compile=false",
    "run.warmup_steps=0",
)
SCRIPT = """
import os, sys, torch

sys.stdout.write("an announcement of its own\\n")
shard = os.path.join(os.environ["DATA_PATH"], "fineweb_train_000000.bin")
assert os.path.isfile(shard) and os.path.isfile(os.environ["TOKENIZER_PATH"])
assert os.path.isdir(os.path.join(os.environ["DATA_DIR"], "datasets", "fineweb10B_sp" + os.environ["VOCAB_SIZE"]))
weight = torch.nn.Parameter(torch.full((4,), float(os.environ["START"]), device=torch.device("cuda", 0)))
for step in range(1, int(os.environ["ITERATIONS"]) + 1):
    loss = weight.square().mean()
    loss.backward()
    print(f"step:{step}/{os.environ['ITERATIONS']} train_loss:{loss.item():.4f} train_time:1ms")
    with torch.no_grad():
        weight -= 0.1
"""


def plain(*overrides: str) -> Config:
    """The official baseline, a few thousand parameters small."""
    return load_recipe("naive", [*PLAIN, f"data.path={prepared()}", *overrides])


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train_gpt.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


# One program


def test_the_operations_are_those_of_the_formula() -> None:
    """Of a plain transformer: 6 per matrix weight and token, and 12 T d per layer and token for attention over all pairs."""
    found = measure(plain(), World.single("cpu"), 1, 0.5)
    d, kv, length = 32, 16, 16
    layer = d * d * 2 + d * kv * 2 + 2 * d * 2 * d
    assert found.flops == 128 * (6 * (2 * layer + VOCAB * d) + 2 * 12 * length * d)


def test_a_measurement_is_of_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    step = Trainer.step

    def watched(trainer: Trainer, number: int, fraction: float) -> torch.Tensor:
        seen.append(fraction)
        return step(trainer, number, fraction)

    monkeypatch.setattr(Trainer, "step", watched)
    found = measure(plain(), World.single("cpu"), 4, 0.25)
    assert seen == [0.25] * (UNTIMED + 4 + 4)
    assert len(found.seconds) == 4 and found.tokens == 128 and found.ranks == 1 and found.dtype == "float32"
    assert list(found.phases) == [*PHASES, "rest"] and min(found.phases.values()) >= 0
    assert found.phases["forward"] > 0 and found.phases["backward"] > 0 and found.phases["optimizer"] > 0
    assert found.memory["resident"] > 2**20
    assert found.tokens_per_second == 128 / found.step_seconds
    assert found.share == pytest.approx(found.flops / found.step_seconds / found.peak)


def test_tokens_and_operations_are_those_of_the_stage() -> None:
    """In the first half of the run rows are half as long, and a step has half the slots."""
    halves = ("curriculum.lengths=[8]", "curriculum.length_starts=[0.0]", "curriculum.slots=[2]", "curriculum.slot_starts=[0.0]")
    whole, half = (measure(plain(*overrides), World.single("cpu"), 1, 0.25) for overrides in ((), halves))
    assert half.tokens == whole.tokens // 2
    attention = 128 * 2 * 12 * 16 * 32
    assert half.flops == (whole.flops - attention) // 2 + attention // 4


def test_a_step_is_divided_into_its_parts_and_not_changed_by_it() -> None:
    order: list[str] = []

    @contextmanager
    def noted(name: str) -> Iterator[None]:
        order.append(name)
        yield

    config = small("data.batch_tokens=8192", "data.seq_len=512", "evaluate.stride=512", "model.attention.rope_length=512")
    trained = []
    for span in (None, noted):
        model = build_model(config, torch.device("cpu"))
        trainer = Trainer(config, model, CountingLoader(config), World.single("cpu"))
        if span:
            trainer.span = span
        trainer.step(0, 0.0)
        trained.append(weights(model))
    assert order == ["data", "forward", "backward"] * 2 + ["optimizer"]
    assert all(torch.equal(a, b) for a, b in zip(*trained, strict=True))


def test_a_stopwatch_adds_up_the_parts_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, ticks = Stopwatch(torch.device("cpu")), iter([1.0, 3.0, 10.0, 10.5, 20.0, 24.0])
    monkeypatch.setattr("pgolf_ref.bench.measure.time.perf_counter", lambda: next(ticks))
    for name in ("data", "forward", "data"):
        with watch(name):
            pass
    assert watch.seconds == {"data": 6.0, "forward": 0.5}


def test_the_peak_is_that_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 n^3 operations each: here the middle size is the fastest per operation."""
    took = {256: 1.0, 512: 2.0, 1024: 100.0}
    monkeypatch.setattr(peak, "_product", lambda left, right, out: took[len(left)])
    assert peak.matmul_peak(torch.device("cpu"), torch.float32, 0.0) == 2 * 512**3 / 2.0


def test_the_product_that_is_timed_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right, out = torch.randn(5, 5), torch.randn(5, 5), torch.empty(5, 5)
    assert peak._product(left, right, out) > 0
    torch.testing.assert_close(out, left @ right)


# Two programs


def test_both_do_the_same_number_of_steps_in_turns(script: Path) -> None:
    found = compare(plain("run.steps=50"), script, 3, {"START": "1.0"})
    assert found.script == "train_gpt.py" and found.first == 2
    assert found.other.losses == (0.81, 0.64, 0.49)  # of steps 2 to 4; the first is that of the start
    assert len(found.reference.seconds) == len(found.other.seconds) == 3
    assert all(0 < float(loss or 0) < 2 * math.log(VOCAB) for loss in found.reference.losses)
    assert min(found.reference.memory, found.other.memory) > 2**20


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise ValueError('no such\\nthing')", "script ended with status 1 after 0 steps: thing"),
        (SCRIPT.replace("torch.device", "torch.nothing"), "script ended with status 1 after 0 steps: AttributeError"),
        ("print('step:1/9 train_loss:2.0 train_time:1ms')", "script ended with status 0 after 1 steps"),
    ],
)
def test_a_script_that_fails_is_one_sentence(text: str, complaint: str, script: Path) -> None:
    script.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        compare(plain(), script, 3, {"START": "1.0"})


def test_no_process_outlives_its_comparison(tmp_path: Path) -> None:
    code = 'import sys; [print(\'{"seconds": 1, "train_loss": null, "memory": 2}\', flush=True) for _ in sys.stdin]'
    with Worker([sys.executable, "-c", code], os.environ, tmp_path, "worker") as worker:
        assert worker.turn() and worker.turn()
        process = worker._process
    assert process.returncode is not None and worker.seconds == [1, 1] and worker.train_losses == [None, None]


def test_the_script_is_told_the_shape_by_the_official_names(tmp_path: Path) -> None:
    config = plain("run.steps=7", "run.seed_init=3")
    told = environment(config, prepared() / "tokenizer.model", tmp_path)
    assert {name: told[name] for name in ("NUM_LAYERS", "MODEL_DIM", "NUM_HEADS", "NUM_KV_HEADS", "MLP_MULT", "VOCAB_SIZE")} == {
        "NUM_LAYERS": "2",
        "MODEL_DIM": "32",
        "NUM_HEADS": "4",
        "NUM_KV_HEADS": "2",
        "MLP_MULT": "2",
        "VOCAB_SIZE": str(VOCAB),
    }
    assert (told["ITERATIONS"], told["SEED"], told["TRAIN_BATCH_TOKENS"], told["TRAIN_SEQ_LEN"]) == ("7", "3", "128", "16")
    linked = tmp_path / "data" / "tokenizers" / f"fineweb_{VOCAB}_bpe.model"
    assert linked.read_bytes() == (prepared() / "tokenizer.model").read_bytes()


def test_the_ratio_is_the_median_over_pairs() -> None:
    sides = (Side(seconds, (1.0, None, 2.0), 5) for seconds in ((1.0, 9.0, 2.0), (2.0, 3.0, 2.0)))
    assert Comparison("a.py", *sides).ratio == 1.0


# The verb


def test_the_verb_writes_markdown_and_json(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--recipe", "naive", *(f"--set={value}" for value in PLAIN), "--data", str(prepared()), "--steps", "2"]
    command += ["--against", str(script), "--env", "START=2.0", "--out", str(tmp_path / "out"), "--format", "json"]
    assert main(command) == DONE
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads((tmp_path / "out" / "bench.json").read_text())
    assert figures["schema"] == "pgolf-train-bench/1" and figures["measured"]["tokens"] == 128
    assert figures["against"]["other"]["losses"] == [3.61, 3.24]
    page = (tmp_path / "out" / "bench.md").read_text()
    assert page.startswith("# `naive`, ") and "## Against train_gpt.py" in page and "| 3 | " in page and "3.2400 |" in page
    assert all(f"| {name} | " in page for name in (*PHASES, "rest", "tokens per second", "peak memory"))


def test_a_page_without_a_comparison_has_none() -> None:
    found, compared = measured(Asked(plain(), 1, 0.5), World.single("cpu"), lambda stage, detail: None)
    assert compared is None and "Against" not in as_markdown("pgolf-train bench", "naive", found, None)
    assert "against" not in as_figures("pgolf-train bench", "naive", found, None)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--against", "nowhere.py"], FAILED, "no script nowhere.py"),
        (["--env", "START"], USAGE, "must read NAME=VALUE"),
        (["--data", "nowhere"], FAILED, "no data folder"),
        (["--steps", "0"], USAGE, "--steps"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--recipe", "naive", *(f"--set={value}" for value in PLAIN), "--data", str(prepared())]
    assert main([*command, *arguments]) == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_several_ranks_are_measured_but_not_compared(script: Path) -> None:
    with pytest.raises(UserError, match="without torchrun"):
        measured(Asked(plain(), 1, 0.5, script), World(0, 2, torch.device("cpu")), lambda stage, detail: None)
