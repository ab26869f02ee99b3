"""Who stands where among the training points: exact copies, and how far off a test point lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, blocks

ANCHORS = 1_000  # as many as give a steady quantile; more cost time and change nothing
TYPICAL = 0.99


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
