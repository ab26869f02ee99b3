"""Parts of the charts of lessons and figures: predicted against measured, curves, clouds with boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts import panels
from pages.components.charts.base import INK, MARGIN, QUIET, SHAPES, blank, class_colour, line
from pages.components.charts.examples import boundary_ends
from pages.components.charts.field import Floats
from pages.components.charts.panels import Pair, Style
from pages.components.charts.scale import DIVERGING, colour_limit, marker_sizes, plain
from pages.components.lessons.parts.kinds import projected
from pages.components.session.door import core

SIGN = "← harmful | helpful →"
SIGNALS = {"self_influence": ("solid", "#009E73"), "loss": ("dash", "#E69F00"), "random": ("dot", INK)}
OTHERS = ("dashdot", QUIET)


def against(
    pairs: Sequence[Pair], title: str, axes: tuple[str, str], height: int = 390, band: float = 0.0
) -> go.Figure:
    """Panels of predicted (y) against measured (x) for a projector."""
    return projected(panels.against(pairs, title, axes, Style(band=band)), height)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of a plane, coloured by score or, without scores, by class; classes are shapes, too.

    Attributes:
        xy: (n, 2).
        y: (n,) class index.
        class_names: c names.
        scores: (n,), or None.
        limit: |score| of the full colours; None for the 99th percentile.
        names: of the points; empty for their numbers.
    """

    xy: Floats
    y: NDArray[Any]
    class_names: tuple[str, ...]
    scores: Floats | None = None
    limit: float | None = None
    names: Sequence[str] = ()


def cloud(points: Cloud, title: str, axes: tuple[str, str] = ("x1", "x2"), height: int = 390) -> go.Figure:
    """The points, strongest on top; boundaries and marks are added by :func:`boundary` and :func:`mark`."""
    figure = blank(title, *axes)
    for trace in cloud_traces(points):
        figure.add_trace(trace)
    figure.update_layout(margin={**MARGIN, "t": 8})
    return projected(figure, height)


def cloud_traces(points: Cloud, bar: bool = True) -> list[go.Scatter]:
    """One trace per class, areas in proportion to |score|; the first carries the colour bar."""
    traces: list[go.Scatter] = []
    for k, name in enumerate(points.class_names):
        rows = np.flatnonzero(points.y == k)
        if not len(rows):
            continue
        if points.scores is not None:
            rows = rows[np.argsort(np.abs(points.scores[rows]), kind="stable")]
        traces.append(_class(points, rows, (k, name), bar and not traces))
    return traces


def _class(points: Cloud, rows: Any, named: tuple[int, str], bar: bool) -> go.Scatter:
    k, name = named
    names = [plain(str(points.names[i])) if len(points.names) else f"training point {i}" for i in rows]
    marker: dict[str, Any] = {"symbol": SHAPES[k % len(SHAPES)], "line": {"width": 0.7, "color": INK}}
    hover = "%{text}<extra></extra>"
    if points.scores is None:
        marker |= {"size": 9, "color": class_colour(k)}
    else:
        limit = points.limit or colour_limit(points.scores)
        marker |= {
            "color": points.scores[rows], "cmin": -limit, "cmax": limit, "colorscale": DIVERGING,
            "size": marker_sizes(points.scores[rows], limit), "showscale": bar,
            "colorbar": {"title": {"text": SIGN, "side": "right"}, "thickness": 12, "exponentformat": "power"},
        }  # fmt: skip
        hover = "%{text}: %{marker.color:.3g}<extra></extra>"
    return go.Scatter(
        x=points.xy[rows, 0], y=points.xy[rows, 1], mode="markers", name=plain(name), text=names, marker=marker,
        hovertemplate=hover,
    )  # fmt: skip


def boundary(figure: go.Figure, theta: Floats, name: str, dash: str = "solid", colour: str | None = None) -> None:
    """Add the line θ₁x1 + θ₂x2 + θ₃ = 0 inside the box of what is drawn so far."""
    low, high = box(figure)
    ends = boundary_ends(theta[:2], -float(theta[2]), low, high)
    if ends is not None:
        trace = line(ends, name, dash)
        if colour:
            trace.line.color = colour
        figure.add_trace(trace)
    figure.update_xaxes(range=[low[0], high[0]]).update_yaxes(range=[low[1], high[1]])


def box(figure: go.Figure) -> tuple[Floats, Floats]:
    """Lower and upper corner of the plane that the points of a figure need, with a margin."""
    points = [np.column_stack([trace.x, trace.y]) for trace in figure.data if trace.mode == "markers"]
    xy = np.concatenate(points).astype(float)
    low, high = xy.min(0), xy.max(0)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def mark(figure: go.Figure, xy: Floats, name: str, symbol: str = "diamond-open", size: int = 20) -> None:
    """Add ringed points (k, 2), such as a diamond around the selected training point."""
    places = np.atleast_2d(np.asarray(xy, float))
    figure.add_trace(
        go.Scatter(
            x=places[:, 0], y=places[:, 1], mode="markers", name=plain(name), hoverinfo="skip",
            marker={"symbol": symbol, "size": size, "color": INK, "line": {"width": 3, "color": INK}},
        )
    )  # fmt: skip


def star(figure: go.Figure, xy: Floats, name: str, colour: str) -> None:
    """Add the test point (2,), which has a class as the training points have."""
    look = {"symbol": "star", "size": 22, "color": colour, "line": {"width": 2, "color": INK}}
    figure.add_trace(go.Scatter(x=xy[:1], y=xy[1:], mode="markers", name=plain(name), hoverinfo="skip", marker=look))


def dot(figure: go.Figure, x: float, y: float, name: str) -> None:
    """Add one large marker with a name: where a slider stands."""
    figure.add_trace(
        go.Scatter(
            x=[x], y=[y], mode="markers", name=plain(name), hovertemplate="%{x:.4g}: %{y:.4g}<extra></extra>",
            marker={"symbol": "circle", "size": 15, "color": "#E69F00", "line": {"width": 2, "color": INK}},
        )
    )  # fmt: skip


def curves(
    lines: Mapping[str, tuple[Floats, Floats]], title: str, axes: tuple[str, str], dashes: Sequence[str] = ()
) -> go.Figure:
    """Lines by name, told apart by dash as well as by shade."""
    shades = (QUIET, INK, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
    figure = blank(title, *axes)
    for k, (name, (x, y)) in enumerate(lines.items()):
        dash = dashes[k] if k < len(dashes) else ("solid", "dash", "dot", "dashdot", "longdash")[k % 5]
        figure.add_trace(
            go.Scatter(
                x=x, y=y, mode="lines", name=plain(name),
                line={"color": shades[k % len(shades)], "dash": dash, "width": 3},
                hovertemplate="%{x:.4g}: %{y:.4g}<extra>" + plain(name) + "</extra>",
            )
        )  # fmt: skip
    figure.update_layout(margin={**MARGIN, "t": 8})
    return projected(figure)


def spread(points: Floats, low: float = 0.0, high: float = 1.0) -> Floats:
    """One number per point from low to high: they look random and are always the same, to lay points apart."""
    return low + (high - low) * np.random.default_rng(0).random(len(points))


def groups(table: pd.DataFrame, column: str) -> list[tuple[Any, pd.DataFrame]]:
    """The values of a column in the order they come, each with its rows."""
    return list(table.groupby(column, sort=False))


def checked(table: pd.DataFrame, column: str, title: str, axis: str) -> go.Figure:
    """One curve per mislabel signal over the share checked, with whiskers where there is an error."""
    drawn = blank(title, "share of the training labels checked", axis)
    for signal, rows in groups(table, "signal"):
        dash, shade = SIGNALS.get(signal, OTHERS)
        known = core.SIGNALS.get(signal)
        name = plain(str(signal if known is None else known.title))
        errors = rows.get(f"{column}_se")
        drawn.add_trace(
            go.Scatter(
                x=rows.checked, y=rows[column], mode="lines+markers", name=name,
                error_y=None if errors is None else {"array": errors, "width": 3, "thickness": 1.5},
                line={"dash": dash, "color": shade, "width": 3}, marker={"size": 7},
                hovertemplate="%{x:.0%} checked: %{y:.3f}<extra>" + name + "</extra>",
            )
        )  # fmt: skip
    drawn.update_xaxes(tickformat=".0%")
    return projected(drawn)
