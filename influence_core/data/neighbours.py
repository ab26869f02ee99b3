"""Who stands where among the training points: exact copies, and how far off a test point lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, blocks

ANCHORS = 1_000  # as many as give a steady quantile; more cost time and change nothing
TYPICAL = 0.99
NEAR = 0.2  # of the median distance to the nearest neighbour; a picture saved again as JPEG lies at about 0.1


def copies(x: FloatArray) -> NDArray[np.int64]:
    """A number for every distinct row; rows with the same number are exact copies of each other.

    Returns:
        (n,) numbers from 0, in order of first appearance.
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in x + 0.0], dtype=np.int64)  # −0 equals 0


def remoteness(train: FloatArray, test: FloatArray) -> FloatArray:
    """Distance to the nearest training point, in units of what is far for a training point itself.

    The unit is the 99 % quantile of the distances of training points to their own nearest neighbour: a test point of
    the same law exceeds it once in a hundred.  Above 1,000 points both distances are taken to the same random 1,000,
    which leaves that statement as it is.  A feature that never varies in training is ignored: no model learns from it.

    Args:
        train: (n, d) scaled features, n ≥ 2.
        test: (m, d).

    Returns:
        (m,).
    """
    varies = np.ptp(train, axis=0) > 0
    train, test = train[:, varies], test[:, varies]
    order = np.random.default_rng(0).permutation(len(train))
    anchors = train[order[:ANCHORS]]
    if len(train) > ANCHORS:
        own = _nearest(train[order[ANCHORS : 2 * ANCHORS]], anchors)
    else:
        own = _nearest(anchors, anchors, itself=True)
    unit = float(np.quantile(own, TYPICAL)) or float(own.max()) or _radius(train)
    return _nearest(test, anchors) / unit


def neighbour_distance(x: FloatArray) -> float:
    """Median distance of a point to its nearest other point, exact copies not counted; of at most 1,000 random points.

    Args:
        x: (n, d) scaled features, n ≥ 2.

    Returns:
        A distance; 0 where all points are copies of each other.
    """
    asked = np.random.default_rng(0).permutation(len(x))[:ANCHORS]
    found = np.empty(len(asked))
    for part in blocks(len(asked), 8.0 * len(x)):
        squares = _squares(x[asked[part]], x)
        squares[squares <= _rounding(x)] = np.inf
        found[part] = squares.min(1)
    finite = found[np.isfinite(found)]
    return float(np.sqrt(np.median(finite))) if len(finite) else 0.0


def near_duplicates(x: FloatArray, rows: NDArray[np.int64], typical: float) -> list[NDArray[np.int64]]:
    """Points within 0.2 × ``typical`` of each of ``rows`` (exact copies among them), nearest first, ties by row.

    Args:
        x: (n, d) scaled features.
        rows: (b,) points asked about.
        typical: of :func:`neighbour_distance`.

    Returns:
        For every row the other rows near it; usually none.
    """
    limit = max((NEAR * typical) ** 2, _rounding(x))
    groups = []
    for part in blocks(len(rows), 8.0 * len(x)):
        for row, squares in zip(rows[part], _squares(x[rows[part]], x), strict=True):
            near = np.flatnonzero(squares <= limit)
            near = near[near != row]
            groups.append(near[np.argsort(squares[near], kind="stable")])
    return groups


def _squares(points: FloatArray, x: FloatArray) -> FloatArray:
    """(b, n) squared distances, by one product."""
    squares: FloatArray = (points**2).sum(1)[:, None] + (x**2).sum(1) - 2 * points @ x.T
    return np.maximum(squares, 0.0, out=squares)


def _rounding(x: FloatArray) -> float:
    """What rounding leaves of the squared distance of exact copies, at most."""
    return 64 * float(np.finfo(np.float64).eps) * float((x**2).sum(1).max())


def _nearest(points: FloatArray, anchors: FloatArray, itself: bool = False) -> FloatArray:
    """Distance of every point to its nearest anchor; ``itself`` leaves anchor i out for point i."""
    found = np.empty(len(points))
    sizes = (anchors**2).sum(1)
    for part in blocks(len(points), 8.0 * len(anchors)):
        squares = (points[part] ** 2).sum(1)[:, None] + sizes - 2 * points[part] @ anchors.T
        if itself:
            squares[np.arange(len(squares)), np.arange(part.start, part.stop)] = np.inf
        found[part] = np.sqrt(np.maximum(squares.min(1), 0.0))
    return found


def _radius(x: FloatArray) -> float:
    """Root mean square distance to the mean, where all training points have copies; 1 where they are all equal."""
    return float(np.sqrt(((x - x.mean(0)) ** 2).sum(1).mean())) or 1.0
