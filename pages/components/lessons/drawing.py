"""Parts of the charts of lessons and figures: predicted against measured, curves, clouds with boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.examples import CLEAR, INK, MARGIN, QUIET, SHAPES, blank, boundary_ends, line
from pages.components.charts.scale import colour_limit, marker_sizes, plain
from pages.components.lessons.kinds import projected

Floats = NDArray[np.floating[Any]]
NEUTRAL = "#9AA0AC"
# Grey in the middle reads on white and on the dark theme; the sign shows well before the full colour.
DIVERGING = [[0.0, HARMFUL], [0.4, "#C98A5E"], [0.5, NEUTRAL], [0.6, "#6699B8"], [1.0, HELPFUL]]
ACROSS = 3  # panels next to each other
SIGN = "← harmful | helpful →"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two changes of the same points.

    Attributes:
        measured: x.
        predicted: y.
        title: of the panel; empty for one panel.
        marked: rows with a ring.
        names: of the points; empty for their numbers.
    """

    measured: Floats
    predicted: Floats
    title: str = ""
    marked: Sequence[int] = ()
    names: Sequence[str] = ()


def coloured(scores: Floats) -> list[str]:
    """Blue where helpful, vermillion where harmful, grey at zero.

    Returns:
        One colour per score.
    """
    zero = 1e-12 * float(np.abs(scores).max(initial=0.0))  # rounding is no sign
    return np.where(scores > zero, HELPFUL, np.where(scores < -zero, HARMFUL, NEUTRAL)).tolist()


def against(pairs: Sequence[Pair], title: str, axes: tuple[str, str], height: int = 390) -> go.Figure:
    """Panels of predicted (y) against measured (x), equal axes in each, the 45° line dashed, cross-hairs at zero.

    Args:
        pairs: one panel each, next to each other.
        title: a sentence.
        axes: what x and y are, with unit and sign in words; a line break where they are long.
        height: pixels.

    Returns:
        The figure.
    """
    across = min(len(pairs), ACROSS)
    down = -(-len(pairs) // across)
    grid = make_subplots(
        down,
        across,
        subplot_titles=[plain(pair.title) for pair in pairs],
        horizontal_spacing=0.09,
        vertical_spacing=0.2,
    )
    for k, pair in enumerate(pairs):
        _panel(grid, pair, (k // across + 1, k % across + 1), axes, below=k + across >= len(pairs))
    return styled(grid, title, height, nticks=(7, 6, 4)[across - 1])


def _panel(grid: go.Figure, pair: Pair, place: tuple[int, int], axes: tuple[str, str], below: bool) -> None:
    known = np.isfinite(pair.measured) & np.isfinite(pair.predicted)
    x, y = pair.measured[known], pair.predicted[known]
    reach = 1.08 * max(float(np.abs(x).max(initial=0.0)), float(np.abs(y).max(initial=0.0))) or 1.0
    first = place == (1, 1)
    grid.add_trace(_straight([-reach, reach], [-reach, reach], "predicted = measured", first), *place)
    names = [str(name) for name in pair.names] or [f"training point {i}" for i in range(len(pair.measured))]
    grid.add_trace(_dots(x, y, np.asarray(names, dtype=object)[known]), *place)
    if len(pair.marked):
        rows = list(pair.marked)
        grid.add_trace(_rings(pair.measured[rows], pair.predicted[rows], first), *place)
    row, col = place
    grid.update_xaxes(range=[-reach, reach], title=words(axes[0]) if below else None, row=row, col=col)
    grid.update_yaxes(range=[-reach, reach], title=words(axes[1]) if col == 1 else None, row=row, col=col)


def words(text: str) -> str:
    """A title of an axis; a line break stays one.

    Returns:
        Text for Plotly.
    """
    return plain(text).replace("\n", "<br>")


def styled(grid: go.Figure, title: str, height: int = 390, legend: bool = False, nticks: int = 4) -> go.Figure:
    """The house style for a figure with panels.

    Returns:
        The figure.
    """
    crossed = {"zeroline": True, "zerolinecolor": INK, "exponentformat": "power", "nticks": nticks, "automargin": True}
    grid.update_xaxes(**crossed).update_yaxes(**crossed)
    grid.update_layout(
        title=plain(title), showlegend=legend, margin={**MARGIN, "t": 36}, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR,
        hovermode="closest", legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "title": None},
    )  # fmt: skip
    return projected(grid, height)


def _straight(x: Sequence[float], y: Sequence[float], name: str, legend: bool = True) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, hoverinfo="skip", showlegend=legend,
        line={"color": INK, "dash": "dash", "width": 1.5},
    )  # fmt: skip


def _dots(x: Floats, y: Floats, names: Any) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="markers", name="training point", text=[plain(name) for name in names], showlegend=False,
        marker={"size": 7, "color": coloured(y), "opacity": 0.85, "line": {"width": 0.6, "color": INK}},
        hovertemplate="%{text}<br>measured %{x:.3g}<br>predicted %{y:.3g}<extra></extra>",
    )  # fmt: skip


def _rings(x: Floats, y: Floats, legend: bool) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="markers", name="marked", hoverinfo="skip", showlegend=legend,
        marker={"symbol": "circle-open", "size": 16, "color": INK, "line": {"width": 2.5}},
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of a plane, coloured by score or, without scores, all alike; classes are shapes.

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
    """The points, strongest on top.

    Returns:
        The figure; boundaries and marks are added by :func:`boundary` and :func:`mark`.
    """
    figure = blank(title, *axes)
    for trace in cloud_traces(points):
        figure.add_trace(trace)
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}, margin={**MARGIN, "t": 8})
    return projected(figure, height)


def cloud_traces(points: Cloud, bar: bool = True) -> list[go.Scatter]:
    """One trace per class, areas in proportion to |score|.

    Returns:
        The traces; the first carries the colour bar.
    """
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
        marker |= {"size": 8, "color": NEUTRAL if k == 0 else QUIET}
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
    """Corners of the plane that the points of a figure need, with a margin.

    Returns:
        Lower and upper corner.
    """
    points = [np.column_stack([trace.x, trace.y]) for trace in figure.data if trace.mode == "markers"]
    xy = np.concatenate(points).astype(float)
    low, high = xy.min(0), xy.max(0)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def mark(figure: go.Figure, xy: Floats, name: str, symbol: str = "diamond-open", size: int = 20) -> None:
    """Add ringed points (k, 2): a diamond for the selected training point, a star for the test point."""
    places = np.atleast_2d(np.asarray(xy, float))
    figure.add_trace(
        go.Scatter(
            x=places[:, 0], y=places[:, 1], mode="markers", name=plain(name), hoverinfo="skip",
            marker={"symbol": symbol, "size": size, "color": INK, "line": {"width": 3, "color": INK}},
        )
    )  # fmt: skip


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
    """Lines by name, told apart by dash as well as by shade.

    Returns:
        The figure.
    """
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
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}, margin={**MARGIN, "t": 8})
    return projected(figure)


def spread(points: Floats, low: float = 0.0, high: float = 1.0) -> Floats:
    """Numbers from low to high that look random and are always the same, to lay points apart.

    Returns:
        One per point.
    """
    return low + (high - low) * np.random.default_rng(0).random(len(points))
