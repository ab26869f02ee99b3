"""Curves over the share of training data checked, many seeds: mean ± standard error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from influence_core.compute import FloatArray


@dataclass(frozen=True, eq=False)
class Curve:
    """What checking the most suspicious shares of the training data brings, for several signals over s seeds.

    Attributes:
        fractions: (f,) shares checked, ascending.
        seeds: the s seeds; each draws its own split and flips.
        found: per signal (s, f), share of the flips found.
        accuracy: per signal (s, f), test accuracy after the flips found have got their labels back and a refit.
        clean: (s,) test accuracy with every flip undone, the most that fixing can reach.
        auc: per signal (s,).
    """

    fractions: FloatArray
    seeds: tuple[int, ...]
    found: Mapping[str, FloatArray]
    accuracy: Mapping[str, FloatArray]
    clean: FloatArray
    auc: Mapping[str, FloatArray]


def mean_and_error(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over seeds and its standard error s / √S, s with divisor S − 1.

    Args:
        values: (S, …).

    Returns:
        Mean and standard error, each (…); the error is NaN for one seed, which says nothing about spread.
    """
    count = len(values)
    spread = values.std(axis=0, ddof=1) if count > 1 else np.full(values.shape[1:], np.nan)
    return np.asarray(values.mean(axis=0)), np.asarray(spread / np.sqrt(count))
