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
        unit: of both axes.
        sign: −1 where a fall is helpful (the margin), so that blue stays helpful.
        selected: training point with a ring.
    """

    labels: list[str]
    unit: str = "nats"
    sign: int = 1
    selected: int | None = None


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
    top, rest = order[:TOP], order[TOP:]
    scatter = go.Scattergl if len(known) > 2_000 else go.Scatter
    figure = go.Figure()
    reach = 1.06 * max(np.abs(measured[known]).max(initial=0.0), np.abs(predicted[known]).max(initial=0.0)) or 1.0
    figure.add_trace(
        scatter(
            x=[-reach, reach], y=[-reach, reach], mode="lines", name="predicted = measured", hoverinfo="skip",
            line={"color": GREY, "dash": "dash", "width": 1.2},
        )
    )  # fmt: skip
    for rows, name, symbol, size in (
        (rest, "other points", "circle", 6),
        (top, f"{len(top)} strongest", "diamond", 10),
    ):
        r = _correlation(measured[rows], predicted[rows])
        figure.add_trace(
            scatter(
                x=measured[rows], y=predicted[rows], mode="markers", name=f"{name} (r = {r})",
                text=[look.labels[i] for i in rows], customdata=rows.tolist(),
                marker={
                    "symbol": symbol, "size": size, "opacity": 0.85, "line": {"width": 0.6, "color": GREY},
                    "color": np.where(look.sign * predicted[rows] >= 0, HELPFUL, HARMFUL).tolist(),
                },
                hovertemplate="%{text}<br>measured %{x:.3g}<br>predicted %{y:.3g}<extra></extra>",
            )
        )  # fmt: skip
    selected = look.selected
    if selected is not None and np.isfinite(measured[selected]):
        figure.add_trace(
            scatter(
                x=[measured[selected]], y=[predicted[selected]], mode="markers", name="selected", hoverinfo="skip",
                marker={"symbol": "diamond-open", "size": 19, "color": GREY, "line": {"width": 2.5}},
            )
        )  # fmt: skip
    axis = {"range": [-reach, reach], "zeroline": True, "zerolinecolor": GREY, "exponentformat": "power"}
    figure.update_layout(
        xaxis={**axis, "title": f"measured by refitting without the point, {look.unit}"},
        yaxis={**axis, "title": f"predicted, {look.unit}"},
        height=520, margin={"l": 60, "r": 10, "t": 10, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


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
