"""Class probabilities of training points by models that have not seen them: stratified cross-validation of J."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.analysis.problem import Problem
from influence_core.compute import FloatArray, Task, numpy
from influence_core.models import FittedModel, fit
from influence_core.models.fitting import goal_of, newton

FOLDS = 5
GOAL = 1e-6  # of ‖∇J(0)‖; probabilities are then good to about six digits


def folds(labels: NDArray[np.int64], seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """A fold for every point, each class spread evenly, at random.

    Returns:
        (n,) numbers from 0 to count − 1; sizes of a class in two folds differ by at most one.
    """
    random = np.random.default_rng([seed, 5])
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    result = np.empty(len(labels), dtype=np.int64)
    result[by_class] = np.arange(len(labels)) % count
    return result


def cross_validated(problem: Problem, task: Task, count: int = FOLDS) -> FloatArray:
    """Class probabilities of every fold by the model fitted on the others.

    A linear predictor keeps n·l2 and is minimised by Newton from θ̂, which changes nothing but the time; a network is
    trained again by its own settings.

    Returns:
        (n, c); every row sums to 1.

    Raises:
        ValueError: a model without class probabilities.
    """
    fitted, seed = problem.fitted, problem.settings.seed
    fold = torch.from_numpy(folds(numpy(fitted.train.y).astype(np.int64), seed, count)).to(fitted.theta.device)
    parts = []
    for number in range(count):
        theta = _trained(problem, fold != number) if fitted.kind.seeded else _without(fitted, fold != number)
        found = fitted.model.loss.probabilities(fitted.model.outputs(theta, fitted.train.x[fold == number]))
        if found is None:
            raise ValueError("Expected a model with class probabilities: choose logistic or softmax regression.")
        parts.append(found)
        task.tick(number + 1, count)
    result = torch.empty(len(fold), parts[0].shape[1], dtype=parts[0].dtype, device=fold.device)
    for number, part in enumerate(parts):
        result[fold == number] = part
    return numpy(result)


def _trained(problem: Problem, keep: Tensor) -> Tensor:
    """θ of the same network trained on the examples in ``keep``."""
    part = problem.split.train.take(np.flatnonzero(keep.cpu().numpy()))
    return fit(problem.settings.model, replace(problem.split, train=part), problem.settings.seed, problem.device).theta


def _without(fitted: FittedModel, keep: Tensor) -> Tensor:
    """θ fitted on the examples in ``keep``; their share of n scales l2, so that the total penalty stays n·l2."""
    model, part = fitted.linear, fitted.train.take(torch.nonzero(keep)[:, 0])
    if not model.fold_penalty:
        model = replace(model, l2=model.l2 * len(keep) / len(part))
    return newton(model, part, None, fitted.theta, goal_of(model, part, tolerance=GOAL)).theta
