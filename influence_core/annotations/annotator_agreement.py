"""How far annotators agree: percent, Cohen's κ for two, Krippendorff's α for any number, each with its n and interval.

Answers are nominal: the class that results (``keep`` is the given one), or "exclude".  "Needs review" is no answer, the
second pass is left out: its answers are not independent of the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from influence_core.annotations.resolving import Answers, answers
from influence_core.annotations.store import Store
from influence_core.compute import FloatArray

RESAMPLES, LEVEL = 1_000, 0.95


@dataclass(frozen=True)
class Estimate:
    """A measure with its bootstrap interval over items.

    Attributes:
        value: not a number where it is undefined.
        low: 2.5 % quantile of resampled items.
        high: 97.5 % quantile.
        n: items with two or more answers.
        undefined: why there is no value, else "".
    """

    value: float
    low: float
    high: float
    n: int
    undefined: str = ""


@dataclass(frozen=True)
class Reliability:
    """What the lead sees.

    Attributes:
        annotators: names.
        percent: share of pairs of answers to the same item that are equal, averaged over items.
        kappa: Cohen's κ, of exactly two annotators.
        alpha: Krippendorff's α, nominal.
    """

    annotators: tuple[str, ...]
    percent: Estimate
    kappa: Estimate
    alpha: Estimate


def agreement(store: Store, dataset: int, seed: int = 0) -> Reliability:
    """Agreement of the first-pass answers to a data set, all queue versions together."""
    return agreement_of(answers(store, dataset), seed)


def agreement_of(given: Answers, seed: int = 0) -> Reliability:
    """Agreement of answers that were read already."""
    codes = given.codes
    codes = codes[(codes >= 0).sum(axis=1) >= 2]
    codes = codes[:, (codes >= 0).any(axis=0)] if len(codes) else codes
    rng = np.random.default_rng(seed)
    return Reliability(given.annotators, _percent(codes, rng), _kappa(codes, rng), _alpha(codes, rng))


def _percent(codes: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    if not len(codes):
        return _undefined(0, "no item has two answers yet")
    counts, weights, drawn = _resampled(codes, rng)
    share = _equal_pairs(counts)
    return _estimate(float(weights @ share) / len(codes), drawn @ share / len(codes), len(codes))


def _kappa(codes: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    """(p_o − p_e)/(1 − p_e), Cohen 1960; scikit-learn's value, its interval from resampled confusion matrices."""
    n = len(codes)
    if not n:
        return _undefined(0, "no item has two answers yet")
    if codes.shape[1] != 2:
        return _undefined(n, f"for two annotators, and {codes.shape[1]} shared items: see α")
    if len(np.unique(codes)) < 2:
        return _undefined(n, "only one label occurs")
    c = codes.max() + 1
    cells = np.bincount(codes[:, 0] * c + codes[:, 1], minlength=c * c)
    drawn = rng.multinomial(n, cells / n, size=RESAMPLES).reshape(RESAMPLES, c, c) / n
    observed = np.trace(drawn, axis1=1, axis2=2)
    expected = np.einsum("bi,bi->b", drawn.sum(axis=2), drawn.sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)
    return _estimate(float(cohen_kappa_score(codes[:, 0], codes[:, 1])), resampled, n)


def _alpha(codes: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    """1 − D_o/D_e over the N pairable answers, Krippendorff 2011: nominal difference, missing answers allowed.

    D_o = Σ_u (m_u² − Σ_k n_uk²)/(m_u − 1) / N and D_e = (N² − Σ_k n_k²) / (N (N − 1)).
    """
    if not len(codes):
        return _undefined(0, "no item has two answers yet")
    if len(np.unique(codes[codes >= 0])) < 2:
        return _undefined(len(codes), "only one label occurs")
    counts, weights, drawn = _resampled(codes, rng)
    return _estimate(_alphas(counts, weights[None])[0], _alphas(counts, drawn), len(codes))


def _resampled(
    codes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Items resampled with replacement; those with the same label counts are drawn together, which is the same."""
    counts, weights = np.unique(_counts(codes), axis=0, return_counts=True)
    return counts, weights, rng.multinomial(len(codes), weights / len(codes), size=RESAMPLES)


def _alphas(counts: FloatArray, weights: NDArray[np.int64]) -> FloatArray:
    answered = counts.sum(axis=1)
    differing = (answered**2 - (counts**2).sum(axis=1)) / (answered - 1)
    total, labels = weights @ answered, weights @ counts
    expected = total**2 - (labels**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = np.where(expected > 0, 1 - (total - 1) * (weights @ differing) / expected, np.nan)
    return found


def _counts(codes: NDArray[np.int64]) -> FloatArray:
    """(items, labels) how often each label was given."""
    counts = np.zeros((len(codes), codes.max() + 1))
    for column in codes.T:
        rows = np.flatnonzero(column >= 0)
        counts[rows, column[rows]] += 1
    return counts


def _equal_pairs(counts: FloatArray) -> FloatArray:
    answered = counts.sum(axis=1)
    share: FloatArray = (counts * (counts - 1)).sum(axis=1) / (answered * (answered - 1))
    return share


def _estimate(value: float, resampled: FloatArray, n: int) -> Estimate:
    kept = resampled[np.isfinite(resampled)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(kept, [tail, 1 - tail]) if len(kept) else (math.nan, math.nan)
    return Estimate(float(value), float(low), float(high), n)


def _undefined(n: int, why: str) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, n, why)
