"""What test-time training gives: bits per byte of held-out text for several ways to adapt while it is scored, over three seeds.

    python bench/export_study.py DATA FOLDER > /dev/null      makes the models (or let this make them)
    python bench/ttt_study.py DATA FOLDER > bench/ttt.md      resumable: what is in FOLDER is not computed again
    python bench/ttt_study.py DATA FOLDER --table > bench/ttt.md      of the seeds that are there in whole

The models are those of `export_study`, before quantisation, so that nothing but the adaptation differs. Every way scores each token
before it trains on it, through the ledger, and the order of the text is the same for all.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import export_study

from pgolf_ref.data.dataset import Dataset, open_dataset
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.recipe import learns, score_windows, score_with_ttt
from pgolf_ref.files import write_json
from pgolf_ref.model.gpt import GPT

STRIDE = 64
UNTRAINED = ("ttt.epochs=0",)
SLIDING = (*UNTRAINED, f"evaluate.stride={STRIDE}")
SGD = (*SLIDING, "ttt.epochs=3", "ttt.lr=0.005", "ttt.chunk_tokens=2048", "ttt.batch_rows=4")
DOCUMENTS = (*UNTRAINED, "evaluate.layout=documents", "ttt.lora.rank=8", "ttt.lora.chunk_tokens=32", "ttt.lora.batch_documents=5")
WAYS: dict[str, tuple[str, ...]] = {
    "disjoint windows": (*UNTRAINED, "evaluate.stride=256"),
    "sliding windows": SLIDING,
    "SGD": SGD,
    "SGD, learning rate 0.002": (*SGD, "ttt.lr=0.002"),
    "SGD, learning rate 0.01": (*SGD, "ttt.lr=0.01"),
    "SGD, one epoch": (*SGD, "ttt.epochs=1"),
    "SGD, a tenth of the learning rate at the end": (*SGD, "ttt.lr_floor=0.1"),
    "SGD, the first two blocks frozen": (*SGD, "ttt.lr_scales=['0,1.all=0']"),
    "SGD, three times the rate for `down`, half of it for `up`": (*SGD, "ttt.lr_scales=['down=3', 'up=0.5']"),
    "SGD, hashed bigrams beside": (*SGD, "ttt.hash_rows=4096"),
    "AdamW, one epoch": (*SGD, "ttt.epochs=1", "ttt.optimizer=adamw", "ttt.lr=0.0005"),
    "tilt by n-grams, nothing trained": (*SLIDING, "evaluate.tilt_strength=1.0"),
    "documents apart": (*SLIDING, "evaluate.layout=documents"),
    "documents apart, SGD after 2, 5 and 8 of them": (
        *SGD,
        "evaluate.layout=documents",
        "ttt.phases=[2, 5, 8]",
    ),
    "adapters of rank 8 for each document": (*DOCUMENTS, "ttt.lora.lr=0.001"),
    "the same, SGD after 5 documents": (*DOCUMENTS, "ttt.lora.lr=0.001", "ttt.epochs=1", "ttt.lr=0.005", "ttt.phases=[5]"),
}
BASES = {name: "documents apart" if "document" in name else "sliding windows" for name in WAYS}
"""What each way is compared with: the same text before it, and nothing trained."""
PUBLISHED = {
    "SGD": "-0.0021 (PR 1413), -0.0017 (PR 1493)",
    "SGD, learning rate 0.002": "-0.0025 (PR 549)",
    "documents apart, SGD after 2, 5 and 8 of them": "-0.0008 for three phases (PR 1626)",
}
HEAD = f"""\
# Test-time training

The models of [export.md](export.md) before quantisation (1,491,102 weights, 400 steps), on its 10 held-out files: 41,618 tokens, in chunks of
2,048, windows of 256 with stride {STRIDE}. Each token is scored before anything trains on it. A gain is the difference to sliding
windows, or for the last ways to documents apart, with its standard deviation over the seeds. So short a text says little of one of 40 million
tokens: published gains are those of full-size models. Seconds are of one thread, with other work beside. Made by `bench/ttt_study.py`.

"""


def scored(model: GPT, dataset: Dataset, data: Path, seed: int, overrides: tuple[str, ...]) -> dict[str, float]:
    """Bits per byte and seconds of one way to score."""
    config = export_study.configured(data, seed, *overrides)
    begin = time.perf_counter()
    if learns(config):
        ledger = score_with_ttt(model, dataset, config, World.single())
    else:
        ledger = score_windows(model, dataset, config, config.evaluate.stride, World.single())
    return {"bpb": ledger.total().bpb, "seconds": time.perf_counter() - begin}


def results(data: Path, folder: Path, seed: int) -> dict[str, dict[str, float]]:
    """Of every way by name; each starts with the weights of the training run."""
    path = folder / f"ttt_{seed}.json"
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    dataset = open_dataset(data, export_study.configured(data, seed).model.vocab_size)
    for name, overrides in WAYS.items():
        if name not in found:
            found[name] = scored(export_study.trained(data, folder, seed), dataset, data, seed, overrides)
            write_json(path, found)
            print(seed, name, found[name], file=sys.stderr, flush=True)
    return found


def table(found: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    """Means over the seeds, and the difference to the way that trains nothing."""
    lines = [f"Seeds: {', '.join(map(str, found))}.", "", "| way | bpb | gain | seconds | published |", "|---|---:|---:|---:|---|"]
    for name, base in BASES.items():
        bpb, seconds = (statistics.fmean(one[name][what] for one in found.values()) for what in ("bpb", "seconds"))
        gains = [one[name]["bpb"] - one[base]["bpb"] for one in found.values()]
        spread = f" +- {statistics.stdev(gains):.4f}" if len(gains) > 1 else ""
        gain = f"{statistics.fmean(gains):+.4f}{spread}" if name != base else ""
        lines.append(f"| {name} | {bpb:.4f} | {gain} | {seconds:.0f} | {PUBLISHED.get(name, '')} |")
    return "\n".join(lines)


def whole(folder: Path) -> dict[int, dict[str, dict[str, float]]]:
    """The results of the seeds for which every way is there."""
    kept = {seed: folder / f"ttt_{seed}.json" for seed in export_study.SEEDS}
    found = {seed: json.loads(path.read_text(encoding="utf-8")) for seed, path in kept.items() if path.exists()}
    return {seed: rows for seed, rows in found.items() if rows.keys() >= WAYS.keys()}


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[3:] != ["--table"]:
        for seed in export_study.SEEDS:
            results(data, folder, seed)
    print(HEAD + table(whole(folder)))


if __name__ == "__main__":
    main()
