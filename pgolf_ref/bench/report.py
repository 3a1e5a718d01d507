"""The figures of a bench as Markdown and as JSON, with the command that made them."""

from dataclasses import asdict
from typing import Any

import torch

from pgolf_ref.bench.against import Comparison, Side
from pgolf_ref.bench.measure import Measurement
from pgolf_ref.memory import MIB

SCHEMA = "pgolf-train-bench/1"


def as_figures(command: str, recipe: str, measured: Measurement, compared: Comparison | None) -> dict[str, Any]:
    """Everything, in seconds, bytes and operations."""
    found = {
        "schema": SCHEMA,
        "command": command,
        "recipe": recipe,
        "torch": torch.__version__,
        "measured": {
            **asdict(measured),
            "step_seconds": measured.step_seconds,
            "tokens_per_second": measured.tokens_per_second,
            "share_of_peak": measured.share,
        },
    }
    if compared is not None:
        found["against"] = {**asdict(compared), "ratio": compared.ratio}
    return found


def as_markdown(command: str, recipe: str, measured: Measurement, compared: Comparison | None) -> str:
    """A page: what was measured on what, the figures, the phases, and the comparison."""
    m = measured
    memory = ", ".join(f"{size / MIB:,.0f} MiB {name}" for name, size in m.memory.items())
    lines = [
        f"# `{recipe}`, {m.parameters:,} parameters, on {m.device}",
        "",
        f"`{command}`",
        "",
        f"torch {torch.__version__}, {m.dtype}, attention {m.attention}, {m.ranks} rank(s), {m.tokens:,} tokens per step; medians of "
        f"{len(m.seconds)} steps.",
        "",
        "| figure | value |",
        "|---|---|",
        f"| ms per step | {1000 * m.step_seconds:.1f} ({1000 * min(m.seconds):.1f} to {1000 * max(m.seconds):.1f}) |",
        f"| tokens per second | {m.tokens_per_second:,.0f} |",
        f"| peak of matrix products, as measured here | {m.peak / 1e12:.3f} TFLOP/s per rank |",
        f"| share of it that the model's matrix products use | {m.share:.1%} of {m.flops / 1e12:.4f} TFLOP per step |",
        f"| peak memory | {memory} |",
        "",
        "| phase | ms per step | share |",
        "|---|---|---|",
        *_phases(m),
    ]
    return "\n".join([*lines, *(_against(compared) if compared else [])]) + "\n"


def _phases(m: Measurement) -> list[str]:
    whole = sum(m.phases.values())
    return [f"| {name} | {1000 * seconds:.1f} | {seconds / whole:.1%} |" for name, seconds in m.phases.items()]


def _against(c: Comparison) -> list[str]:
    last = c.first + len(c.reference.seconds) - 1
    shown = sorted({c.first, *(step for step in (5, 10, 20, 50, 100, 200, 500) if c.first < step < last), last})
    losses = [f"| {step} | {_loss(c.reference, step - c.first)} | {_loss(c.other, step - c.first)} |" for step in shown]
    return [
        "",
        f"## Against {c.script}",
        "",
        f"Both took turns step by step on the same shards, {len(c.reference.seconds)} counted steps each. The reference takes "
        f"**{c.ratio:.3f}** of the script's time per step (median of pairs).",
        "",
        "| program | ms per step | peak memory |",
        "|---|---|---|",
        *(
            f"| {name} | {1000 * side.step_seconds:.1f} | {side.memory / MIB:,.0f} MiB |"
            for name, side in (("reference", c.reference), (c.script, c.other))
        ),
        "",
        f"| step | training loss, reference | {c.script} |",
        "|---|---|---|",
        *losses,
    ]


def _loss(side: Side, place: int) -> str:
    loss = side.losses[place]
    return "not told" if loss is None else f"{loss:.4f}"
