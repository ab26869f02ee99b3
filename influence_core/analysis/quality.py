"""What a fitted model says about data: losses, accuracies, confusion, decision field, weights, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.problem import Problem
from influence_core.compute import FloatArray
from influence_core.data import Dataset
from influence_core.models import Batch, FittedModel

GRID = 90
FRAME = 0.06


@dataclass(frozen=True)
class Quality:
    """How well a fit does on one part of the data.

    Attributes:
        loss: mean loss, the penalty not included.
        accuracy: share of right classes; None for regression.
        r2: share of the target's variance that is explained; None for classification.
        rmse: root of the mean squared error, in target units; None for classification.
    """

    loss: float
    accuracy: float | None = None
    r2: float | None = None
    rmse: float | None = None


def outputs(fitted: FittedModel, batch: Batch) -> FloatArray:
    """f at the examples, (n, K)."""
    f = fitted.model.outputs(fitted.theta, batch.x)
    return np.asarray(f.detach().cpu().numpy())


def decided(f: FloatArray) -> NDArray[np.int64]:
    """The class that the outputs of a classifier stand for, (n,) class index."""
    return (f[:, 0] > 0).astype(np.int64) if f.shape[1] == 1 else f.argmax(axis=1)


def quality(fitted: FittedModel, data: Dataset) -> Quality | None:
    """Loss and accuracy, or R² and RMSE, on a part of the data.

    Returns:
        The quality; None for an empty part.
    """
    if not len(data):
        return None
    batch = fitted.batch(data)
    loss, f = float(fitted.model.losses(fitted.theta, batch).mean()), outputs(fitted, batch)
    if data.classes:
        return Quality(loss, accuracy=float(np.mean(decided(f) == data.y)))
    errors, spread = data.y - f[:, 0], data.y - data.y.mean()
    total = float(spread @ spread)
    return Quality(
        loss, r2=1 - float(errors @ errors) / total if total else None, rmse=float((errors**2).mean() ** 0.5)
    )


def confusion(y: NDArray[Any], guess: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Number of examples of each class (rows) that are taken for each class (columns), (c, c)."""
    pairs = y.astype(np.int64) * classes + guess
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def decision(problem: Problem) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Log-odds (or the margin) of class 1 on a grid over two features; 0 is the boundary.

    Returns:
        Places (g,) of the columns, of the rows, and the values (g, g); None unless there are two features and classes.
    """
    split, fitted = problem.split, problem.fitted
    if split.train.x.shape[1] != 2 or split.train.classes != 2:
        return None
    low, high = frame(problem)
    x, y = (np.linspace(low[k], high[k], GRID) for k in range(2))
    points = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], axis=1)
    n = len(points)
    grid = replace(
        split.train,
        x=split.scaling.apply(points),
        y=np.zeros(n, np.int64),
        ids=np.full(n, "grid"),
        images=None,
        hover=None,
    )
    f = outputs(fitted, fitted.batch(grid))
    value = f[:, 0] if f.shape[1] == 1 else f[:, 1] - f[:, 0]
    return x, y, value.reshape(GRID, GRID)


def frame(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corner of what is drawn of two features."""
    points = np.concatenate([problem.positions.train, problem.positions.test])
    low, high = points.min(axis=0), points.max(axis=0)
    return low - FRAME * (high - low), high + FRAME * (high - low)


def weights(fitted: FittedModel, d: int) -> FloatArray | None:
    """Θ without the intercepts, per unit of the (scaled) features.

    Returns:
        (K, d); None where f is not linear in the features.
    """
    if not fitted.kind.closed_form:
        return None
    theta = fitted.theta.detach().cpu().numpy()
    return theta.reshape(fitted.model.loss.outputs, -1)[:, :d]
