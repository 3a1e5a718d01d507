"""The records folder of a finished set of runs: README, metadata, script, and what the runs have left there.

Invariants: the claim is the mean of the logged scores; the code that was counted is the code that is shipped; submission.json
comes last, so a folder that has one is complete.
"""

import datetime
import statistics
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pgolf_ref.config import Config
from pgolf_ref.files import write_json, write_text
from pgolf_ref.quant.artifact import format_in_words
from pgolf_ref.run import SeedResult, artifact_name, ledger_name, log_name

METADATA, SCRIPT = "submission.json", "train_gpt.py"
RECORD_TRACK, OTHER_TRACK = "track_10min_16mb", "track_non_record_16mb"


@dataclass(frozen=True, slots=True)
class Description:
    """What the figures do not say."""

    name: str
    author: str
    github_id: str
    hardware: str
    record: bool
    dataset: str
    fingerprint: str


def write_submission(out: Path, config: Config, script: str, results: Sequence[SeedResult], about: Description) -> None:
    """Complete the folder in which the runs have left their logs, artifacts and replays."""
    write_text(out / SCRIPT, script)
    write_text(out / "requirements.txt", "\n".join(_requirements(config)) + "\n")
    write_text(out / "README.md", _readme(config, results, about))
    write_json(out / METADATA, _metadata(results, about))


def mean_bpb(results: Sequence[SeedResult]) -> float:
    return round(statistics.fmean(result.val_bpb for result in results), 8)


def _metadata(results: Sequence[SeedResult], about: Description) -> dict[str, Any]:
    several = len(results) > 1
    return {
        "name": about.name,
        "author": about.author,
        "github_id": about.github_id,
        "date": datetime.date.today().isoformat(),
        "track": RECORD_TRACK if about.record else OTHER_TRACK,
        "val_bpb": mean_bpb(results),
        "val_loss": round(statistics.fmean(result.val_loss for result in results), 8),
        "val_bpb_std": round(statistics.stdev(result.val_bpb for result in results), 8) if several else None,
        "seeds": [result.seed for result in results],
        "seed_results": {str(result.seed): _figures(result) for result in results},
        "bytes_total": max(result.artifact_bytes + result.code_bytes for result in results),
        "bytes_code": max(result.code_bytes for result in results),
        "hardware": about.hardware,
        "dataset": about.dataset,
        "fingerprint": about.fingerprint,
    }


def _figures(result: SeedResult) -> dict[str, Any]:
    figures = asdict(result)
    del figures["seed"]
    return {**figures, "bytes_total": result.artifact_bytes + result.code_bytes}


def restore_results(metadata: dict[str, Any]) -> list[SeedResult]:
    """The results in a submission.json of ours."""
    names = {field.name for field in fields(SeedResult)}
    return [
        SeedResult(seed=int(seed), **{name: value for name, value in figures.items() if name in names})
        for seed, figures in metadata["seed_results"].items()
    ]


def _readme(config: Config, results: Sequence[SeedResult], about: Description) -> str:
    rows = "\n".join(
        f"| {r.seed} | {r.val_loss:.8f} | {r.val_bpb:.8f} | {r.artifact_bytes + r.code_bytes} | {r.steps} | {r.train_seconds:.1f} "
        f"| {r.eval_seconds:.1f} | `{log_name(r.seed)}` | `{artifact_name(r.seed)}` | `{ledger_name(r.seed)}` |"
        for r in results
    )
    return _README.substitute(
        name=about.name,
        mean=f"{mean_bpb(results):.8f}",
        rows=rows,
        seed=results[0].seed,
        dataset=about.dataset,
        hardware=about.hardware,
        processes=f"torchrun --standalone --nproc_per_node=8 {SCRIPT}" if about.record else f"python {SCRIPT}",
        format=format_in_words(config),
        codec=config.export.codec,
        requirements=", ".join(_requirements(config)),
        evaluation=_evaluation(config),
    )


def _evaluation(config: Config) -> str:
    e, ttt = config.evaluate, config.ttt
    within = "" if e.layout == "stream" else " within each document"
    told = [
        f"The artifact as read back from its file is scored in windows of {config.data.seq_len} tokens that advance by {e.stride}{within}."
    ]
    if ttt.lora.rank:
        told.append(
            f"Each document has an adapter of its own, of rank {ttt.lora.rank}, that begins alike for all; it trains on every piece of "
            f"{ttt.lora.chunk_tokens} tokens after its score (AdamW, learning rate {ttt.lora.lr}), the last piece excepted."
        )
    if ttt.epochs:
        after = (
            f"After documents {', '.join(map(str, ttt.phases))}" if ttt.phases else f"After each chunk of {ttt.chunk_tokens} tokens"
        )
        what = "all that is scored so far" if ttt.phases else "it"
        told.append(
            f"{after} the model trains on {what}, once it has been scored ({ttt.epochs} epoch(s), learning rate {ttt.lr}); the end of "
            "the split is not trained on."
        )
    if e.tilt_strength:
        told.append("The token that most often followed in what is scored already is made more likely, in closed form.")
    return " ".join(told)


def _requirements(config: Config) -> list[str]:
    packages = {"zstd": ["zstandard"], "brotli": ["brotli"], "smallest": ["brotli", "zstandard"]}
    codec = packages.get(config.export.codec, [])
    return ["torch", "numpy", "sentencepiece", *codec]


_README = string.Template("""\
# $name

Mean of the runs: **val_bpb $mean** on the validation split of `$dataset`. Hardware: $hardware.

| seed | val_loss | val_bpb | code + artifact, bytes | steps | training, s | evaluation, s | log | artifact | ledger replay |
|---|---|---|---|---|---|---|---|---|---|
$rows

## How it is scored

$evaluation Every token of the split but the first is scored exactly once. A scoring ledger fixes a position's distribution before
its target is read, and gives out for training only what has been scored; its replay is kept beside the log.

## The artifact

$format, and compressed with $codec in
a container without pickle. "Code size" in the logs is `train_gpt.py`, which is all of the code.

## Run it

```
$processes --seed $seed --data data --out run
```

Needs: $requirements. `data` is the folder that `pgolf-train prepare` wrote: shards, tokenizer, edition.
""")
