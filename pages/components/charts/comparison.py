"""Accuracy of the solvers against their time, and recall of a search among neighbours against its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from pages.components.charts.base import INK, QUIET, blank, log_step
from pages.components.charts.scale import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from influence_core.influence.search import FastReport

FLOOR = 1e-16  # errors of exact zero are drawn here
PLOT = (880.0, 310.0)  # pixels of the accuracy plot at 1280
MARK, LETTER, LINE = 6.0, 6.4, 14.0  # pixels: half a mark, width of a letter of a label, height of its line
Box = tuple[float, float, float, float]


def accuracy(names: Sequence[str], seconds: Sequence[float], errors: Sequence[float], to: str) -> go.Figure:
    """Relative error of the scores over the time for one test point, both on log axes: lower left is better."""
    title = f"Error of the scores against time, reference {to}"
    figure = blank(title, "factor and solve for one test point, seconds, log scale", "relative error, log scale")
    floored, times = np.maximum(np.asarray(errors, dtype=float), FLOOR), np.asarray(seconds, dtype=float)
    labels = [name.split(" (")[0] for name in names]
    figure.add_trace(
        go.Scatter(
            x=times, y=floored, mode="markers+text", text=[plain(label) for label in labels],
            textposition=sides(times, floored, labels), cliponaxis=False, showlegend=False,
            marker={"size": 9, "color": QUIET, "line": {"width": 0.8, "color": INK}},
            hovertemplate="%{text}<br>%{x:.3g} s<br>error %{y:.2g}<extra></extra>",
        )
    )  # fmt: skip
    figure.add_hline(0.01, line={"color": INK, "dash": "dot", "width": 1})
    note = {"text": "1 %", "showarrow": False, "xanchor": "right", "yanchor": "bottom", "font": {"size": 11}}
    figure.add_annotation(x=1, xref="x domain", y=-2, **note)
    low, high = np.log10(times.min()), np.log10(times.max())
    figure.update_xaxes(type="log", range=[low - 0.5, high + 0.5], dtick=1)
    bottom, top = np.log10(floored.min()), np.log10(floored.max())
    return figure.update_yaxes(type="log", dtick=2, range=[bottom - 1, max(0.0, top) + 1])


def sides(x: NDArray[np.float64], y: NDArray[np.float64], labels: Sequence[str]) -> list[str]:
    """Where each label stands so that it hides no mark and no earlier label: above, below, right or left of its mark.

    Args:
        x: places on the log axis that PLOT pixels wide shows, with half a decade to both sides.
        y: places on the log axis that is as high, with a decade below and above.
        labels: words.

    Returns:
        Plotly's text positions; above where every place is taken.
    """
    across, along = _pixels(x, PLOT[0], 0.5), _pixels(y, PLOT[1], 1.0)
    taken = [(a, b, MARK, MARK) for a, b in zip(across, along, strict=True)]
    chosen = []
    for a, b, label in zip(across, along, labels, strict=True):
        wide, high = LETTER * len(label) / 2, LINE / 2
        beside, over = MARK + wide + 2, MARK + high + 2
        shifts = {
            "top center": (0.0, over),
            "bottom center": (0.0, -over),
            "middle right": (beside, 0.0),
            "middle left": (-beside, 0.0),
        }
        boxes = {side: (a + right, b + up, wide, high) for side, (right, up) in shifts.items()}
        side = next(
            (side for side, box in boxes.items() if not any(_meet(box, other) for other in taken)), "top center"
        )
        taken.append(boxes[side])
        chosen.append(side)
    return chosen


def _pixels(values: NDArray[np.float64], size: float, rest: float) -> NDArray[np.float64]:
    places = np.log10(values)
    scaled: NDArray[np.float64] = (places - places.min() + rest) * size / (np.ptp(places) + 2 * rest)
    return scaled


def _meet(one: Box, other: Box) -> bool:
    """Whether two boxes (centre, half width, half height) overlap."""
    return abs(one[0] - other[0]) < one[2] + other[2] and abs(one[1] - other[1]) < one[3] + other[3]


def recalls(report: FastReport) -> go.Figure:
    """Share of the true top found over the time per test point, one mark per size of the candidate set."""
    title = f"Recall of the {report.top} strongest points against time"
    figure = blank(title, "search and scores for one test point, milliseconds, log scale", "recall", height=360)
    x, y = [1e3 * one.seconds for one in report.sizes], [one.recall for one in report.sizes]
    figure.add_trace(
        go.Scatter(
            x=x, y=y, mode="lines+markers+text", text=[f"{one.k:,}" for one in report.sizes], cliponaxis=False,
            textposition="top left", name="candidates from the index",
            marker={"size": 8, "color": QUIET, "line": {"width": 0.8, "color": INK}},
            line={"color": QUIET, "width": 1.6},
            hovertemplate="%{text} candidates<br>%{x:.3g} ms<br>recall %{y:.2f}<extra></extra>",
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[1e3 * report.full], y=[1.0], mode="markers", name="every training point",
            marker={"size": 11, "symbol": "diamond", "color": INK},
            hovertemplate="every training point<br>%{x:.3g} ms<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(type="log", dtick=log_step(np.array([*x, 1e3 * report.full])))
    return figure.update_yaxes(range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1])
