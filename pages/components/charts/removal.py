"""What happens as the points leave that a ranking calls the strongest, against random ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from pages.components.charts.base import CLEAR, INK, QUIET, blank
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.scale import plain

if TYPE_CHECKING:
    from influence_core.analysis import Removal

RIVALS = (
    ("#009E73", "square", "dash"),
    ("#CC79A7", "diamond", "dot"),
    ("#E69F00", "triangle-up", "dashdot"),
    ("#8C6D31", "x", "longdash"),
    ("#7B61C9", "cross", "longdashdot"),
    ("#8A8F98", "star", "dash"),
    ("#B5446E", "hexagon", "dot"),
)


def removal_curve(found: Removal, factor: float, unit: str, rising: bool) -> go.Figure:
    """Measured change over the number of points that leave; random groups as a band.

    Args:
        found: what was measured.
        factor: by which numbers are divided.
        unit: of the numbers then.
        rising: whether a rise says that they helped.
    """
    title = "Without the most helpful points, against random ones"
    figure = blank(title, "points that leave", f"measured change, {unit}")
    x, (low, high) = found.sizes, (end / factor for end in found.interval)
    known = np.isfinite(low)
    across = np.concatenate([x[known], x[known][::-1]])
    figure.add_trace(
        go.Scatter(
            x=across, y=np.concatenate([high[known], low[known][::-1]]), fill="toself", mode="lines", hoverinfo="skip",
            fillcolor="rgba(140,145,155,0.25)", line={"color": CLEAR}, name="95 % of random groups",
        )
    )  # fmt: skip
    figure.add_trace(_line(x, found.mean / factor, "random, mean", {"color": INK, "dash": "dot"}, "circle-open"))
    for k, (name, title) in enumerate(found.titles.items()):
        own = (HELPFUL if rising else HARMFUL, "circle", "solid")
        colour, symbol, dash = RIVALS[(k - 1) % len(RIVALS)] if k else own
        look = {"color": colour, "dash": dash, "width": 1.6 if k else 3}
        figure.add_trace(_line(x, found.change[name] / factor, title, look, symbol))
    figure.update_xaxes(type="log", tickvals=x.tolist(), ticktext=[f"{k:,}" for k in x])
    return figure.update_layout(height=340).update_yaxes(zeroline=True, zerolinecolor=QUIET)


def _line(x: np.ndarray, y: np.ndarray, name: str, look: Mapping[str, object], symbol: str) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="lines+markers", name=plain(name), line=look, marker={"symbol": symbol, "size": 8},
        hovertemplate="%{x:,} points: %{y:.3g}<extra>%{fullData.name}</extra>",
    )  # fmt: skip
