"""The Hessian of a model with a linear predictor, in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from influence_core.compute import product
from influence_core.curvature.matrix import Curvature, Layered, SampledProducts
from influence_core.models import FittedModel
from influence_core.models.fitted import SQUARE
from influence_core.models.linear import add_projector, project
from influence_core.models.losses import Squared
from influence_core.models.sampling import sampled_products, spectral_bounds

WIDE = 1_500  # parameters up to which the p × p matrix costs little whatever the number of examples


def exact_hessian(
    fitted: FittedModel, damping: float = 0.0, penalty: float | None = None, weights: Tensor | None = None
) -> Curvature:
    """∇²J(θ̂) + damping·I; for a linear predictor the Gauss–Newton matrix is the same.

    Softmax is singular along equal changes of all classes; the projector onto these directions is added, which is
    exact because all gradients are orthogonal to them.

    Args:
        fitted: model at θ̂.
        damping: δ ≥ 0.
        penalty: another l2 than the model's (the Newton step under ``fold_penalty`` needs l2·(1 − 1/n)).
        weights: (n,) example weights, 0 for examples left out.

    Raises:
        ValueError: negative damping.
    """
    if not damping >= 0:
        raise ValueError(f"Expected a damping of at least 0, got {damping}.")
    model, x = fitted.linear, fitted.train.x
    c = fitted.curvatures if weights is None else fitted.curvatures * weights[:, None, None]
    l2 = model.penalty(weights) if penalty is None else penalty
    outputs, null = model.loss.outputs, model.null_space(x)

    def matvec(v: Tensor) -> Tensor:
        return model.hvp(x, c, v, l2) + damping * v + project(v, null, outputs)

    def dense() -> Tensor:
        h = add_projector(model.hessian(fitted.theta, fitted.train, weights), null, outputs)
        h.diagonal().add_((l2 - model.penalty(weights)) * model.penalised(x) + damping)
        return h

    def diagonal() -> Tensor:
        data = product(c.diagonal(dim1=1, dim2=2).T.contiguous(), x**2).reshape(-1) / len(x)
        deflation = torch.zeros_like(data) if null is None else null.repeat(outputs) / outputs
        return data + l2 * model.penalised(x) + damping + deflation

    def ridge() -> Tensor:
        return l2 * model.penalised(x) + damping

    added = ridge()[:, None]

    def sampled(rows: Tensor, weights: Tensor, v: Tensor) -> Tensor:
        drawn = torch.addcmul(sampled_products(x, c, (rows, weights), v), added, v)
        if null is not None:
            columns = v.permute(1, 0, 2).reshape(v.shape[1], -1)
            drawn += project(columns, null, outputs).view(v.shape[1], len(v), -1).permute(1, 0, 2)
        return drawn

    layered = partial(Layered, fitted.linearised, x, c, l2 * model.penalised(x))
    like, samples = x.new_empty(0), SampledProducts(len(x), sampled, lambda: spectral_bounds(x, c))
    shared, said = (None if null is None else lambda: _null_columns(null, outputs)), " ".join(model.notes)
    bare = isinstance(model.loss, Squared) and l2 == 0 and damping == 0 and len(x) >= x.shape[1]
    parts, root = (like, diagonal, samples, ridge, layered), partial(_root, x, c, null) if bare else None
    wide = None if shared else _dual(x, c, added[:, 0])
    return Curvature(fitted.size, damping, matvec, dense, *parts, null=shared, root=root, reason=said, dual=wide)


def _dual(x: Tensor, curvatures: Tensor, ridge: Tensor) -> Callable[[], tuple[Tensor, Tensor]] | None:
    """√(c_i/n) x̃_i and the diagonal, where an n × n factor is cheaper than one of p × p."""
    n, p = x.shape
    single = curvatures.shape[1] == 1 and bool((curvatures >= 0).all())
    if not (single and n < min(p, SQUARE + 1) and p > WIDE and int((ridge == 0).sum()) <= 1):
        return None
    return lambda: ((curvatures[:, 0] / n).sqrt() * x, ridge)


def _root(x: Tensor, curvatures: Tensor, null: Tensor | None) -> Tensor:
    """Upper triangular R with RᵀR = (1/n) Σ c_i x̃_i x̃_iᵀ + diag(null), (p, p)."""
    rows = x * (curvatures[:, 0] / len(x)).sqrt()
    held = torch.zeros_like(x[:0]) if null is None else torch.diag(null)
    upper: Tensor = torch.linalg.qr(torch.cat([rows, held]), mode="r")[1]
    return upper


def _null_columns(null: Tensor, outputs: int) -> Tensor:
    """u_k = (1/√c) 1 ⊗ e_k as columns (p, j)."""
    return torch.diag(null)[:, null > 0].repeat(outputs, 1) / math.sqrt(outputs)
