"""One Newton step from θ̂ when training points leave or change: exact for squared loss, with the leverage of each."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from influence_core.compute import blocks, product
from influence_core.influence.watched import Influence, Watched


def newton_change(influence: Influence, watched: Watched, inverse: Tensor | None = None) -> Tensor:
    """One Newton step of J(·; 1 − e_i) from θ̂: m_j(θ̂ + δθ_i) − m_j(θ̂), δθ_i = (H + δI − H_i/n)⁻¹ g_i / n.

    Exact for squared loss.  The leverage of i enters through the c×c Woodbury form.

    Returns:
        (n, m), in the unit of the watched quantity.
    """
    changes = stepped(influence, watched, influence.newton_residuals, influence.drift, inverse)
    if influence.fitted.model.fold_penalty and watched.quantity.penalised:
        changes += penalty_change(influence)[:, None]
    return changes if watched.combine is None else product(changes, watched.combine)


def stepped(
    influence: Influence, watched: Watched, rho: Tensor, drift: Tensor, inverse: Tensor | None = None
) -> Tensor:
    """m_j(θ̂ + A⁻¹(K_i ρ_i)/n + drift/n) − m_j(θ̂) for all i, j: one solve per test output and one product, (n, m).

    With A⁻¹ at hand a product takes the place of the solve and of its check.
    """
    fitted, n = influence.fitted, len(influence.fitted.train)
    model, m = fitted.linear, len(watched.batch)
    base = watched.quantity.values(model.loss, watched.outputs, watched.batch.y, watched.target)
    shared = model.outputs(drift, watched.batch.x) / n
    columns = _output_columns(watched.batch.x, model.loss.outputs)
    solved = influence.removal_solve(columns).value if inverse is None else product(inverse, columns)
    parts = []
    for part in blocks(n, 8.0 * 4 * m * model.loss.outputs):
        moved = model.gradient_dot(fitted.train.x[part], rho[part], solved, 1 / n).view(-1, m, model.loss.outputs)
        f = moved + shared + watched.outputs
        parts.append(watched.quantity.values(model.loss, f, watched.batch.y, watched.target) - base)
    return torch.cat(parts)


def _output_columns(x: Tensor, outputs: int) -> Tensor:
    """K_j = I_c ⊗ x̃_j for every test point, (p, m·K), the K outputs of a point next to each other."""
    columns = x.new_zeros(outputs, x.shape[1], len(x), outputs)
    for k in range(outputs):
        columns[k, :, :, k] = x.T
    return columns.view(outputs * x.shape[1], -1)


def penalty_change(influence: Influence) -> Tensor:
    """Change of the penalty's share in a loss under ``fold_penalty``: (l2/2)(‖θ̂ + δθ_i‖² − ‖θ̂‖²), (n,)."""
    fitted = influence.fitted
    weight = fitted.model.l2 * fitted.model.penalised(fitted.train.x)
    parts = [
        (weight[:, None] * step * (fitted.theta[:, None] + step / 2)).sum(0) for _, step in newton_steps(influence)
    ]
    return torch.cat(parts)


def newton_steps(influence: Influence) -> Iterator[tuple[slice, Tensor]]:
    """One-step Newton changes of θ in blocks of training points.

    Yields:
        Pairs of rows and δθ (p, block).
    """
    for part in blocks(len(influence.fitted.train), 32.0 * influence.fitted.size):
        yield part, _steps(influence, part)


def _steps(influence: Influence, part: slice) -> Tensor:
    fitted, rho = influence.fitted, influence.newton_residuals[part]
    right = fitted.linearised.pullback(fitted.train.x[part], rho) + influence.folded
    return influence.removal_solve(right.T.contiguous()).value / len(fitted.train)


def quantity_change(influence: Influence, watched: Watched, steps: Tensor) -> Tensor:
    """m_j(θ̂ + δθ) − m_j(θ̂) for columns δθ (p, g), (g, m)."""
    fitted, batch = influence.fitted, watched.batch
    loss = fitted.model.loss
    base = watched.quantity.values(loss, watched.outputs, batch.y, watched.target)
    moved = _moved(influence, watched, steps)
    change = watched.quantity.values(loss, moved, batch.y, watched.target) - base
    if fitted.model.fold_penalty and watched.quantity.penalised:
        weight = (fitted.model.l2 * fitted.model.penalised(batch.x))[:, None]
        change += (weight * steps * (fitted.theta[:, None] + steps / 2)).sum(0)[:, None]
    return change if watched.combine is None else product(change, watched.combine)


def _moved(influence: Influence, watched: Watched, steps: Tensor) -> Tensor:
    """f at θ̂ + δθ for columns δθ (p, g), (g, m, K)."""
    fitted, x = influence.fitted, watched.batch.x
    if not fitted.kind.closed_form:
        return torch.stack([fitted.linearised.moved(step, x) for step in steps.T])
    k, outputs = steps.shape[1], fitted.model.loss.outputs
    by = product(x, steps.T.reshape(k * outputs, x.shape[1]).T.contiguous()).view(len(x), k, outputs)
    return by.transpose(0, 1) + watched.outputs


def newton_row(influence: Influence, watched: Watched, row: int) -> Tensor:
    """A row (m,) of :func:`newton_change`, by one solve for g_i instead of all q_j."""
    return quantity_change(influence, watched, _steps(influence, slice(row, row + 1)))[0]
