"""Small grey pictures next to each other, as they are in the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from pages.components.charts.base import CLEAR
from pages.components.charts.scale import plain
from pages.components.lessons.parts.kinds import projected


def tiles(
    images: Sequence[NDArray[Any]], titles: Sequence[str], title: str, columns: int = 4, low: float | None = None
) -> go.Figure:
    """Grey pictures, each under a few words.

    Args:
        images: (h, w) each; colours are averaged.
        titles: one each; a line break stays one.
        title: a sentence.
        columns: pictures in a row.
        low: black; the smallest value of each picture where None, and then its largest is white.

    Returns:
        The figure.
    """
    rows = -(-len(images) // columns)
    grid = make_subplots(
        rows, columns, subplot_titles=[plain(one).replace("\n", "<br>") for one in titles],
        vertical_spacing=0.28 / rows if rows > 1 else 0, horizontal_spacing=0.03,
    )  # fmt: skip
    for k, image in enumerate(images):
        grey = np.asarray(image, float)
        grey = grey.reshape(*grey.shape[:2], -1).mean(2)
        limits = {} if low is None else {"zmin": low, "zmax": low + 255.0}
        drawn = go.Heatmap(z=grey[::-1], colorscale="Greys_r", showscale=False, hoverinfo="skip", **limits)
        grid.add_trace(drawn, k // columns + 1, k % columns + 1)
    grid.update_xaxes(showticklabels=False, showgrid=False, constrain="domain")
    grid.update_layout(title=plain(title), paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, margin={"t": 60, "b": 4, "l": 4})
    projected(grid, 90 + 150 * rows)
    for k in range(len(images)):  # square pixels: every y axis follows its own x axis
        number = "" if k == 0 else str(k + 1)
        grid.layout[f"yaxis{number}"].update(
            showticklabels=False, showgrid=False, scaleanchor=f"x{number}", constrain="domain"
        )
    return grid.update_annotations(font_size=14)
