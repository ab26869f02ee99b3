"""The smoothed hinge at one temperature against refits of the exact hinge."""

from __future__ import annotations

import pandas as pd

from influence_core.compute import FloatArray
from influence_core.influence import estimators
from influence_core.influence.watched import watch
from influence_core.teaching.figures.svm import iris, measured, smoothed


def exact_changes(seed: int) -> FloatArray:
    """Leave-one-out changes of the exact hinge on the Iris split of ``seed``, (90, 10), hinge units."""
    return measured(iris(seed))


def at_temperature(t: float, seed: int, truth: FloatArray) -> pd.DataFrame:
    """Influence through the hinge smoothed with t, against refits of the exact hinge; t = 0 has δ = l2 instead.

    Args:
        t: temperature ≥ 0.
        seed: of the split.
        truth: of :func:`exact_changes` with the same seed.

    Returns:
        One row per pair of a training and a test point: loss_change and loo_loss_change, hinge units.
    """
    parts = iris(seed)
    influence = smoothed(parts, t)
    scores = estimators.scores(influence, watch(influence.fitted, influence.fitted.batch(parts.test)))
    return pd.DataFrame({"loss_change": scores.ravel(), "loo_loss_change": truth.ravel()})
