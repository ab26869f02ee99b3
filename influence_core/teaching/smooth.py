"""Training runs that are smooth in the weights of their examples, and runs that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from influence_core.agreement import agreement
from influence_core.analysis import NoMinimumError, analyse
from influence_core.settings import ModelSettings, Options, Settings

SMALL: Options = (("batch_size", 32), ("epochs", 10), ("layers", 2), ("width", 8))


def smooth_settings(settings: Settings, activation: str, rate: float) -> Settings:
    """The same data with a small network, trained by SGD with momentum and unrolled."""
    options = (*SMALL, ("activation", activation), ("learning_rate", rate))
    model = ModelSettings("mlp", 0.001, options=tuple(sorted(options)))
    return Settings(settings.data, model, estimator="unrolled", seed=settings.seed)


def smooth_runs(settings: Settings, activation: str, rates: Sequence[float]) -> pd.DataFrame:
    """How smooth runs at several learning rates are, and how far the same runs without a point bear them out.

    Returns:
        One row per rate: learning_rate, metasmoothness, and of the derivative (r, slope) and of influence at θ̂
        (influence_r) the medians over the test points; NaN where training left all finite numbers.
    """
    return pd.DataFrame([_run(smooth_settings(settings, activation, rate)) for rate in rates]).assign(
        learning_rate=rates
    )[["learning_rate", "metasmoothness", "r", "slope", "influence_r"]]


def _run(settings: Settings) -> dict[str, float]:
    try:
        analysis = analyse(settings)
        measured = analysis.problem.loo().change
        smoothness = analysis.problem.smoothness()
    except NoMinimumError:
        return dict.fromkeys(("metasmoothness", "r", "slope", "influence_r"), np.nan)
    at_fit = replace(analysis, settings=replace(settings, estimator="influence"))
    own, other = (
        [agreement(measured[:, j], scores[:, j]) for j in range(measured.shape[1])]
        for scores in (analysis.scores(), at_fit.scores())
    )
    r, slope, influence = (
        [getattr(one, name).value for one in found] for found, name in ((own, "r"), (own, "slope"), (other, "r"))
    )
    return {
        "metasmoothness": smoothness,
        "r": _median(r),
        "slope": _median(slope),
        "influence_r": _median(influence),
    }


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")
