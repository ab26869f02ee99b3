"""Estimators of networks that need no curvature of J: gradients along the training path, and random projections.

Both predict new minus old when a training point is removed, like all estimators; their scale is not that of a refit,
so they are rankings.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import blocks, gram, product
from influence_core.influence.watched import Influence, Watched, watch
from influence_core.models import QUANTITIES, FittedModel
from influence_core.models.protocol import Layer, Linearised
from influence_core.settings import SettingsError

OUTPUT_SIDE, INPUT_SIDE = 16, 32  # a layer's gradient is projected to at most so many rows and columns
DENSE = 512  # projected gradient of a network without a layer description
RIDGE = 0.1  # of the mean eigenvalue of ΦᵀΦ; the linear datamodelling score was higher than at 10 or 1e-4


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
    name = _name_of(watched)
    total = torch.zeros((), dtype=fitted.theta.dtype, device=fitted.theta.device)
    for rate, theta in fitted.fit.checkpoints:
        there = fitted.at(replace(fitted.fit, theta=theta))
        columns = watch(there, watched.batch, name, target, watched.combine).gradient
        total = total + there.linearised.gradient_dot(there.train.x, there.residuals, columns, rate)
        influence.task.tick()
    return total


def _name_of(watched: Watched) -> str:
    from_registry = {id(entry): name for name, entry in QUANTITIES.items()}
    return from_registry[id(watched.quantity)]


def projection(influence: Influence, watched: Watched) -> Tensor:
    """Q_i a_j q̃_jᵀ (ΦᵀΦ)⁻¹ φ_i with randomly projected gradients (TRAK: Park et al. 2023), over networks of many seeds.

    Φ holds the projected gradients φ_i of the log-odds of the true class (for a numeric target: of the output, times
    √2), of which the loss has Q_i (−(1 − p_i); the residual); q̃ is the gradient of the watched quantity per length a
    of its slope in f.  The three factors are averaged over networks before they are multiplied: a network that is sure
    of an example would have no say in what is similar to it.  A layer's gradient Σ_t G_t ⊗ A_t is projected from both
    sides, P_G G_t ⊗ P_A A_t, so that no (n, p) array exists.

    Returns:
        (n, m).
    """
    everyone = (influence.fitted, *influence.members())
    n, m, factors = len(influence.fitted.train), len(watched.batch), [watched.gradient.new_zeros(())] * 3
    for k, member in enumerate(everyone):
        found = _projected(member, watched, k)
        factors = [total + factor for total, factor in zip(factors, found, strict=True)]
        influence.task.tick(k + 1, len(everyone))
    similar, loss, size = (total / len(everyone) for total in factors)
    scores = loss.view(n, 1) * similar * size.view(1, m)
    return scores if watched.combine is None else product(scores, watched.combine)


def _projected(member: FittedModel, watched: Watched, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """The factors of one network: similarities (n, m), Q (n,) and a (m,)."""
    here = watch(member, watched.batch, _name_of(watched), watched.target, None)
    slopes = here.quantity.residuals(member.model.loss, here.outputs, here.batch.y, here.target)
    sides, odds, size = Sides(member, seed), _odds(member), slopes.norm(dim=1)
    phi = sides.of(member.train.x, odds)
    q = sides.of(here.batch.x, slopes / torch.where(size > 0, size, 1.0)[:, None])
    kernel = gram(phi)
    kernel.diagonal().add_(RIDGE * kernel.diagonal().mean())
    similar = product(phi, torch.linalg.solve(kernel, q.T.contiguous()))
    return similar, (member.residuals * odds).sum(1) / odds.square().sum(1), size


def _odds(fitted: FittedModel) -> Tensor:
    """∂/∂f of what Φ projects: the log-odds of the true class, or √2 f, whose squares make up the Gauss–Newton."""
    quantity = QUANTITIES["margin"]
    if quantity.applies(fitted.model.loss):
        return quantity.residuals(fitted.model.loss, fitted.outputs, fitted.train.y)
    return torch.full_like(fitted.outputs, 2**0.5)


class Sides:
    """Random signs for both sides of every layer's gradient, drawn once for a network."""

    def __init__(self, fitted: FittedModel, seed: int) -> None:
        self.at: Linearised = fitted.linearised
        self.theta = fitted.theta
        self.random = torch.Generator().manual_seed(seed)
        self.signs = [
            (self._draw(layer.outputs, OUTPUT_SIDE), self._draw(layer.inputs, INPUT_SIDE)) for layer in self.at.layers
        ]
        self.dense = None if self.signs else self._draw(len(self.theta), DENSE)

    def _draw(self, full: int, most: int) -> Tensor:
        """(full, k) signs over √k; the identity where nothing would be saved."""
        if full <= most:
            return torch.eye(full).to(self.theta)
        signs = torch.randint(0, 2, (full, most), generator=self.random) * 2 - 1
        scaled: Tensor = (signs / most**0.5).to(self.theta)
        return scaled

    def of(self, x: Tensor, residuals: Tensor) -> Tensor:
        """Projected J_iᵀ r_i, (n, width)."""
        if self.dense is not None:
            return self.at.gradient_dot(x, residuals, self.dense)
        parts = []
        for part in blocks(len(x), 8.0 * _widest(self.at.layers) * 4):
            tap, rows = self.at.tap(x[part]), []
            for (left, right), a, g in zip(self.signs, tap.inputs, tap.gradients(residuals[part]), strict=True):
                rows.append(((g @ left).mT @ (a @ right)).flatten(1))
            parts.append(torch.cat(rows, 1))
        return torch.cat(parts)


def _widest(layers: tuple[Layer, ...]) -> int:
    return max(layer.inputs + layer.outputs for layer in layers)
