"""What no batch of refits settles: a nearly kinked hinge, and refits that have no minimum at all."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import Task, blocks, product
from influence_core.models import FittedModel
from influence_core.models.fitting import newton
from influence_core.models.scikit_losses import bounded, kinked
from influence_core.retraining.minimise import Minimised


def settle(fitted: FittedModel, rows: Tensor, found: Minimised, task: Task) -> Minimised:
    """Minimise J(·; 1 − e_i) again where a kinked loss stopped above its goal; a hinge by way of a smoother one.

    A small t leaves θ̂ without curvature in some directions, so steps from there say nothing; a larger t has it.

    Returns:
        The refits; a norm above its goal still marks one that did not get there.
    """
    if fitted.model.l2 == 0 and not bounded(fitted.model.loss):
        return replace(found, gradient=_without_separable(fitted, rows, found))
    if not kinked(fitted.model.loss):
        return found
    # What has the accuracy of a fit already is stopped by rounding, and these steps would not get further.
    unsettled = ~(found.norms <= found.goals.clamp(min=fitted.fit.goal)) & ~found.norms.isinf()
    theta, gradient, spent = found.theta.clone(), found.gradient.clone(), found.evaluations
    for k in torch.nonzero(unsettled)[:, 0].tolist():
        weights = torch.ones_like(fitted.train.y)
        weights[rows[k]] = 0
        fit = newton(fitted.linear, fitted.train, weights, goal=float(found.goals[k]))
        theta[k], spent = fit.theta, spent + len(fit.history)
        gradient[k] = fitted.linear.objective(fit.theta, fitted.train, weights)[1]
        task.tick()
    return replace(found, theta=theta, gradient=gradient, evaluations=spent)


def _without_separable(fitted: FittedModel, rows: Tensor, found: Minimised) -> Tensor:
    """Gradients, infinite where a refit without a penalty classifies everything right: it has no minimum."""
    model, train, gradient = fitted.model, fitted.train, found.gradient.clone()
    for part in blocks(len(rows), 8.0 * len(train) * model.loss.outputs):
        theta = found.theta[part]
        f = product(train.x, theta.reshape(-1, train.x.shape[1]).T).view(len(train), len(theta), -1)
        margins = model.loss.margins(f, train.y[:, None])
        if margins is not None:
            margins[rows[part], torch.arange(len(theta), device=rows.device)] = 1
            gradient[part] = torch.where((margins > 0).all(0)[:, None], torch.inf, gradient[part])
    return gradient
