"""Refits of a nearly kinked hinge that no batch settles: one at a time, from the refit of a smoother hinge."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import Task
from influence_core.models import FittedModel
from influence_core.models.fitting import newton
from influence_core.models.losses import SmoothedHinge
from influence_core.retraining.minimise import Minimised


def settle(fitted: FittedModel, rows: Tensor, found: Minimised, task: Task) -> Minimised:
    """Minimise J(·; 1 − e_i) again where the batch stopped above its goal, by Newton steps with a dense Hessian.

    A small t leaves θ̂ without curvature in some directions, so steps from there say nothing; a smoother hinge has it.

    Returns:
        The refits; a norm above its goal still marks one that did not get there.
    """
    if not isinstance(fitted.model.loss, SmoothedHinge) or fitted.model.l2 == 0:
        return found
    # What has the accuracy of a fit already is stopped by rounding, and these steps would not get further.
    unsettled = ~(found.norms <= found.goals.clamp(min=fitted.fit.goal))
    theta, norms, spent = found.theta.clone(), found.norms.clone(), found.evaluations
    for k in torch.nonzero(unsettled)[:, 0].tolist():
        weights = torch.ones_like(fitted.train.y)
        weights[rows[k]] = 0
        fit = newton(fitted.model, fitted.train, weights, goal=float(found.goals[k]))
        theta[k], norms[k], spent = fit.theta, fit.gradient_norm, spent + len(fit.history)
        task.tick(0, 0)
    return replace(found, theta=theta, norms=norms, evaluations=spent)
