"""Figures of a fit: loss curves, confusion, residuals, decision field, weights.  Pure functions to a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from pages.components.charts.base import CLEAR, INK, MARGIN, QUIET, blank, line, log_step, scatter_kind
from pages.components.charts.colours import ramp
from pages.components.charts.examples import Points, point_traces
from pages.components.charts.field import Field, level_lines, pen_up
from pages.components.charts.scale import plain

NEGATIVE, POSITIVE = "#9B62B8", "#2F9E55"  # purple and green, as in PRGn: no hue that means helpful or harmful
DIVERGING = [[0, NEGATIVE], [0.5, "rgba(155,98,184,0)"], [0.5, "rgba(47,158,85,0)"], [1, POSITIVE]]
COUNTS = [[0, "rgba(143,132,196,0.06)"], [1, "rgba(143,132,196,0.6)"]]
# Tints of class 0 and class 1, the class colours of the map.
FIELD = [[0, ramp(0, 0.5)], [0.5, ramp(0, 0)], [0.5, ramp(1, 0)], [1, ramp(1, 0.5)]]
LARGEST = 20


def newton_curve(history: Sequence[float]) -> go.Figure:
    """J after every Newton step, as its distance to the last value.

    Returns:
        The figure; steps at the last value have no place on a logarithmic axis and are left out.
    """
    gaps = np.asarray(history) - history[-1]
    steps = np.flatnonzero(gaps > 0)
    figure = blank(
        f"Newton needed {len(history) - 1} steps", "Newton step", "J(θ) − J(θ̂), log scale", yaxis_type="log", height=320
    )
    figure.add_trace(
        go.Scatter(
            x=steps, y=gaps[steps], mode="lines+markers", line={"color": QUIET}, marker={"size": 8},
            hovertemplate="step %{x}: %{y:.2e}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(dtick=max(1, len(history) // 12), range=[-0.3, len(history) - 1])
    return figure.update_yaxes(dtick=log_step(gaps[steps]))


def loss_curves(training: Sequence[float], validation: Sequence[float], unit: str) -> go.Figure:
    """J on the training part and the mean validation loss after every epoch."""
    figure = blank(f"The loss over {len(training):,} epochs", "epoch", f"loss, {unit}", height=320)
    for values, name, colour, dash in (
        (training, "training: objective J, penalty included", QUIET, "solid"),
        (validation, "validation: mean loss", INK, "dash"),
    ):
        if len(values):
            figure.add_trace(
                go.Scatter(
                    x=np.arange(1, len(values) + 1), y=np.asarray(values), mode="lines", name=name,
                    line={"color": colour, "dash": dash, "width": 2}, hovertemplate="epoch %{x}: %{y:.4g}",
                )
            )  # fmt: skip
    return figure


def confusion_matrix(counts: NDArray[np.int64], class_names: tuple[str, ...]) -> go.Figure:
    """Test points of each class (rows) by the class the model gives them (columns)."""
    right, total = int(np.trace(counts)), int(counts.sum())
    names = [plain(name) for name in class_names]
    title = f"The model gets {right:,} of {total:,} test points right"
    figure = blank(title, "class given by the model", "true class", height=max(260, 120 + 34 * len(names)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure.add_trace(
        go.Heatmap(
            z=share, x=names, y=names, zmin=0, zmax=1, colorscale=COUNTS, showscale=False, xgap=2, ygap=2,
            text=counts,
            hovertemplate="true %{y}, given %{x}: %{text:,} (%{z:.1%} of the row)<extra></extra>",
        )
    )  # fmt: skip
    for row, column in np.ndindex(counts.shape):  # annotations take the theme's text colour, cell texts do not
        figure.add_annotation(x=column, y=row, text=f"{counts[row, column]:,}", showarrow=False, font_size=14)
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(type="category", autorange="reversed", showgrid=False)


def residual_plot(predicted: NDArray[Any], target: NDArray[Any], labels: list[str], unit: str) -> go.Figure:
    """Target minus prediction against the prediction, for test points."""
    figure = blank("What the model leaves over on the test points", f"predicted {unit}", "target − predicted")
    kind = scatter_kind(len(target))
    ends = [[predicted.min(), 0], [predicted.max(), 0]]
    figure.add_trace(line(ends, "no error", "dash", kind))
    figure.add_trace(
        kind(
            x=predicted, y=target - predicted, mode="markers", name="test point", text=[plain(t) for t in labels],
            marker={"size": 7, "color": QUIET, "line": {"width": 0.7, "color": INK}},
            hovertemplate="%{text}<br>predicted %{x:.4g}, off by %{y:.3g}<extra></extra>",
        )
    )  # fmt: skip
    return figure.update_layout(height=360)


def deletion_plot(
    leverage: NDArray[Any], studentised: NDArray[Any], distance: NDArray[Any], labels: list[str]
) -> go.Figure:
    """Studentised residual against leverage of training points, sized by Cook's distance.

    Returns:
        The figure.
    """
    figure = blank("Leverage and residual together make influence", "leverage h", "studentised residual")
    kind, right = scatter_kind(len(leverage)), float(leverage.max())
    top = max(2.5, float(np.abs(studentised).max()))
    for ends, name, dash in (
        ([[0, 2], [right, 2]], "±2", "dash"),
        ([[0, -2], [right, -2]], "", "dash"),
        ([[2 * leverage.mean(), -top], [2 * leverage.mean(), top]], "2p/n", "dot"),
    ):
        figure.add_trace(line(ends, name, dash, kind).update(showlegend=bool(name)))
    size = 5 + 25 * np.sqrt(distance / (distance.max() or 1.0))
    words = [f"{plain(text)}<br>Cook's distance {d:.3g}" for text, d in zip(labels, distance, strict=True)]
    figure.add_trace(
        kind(
            x=leverage, y=studentised, mode="markers", name="training point", text=words,
            marker={"size": size, "color": QUIET, "opacity": 0.7, "line": {"width": 0.7, "color": INK}},
            hovertemplate="%{text}<br>leverage %{x:.3g}, studentised residual %{y:.3g}<extra></extra>",
        )
    )  # fmt: skip
    return figure.update_layout(height=420)


def decision_field(field: Field, probability: bool, points: Points, axes: tuple[str, str], optimal: Any) -> go.Figure:
    """P(class 1), or the margin, over two features with its boundary, margins and the training points.

    Args:
        field: log-odds or margin f on a grid.
        probability: whether f is log-odds, so that P = 1 / (1 + e^(−f)) is filled.
        points: training points.
        axes: titles with units.
        optimal: (2, 2) end points of the optimal boundary, or None.
    """
    f, kind = field.probability, scatter_kind(len(points.y))
    z = 1 / (1 + np.exp(-f)) if probability else np.clip(f, -2, 2)
    low, high = (0.0, 1.0) if probability else (-2.0, 2.0)
    name = plain(points.class_names[1])
    figure = blank("Where the model changes its mind", *axes, height=480)
    figure.add_trace(
        go.Heatmap(
            x=field.x, y=field.y, z=z, zmin=low, zmax=high, colorscale=FIELD, hoverinfo="skip", zsmooth="fast",
            colorbar={
                "title": {"text": f"P({name})" if probability else f"margin f, {name} above 0", "side": "right"},
                "thickness": 12,
            },
        )
    )  # fmt: skip
    for level, words, dash in ((0.0, "boundary", "solid"), (-1.0, "margins f = ±1", "dash"), (1.0, "", "dash")):
        figure.add_trace(_level(field, level, words, dash, kind))
    if optimal is not None:
        figure.add_trace(line(optimal, "optimal boundary", "dot", kind))
    figure.add_traces(point_traces(points))
    figure.update_xaxes(range=[field.x[0], field.x[-1]])
    return figure.update_yaxes(range=[field.y[0], field.y[-1]])


def _level(field: Field, level: float, name: str, dash: str, kind: Any) -> go.Scatter | go.Scattergl:
    """The line on which the field has a level, as segments with gaps; named or without a place in the legend."""
    across, up = pen_up(level_lines(field, level))
    drawn = line(np.stack([across, up], axis=1), name, dash, kind)
    width = 2.4 if dash == "solid" else 1.4
    return drawn.update(line={"width": width}, showlegend=bool(name))


def weight_images(weights: NDArray[np.float64], shape: tuple[int, ...], names: list[str]) -> go.Figure:
    """The weights of every output as a picture; colours are symmetric about zero and the same for all outputs.

    Args:
        weights: (K, d).
        shape: (h, w) with h·w = d, or (h, w, 3) for colours, whose weights are added up.
        names: K titles.
    """
    columns = min(len(weights), 5)
    rows = -(-len(weights) // columns)
    grid = make_subplots(
        rows, columns, subplot_titles=[plain(name) for name in names], horizontal_spacing=0.02, vertical_spacing=0.1
    )
    pictures = weights.reshape(len(weights), *shape[:2], -1).sum(axis=3)
    limit = float(np.abs(pictures).max()) or 1.0
    for k, picture in enumerate(pictures):
        trace = go.Heatmap(
            z=picture, coloraxis="coloraxis", hovertemplate="row %{y}, column %{x}: %{z:.3g}<extra></extra>"
        )
        grid.add_trace(trace, k // columns + 1, k % columns + 1)
    frame = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False, "constrain": "domain"}
    frame |= {"showline": True, "mirror": True, "linecolor": INK, "linewidth": 1}
    grid.update_xaxes(**frame)
    grid.update_yaxes(**frame, autorange="reversed")
    for k in range(len(weights)):
        own = "" if k == 0 else str(k + 1)
        grid.layout[f"yaxis{own}"].scaleanchor = f"x{own}"
    return grid.update_layout(
        title="Which pixels speak for which class",
        coloraxis={
            "colorscale": DIVERGING, "cmin": -limit, "cmax": limit,
            "colorbar": {"title": {"text": "weight", "side": "top"}, "thickness": 12, "exponentformat": "power"},
        },
        height=380 if rows == 1 else 60 + 210 * rows, margin={**MARGIN, "l": 12, "t": 40, "b": 12},
        paper_bgcolor=CLEAR, plot_bgcolor=CLEAR,
    )  # fmt: skip


def largest(coefficients: NDArray[np.float64]) -> NDArray[np.int64]:
    """The at most 20 features with the largest |coefficient|, largest first."""
    return np.argsort(-np.abs(coefficients), kind="stable")[:LARGEST]


def coefficient_bars(coefficients: NDArray[np.float64], names: Sequence[str], unit: str) -> go.Figure:
    """The largest of the coefficients (d,) of one output as bars."""
    order = largest(coefficients)
    values = coefficients[order]
    title = "The largest coefficients" if len(order) < len(coefficients) else "All coefficients"
    figure = blank(title, unit, "", height=110 + 24 * len(order))
    colours = np.where(values >= 0, POSITIVE, NEGATIVE).tolist()
    figure.add_trace(
        go.Bar(
            x=values, y=[plain(names[k]) for k in order], orientation="h", marker={"color": colours},
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(zeroline=True, zerolinecolor=INK)
    return figure.update_yaxes(autorange="reversed", type="category")
