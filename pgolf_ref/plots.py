"""Loss and learning rate of a run over its steps, as a picture beside its log.

Invariant: the picture depends on the figures of the log's JSON lines alone; it appears whole or not at all.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pgolf_ref.drawing import canvas, write_picture
from pgolf_ref.log import events_path

Curve = list[tuple[float, float]]


def picture_path(log: Path) -> Path:
    """Where the picture of a log lies: beside it."""
    return log.with_suffix(".png")


def draw(log: Path) -> bool:
    """Draw the run of a log. False, and no picture, without matplotlib."""
    figure = canvas(8, 6)
    if figure is None:
        return False
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    training, validation, multiples = curves(events_path(log).read_text(encoding="utf-8").splitlines())
    for curve, label, marker in ((training, "training", ""), (validation, "validation", "o")):
        if curve:
            losses.plot(*zip(*curve, strict=True), label=label, marker=marker or None)
    if training or validation:
        losses.legend()
    if multiples:
        rates.plot(*zip(*multiples, strict=True))
    losses.set(title=log.stem, ylabel="loss, nats per token")
    rates.set(xlabel="step", ylabel="learning rates, multiple")
    write_picture(figure, picture_path(log))
    return True


def curves(lines: Sequence[str]) -> tuple[Curve, Curve, Curve]:
    """(step, training loss), (step, validation loss), (step, multiple of the learning rates) in the JSON lines of a log."""
    events = [json.loads(line) for line in lines]
    trained = [event for event in events if event["event"] == "train"]
    validated = [event for event in events if event["event"] == "validation"]
    return (
        [(event["step"], event["loss"]) for event in trained],
        [(event["step"], event["loss"]) for event in validated],
        [(event["step"], event["lr_multiplier"]) for event in trained],
    )
