"""Other experiments on the training set: groups removed, a label changed, a feature moved; and the change of θ itself.

Each predicts new minus old, like the estimators; each is tested against the refit it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, numpy, product
from influence_core.curvature import exact_hessian, roots
from influence_core.influence.estimators import scores
from influence_core.influence.one_step import newton_steps, quantity_change, stepped
from influence_core.influence.watched import Influence, Watched, rank_corrected, training_gradients
from influence_core.models import Network
from influence_core.solvers import SingularError, cholesky, rooted


def parameter_change(influence: Influence, rows: NDArray[np.int64], newton: bool = False) -> FloatArray:
    """Predicted θ without i minus θ̂: (H + δI)⁻¹ g_i / n, or the one-step Newton change (−DFBETA in statistics).

    Returns:
        (number of rows, p).
    """
    if newton:
        return numpy(torch.cat([step.T for _, step in newton_steps(influence)]))[rows]
    columns = training_gradients(influence, torch.as_tensor(rows))
    return numpy(influence.solve(columns).value.T / len(influence.fitted.train))


def parameter_change_norm(influence: Influence) -> FloatArray:
    """‖(H + δI)⁻¹ g_i‖ / n for every training point, (n,), in the unit of θ."""
    return numpy(influence.step_norms / len(influence.fitted.train))


def group_change(
    influence: Influence, watched: Watched, groups: Sequence[NDArray[np.int64]], newton: bool = False
) -> FloatArray:
    """Predicted change when each group of training points leaves at once.

    First order the single changes add.  Newton takes one step with H − H_S/n: m_j(θ̂ + δθ_S) − m_j(θ̂).

    Returns:
        (number of groups, m).
    """
    if not newton:
        single = scores(influence, watched)
        return np.stack([single[rows].sum(0) for rows in groups])
    steps = torch.stack([group_step(influence, torch.as_tensor(rows), newton=True) for rows in groups], 1)
    return numpy(quantity_change(influence, watched, steps))


def group_step(influence: Influence, rows: Tensor, newton: bool = False) -> Tensor:
    """Predicted θ without a group S minus θ̂: (H + δI)⁻¹ g_S / n, or with H − H_S/n for Newton.

    Newton takes Woodbury of rank |S|·K for small groups, a factor of its own for large ones.

    Returns:
        (p,).

    Raises:
        SingularError: H + δI − H_S/n is not positive definite.
    """
    fitted = influence.fitted
    n, outputs = len(fitted.train), fitted.model.loss.outputs
    total = training_gradients(influence, rows).sum(1)
    if not newton:
        return influence.solve(total[:, None]).value[:, 0] / n
    if not fitted.kind.closed_form:
        raise SingularError(
            "One Newton step is offered for models with a linear predictor. Compare with the real refit."
        )
    if fitted.model.fold_penalty or len(rows) * outputs > fitted.size // 2:
        weights = torch.ones_like(fitted.train.y)
        weights[rows] = 0
        curvature = exact_hessian(fitted, influence.settings.damping, weights=weights)
        return (rooted if curvature.root else cholesky)(curvature)(total[:, None]).value[:, 0] / n
    # H_S/n = W Wᵀ with W made of columns K_i R_i, one per example and output.
    w = torch.einsum("nab,nd->adnb", roots(fitted.curvatures[rows]), fitted.train.x[rows]).reshape(fitted.size, -1)
    w /= n**0.5
    solved = influence.solve(torch.cat([total[:, None], w], 1)).value
    base, solved_w = solved[:, :1], solved[:, 1:]
    inner = torch.eye(w.shape[1], dtype=total.dtype, device=total.device) - product(w.T, solved_w)
    lower, failed = torch.linalg.cholesky_ex(inner)
    if int(failed) or float(lower.diagonal().min()) ** 2 <= 1e-9:
        raise SingularError(
            "Without this group of training points H + damping·I is no longer positive definite, "
            "so one Newton step is undefined. Set a damping or a larger l2."
        )
    return (base + product(solved_w, torch.cholesky_solve(product(w.T, base), lower)))[:, 0] / n


def relabel_change(
    influence: Influence, watched: Watched, labels: NDArray[np.int64], newton: bool = False
) -> FloatArray:
    """Predicted change when training point i gets label ``labels[i]`` instead of its own, for every i.

    First order −q_jᵀ (H + δI)⁻¹ (g(x_i, y′) − g(x_i, y_i)) / n; Newton replaces H by H + (H′_i − H_i)/n.

    Returns:
        (n, m).

    Raises:
        ValueError: the Newton form under ``fold_penalty``.
    """
    fitted = influence.fitted
    n, loss = len(fitted.train), fitted.model.loss
    y = torch.from_numpy(labels.astype(np.float64)).to(fitted.train.y)
    if newton:
        _ = fitted.linear  # refuses a network before anything is computed
    moved = fitted.residuals - loss.residuals(fitted.outputs, y)
    if not newton:
        solved = influence.solve(watched.gradient).value
        if isinstance(fitted.model, Network) and fitted.model.targets_inside:
            there = fitted.model.relabelled(fitted.train, y)
            ends = [fitted.linearised.gradient_dot(b.x, fitted.residuals, solved, 1 / n) for b in (fitted.train, there)]
            return numpy(ends[0] - ends[1])
        return numpy(fitted.linearised.gradient_dot(fitted.train.x, moved, solved, 1 / n))
    # The penalty stays complete, so the curvature is H itself also under fold_penalty.
    if fitted.model.fold_penalty:
        raise ValueError("The one-step Newton relabel_change is not defined with fold_penalty: use first order.")
    change = fitted.curvatures - loss.curvatures(fitted.outputs, y)
    rho = rank_corrected(change, influence.spread, moved)
    result = stepped(influence, watched, rho, torch.zeros_like(fitted.theta))
    return numpy(result if watched.combine is None else product(result, watched.combine))


def perturbation_change(influence: Influence, watched: Watched, rows: NDArray[np.int64]) -> FloatArray:
    """Predicted change when feature k of training point i grows by one unit (of the scaled features).

    −q_jᵀ (H + δI)⁻¹ ∂_{x_k} ∇_θ ℓ_i / n with ∂_{x_k} (r ⊗ x̃) = r ⊗ e_k + (C θ_k) ⊗ x̃; for a network the derivative
    of v_jᵀ∇_θ ℓ_i(x) with respect to x.

    Returns:
        (number of rows, d, m).
    """
    fitted, chosen = influence.fitted, torch.as_tensor(rows)
    if isinstance(fitted.model, Network):
        part = fitted.train.take(chosen)
        solved = influence.solve(watched.gradient).value
        columns = [fitted.model.feature_slopes(fitted.theta, part, column) for column in solved.T]
        return numpy(-torch.stack(columns, 2) / len(fitted.train))
    outputs, x = fitted.model.loss.outputs, fitted.train.x[chosen]
    d = x.shape[1] - int(fitted.linear.intercept)
    solved = influence.solve(watched.gradient).value.view(outputs, x.shape[1], -1)
    theta = fitted.theta.view(outputs, -1)[:, :d]
    direct = torch.einsum("na,adm->ndm", fitted.residuals[chosen], solved[:, :d])
    slopes = torch.einsum("nab,bd->nad", fitted.curvatures[chosen], theta)
    indirect = torch.einsum("nad,nam->ndm", slopes, torch.einsum("ne,aem->nam", x, solved))
    return numpy(-(direct + indirect) / len(fitted.train))
