"""Four pictures of where losses lie, in one file: by place, by length of the document, by class of the token, and calibration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgolf_ref.drawing import canvas, write_picture
from pgolf_ref.errors import UserError
from pgolf_ref.inspection.losses import CLASS, EXPECTATION, LENGTH, PLACE, Group

TITLES = {
    PLACE: "by place in the document",
    LENGTH: "by length of the document",
    CLASS: "by class of the token",
    EXPECTATION: "calibration: loss against what the distribution expected",
}


def draw(groups: Sequence[Group], path: Path) -> None:
    """Write the pictures as PNG. UserError without matplotlib."""
    figure = canvas(12, 8)
    if figure is None:
        raise UserError("pictures need matplotlib; install it, or leave --picture out")
    panels = figure.subplots(2, 2).flat
    for panel, (what, title) in zip(panels, TITLES.items(), strict=True):
        own = [group for group in groups if group.what == what]
        if what == EXPECTATION:
            _against_expectation(panel, own)
        else:
            panel.bar(range(len(own)), [group.loss for group in own])
            panel.set_xticks(range(len(own)), [group.label for group in own], rotation=60, ha="right")
        panel.set(title=title, ylabel="nats per token")
    write_picture(figure, path)


def _against_expectation(panel: Any, groups: Sequence[Group]) -> None:
    """A calibrated model lies on the diagonal."""
    expected, lost = [group.expected for group in groups], [group.loss for group in groups]
    end = max(expected, default=1.0)
    panel.plot([0, end], [0, end], linestyle="--", color="grey")
    panel.plot(expected, lost, marker="o")
    panel.set_xlabel("expected nats per token")
