"""What every chart starts with: an empty figure in the house style, its inks, and the look of a class.

Class colours are Okabe–Ito without the blue and the vermillion that mean helpful and harmful.  Where there are more
classes than colours, colours repeat and shapes differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts.colours import CLASS_COLOURS
from pages.components.charts.scale import plain, plain_lines

SHAPES = (
    "circle", "square", "diamond-tall", "triangle-up", "triangle-down", "cross", "pentagon", "hexagram", "bowtie",
    "star-square",
)  # fmt: skip
INK = "#757C88"  # lines and rings: contrast above 4 on white and on the dark theme
QUIET = "#8F84C4"  # the one series of a chart without classes or scores
CLEAR = "rgba(0,0,0,0)"
CROWD = 2_000  # more points than this are drawn by WebGL
MARGIN = {"l": 4, "r": 8, "t": 12, "b": 4, "pad": 4}


def blank(title: str, x: str, y: str, **layout: Any) -> go.Figure:
    """An empty figure in the house style, transparent for light and dark.

    Titles are plain text; a line break in the title of an axis stays one.
    """
    figure = go.Figure()
    figure.update_layout(
        title=plain(title), xaxis_title=plain_lines(x) or None, yaxis_title=plain_lines(y) or None, paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        margin=MARGIN, height=400, hovermode="closest",
        legend={"orientation": "h", "y": 1.01, "yanchor": "bottom", "x": 0, "title": None},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, exponentformat="power")
    figure.update_yaxes(automargin=True, exponentformat="power")
    return figure.update_layout(**layout)


def scatter_kind(count: int) -> type[go.Scatter] | type[go.Scattergl]:
    """SVG for few points, WebGL for many.  All traces of a figure take the same one: WebGL hides SVG below it."""
    kind: type[go.Scatter] | type[go.Scattergl] = go.Scattergl if count > CROWD else go.Scatter
    return kind


def log_step(values: NDArray[Any]) -> int | str:
    """Plotly's ``dtick`` of a logarithmic axis: whole decades where there is more than one, else 1, 2 and 5 of it."""
    positive = values[values > 0]
    decades = np.log10(positive.max() / positive.min()) if len(positive) else 0.0
    return max(1, round(decades / 6)) if decades >= 1 else "D2"


def class_colour(k: int) -> str:
    """Colour of class k."""
    return CLASS_COLOURS[k % len(CLASS_COLOURS)]


def line(ends: Any, name: str, dash: str, kind: Any = go.Scatter) -> go.Scatter | go.Scattergl:
    """A line through the rows of ``ends`` (k, 2) that does not answer the mouse."""
    return kind(
        x=np.asarray(ends)[:, 0], y=np.asarray(ends)[:, 1], mode="lines", name=plain(name), hoverinfo="skip",
        line={"color": INK, "dash": dash, "width": 2},
    )  # fmt: skip
