"""Predicted against measured change: equal axes, the 45° line, and numbers that a correlation alone would hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

if TYPE_CHECKING:
    from influence_core.agreement import Agreement

HELPFUL, HARMFUL, GREY = "#0072B2", "#D55E00", "#8A93A3"
TOP = 20


@dataclass(frozen=True)
class Look:
    """How the points are named and coloured.

    Attributes:
        labels: n hover texts, already plain.
        unit: of the predictions.
        measured: unit of the measurements.
        equal: whether both are changes in one unit, so that equal axes and the 45° line make sense.
        sign: −1 where a fall is helpful (the margin), so that blue stays helpful.
        selected: training point with a ring.
        ends: what the negative and the positive side of both axes mean.
    """

    labels: list[str]
    unit: str = "nats"
    measured: str = "nats"
    equal: bool = True
    sign: int = 1
    selected: int | None = None
    ends: tuple[str, str] = ("harmful", "helpful")


def loo_scatter(measured: np.ndarray, predicted: np.ndarray, look: Look) -> go.Figure:
    """X = LOO (measured), y = predicted, for every training point; the strongest ones are diamonds.

    Args:
        measured: (n,).
        predicted: (n,).
        look: names, unit and colours.

    Returns:
        The figure.
    """
    known = np.flatnonzero(np.isfinite(measured))
    order = known[np.argsort(-np.abs(predicted[known]), kind="stable")]
    kind = go.Scattergl if len(known) > 2_000 else go.Scatter
    reach, height = (1.06 * np.abs(values[known]).max(initial=0.0) or 1.0 for values in (measured, predicted))
    figure = go.Figure()
    if look.equal:
        reach = height = max(reach, height)
        line = {"color": GREY, "dash": "dash", "width": 1.2}
        ends = [-reach, reach]
        figure.add_trace(kind(x=ends, y=ends, mode="lines", name="predicted = measured", hoverinfo="skip", line=line))
    top, rest = order[:TOP], order[TOP:]
    for rows, name, size in ((rest, "other points", 6), (top, f"{len(top)} strongest", 10)):
        figure.add_trace(_points(measured, predicted, rows, look, kind).update(name=name, marker_size=size))
        figure.data[-1].name += f" (r = {_correlation(measured[rows], predicted[rows])})"
    figure.data[-1].marker.symbol = "diamond"
    if look.selected is not None and np.isfinite(measured[look.selected]):
        x, y = measured[[look.selected]], predicted[[look.selected]]
        ring = {"symbol": "diamond-open", "size": 19, "color": GREY, "line": {"width": 2.5}}
        figure.add_trace(kind(x=x, y=y, mode="markers", name="selected", hoverinfo="skip", marker=ring))
    words = f"← {look.ends[0]} | {look.ends[1]} →"
    axis = {"zeroline": True, "zerolinecolor": GREY, "exponentformat": "power"}
    return figure.update_layout(
        xaxis={**axis, "range": [-reach, reach], "title": f"measured by refits, {look.measured}<br>{words}"},
        yaxis={**axis, "range": [-height, height], "title": f"predicted, {look.unit}<br>{words}"},
        height=520, margin={"l": 80, "r": 10, "t": 10, "b": 70},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip


def _points(measured: np.ndarray, predicted: np.ndarray, rows: np.ndarray, look: Look, kind: type) -> go.Scatter:
    """Some of the training points, blue where they are helpful."""
    return kind(
        x=measured[rows], y=predicted[rows], mode="markers", text=[look.labels[i] for i in rows],
        customdata=rows.tolist(), hovertemplate="%{text}<br>measured %{x:.3g}<br>predicted %{y:.3g}<extra></extra>",
        marker={
            "symbol": "circle", "opacity": 0.85, "line": {"width": 0.6, "color": GREY},
            "color": np.where(look.sign * predicted[rows] >= 0, HELPFUL, HARMFUL).tolist(),
        },
    )  # fmt: skip


def summary(found: Agreement) -> str:
    """The box beside the scatter, one line of Markdown.

    Returns:
        r, ρ, slope, sign agreement, overlap of the top lists and n.
    """
    return (
        f"**r = {found.r}** · ρ = {found.rho} · **slope = {found.slope}** · same sign {_percent(found.sign.value)} · "
        f"top-{found.k} overlap {_percent(found.top_k.value)} · n = {found.n:,}"
    )


def _percent(share: float | None) -> str:
    return "undefined" if share is None else f"{share:.1%}"


def _correlation(a: np.ndarray, b: np.ndarray) -> str:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return "undefined"
    return f"{np.corrcoef(a, b)[0, 1]:.3f}"
