"""Figures of the examples themselves: map, class balance, histogram.  Pure functions from arrays to a Plotly figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts.base import INK, QUIET, SHAPES, blank, class_colour, line, scatter_kind
from pages.components.charts.colours import CLASS_COLOURS
from pages.components.charts.scale import plain

STEPS = 1_000  # of a grid that values lie on
MOST_BINS = 60
PATTERNS = ("", "/", ".")
SKEWED = 1.5  # times the usual range that a few large targets may stretch a scale of colours
FLIPPED = "label flipped on purpose"


@dataclass(frozen=True, eq=False)
class Points:
    """Examples on a plane.

    Attributes:
        xy: (n, 2) positions.
        y: (n,) class index, or target.
        class_names: c names; empty for regression.
        labels: n hover texts.
        flipped: (n,) bool, labels flipped on purpose.
        target_name: what y means.
    """

    xy: NDArray[np.floating[Any]]
    y: NDArray[Any]
    class_names: tuple[str, ...]
    labels: list[str]
    flipped: NDArray[np.bool_]
    target_name: str = "target"


def points_map(points: Points, axes: tuple[str, str], title: str, boundary: Any = None) -> go.Figure:
    """Examples by class (colour and shape) or by target (colour), flipped labels ringed, optimal boundary dashed.

    Args:
        points: what is drawn.
        axes: titles with units.
        title: a sentence.
        boundary: (2, 2) end points of the optimal boundary, or None.
    """
    figure = blank(title, *axes)
    if boundary is not None:
        figure.add_trace(line(boundary, "optimal boundary", "dash", scatter_kind(len(points.y))))
    figure.add_traces(point_traces(points))
    return figure


def point_traces(points: Points) -> list[go.Scatter | go.Scattergl]:
    """One trace per class (or one coloured by target), then the rings of flipped labels."""
    kind = scatter_kind(len(points.y))
    if not points.class_names:
        return [_by_target(points, kind)]
    traces = [_of_class(points, k, kind) for k in range(len(points.class_names))]
    rows = np.flatnonzero(points.flipped)
    if len(rows):
        traces.append(
            kind(
                x=points.xy[rows, 0], y=points.xy[rows, 1], mode="markers", hoverinfo="skip",
                name=f"{FLIPPED} ({len(rows)})",
                marker={"symbol": "circle-open", "size": 14, "color": INK, "line": {"width": 1.8}},
            )
        )  # fmt: skip
    return traces


def _of_class(points: Points, k: int, kind: Any) -> go.Scatter | go.Scattergl:
    rows = np.flatnonzero(points.y == k)
    return kind(
        x=points.xy[rows, 0], y=points.xy[rows, 1], mode="markers", name=plain(points.class_names[k]),
        text=[plain(points.labels[i]) for i in rows], hovertemplate="%{text}<extra></extra>",
        marker={
            "symbol": SHAPES[k % len(SHAPES)], "size": 7, "color": class_colour(k), "opacity": 0.9,
            "line": {"width": 0.7, "color": INK},
        },
    )  # fmt: skip


def _by_target(points: Points, kind: Any) -> go.Scatter | go.Scattergl:
    low, usual, high = np.percentile(points.y, (2, 98, 100))
    ends = {"cmin": low, "cmax": usual} if high - low > SKEWED * (usual - low) > 0 else {}
    said = f"{points.target_name}, the largest 2 % alike" if ends else points.target_name
    return kind(
        x=points.xy[:, 0], y=points.xy[:, 1], mode="markers", name="training point", showlegend=False,
        text=[plain(text) for text in points.labels], hovertemplate="%{text}<extra></extra>",
        marker={
            "size": 7, "color": points.y, "colorscale": "Viridis", "line": {"width": 0.7, "color": INK},
            "colorbar": {"title": {"text": plain(said), "side": "right"}, "thickness": 12}, **ends,
        },
    )  # fmt: skip


def boundary_ends(weights: Any, offset: float, low: Any, high: Any) -> NDArray[np.float64] | None:
    """Where the line weights·x = offset enters and leaves a box.

    Args:
        weights: (2,).
        offset: of the line.
        low: (2,) lower corner.
        high: (2,) upper corner.

    Returns:
        (2, 2) end points, or None where the line misses the box.
    """
    w, low, high = (np.asarray(part, dtype=float) for part in (weights, low, high))
    foot, along = w * offset / (w @ w), np.array([-w[1], w[0]])
    first, last = -np.inf, np.inf
    for k in range(2):
        if along[k] == 0:
            if not low[k] <= foot[k] <= high[k]:
                return None
            continue
        ends = sorted(((low[k] - foot[k]) / along[k], (high[k] - foot[k]) / along[k]))
        first, last = max(first, ends[0]), min(last, ends[1])
    return None if first > last else np.stack([foot + first * along, foot + last * along])


def class_balance(y: NDArray[Any], flipped: NDArray[np.bool_], class_names: tuple[str, ...]) -> go.Figure:
    """Training examples per class, those whose label was flipped on purpose hatched."""
    kept, turned = (np.bincount(y[part].astype(int), minlength=len(class_names)) for part in (~flipped, flipped))
    names = [plain(name) for name in class_names]
    colours = [class_colour(k) for k in range(len(names))]
    figure = blank(
        balance_in_words(kept + turned, class_names),
        "training examples",
        "",
        barmode="stack",
        yaxis={"autorange": "reversed", "type": "category"},
    )
    for counts, name, pattern in ((kept, "label as in the source", ""), (turned, FLIPPED, "/")):
        if counts.any():
            figure.add_trace(
                go.Bar(
                    x=counts, y=names, orientation="h", name=name, textposition="inside",
                    texttemplate="" if pattern else "%{x:,}",
                    insidetextanchor="middle", textangle=0, hovertemplate="%{y}: %{x:,}<extra></extra>",
                    showlegend=False,
                    marker={"color": colours, "pattern": {"shape": pattern, "fgcolor": "#222222", "size": 6}},
                )
            )  # fmt: skip
    return figure.update_layout(height=70 + 34 * len(names))


def balance_in_words(counts: NDArray[Any], class_names: tuple[str, ...]) -> str:
    """Which class is the most common, as a title."""
    if counts.min() == counts.max():
        return "All classes are equally common"
    most = int(counts.argmax())
    return f"Most common is {class_names[most]}: {counts[most] / counts.sum():.0%} of the training labels"


def bins(values: NDArray[Any]) -> NDArray[np.float64]:
    """Edges (k + 1,) of at most 60 equal bins over the values; of whole numbers around whole numbers.

    Bins that do not fit the steps of the values would leave gaps that are not in the data.
    """
    edges = np.histogram_bin_edges(values, "auto")
    usual = max(float(edges[1] - edges[0]), float(edges[-1] - edges[0]) / MOST_BINS)
    different = np.unique(values)
    if len(different) > 1 and (step := _step(different)):
        width = step * max(1, round(usual / step))
        count = int((different[-1] - different[0] + step / 2) // width) + 1
        whole: NDArray[np.float64] = different[0] - step / 2 + width * np.arange(count + 1)
        return whole
    return edges if len(edges) <= MOST_BINS + 1 else np.linspace(edges[0], edges[-1], MOST_BINS + 1)


def _step(different: NDArray[Any]) -> float:
    """The step of a grid on which few different values lie, such as whole numbers; 0 where there is none."""
    gaps = np.diff(different)
    least = float(gaps.min())
    whole = np.abs(gaps / least - np.round(gaps / least)).max() < 1e-6
    return least if whole and (different[-1] - different[0]) / least < STEPS else 0.0


def histogram(values: NDArray[Any], y: NDArray[Any], class_names: tuple[str, ...], title: str, unit: str) -> go.Figure:
    """How often each value occurs, by class where there are classes: side by side for up to three, else stacked.

    Args:
        values: (n,) in the unit of the source.
        y: (n,) class index; ignored without classes.
        class_names: c names, or none.
        title: a sentence.
        unit: title of the axis.
    """
    edges = bins(values)
    centres, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
    few = 0 < len(class_names) <= 3
    figure = blank(title, unit, "training examples", barmode="group" if few else "stack", bargap=0, height=300)
    groups = [(plain(name), y == k, class_colour(k)) for k, name in enumerate(class_names)]
    for k, (name, rows, colour) in enumerate(groups or [("training examples", np.ones(len(values), bool), QUIET)]):
        shape = PATTERNS[k // len(CLASS_COLOURS) % len(PATTERNS)]  # colours repeat: a pattern tells the second round
        figure.add_trace(
            go.Bar(
                x=centres, y=np.histogram(values[rows], edges)[0], width=None if few else width, name=name,
                marker={
                    "color": colour, "line": {"width": 0.5, "color": colour},
                    "pattern": {"shape": shape, "size": 5, "fgcolor": "#222222", "fillmode": "overlay"},
                },
                hovertemplate="%{x:.4g}: %{y:,}",
            )
        )  # fmt: skip
    return figure
