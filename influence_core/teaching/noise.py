"""What a stochastic optimiser does to leave-one-out: the same experiment with other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from influence_core.data import Split, load
from influence_core.models import fit
from influence_core.settings import Settings


def training_noise(settings: Settings, row: int, test: int, seeds: Sequence[int]) -> pd.DataFrame:
    """Train with and without one training point, once per seed of the optimiser; data and split stay the same.

    The objective without the point is the mean over the n − 1 others, as everybody trains it.

    Returns:
        One row per seed: seed, loss_with and loss_without at the test point.
    """
    split = load(settings.data, settings.seed)
    kept = np.delete(np.arange(len(split.train)), row)
    without = replace(
        split, train=split.train.take(kept), flipped=split.flipped[kept], original_y=split.original_y[kept]
    )
    rows = [(seed, _loss(settings, split, test, seed), _loss(settings, without, test, seed)) for seed in seeds]
    return pd.DataFrame(rows, columns=["seed", "loss_with", "loss_without"])


def _loss(settings: Settings, split: Split, test: int, seed: int) -> float:
    fitted = fit(settings.model, split, seed, "cpu")
    asked = fitted.batch(split.test.take(np.array([test])))
    return float(fitted.model.losses(fitted.theta, asked)[0])
