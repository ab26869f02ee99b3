"""How well predicted changes agree with measured ones: never one number alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from influence_core.compute import FloatArray

WORDS = AGREES, ROUGHLY, MISLEADS = "agrees", "roughly", "misleads"
CLOSE = 0.9  # least r, and least share of equal signs, of numbers that agree
FACTOR, WRONG = 1.5, 3.0  # how far the slope of numbers that agree may be from 1, and of those that do not mislead
STRONGEST = 10  # points that r and slope over all of them may hide
LOST_R, LOST_SIGN = 0.5, 2 / 3  # below these the order, or the signs, are lost


@dataclass(frozen=True)
class Measure:
    """A number, or None with the reason why it is undefined."""

    value: float | None
    why: str = ""

    def __str__(self) -> str:
        return digits(self.value) if self.value is not None else f"undefined ({self.why})"


def digits(value: float) -> str:
    """Three decimals, and of a large number its whole part: ``0.998``, ``57.1``, ``2,709``."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:,.0f}"


@dataclass(frozen=True)
class Agreement:
    """Measured against predicted changes of n points.

    Attributes:
        r: Pearson correlation.
        rho: Spearman rank correlation.
        slope: least-squares slope, with intercept, of measured on predicted; > 1: the prediction under-estimates.
        sign: share of points whose signs agree (zero agrees with zero only).
        top_k: share of the k largest measured |changes| among the k largest predicted ones.
        n: number of points.
        k: size of the top lists.
        strong: what the ten strongest measured changes come to, Σ|measured| over Σ predicted with the measured signs;
            > 1: the prediction under-estimates them.
    """

    r: Measure
    rho: Measure
    slope: Measure
    sign: Measure
    top_k: Measure
    n: int
    k: int
    strong: Measure = Measure(None, "not asked")

    def said(self, sized: bool = True) -> str:
        """r and slope in words; of a ranking without unit the order alone, ρ."""
        return f"r = {self.r}, slope = {self.slope}" if sized else f"ρ = {self.rho}"

    def word(self, sized: bool = True, doubt: float = 0.0) -> str:
        """What r, slope, signs and the strongest points come to: ``agrees``, ``roughly`` or ``misleads``.

        Args:
            sized: whether the predictions have a size; a ranking without unit is judged by ρ and signs alone.
            doubt: relative error of what stands for the measured changes, where they are a guess themselves.

        Returns:
            One of ``WORDS``, or an empty text.
        """
        order, sign = (self.r if sized else self.rho).value, self.sign.value
        slope = self.slope.value if sized else 1.0
        if order is None or sign is None or slope is None:
            return ""
        sizes = [slope] if self.strong.value is None or not sized else [slope, self.strong.value]
        if order < LOST_R or sign < LOST_SIGN or not all(1 / WRONG <= size <= WRONG for size in sizes):
            return MISLEADS
        near = (
            order >= CLOSE
            and sign >= CLOSE
            and all((1 + doubt) / FACTOR <= size <= FACTOR / (1 + doubt) for size in sizes)
        )
        return AGREES if near else ROUGHLY


def worst(words: Iterable[str]) -> str:
    """The worst of some words; ``agrees`` where there is none.

    Returns:
        One of ``WORDS``.
    """
    return max((word for word in words if word), key=WORDS.index, default=AGREES)


def agreement(measured: FloatArray, predicted: FloatArray, k: int = 20) -> Agreement:
    """Compare measured (LOO) with predicted changes.

    Args:
        measured: (n,).
        predicted: (n,).
        k: size of the top lists.

    Returns:
        The agreement; each part undefined, with the reason, where it has no meaning.

    Raises:
        ValueError: different lengths.
    """
    if measured.shape != predicted.shape or measured.ndim != 1:
        raise ValueError(f"Expected two vectors of one length, got {measured.shape} and {predicted.shape}.")
    keep = np.isfinite(measured) & np.isfinite(predicted)
    truth, guess, n = measured[keep], predicted[keep], int(keep.sum())
    k = min(k, n)
    if n < 2:
        none = Measure(None, f"needs at least 2 finite points, got {n}")
        return Agreement(none, none, none, none, none, n, k)
    slope = _slope(_centred(truth), _centred(guess))
    same = Measure(float(np.mean(np.sign(truth) == np.sign(guess))))
    overlap = Measure(len(np.intersect1d(_top(truth, k), _top(guess, k))) / k)
    return Agreement(
        _correlation(truth, guess),
        _correlation(rankdata(truth), rankdata(guess)),
        slope,
        same,
        overlap,
        n,
        k,
        _together(truth, guess),
    )


@dataclass(frozen=True)
class Datamodelling:
    """The linear datamodelling score (Park et al. 2023).

    Attributes:
        mean: of the rank correlations over the test points that define one.
        error: standard error of the mean over test points.
        each: (m,) ρ at every test point; NaN where undefined.
        subsets: number of subsets.
    """

    mean: Measure
    error: float
    each: FloatArray
    subsets: int


def linear_datamodelling(values: FloatArray, scores: FloatArray, members: NDArray[np.bool_]) -> Datamodelling:
    """Spearman's ρ, over subsets S, of the value after training on S with what scores predict: Σ_{i ∉ S} change[i, j].

    Args:
        values: (s, m) the watched quantity after training on each subset.
        scores: (n, m) predicted changes on removal, new minus old, or any ranking with that sign.
        members: (s, n) which examples each subset has.

    Returns:
        The score: 1 is perfect, 0 is chance.

    Raises:
        ValueError: shapes that do not belong together.
    """
    if values.shape != (len(members), scores.shape[1]) or members.shape[1] != len(scores):
        raise ValueError(
            f"Expected values (s, m), scores (n, m) and members (s, n), got {values.shape}, {scores.shape} and "
            f"{members.shape}."
        )
    predicted = (~members).astype(np.float64) @ scores
    found = [_correlation(rankdata(v), rankdata(p)).value for v, p in zip(values.T, predicted.T, strict=True)]
    each = np.array([np.nan if value is None else value for value in found])
    known = each[np.isfinite(each)]
    if not len(known):
        return Datamodelling(Measure(None, "no test point changes"), float("nan"), each, len(members))
    error = float(known.std(ddof=1) / len(known) ** 0.5) if len(known) > 1 else float("nan")
    return Datamodelling(Measure(float(known.mean())), error, each, len(members))


def _centred(values: FloatArray) -> FloatArray:
    centred: FloatArray = values - values.mean()
    # Rounding of the mean must not make a constant vector look like a signal.
    return centred if np.ptp(values) > 1e-14 * np.abs(values).max(initial=0.0) else np.zeros_like(centred)


def _correlation(a: FloatArray, b: FloatArray) -> Measure:
    a, b = _centred(a), _centred(b)
    if not a.any():
        return Measure(None, "all measured changes are equal")
    if not b.any():
        return Measure(None, "all predictions are equal")
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # squares of tiny changes would vanish
    return Measure(float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1)))


def _slope(truth: FloatArray, guess: FloatArray) -> Measure:
    scale = np.abs(guess).max()
    if scale == 0:
        return Measure(None, "all predictions are equal")
    return Measure(float((truth / scale) @ (guess / scale) / np.sum((guess / scale) ** 2)))


def _together(truth: FloatArray, guess: FloatArray) -> Measure:
    rows = _top(truth, STRONGEST)
    there = float(np.abs(truth[rows]).sum())
    if not there:
        return Measure(None, "all measured changes are zero")
    here = float(np.sign(truth[rows]) @ guess[rows])
    return Measure(there / here if here else float("inf"))


def _top(values: FloatArray, k: int) -> NDArray[np.int64]:
    return np.argsort(-np.abs(values), kind="stable")[:k]
