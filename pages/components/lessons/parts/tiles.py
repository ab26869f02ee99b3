"""Small grey pictures next to each other, as they are in the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts.base import CLEAR
from pages.components.charts.panels import multiples
from pages.components.charts.scale import plain
from pages.components.lessons.parts.kinds import projected

CROWDED = 8  # pictures in a row from which they are thumbnails


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
    """
    grid, places = multiples(titles, columns, 0.03)
    for image, place in zip(images, places, strict=True):
        grey = np.asarray(image, float)
        grey = grey.reshape(*grey.shape[:2], -1).mean(2)
        limits = {} if low is None else {"zmin": low, "zmax": low + 255.0}
        grid.add_trace(
            go.Heatmap(z=grey[::-1], colorscale="Greys_r", showscale=False, hoverinfo="skip", **limits), *place
        )
    hidden = {"showticklabels": False, "showgrid": False, "constrain": "domain"}
    grid.update_xaxes(**hidden).update_yaxes(**hidden)
    grid.for_each_yaxis(lambda axis: axis.update(scaleanchor=axis.anchor))  # square pixels
    grid.update_layout(title=plain(title), paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, margin={"t": 60, "b": 4, "l": 4})
    return projected(grid, 90 + (150 if columns < CROWDED else 82) * places[-1][0]).update_annotations(font_size=14)
