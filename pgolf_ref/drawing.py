"""Pictures as PNG files, where matplotlib is installed."""

import io
from pathlib import Path
from typing import Any

from pgolf_ref.files import write_bytes


def canvas(width: float, height: float) -> Any:
    """A figure to draw on, of a size in inches; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_picture(figure: Any, path: Path) -> None:
    """Write what was drawn, whole or not at all; the same drawing gives the same bytes."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=100, metadata={"Software": None})
    write_bytes(path, image.getvalue())
