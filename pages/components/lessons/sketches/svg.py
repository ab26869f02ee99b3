"""A chart as a small picture: its points, lines, bars and images without words, a few kilobytes of SVG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.components.charts.base import INK, QUIET

WIDTH, HEIGHT, EDGE = 240, 110, 6
MOST = 70  # marks of one trace; more cannot be told apart at this size
DASHES = {"dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3", "longdash": "9 4"}


def drawn(figure: go.Figure) -> str:
    """The first panel of a chart."""
    traces = [one for one in figure.data if (one.xaxis or "x") == "x" and (one.yaxis or "y") == "y"]
    place = _Place(figure, traces)
    parts = [part for trace in traces for part in _trace(trace, place)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" stroke="{INK}" stroke-width="0.6">'
        f"{''.join(parts)}</svg>\n"
    )


class _Place:
    """Where data lie in the picture."""

    def __init__(self, figure: go.Figure, traces: list[Any]) -> None:
        self.logs = tuple(axis.type == "log" for axis in (figure.layout.xaxis, figure.layout.yaxis))
        found = [np.concatenate([self._flat(one, k) for one in traces] or [np.zeros(1)]) for k in range(2)]
        self.low = [np.nanmin(one) for one in found]
        self.high = [np.nanmax(one) for one in found]

    def _flat(self, trace: Any, axis: int) -> Any:
        values = numbers((trace.x, trace.y)[axis])
        if trace.type == "bar" and axis == 1:
            values = np.append(values, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = np.log10(values) if self.logs[axis] else values
        return np.where(np.isfinite(flat), flat, np.nan)

    def of(self, trace: Any) -> Any:
        """(n, 2) pixels, NaN where nothing is drawn."""
        ends = []
        for axis, size in ((0, WIDTH), (1, HEIGHT)):
            values = self._flat(trace, axis)[: len(trace.x)]
            span = (self.high[axis] - self.low[axis]) or 1.0
            share = (values - self.low[axis]) / span
            ends.append(EDGE + (share if axis == 0 else 1 - share) * (size - 2 * EDGE))
        return np.column_stack(ends)


def numbers(values: Any) -> Any:
    """Coordinates as numbers; names of categories count from 0."""
    array = np.asarray(values)
    if array.dtype.kind in "OUS":
        return np.unique(array.astype(str), return_inverse=True)[1].astype(float)
    return array.astype(float)


def _trace(trace: Any, place: _Place) -> Iterable[str]:
    if trace.type not in {"scatter", "scattergl", "bar"} or trace.x is None:
        return
    spots = place.of(trace)
    if trace.type == "bar":
        yield from _bars(spots, place, trace)
        return
    mode = trace.mode or "lines"
    if "lines" in mode:
        yield from _line(spots, trace)
    if "markers" in mode:
        yield from _marks(spots, trace)


def _line(spots: Any, trace: Any) -> Iterable[str]:
    points = [f"{x:.0f} {y:.0f}" if np.isfinite(x + y) else "" for x, y in spots]
    path = "".join(f"{'M' if k == 0 or not points[k - 1] else 'L'}{point}" for k, point in enumerate(points) if point)
    dash = f' stroke-dasharray="{DASHES[trace.line.dash]}"' if trace.line.dash in DASHES else ""
    width = min(float(trace.line.width or 2), 2.5)
    yield f'<path d="{path}" fill="none" stroke="{trace.line.color or INK}" stroke-width="{width:g}"{dash}/>'


def _marks(spots: Any, trace: Any) -> Iterable[str]:
    shown = np.flatnonzero(np.isfinite(spots).all(1))
    for k in shown[:: -(-len(shown) // MOST) or 1]:
        (x, y), size = spots[k], trace.marker.size
        radius = min(0.35 * float(size[k] if isinstance(size, tuple | list | np.ndarray) else size or 6), 6)
        look = _look(trace.marker, int(k))
        yield f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}" {look}/>'


def _look(marker: Any, k: int) -> str:
    colour = marker.color if marker.color is not None else QUIET
    one = colour if isinstance(colour, str) else colour[k]
    if not isinstance(one, str):
        low, high = float(marker.cmin), float(marker.cmax)
        share = min(max((float(one) - low) / (high - low), 0.0), 1.0)
        one = min(marker.colorscale, key=lambda stop: abs(stop[0] - share))[1]
    if str(marker.symbol).endswith("-open") or str(marker.symbol).startswith(("x", "line")):
        return f'fill="none" stroke="{one}" stroke-width="1.5"'
    return f'fill="{one}"'


def _bars(spots: Any, place: _Place, trace: Any) -> Iterable[str]:
    span = (place.high[1] - place.low[1]) or 1.0
    zero = EDGE + (1 - (0 - place.low[1]) / span) * (HEIGHT - 2 * EDGE)
    width = 0.6 * (WIDTH - 2 * EDGE) / max(len(spots), 2)
    colour = trace.marker.color if isinstance(trace.marker.color, str) else QUIET
    for x, y in spots:
        left = min(max(x - width / 2, 0), WIDTH - width)
        yield (
            f'<rect x="{left:.0f}" y="{min(y, zero):.0f}" width="{width:.0f}" height="{abs(zero - y):.0f}" '
            f'fill="{colour}" fill-opacity="0.8"/>'
        )
