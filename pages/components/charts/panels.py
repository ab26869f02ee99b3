"""Small panels next to each other, and what most of them show: predicted change against measured change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.components.charts.base import CLEAR, INK, MARGIN
from pages.components.charts.field import Floats
from pages.components.charts.scale import coloured, plain, plain_lines

Places = list[tuple[int, int]]  # row and column of every panel, from 1


@dataclass(frozen=True, eq=False)
class Pair:
    """Two changes of the same points.

    Attributes:
        measured: y; where either is not finite, the point is left out.
        predicted: x.
        title: of the panel; empty for one panel.
        marked: rows with a ring.
        names: of the points; empty for their numbers.
    """

    measured: Floats
    predicted: Floats
    title: str = ""
    marked: Sequence[int] = ()
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Style:
    """How panels of pairs are drawn.

    Attributes:
        across: panels next to each other, at most.
        sign: −1 where negative changes are helpful and blue, else +1.
        band: half width of the grey band of measured changes that are no more than noise; 0 for none.
        kind: of the traces, WebGL for a crowd.
    """

    across: int = 3
    sign: int = 1
    band: float = 0.0
    kind: type[go.Scatter] | type[go.Scattergl] = go.Scatter


def against(pairs: Sequence[Pair], title: str, axes: tuple[str, str], look: Style = Style()) -> go.Figure:
    """Panels of measured (y) on predicted (x), equal axes in each, the 45° line dashed, cross-hairs at zero.

    The cloud leans as the slope of measured on predicted says.

    Args:
        pairs: one panel each.
        title: a sentence.
        axes: what measured and predicted are, with unit and sign in words; a line break where they are long.
        look: how many panels stand in a row, which sign is blue, the band of noise, and WebGL.
    """
    grid, places = multiples([pair.title for pair in pairs], look.across)
    for pair, (row, col) in zip(pairs, places, strict=True):
        _panel(grid, pair, {"row": row, "col": col}, look)
    axes = axes[::-1]
    across, up = (plain(axis.splitlines()[0]) for axis in axes)
    hover = f"%{{text}}<br>{across}: %{{x:.3g}}<br>{up}: %{{y:.3g}}<extra></extra>"
    grid.update_traces(hovertemplate=hover, selector=lambda trace: trace.text is not None)
    titled(grid, places, axes)
    return dressed(grid, places, title)


def _panel(grid: go.Figure, pair: Pair, place: dict[str, int], look: Style) -> None:
    rows = np.flatnonzero(np.isfinite(pair.measured) & np.isfinite(pair.predicted))
    x, y = pair.predicted[rows], pair.measured[rows]
    reach = 1.08 * max(float(np.abs(x).max(initial=0.0)), float(np.abs(y).max(initial=0.0))) or 1.0
    if 1.15 * look.band < 4 * reach:  # a band is one where its edges are seen, unless the points become a blot
        reach = max(reach, 1.15 * look.band)
    grid.add_trace(diagonal(reach, look.kind), **place)
    names = [plain(str(name)) for name in pair.names] or [f"training point {i}" for i in range(len(pair.measured))]
    dots = look.kind(
        x=x, y=y, mode="markers", text=[names[i] for i in rows],
        marker={"size": 7, "color": coloured(look.sign * x), "opacity": 0.85, "line": {"width": 0.6, "color": INK}},
    )  # fmt: skip
    grid.add_trace(dots, **place)
    if marked := list(pair.marked):
        ring = {"symbol": "circle-open", "size": 16, "color": INK, "line": {"width": 2.5}}
        rings = look.kind(
            x=pair.predicted[marked], y=pair.measured[marked], mode="markers", hoverinfo="skip", marker=ring
        )
        grid.add_trace(rings, **place)
    if look.band:
        grid.add_hrect(-look.band, look.band, fillcolor=INK, opacity=0.18, line_width=0, layer="below", **place)
    grid.update_xaxes(range=[-reach, reach], constrain="domain", **place)
    across = next(grid.select_xaxes(**place)).plotly_name.replace("axis", "")
    grid.update_yaxes(range=[-reach, reach], constrain="domain", scaleanchor=across, **place)  # the diagonal at 45°


def diagonal(reach: float, kind: Any = go.Scatter) -> go.Scatter | go.Scattergl:
    """The 45° line through the origin."""
    return kind(
        x=[-reach, reach], y=[-reach, reach], mode="lines", hoverinfo="skip", name="x = y",
        line={"color": INK, "dash": "dash", "width": 1.5},
    )  # fmt: skip


def multiples(titles: Sequence[str], across: int = 3, gap: float = 0.08) -> tuple[go.Figure, Places]:
    """An empty grid with one panel per title, and where they are; the gap is a share of the width."""
    across = min(across, len(titles))
    down = -(-len(titles) // across)
    grid = make_subplots(
        down, across, subplot_titles=[plain_lines(one) for one in titles], horizontal_spacing=gap,
        vertical_spacing=0.28 / down,
    )  # fmt: skip
    return grid, [(k // across + 1, k % across + 1) for k in range(len(titles))]


def titled(grid: go.Figure, places: Places, axes: tuple[str, str]) -> None:
    """Titles of the axes: x where no panel lies below, y in the first column."""
    for row, col in places:
        below = (row + 1, col) in places
        grid.update_xaxes(title=None if below else plain_lines(axes[0]), row=row, col=col)
        grid.update_yaxes(title=plain_lines(axes[1]) if col == 1 else None, row=row, col=col)


def dressed(grid: go.Figure, places: Places, title: str, legend: bool = False) -> go.Figure:
    """The house style for a figure with panels: fewer ticks the more panels share a row."""
    ticks = (7, 6, 4)[min(max(col for _, col in places), 3) - 1]
    crossed = {"zeroline": True, "zerolinecolor": INK, "exponentformat": "power", "nticks": ticks, "automargin": True}
    grid.update_xaxes(**crossed, title_font_size=12).update_yaxes(**crossed, title_font_size=12)
    return grid.update_layout(
        title=plain(title), showlegend=legend, height=330 * places[-1][0], margin={**MARGIN, "t": 36},
        paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, hovermode="closest",
    )  # fmt: skip
