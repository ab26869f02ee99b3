"""Estimators of networks that need no curvature of J: gradients along the training path, and projection scores.

Both predict new minus old when a training point is removed, like all estimators; their scale is not that of a refit,
so they are rankings.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import product
from influence_core.influence.similar import similar_of
from influence_core.influence.watched import Influence, Watched, watch
from influence_core.models import QUANTITIES, FittedModel
from influence_core.settings import SettingsError


def tracin(influence: Influence, watched: Watched) -> Tensor:
    """Σ_t η_t q_j(θ_t)ᵀ g_i(θ_t) over checkpoints θ_t (Pruthi et al. 2020), with the sign of removal.

    η_t is the sum of learning rates since the checkpoint before, over batch size and 1 − momentum: what the steps of
    point i moved the watched quantity, had nothing else moved in between.

    Returns:
        (n, m).

    Raises:
        SettingsError: a network without checkpoints.
    """
    fitted, target = influence.fitted, watched.target
    if not fitted.fit.checkpoints:
        raise SettingsError("TracIn needs checkpoints of the training run: this model has none.")
    name = name_of(watched)
    total = torch.zeros((), dtype=fitted.theta.dtype, device=fitted.theta.device)
    for rate, theta in fitted.fit.checkpoints:
        there = fitted.at(replace(fitted.fit, theta=theta))
        columns = watch(there, watched.batch, name, target, watched.combine).gradient
        total = total + there.linearised.gradient_dot(there.train.x, there.residuals, columns, rate)
        influence.task.tick()
    return total


def name_of(watched: Watched) -> str:
    """The name of the watched quantity in ``QUANTITIES``."""
    from_registry = {id(entry): name for name, entry in QUANTITIES.items()}
    return from_registry[id(watched.quantity)]


def projection(influence: Influence, watched: Watched) -> Tensor:
    """Q_i a_j q̃_jᵀ (ΦᵀΦ + λI)⁻¹ φ_i over networks of many seeds (TRAK: Park et al. 2023), λ the mean eigenvalue.

    Φ holds the gradients φ_i of the log-odds of the true class (for a numeric target: of the output, times √2), of
    which the loss has Q_i (−(1 − p_i); the residual); q̃ is the gradient of the watched quantity per length a of its
    slope in f.  The three factors are averaged over networks before they are multiplied: a network that is sure of an
    example would have no say in what is similar to it.  Whole gradients in dual form, or projected ones where there are
    many examples (:mod:`~influence_core.influence.similar`); no (n, p) array exists.

    Returns:
        (n, m).
    """
    everyone = (influence.fitted, *influence.members())
    n, m, factors = len(influence.fitted.train), len(watched.batch), [watched.gradient.new_zeros(())] * 3
    for k, member in enumerate(everyone):
        found = _factors(member, watched, k)
        factors = [total + factor for total, factor in zip(factors, found, strict=True)]
        influence.task.tick(k + 1, len(everyone))
    similar, loss, size = (total / len(everyone) for total in factors)
    scores = loss.view(n, 1) * similar * size.view(1, m)
    return scores if watched.combine is None else product(scores, watched.combine)


def _factors(member: FittedModel, watched: Watched, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """The factors of one network: similarities (n, m), Q (n,) and a (m,)."""
    here = watch(member, watched.batch, name_of(watched), watched.target, None)
    slopes = here.quantity.residuals(member.model.loss, here.outputs, here.batch.y, here.target)
    odds, size = _odds(member), slopes.norm(dim=1)
    along = slopes / torch.where(size > 0, size, 1.0)[:, None]
    similar = similar_of(member, odds, seed).of(here.batch.x, along)
    return similar, (member.residuals * odds).sum(1) / odds.square().sum(1), size


def _odds(fitted: FittedModel) -> Tensor:
    """∂/∂f of what Φ projects: the log-odds of the true class, or √2 f, whose squares make up the Gauss–Newton."""
    quantity = QUANTITIES["margin"]
    if quantity.applies(fitted.model.loss):
        return quantity.residuals(fitted.model.loss, fitted.outputs, fitted.train.y)
    return torch.full_like(fitted.outputs, 2**0.5)
