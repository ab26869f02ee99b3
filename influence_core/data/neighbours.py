"""Who stands where among the training points: exact copies, and how far off a test point lies."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, log

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, blocks, once
from influence_core.compute.sparse import inner, is_sparse, rows_of, squares, stored, varying

ANCHORS = 1_000  # as many as give a steady quantile; more cost time and change nothing
TYPICAL = 0.99
NEAR = 0.2  # of the median distance to the nearest neighbour; a picture saved again as JPEG lies at about 0.1

CHANCE = 1e-4  # of so many neighbours so near, were points strewn at random: below it they are called near copies
CACHE = 2**20  # bytes of distances that the next steps find near the processor: of many points 4 times as fast
SKETCH = 8  # random directions that tell most points apart before distances are taken
FEW_ANCHORS = 200  # enough for a median, at a click


@dataclass(frozen=True, eq=False)
class Crowd:
    """Training points with whatever tells near copies among them quickly.

    Attributes:
        x: (n, d) scaled features.
    """

    x: FloatArray

    @once
    def directions(self) -> FloatArray:
        """(d, 8) random directions of unit length: what is near in x is near along them, too."""
        random = np.random.default_rng(0).normal(size=(self.x.shape[1], SKETCH))
        found: FloatArray = random / np.maximum(np.linalg.norm(random, axis=0), 1e-300)
        return found

    @once
    def sketch(self) -> FloatArray:
        """(n, 8) coordinates along them."""
        found: FloatArray = self.x @ self.directions
        return found

    @once
    def sizes(self) -> FloatArray:
        """(n,) squared lengths."""
        found: FloatArray = squares(self.x)
        return found

    @once
    def rounding(self) -> float:
        """What rounding leaves of the squared distance of exact copies, at most."""
        return _rounding(self.x)

    @once
    def law(self) -> tuple[float, float]:
        """Median distance to the nearest other point, and the dimension in which such distances spread like that.

        Of points strewn at random, distance^dimension to the nearest is exponential; denser and emptier regions spread
        it further, which makes the dimension smaller and near copies rarer.
        """
        found = nearest_others(self.x, FEW_ANCHORS)
        if not len(found):
            return 0.0, 1.0
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        spread = log(high / low) if high > low else 0.0
        fitting = log(log(4) / log(4 / 3)) / spread if spread else np.inf
        return float(middle), float(min(fitting, self.x.shape[1]))

    def near(self, row: int) -> NDArray[np.int64]:
        """Points so near to one, or so many of them near, that chance would hardly put them there; copies among them.

        Returns:
            Rows, nearest first; usually none.
        """
        typical, dimension = self.law
        rows, apart = self._within(rows_of(self.x, row), NEAR * typical)
        rows, apart = rows[rows != row], apart[rows != row]
        relative = np.sqrt(apart) / (typical or 1.0)
        if typical:
            relative[apart <= self.rounding] = 0.0
        expected = log(2) * relative**dimension
        rare = [expected[k] ** (k + 1) / factorial(k + 1) <= CHANCE for k in range(min(len(rows), 20))]
        kept = len(rows) if len(rows) > 20 else 1 + max((k for k, so in enumerate(rare) if so), default=-1)
        found: NDArray[np.int64] = rows[:kept]
        return found

    def same(self, point: FloatArray) -> NDArray[np.int64]:
        """Training points with exactly these features.

        Returns:
            Rows; usually none.
        """
        return self._within(point, 0.0)[0]

    def _within(self, point: FloatArray, limit: float) -> tuple[NDArray[np.int64], FloatArray]:
        """Rows within ``limit``, nearest first, with squared distances."""
        if is_sparse(self.x):  # by their stored numbers: in so many directions a sketch tells few texts apart
            candidates = np.arange(self.x.shape[0])
            apart = self.sizes + point @ point - 2 * (self.x @ point)
            apart[apart <= self.rounding] = 0.0
        else:
            reach = max(limit, self.rounding**0.5)
            candidates = np.flatnonzero(np.abs(self.sketch - point @ self.directions).max(1) <= reach * self._fall)
            apart = ((rows_of(self.x, candidates) - point) ** 2).sum(1)
        near = apart <= max(limit**2, self.rounding)
        order = np.argsort(apart[near], kind="stable")
        return candidates[near][order], apart[near][order]

    @once
    def _fall(self) -> float:
        """A random direction holds about 1/√d of a distance, and hardly ever six times that."""
        return float(min(1.0, 6 / self.x.shape[1] ** 0.5))


def copies(x: FloatArray) -> NDArray[np.int64]:
    """A number for every distinct row; rows with the same number are exact copies of each other.

    Returns:
        (n,) numbers from 0, in order of first appearance.
    """
    seen: dict[bytes, int] = {}
    if is_sparse(x):
        values, places, ends = stored(x)
        parts = [slice(*ends[k : k + 2]) for k in range(len(ends) - 1)]
        names = [places[part].tobytes() + values[part].tobytes() for part in parts]
        return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in x + 0.0], dtype=np.int64)  # −0 equals 0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What is far for a training point itself, and training points to measure from.

    The unit is the 99 % quantile of the distances of training points to their own nearest neighbour: a test point of
    the same law exceeds it once in a hundred.  Above 1,000 points both distances are taken to the same random 1,000,
    which leaves that statement as it is.  A feature that never varies in training is ignored: no model learns from it.

    Attributes:
        varies: (d,) the features that are looked at.
        anchors: (a, d') training points.
        unit: a distance.
    """

    varies: NDArray[np.bool_]
    anchors: FloatArray
    unit: float

    @classmethod
    def of(cls, train: FloatArray) -> Surroundings:
        """That of training points (n, d), scaled, n ≥ 2."""
        varies = varying(train)
        order = np.random.default_rng(0).permutation(train.shape[0])
        rows = train[order[: 2 * ANCHORS]][:, varies]
        anchors = rows[:ANCHORS]
        own = _nearest(rows[ANCHORS:], anchors) if len(order) > ANCHORS else _nearest(anchors, anchors, itself=True)
        unit = float(np.quantile(own, TYPICAL)) or float(own.max()) or _radius(train[:, varies])
        return cls(varies, anchors, unit)

    def remoteness(self, test: FloatArray) -> FloatArray:
        """(m,) distance of points (m, d) to the nearest anchor, in units of what is far for a training point."""
        return _nearest(test[:, self.varies], self.anchors) / self.unit


def neighbour_distance(x: FloatArray) -> float:
    """Median distance of a point to its nearest other point, exact copies not counted; of at most 1,000 random points.

    Args:
        x: (n, d) scaled features, n ≥ 2.

    Returns:
        A distance; 0 where all points are copies of each other.
    """
    found = nearest_others(x, ANCHORS)
    return float(np.median(found)) if len(found) else 0.0


def nearest_others(x: FloatArray, count: int) -> FloatArray:
    """Distances of at most ``count`` random points to their nearest other point, exact copies not counted.

    Returns:
        Finite distances; none where all points are copies of each other.
    """
    asked = np.random.default_rng(0).permutation(x.shape[0])[:count]
    found, points, same = np.full(len(asked), np.inf), x[asked], _rounding(x)
    for part in blocks(x.shape[0], 8.0 * len(asked), CACHE):
        apart = _squares(points, x[part])
        apart[apart <= same] = np.inf
        np.minimum(found, apart.min(1), out=found)
    found = np.sqrt(found)
    finite: FloatArray = found[np.isfinite(found)]
    return finite


def near_duplicates(x: FloatArray, rows: NDArray[np.int64], typical: float) -> list[NDArray[np.int64]]:
    """Points within 0.2 × ``typical`` of each of ``rows`` (exact copies among them), nearest first, ties by row.

    Args:
        x: (n, d) scaled features.
        rows: (b,) points asked about.
        typical: of :func:`neighbour_distance`.

    Returns:
        For every row the other rows near it; usually none.  Texts none of whose words are known say nothing of each
        other, so that they are no copies.
    """
    limit = max((NEAR * typical) ** 2, _rounding(x))
    groups, silent = [], squares(x) == 0 if is_sparse(x) else np.zeros(x.shape[0], dtype=bool)
    for part in blocks(len(rows), 8.0 * x.shape[0]):
        for row, apart in zip(rows[part], _squares(x[rows[part]], x), strict=True):
            near = np.flatnonzero(apart <= limit)
            near = near[(near != row) & ~silent[near] & ~silent[row]]
            groups.append(near[np.argsort(apart[near], kind="stable")])
    return groups


def _squares(points: FloatArray, x: FloatArray) -> FloatArray:
    """(b, n) squared distances, by one product."""
    apart: FloatArray = squares(points)[:, None] + squares(x) - 2 * inner(points, x)
    return np.maximum(apart, 0.0, out=apart)


def _rounding(x: FloatArray) -> float:
    """What rounding leaves of the squared distance of exact copies, at most."""
    return 64 * float(np.finfo(np.float64).eps) * float(squares(x).max())


def _nearest(points: FloatArray, anchors: FloatArray, itself: bool = False) -> FloatArray:
    """Distance of every point to its nearest anchor; ``itself`` leaves anchor i out for point i."""
    found = np.empty(points.shape[0])
    sizes = squares(anchors)
    for part in blocks(len(found), 8.0 * len(sizes)):
        apart = squares(points[part])[:, None] + sizes - 2 * inner(points[part], anchors)
        if itself:
            apart[np.arange(len(apart)), np.arange(part.start, part.stop)] = np.inf
        found[part] = np.sqrt(np.maximum(apart.min(1), 0.0))
    return found


def _radius(x: FloatArray) -> float:
    """Root mean square distance to the mean, where all training points have copies; 1 where they are all equal."""
    x = rows_of(x, slice(None))
    return float(np.sqrt(((x - x.mean(0)) ** 2).sum(1).mean())) or 1.0
