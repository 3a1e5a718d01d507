"""What each way from weights to an artifact costs: bits per byte on held-out text, bytes and seconds, over three seeds.

    python -m pgolf_ref prepare --corpus stdlib --max-bytes 24000000 --out DATA
    python bench/export_study.py DATA FOLDER > bench/export.md      resumable: what is in FOLDER is not computed again
    python bench/export_study.py DATA FOLDER --table > bench/export.md      of what is there

The tokens of the held-out documents are scored in windows of 256, before quantisation and as read back from each artifact. Calibration
uses 64 rows of 256 tokens. Bytes are of the whole artifact, compressed with brotli; seconds are those of calibration and export.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, load_recipe
from pgolf_ref.data.dataset import Dataset, open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.vocabulary import vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.recipe import score_windows
from pgolf_ref.files import write_json
from pgolf_ref.log import silent
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.sources import source
from pgolf_ref.train import build_model, train

SEEDS = (42, 314, 999)
MODEL = (
    "model.layers=5",
    "model.dim=192",
    "model.heads=6",
    "model.kv_heads=3",
    "model.block.activation=leaky_relu2",
    "model.matrix_init=orthogonal",
    "run.steps=400",
    "run.budget_seconds=0",
    "optim.matrix_lr=0.02",
    "optim.embedding_lr=0.03",
    "optim.scalar_lr=0.02",
    "run.device=cpu",
)
GPTQ = ("export.rounding=['matrix=gptq']",)
EMBEDDING = ("export.rounding=['matrix=gptq', 'embedding=gptq']",)
QRONOS = ("export.scales=['matrix=deviation']", "export.rounding=['matrix=qronos']")
CLIPS = {6: "12.85", 4: "4"}
METHODS: dict[str, tuple[str, ...]] = {
    "round to nearest": (),
    "clip search": ("export.scales=['matrix=search']",),
    "GPTQ": GPTQ,
    "clip search, GPTQ": ("export.scales=['matrix=search']", *GPTQ),
    "SDClip": ("export.scales=['matrix=deviation']",),
    "SDClip, GPTQ": ("export.scales=['matrix=deviation']", *GPTQ),
    "SDClip, GPTQ, embedding too": ("export.scales=['matrix=deviation']", *EMBEDDING),
    "CDQuant": ("export.scales=['matrix=deviation']", "export.rounding=['matrix=cdquant']"),
    "Qronos": QRONOS,
    "Qronos in three passes": (*QRONOS, "export.qronos_passes=3"),
    "SDClip by Hessian, GPTQ": ("export.scales=['matrix=hessian']", *GPTQ),
    "SDClip, GPTQ, LQER": ("export.scales=['matrix=deviation']", *GPTQ, "export.lqer_rank=4"),
    "SDClip, GPTQ, symmetric LQER": (
        "export.scales=['matrix=deviation']",
        *GPTQ,
        "export.lqer_rank=4",
        "export.lqer_form=symmetric",
    ),
}
PUBLISHED = {
    "SDClip, GPTQ, embedding too": "+0.0117 to +0.0124 (PR 1493, chunked)",
    "SDClip, GPTQ, LQER": "+0.0086 to +0.0088 (PR 1855)",
    "calibrated on training": "1.1145 (PR 756: on validation text, sliding)",
    "calibrated on generated": "1.1148",
    "calibrated on random": "1.1165",
    "calibrated on gibbs": "1.11663",
    "Qronos in three passes": "+0.0007 against GPTQ (PR 756)",
    "CDQuant": "+0.0005 against GPTQ (PR 756)",
}
"""Of what models of 36 million weights lose; those of PR 756 are scores."""
HEAD = """\
# From weights to an artifact

A model of 1,491,102 weights (5 blocks of 192 channels, 1,024 tokens, 400 steps of 4,096 tokens of Python's standard library), trained on
the CPU and exported in many ways. Score: bits per byte of 10 held-out files (41,618 tokens, windows of 256). Embeddings: int8. Matrices: int6
with SDClip at 12.85, or int4 at 4 standard deviations. Calibration: 64 rows of 256 tokens. Bytes: the artifact, by brotli. Seconds:
calibration and export, one thread of a machine under heavy other load, so of little meaning. Made by `bench/export_study.py`, which says how.

Qronos rounds one product of the model after another, each for what it gets behind all those before it, rounded: 20 passes over the
calibration. In three passes (PR 756 tells of as many, without code) the products of a third of the model know nothing of each other: all
of them correct for what comes before, as if the others did not.

"""
CALIBRATIONS = ("training", "generated", "random", "gibbs")
BITS = (6, 4)


def ways() -> dict[str, tuple[str, ...]]:
    """Overrides of every way to export, by name."""
    found = {}
    for bits in BITS:
        width = (f"export.matrix_bits={bits}", f"export.clips=['matrix={CLIPS[bits]}']")
        found |= {f"int{bits}: {name}": (*width, *overrides) for name, overrides in METHODS.items()}
        based = (*width, *METHODS["SDClip, GPTQ"])
        found |= {f"int{bits}: calibrated on {name}": (*based, f"export.calibration={name}") for name in CALIBRATIONS}
    return found


def configured(data: Path, seed: int, *overrides: str) -> Config:
    """The study's model on the data of a folder, with the overrides of one way to export it."""
    return load_recipe("tiny", [*MODEL, f"data.path={data}", f"run.seed_init={seed}", f"run.seed_data={seed}", *overrides])


def trained(data: Path, folder: Path, seed: int) -> GPT:
    """The model of a seed, from its file or from a training run that makes the file."""
    config, path = configured(data, seed), folder / f"weights_{seed}.pt"
    known = vocabulary(open_dataset(data, config.model.vocab_size).tokenizer)
    model = build_model(config, torch.device("cpu"))
    if not path.exists():
        result = train(config, Loader(config), Clock(), silent(), vocabulary=known)
        torch.save(result.model.state_dict(), path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    model.load_state_dict(torch.load(path, weights_only=True), strict=False)
    model.use_vocabulary(known)
    return model


def scored(model: GPT, dataset: Dataset, config: Config) -> float:
    """Bits per byte of the held-out text."""
    model.use_vocabulary(vocabulary(dataset.tokenizer))
    return score_windows(model, dataset, config, config.data.seq_len, World.single()).total().bpb


def measured(model: GPT, dataset: Dataset, config: Config) -> dict[str, float]:
    """Of one way to export."""
    begin = time.perf_counter()
    with Clock().phase("calibrate") as phase:
        found = calibrate(model, source(model, Loader(config), config), config, phase, World.single())
    data = export_model(model, config, found)
    seconds = time.perf_counter() - begin
    return {"bpb": scored(load_model(data), dataset, config), "bytes": len(data), "seconds": seconds}


def results(data: Path, folder: Path, seed: int) -> dict[str, dict[str, float]]:
    """Of every way by name, and of the weights themselves."""
    path = folder / f"results_{seed}.json"
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    model, dataset = trained(data, folder, seed), open_dataset(data, configured(data, seed).model.vocab_size)
    if "weights" not in found:
        found["weights"] = {"bpb": scored(model, dataset, configured(data, seed)), "bytes": 0, "seconds": 0}
    for name, overrides in ways().items():
        if name not in found:
            found[name] = measured(model, dataset, configured(data, seed, *overrides))
            write_json(path, found)
            print(seed, name, found[name], file=sys.stderr, flush=True)
    return found


def table(found: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    """Means over the seeds that have a row; the loss against the weights of the same seed, with its standard deviation."""
    lines = [
        *(f"* Seed {seed}: {one['weights']['bpb']:.4f} bpb before quantisation." for seed, one in found.items()),
        "",
        "| way | seeds | lost, bpb | bytes | seconds | published |",
        "|---|---|---|---|---|---|",
    ]
    for name in ways():
        rows = [(one[name], one[name]["bpb"] - one["weights"]["bpb"]) for one in found.values() if name in one]
        if rows:
            lost = [each for _, each in rows]
            spread = f" +- {statistics.stdev(lost):.4f}" if len(lost) > 1 else ""
            size, seconds = (statistics.fmean(row[what] for row, _ in rows) for what in ("bytes", "seconds"))
            told = PUBLISHED.get(name.removeprefix("int6: "), "")
            lines.append(f"| {name} | {len(rows)} | {statistics.fmean(lost):+.4f}{spread} | {size:,.0f} | {seconds:.1f} | {told} |")
    return "\n".join(lines)


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[3:] == ["--table"]:
        kept = {seed: folder / f"results_{seed}.json" for seed in SEEDS}
        found = {seed: json.loads(path.read_text(encoding="utf-8")) for seed, path in kept.items() if path.exists()}
    else:
        found = {seed: results(data, folder, seed) for seed in SEEDS}
    print(HEAD + table(found))


if __name__ == "__main__":
    main()
