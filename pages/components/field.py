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


def joined(segments: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Segments that share an end, put together: a dash starts anew with every line, so lines must be long.

    Args:
        segments: (k, 2, 2) of :func:`level_lines`; two cells compute the end they share with different rounding.

    Returns:
        (j, 2) points for each line; a closed one ends where it starts.
    """
    if not len(segments):
        return []
    grain = 1e-9 * max(float(np.abs(segments).max()), 1e-300)
    names = [tuple(map(tuple, pair)) for pair in np.round(segments / grain).astype(np.int64).tolist()]
    free, lines = {k for k, (one, other) in enumerate(names) if one != other}, []  # through a corner: no length
    at: dict[tuple[int, int], list[int]] = {}
    for k in free:
        for name in names[k]:
            at.setdefault(name, []).append(k)
    # Open lines first and from their ends, so that each is found whole.
    for k in sorted(free, key=lambda k: min(len(at[name]) for name in names[k])):
        if k in free:
            first = int(len(at[names[k][0]]) > 1 and len(at[names[k][1]]) == 1)
            lines.append(_followed(segments, names, at, free, (k, first)))
    return lines


def _followed(segments: Any, names: Any, at: Any, free: set[int], start: tuple[int, int]) -> NDArray[np.float64]:
    """The line from one end of a segment on, until nothing unused goes on; used segments leave ``free``."""
    k, end = start
    points = [segments[k, end]]
    while True:
        free.discard(k)
        points.append(segments[k, 1 - end])
        last = names[k][1 - end]
        following = [j for j in at[last] if j in free]
        if not following:
            return np.array(points)
        k = following[0]
        end = names[k].index(last)


def pen_up(lines: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines as one, with a gap (NaN) after each.

    Returns:
        x and y.
    """
    gap = np.full((1, 2), np.nan)
    drawn = np.concatenate([np.empty((0, 2)), *(part for line in lines for part in (line, gap))])
    return drawn[:, 0], drawn[:, 1]
