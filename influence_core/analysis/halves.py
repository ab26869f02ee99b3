"""Models trained on random halves of the training points, and the linear datamodelling score they are drawn for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from influence_core.agreement import Datamodelling, linear_datamodelling
from influence_core.compute import FloatArray

HALVES = 50  # random half-subsets of the linear datamodelling score
DRAWN = 200  # times that halves are drawn again for an error


@dataclass(frozen=True)
class Draw:
    """How many random halves, over how many seeds they are averaged (0: as the truth does), and what share leaves."""

    subsets: int = HALVES
    seeds: int = 0
    dropped: float = 0.5


DRAW = Draw()


@dataclass(frozen=True, eq=False)
class Halves:
    """Networks trained on random halves of the training points.

    Attributes:
        members: (s, n) which examples each had.
        values: (s, m) the watched quantity after training, averaged over seeds.
        seeds: so many.
    """

    members: NDArray[np.bool_]
    values: FloatArray
    seeds: int

    def score(self, scores: FloatArray) -> Datamodelling:
        """How well scores (n, m) predict these values: the linear datamodelling score.

        Returns:
            Rank correlations over the halves.
        """
        return linear_datamodelling(self.values, scores, self.members)

    @property
    def chance(self) -> float:
        """Standard deviation of a rank correlation over so many halves that is nothing but chance."""
        return float(max(len(self.members) - 1, 1) ** -0.5)

    def gap(self, better: FloatArray, other: FloatArray) -> tuple[float, float]:
        """By how much one ranking (n,) beats another at the only test point, judged on the same halves.

        Returns:
            Difference of the two linear datamodelling scores, and its standard error over halves drawn again.
        """
        sums = (~self.members).astype(np.float64) @ np.stack([better, other], 1)
        drawn = np.random.default_rng(0).integers(len(sums), size=(DRAWN, len(sums)))
        everyone = np.vstack([np.arange(len(sums)), drawn])
        truth, found = (rankdata(column[everyone], axis=1) for column in (self.values[:, 0], sums[:, 0]))
        gaps = _correlations(truth, found) - _correlations(truth, rankdata(sums[:, 1][everyone], axis=1))
        return float(gaps[0]), float(np.nanstd(gaps[1:], ddof=1))


def _correlations(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of every row of one array with the same row of another; NaN where one of them is constant."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        found: FloatArray = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return found


def random_halves(n: int, count: int, seed: int, dropped: float = 0.5) -> NDArray[np.bool_]:
    """Subsets of half the training points, or without another share, drawn without replacement, (count, n)."""
    random, members = np.random.default_rng([seed, 13]), np.zeros((count, n), dtype=bool)
    for row in members:
        row[random.choice(n, int(n * (1 - dropped)), replace=False)] = True
    return members
