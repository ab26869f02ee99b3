"""perturbation_change of one training point: over the picture for images, as bars for named features."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts.scale import plain

LOWERS, RAISES = "#9B62B8", "#2F9E55"  # purple and green: these changes are neither helpful nor harmful points
SCALE = [[0, LOWERS], [0.5, "#F7F7F7"], [1, RAISES]]
BARS = 15


def pixel_map(change: NDArray[np.floating[Any]], image: NDArray[Any], unit: str) -> go.Figure:
    """The change per pixel, beside the image.

    Args:
        change: (d,) predicted change per unit of each feature.
        image: (h, w) with h·w = d, or (h, w, 3) for colours, whose changes are added up.
        unit: of the change.

    Returns:
        The figure.
    """
    if image.ndim == 3:  # all three colours of a pixel grow together; the picture is shown in grey
        image, change = image.mean(axis=2), change.reshape(image.shape).sum(axis=2)
    limit = float(np.abs(change).max()) or 1.0
    figure = go.Figure()
    figure.add_trace(
        go.Heatmap(z=image[::-1], colorscale="gray", showscale=False, xaxis="x", yaxis="y", hoverinfo="skip")
    )
    figure.add_trace(
        go.Heatmap(
            z=change.reshape(image.shape)[::-1], zmin=-limit, zmax=limit, colorscale=SCALE, xaxis="x2", yaxis="y2",
            colorbar={"title": {"text": f"← lowers | raises →<br>{unit}", "side": "top"}, "exponentformat": "power"},
            hovertemplate="%{z:.3g}<extra></extra>",
        )
    )  # fmt: skip
    hidden = {"visible": False}
    figure.update_layout(
        xaxis={**hidden, "domain": [0, 0.46], "constrain": "domain"},
        xaxis2={**hidden, "domain": [0.5, 0.96], "constrain": "domain"},
        yaxis={**hidden, "scaleanchor": "x", "constrain": "domain"},
        yaxis2={**hidden, "scaleanchor": "x2", "anchor": "x2", "constrain": "domain"},
        height=360, margin={"l": 0, "r": 0, "t": 10, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


def bars(change: NDArray[np.floating[Any]], names: tuple[str, ...], unit: str) -> go.Figure:
    """The features with the strongest change."""
    order = np.argsort(-np.abs(change), kind="stable")[:BARS][::-1]
    colours = np.where(change[order] >= 0, RAISES, LOWERS).tolist()
    drawn = go.Bar(x=change[order], y=[plain(names[k]) for k in order], orientation="h", marker={"color": colours})
    return go.Figure(drawn).update_layout(
        xaxis={"title": f"← lowers | raises →, {unit}", "exponentformat": "power", "zeroline": True},
        height=120 + 22 * len(order), margin={"l": 10, "r": 10, "t": 10, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
