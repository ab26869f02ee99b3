"""Hessian and Gauss–Newton matrix of a network, and the damping that is chosen where none is set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.compute import blocks, gram, once
from influence_core.curvature.matrix import Curvature, Layered, Partly, SampledProducts, roots
from influence_core.models import Batch, FittedModel, Network
from influence_core.models.chain import Chain, chain
from influence_core.models.criteria import OwnLoss
from influence_core.models.linearised import At
from influence_core.models.losses import Loss
from influence_core.models.probing import BENT
from influence_core.settings import SettingsError

MOST_OUTSIDE = 4_096  # parameters outside of layers that make one block for K-FAC; of more its diagonal
SHARE = 0.1  # of the mean eigenvalue: the automatic damping of networks (Grosse et al. 2023, section 5)


def automatic_damping(fitted: FittedModel) -> tuple[float, str]:
    """``SHARE`` times the mean diagonal of the Gauss–Newton matrix with its penalty, and the sentence that says so.

    Returns:
        δ and its reason.
    """
    model = fitted.model
    data = float(_traces(fitted).mean()) / fitted.size
    mean = data + model.l2 * float(model.penalised(fitted.train.x).mean())
    damping = float(f"{max(SHARE * mean, 1e-8):.2g}")
    reason = (
        f"Damping {damping:g} was chosen: {SHARE:g} of the mean eigenvalue of the Gauss–Newton matrix ({mean:.2g}), "
        "because a network leaves many directions without curvature. Set another on the Solvers page."
    )
    return damping, reason


def network_curvature(fitted: FittedModel, kind: str, damping: float, reason: str = "") -> Curvature:
    """The Hessian (``exact``) or the Gauss–Newton matrix (``gauss_newton``) of a network's J at θ̂, plus damping·I.

    Gauss–Newton is (1/n) Σ J_iᵀ C_i J_i + l2·D with C_i = ∂²ℓ_i/∂f²; the Hessian adds the curvature of f.

    Returns:
        The damped curvature; products only, dense for few parameters.

    Raises:
        ValueError: negative damping, or a model that is no network.
        SettingsError: the Hessian of a module whose second derivatives torch does not know.
    """
    if not damping >= 0:
        raise ValueError(f"Expected a damping of at least 0, got {damping}.")
    if not isinstance(fitted.model, Network):
        raise ValueError("Expected a network; for a linear predictor use exact_hessian.")
    model, theta, train = fitted.model, fitted.theta, fitted.train
    gauss, penalty = kind == "gauss_newton", model.l2 * model.penalised(train.x)
    ridge = penalty + damping

    if not (gauss or model.bends):
        raise SettingsError(BENT)
    bend = convex_part(model.loss, fitted.curvatures) if gauss else fitted.curvatures
    layered = Layered(fitted.linearised, train.x, bend, penalty)
    data = _Products(model, fitted, gauss, layered)

    def matvec(v: Tensor) -> Tensor:
        return data.whole(v) + ridge[:, None] * v

    def sampled(rows: Tensor, weights: Tensor, v: Tensor) -> Tensor:
        return data.sampled(rows, weights, v) + ridge[:, None] * v

    def dense() -> Tensor:
        h = _dense_gauss_newton(layered, ridge) if gauss else matvec(torch.eye(fitted.size).to(theta))
        return (h + h.T) / 2

    return Curvature(
        fitted.size,
        damping,
        matvec,
        dense,
        theta.new_empty(0),
        (lambda: _diagonal(layered) + ridge) if gauss and layered.layers else None,
        SampledProducts(len(train), sampled, (lambda: _traces(fitted)) if gauss else None),
        lambda: ridge,
        (lambda: layered) if layered.layers else None,
        products_only=True,
        name="Gauss–Newton" if gauss else "Hessian",
        reason=" ".join(text for text in (reason, *model.notes) if text),
        partly=(lambda: _partly(layered, model, theta, ridge)) if model.some and not layered.layers else None,
    )


def _partly(whole: Layered, model: Network, theta: Tensor, ridge: Tensor) -> Partly:
    """The layers of a network that has other parameters too, and the Gauss–Newton block of those."""
    layered = replace(whole, at=At(model, theta, partly=True))
    outside = torch.ones(len(ridge), dtype=torch.bool, device=ridge.device)
    for layer in layered.layers:
        outside[layer.weight] = False
        if layer.bias is not None:
            outside[layer.bias] = False
    rows = torch.nonzero(outside)[:, 0]
    return Partly(layered, rows, lambda: _outside(whole, rows, ridge[rows]))


def _outside(whole: Layered, rows: Tensor, ridge: Tensor) -> Tensor:
    """(1/n) Σ J_iᵀ C_i J_i + diag(ridge) at some parameters: (q, q), or its diagonal beyond ``MOST_OUTSIDE``."""
    square, root, total = len(rows) <= MOST_OUTSIDE, whole.roots, torch.zeros_like(ridge)
    if square:
        total = ridge.new_zeros(len(rows), len(rows))
    for part in blocks(whole.n, 8.0 * len(whole.penalty)):
        for k in range(root.shape[2]):
            found = whole.at.pullback(whole.x[part], root[part, :, k])[:, rows]
            total += gram(found) if square else found.square().sum(0)
    total /= whole.n
    return total + (torch.diag(ridge) if square else ridge)


@dataclass(frozen=True, eq=False)
class _Products:
    """The data part of products: perceptrons written out, other layers from kept inputs and slopes, else autodiff."""

    network: Network
    fitted: FittedModel
    gauss: bool
    layered: Layered

    @once
    def chain(self) -> Chain | None:
        """The perceptron that the network may be."""
        return chain(self.network, self.fitted.theta, self.fitted.train, self.layered.curvatures)

    @property
    def quick(self) -> bool:
        return self.gauss and bool(self.layered.layers) and self.layered.samples is not None

    def whole(self, v: Tensor) -> Tensor:
        if self.chain is not None:
            return self.chain.product(v, not self.gauss)
        return self.layered.product(v) if self.quick else self._raw(self.fitted.train, self.layered.curvatures, v)

    def sampled(self, rows: Tensor, weights: Tensor, v: Tensor) -> Tensor:
        if self.quick:
            return self.layered.drawn(rows, weights, v)
        train, c = self.fitted.train, self.layered.curvatures
        parts = zip(rows, weights, v, strict=True)
        return torch.stack([self._raw(train.take(row), c[row] * a[:, None, None], part) for row, a, part in parts])

    def _raw(self, part: Batch, c: Tensor, v: Tensor) -> Tensor:
        network, theta = self.network, self.fitted.theta
        return network.gauss_newton(theta, part.x, c, v) if self.gauss else network.hvp(theta, part, v)


def _dense_gauss_newton(layered: Layered, ridge: Tensor) -> Tensor:
    """(1/n) Σ J_iᵀ C_i J_i + diag(ridge) from explicit Jacobians, in blocks of examples."""
    x, at, root, size = layered.x, layered.at, layered.roots, len(ridge)
    total = ridge.new_zeros(size, size)
    for part in blocks(len(x), 8.0 * size * root.shape[2]):
        total += gram(torch.cat([at.pullback(x[part], root[part, :, k]) for k in range(root.shape[2])]))
    total /= len(x)
    total.diagonal().add_(ridge)
    return total


def convex_part(loss: Loss, c: Tensor) -> Tensor:
    """C_i with negative eigenvalues at zero: the one Gauss–Newton matrix of products, dense solvers and factors.

    Losses of ours are convex in f and stay as they are.
    """
    if not isinstance(loss, OwnLoss):
        return c
    root = roots(c)
    return root @ root.mT


def _traces(fitted: FittedModel) -> Tensor:
    """Trace of J_iᵀ C_i J_i = Σ_k ‖J_iᵀ R_ik‖² for every example."""
    root, x = roots(fitted.curvatures), fitted.train.x
    norms = [fitted.linearised.squared_norms(x, root[:, :, k]) for k in range(root.shape[2])]
    return torch.stack(norms).sum(0)


def _diagonal(layered: Layered) -> Tensor:
    """Diagonal of the data part: squares of the per-example gradients of every root column, summed layer by layer."""
    sums = [layered.x.new_zeros(layer.outputs, layer.inputs) for layer in layered.layers]
    for _, tap, root in layered.blocks():
        for k in range(root.shape[2]):
            for total, a, g in zip(sums, tap.inputs, tap.gradients(root[:, :, k]), strict=True):
                if a.shape[1] == 1:
                    total += g[:, 0].square().T @ a[:, 0].square()
                else:
                    total += (g.mT @ a).square().sum(0)
    size = sum(layer.outputs * layer.inputs for layer in layered.layers)
    column = layered.x.new_zeros(size, 1)
    for layer, total in zip(layered.layers, sums, strict=True):
        layer.put(column, total[:, :, None])
    return column[:, 0] / layered.n
