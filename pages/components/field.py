"""A decision field on a grid, and the lines on which it takes a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Field:
    """A decision field: P(class 1) on a grid.

    Attributes:
        x: (gx,) grid columns, ascending and evenly spaced.
        y: (gy,) grid rows, ascending and evenly spaced.
        probability: (gy, gx).
    """

    x: Floats
    y: Floats
    probability: Floats


def level_lines(field: Field, level: float) -> NDArray[np.float64]:
    """Line segments on which the field, linear along each cell edge, crosses the level (marching squares).

    Returns:
        (k, 2, 2): k segments, two ends each, (x, y).
    """
    z = field.probability - level
    corners = [z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]]
    left, bottom = np.meshgrid(field.x[:-1], field.y[:-1])
    right, top = np.meshgrid(field.x[1:], field.y[1:])
    places = [np.stack(pair, -1) for pair in ((left, bottom), (right, bottom), (right, top), (left, top))]
    high = [corner > 0 for corner in corners]
    crosses = [high[k] != high[(k + 1) % 4] for k in range(4)]
    saddle = np.all(crosses, axis=0)
    # On a saddle the middle of the cell decides which two corners belong together.
    with_first = (sum(corners) > 0) == high[0]
    segments = []
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)):
        here = crosses[a] & crosses[b] & ~saddle
        if (a - b) % 2:
            here |= saddle & (with_first if (a, b) in {(0, 1), (2, 3)} else ~with_first)
        ends = [_crossing(corners, places, edge, here) for edge in (a, b)]
        segments.append(np.stack(ends, axis=1))
    return np.concatenate(segments)


def _crossing(
    corners: list[Floats], places: list[NDArray[np.float64]], edge: int, here: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Where the field is zero along an edge of the chosen cells.

    Returns:
        (k, 2).
    """
    start, end = edge, (edge + 1) % 4
    low, high = corners[start][here], corners[end][here]
    share = (low / (low - high))[:, None]
    return places[start][here] * (1 - share) + places[end][here] * share


def pen_up(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Segments as one line with a gap (NaN) after each.

    Returns:
        (3k,), one coordinate of the line.
    """
    return np.column_stack([ends, np.full(len(ends), np.nan)]).ravel()
