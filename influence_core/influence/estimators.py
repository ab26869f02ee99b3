"""ESTIMATORS: predicted changes when a training point is removed, without refitting.

    change[i, j] = m_j(θ̂ without i) − m_j(θ̂)           (new minus old)

For the loss: > 0 means removing i hurts the prediction, so i is helpful; < 0 means i is harmful.  First order it is
+ q_jᵀ (H + δI)⁻¹ g_i / n (Koh & Liang 2017 print −n times this as I_up,loss).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import FloatArray, blocks, numpy, product
from influence_core.influence.networks import projection, tracin
from influence_core.influence.watched import Influence, Watched, training_gradients
from influence_core.models import QUANTITIES, FittedModel
from influence_core.settings import SettingsError

ALL = slice(None)


def dots(influence: Influence, columns: Tensor, rows: Tensor | slice = ALL) -> Tensor:
    """g_iᵀ v_j / n for training points and columns; of all training points, or of some only.

    Returns:
        (n, k), or as many rows as were asked for.
    """
    fitted, n = influence.fitted, len(influence.fitted.train)
    scores = fitted.linearised.gradient_dot(fitted.train.x[rows], fitted.residuals[rows], columns, 1 / n)
    if fitted.model.fold_penalty:
        scores += (influence.folded @ columns) / n
    return scores


def gradient_dot(influence: Influence, watched: Watched) -> Tensor:
    """q_jᵀ g_i / n: the baseline without curvature, exact nowhere.

    Returns:
        (n, m).
    """
    return dots(influence, watched.gradient)


def gradient_cosine(influence: Influence, watched: Watched) -> Tensor:
    """Cosine between q_j and g_i, a baseline without scale.

    Returns:
        (n, m), in [−1, 1]; 0 where a gradient vanishes.
    """
    n = len(influence.fitted.train)
    norms = influence.gradient_norms[:, None] * watched.gradient.norm(dim=0)
    return torch.where(norms > 0, n * dots(influence, watched.gradient) / norms.clamp(min=1e-300), 0.0)


def loss_change(influence: Influence, watched: Watched) -> Tensor:
    """First order: q_jᵀ (H + δI)⁻¹ g_i / n, exact as n → ∞ (Koh & Liang 2017, with n and the sign of removal).

    Returns:
        (n, m), in the unit of the watched quantity.
    """
    return dots(influence, influence.solved(watched).value)


def newton_change(influence: Influence, watched: Watched) -> Tensor:
    """One Newton step of J(·; 1 − e_i) from θ̂: m_j(θ̂ + δθ_i) − m_j(θ̂), δθ_i = (H + δI − H_i/n)⁻¹ g_i / n.

    Exact for squared loss.  The leverage of i enters through the c×c Woodbury form.

    Returns:
        (n, m), in the unit of the watched quantity.
    """
    changes = stepped(influence, watched, influence.newton_residuals, influence.drift)
    if influence.fitted.model.fold_penalty and watched.quantity is QUANTITIES["loss"]:
        changes += penalty_change(influence)[:, None]
    return changes if watched.combine is None else product(changes, watched.combine)


def stepped(influence: Influence, watched: Watched, rho: Tensor, drift: Tensor) -> Tensor:
    """m_j(θ̂ + A⁻¹(K_i ρ_i)/n + drift/n) − m_j(θ̂) for all i, j: one solve per test output and one product.

    Returns:
        (n, m).
    """
    fitted, n = influence.fitted, len(influence.fitted.train)
    model, m = fitted.linear, len(watched.batch)
    base = watched.quantity.values(model.loss, watched.outputs, watched.batch.y, watched.target)
    shared = model.outputs(drift, watched.batch.x) / n
    columns = _output_columns(watched.batch.x, model.loss.outputs)
    solved = influence.removal_solve(columns).value
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
    """Change of the penalty's share in a loss under ``fold_penalty``: (l2/2)(‖θ̂ + δθ_i‖² − ‖θ̂‖²).

    Returns:
        (n,).
    """
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
    fitted, n = influence.fitted, len(influence.fitted.train)
    for part in blocks(n, 32.0 * fitted.size):
        right = fitted.linearised.pullback(fitted.train.x[part], influence.newton_residuals[part]) + influence.folded
        yield part, influence.removal_solve(right.T.contiguous()).value / n


def quantity_change(influence: Influence, watched: Watched, steps: Tensor) -> Tensor:
    """m_j(θ̂ + δθ) − m_j(θ̂) for columns δθ (p, g).

    Returns:
        (g, m).
    """
    fitted, batch = influence.fitted, watched.batch
    loss = fitted.model.loss
    base = watched.quantity.values(loss, watched.outputs, batch.y, watched.target)
    moved = torch.stack([fitted.linearised.moved(step, batch.x) for step in steps.T])
    change = watched.quantity.values(loss, moved, batch.y, watched.target) - base
    if fitted.model.fold_penalty and watched.quantity is QUANTITIES["loss"]:
        weight = (fitted.model.l2 * fitted.model.penalised(batch.x))[:, None]
        change += (weight * steps * (fitted.theta[:, None] + steps / 2)).sum(0)[:, None]
    return change if watched.combine is None else product(change, watched.combine)


def theta_relative(influence: Influence, watched: Watched) -> Tensor:
    """Influence divided by ‖(H + δI)⁻¹ g_i‖: a ranking that ignores how far θ moves (Barshan et al. 2020).

    Returns:
        (n, m); 0 where the gradient vanishes.
    """
    norms = influence.step_norms[:, None]
    return torch.where(norms > 0, loss_change(influence, watched) / norms.clamp(min=1e-300), 0.0)


def loss_relative(influence: Influence, watched: Watched) -> Tensor:
    """Influence divided by √(g_iᵀ (H + δI)⁻¹ g_i) (Barshan et al. 2020).

    Returns:
        (n, m); 0 where the gradient vanishes.
    """
    scale = influence.energies.clamp(min=0).sqrt()[:, None]
    return torch.where(scale > 0, loss_change(influence, watched) / scale.clamp(min=1e-300), 0.0)


def removal_change(influence: Influence, watched: Watched, row: int, estimator: str = "influence") -> FloatArray:
    """The same change[i, j] for one training point i and everything watched: one solve for g_i instead of all q_j.

    Returns:
        (m,), a row of :func:`scores`.
    """
    entry, n, here = _entry(estimator, influence.fitted), len(influence.fitted.train), slice(row, row + 1)
    if entry.needs == "network":
        return numpy(entry.scores(influence, watched)[row])
    if entry.scores is newton_change:
        rho = influence.newton_residuals[here]
        right = influence.fitted.linearised.pullback(influence.fitted.train.x[here], rho) + influence.folded
        step = influence.removal_solve(right.T.contiguous()).value / n
        return numpy(quantity_change(influence, watched, step)[0])
    g = training_gradients(influence, here)
    solved = influence.solve(g).value if entry.curvature else g
    dots = product(watched.gradient.T, solved)[:, 0] / n
    lengths = {
        "gradient_cosine": g.norm() * watched.gradient.norm(dim=0) / n,
        "theta_relative": solved.norm(),
        "loss_relative": (g * solved).sum().clamp(min=0).sqrt(),
    }
    length = lengths.get(estimator)
    return numpy(dots if length is None else torch.where(length > 0, dots / length.clamp(min=1e-300), 0.0))


def self_influence(influence: Influence, newton: bool = False) -> FloatArray:
    """Predicted loss_change of i on itself: g_iᵀ (H + δI)⁻¹ g_i / n ≥ 0, or its one-step Newton form.

    Returns:
        (n,).
    """
    fitted = influence.fitted
    if not newton:
        return numpy(influence.energies / len(fitted.train))
    shared = fitted.model.outputs(influence.drift, fitted.train.x) / len(fitted.train)
    f = fitted.outputs + torch.einsum("nab,nb->na", influence.spread, influence.newton_residuals) + shared
    change = fitted.model.loss.values(f, fitted.train.y) - fitted.model.loss.values(fitted.outputs, fitted.train.y)
    return numpy(change + penalty_change(influence) if fitted.model.fold_penalty else change)


@dataclass(frozen=True)
class Estimator:
    """One way to predict the change.

    Attributes:
        title: for people.
        scores: (n, m) from the linearised model and what is watched.
        exact: where it is exact.
        predicts: False for rankings whose values are not changes.
        curvature: whether it uses the Hessian.
        first_order: whether it keeps the Hessian when a point leaves, so that high leverage is under-estimated.
        needs: ``linear`` or ``network`` where it is for one kind of model only.
        seeds: whether it averages over networks of other seeds, which must be trained first.
    """

    title: str
    scores: Callable[[Influence, Watched], Tensor]
    exact: str
    predicts: bool = True
    curvature: bool = True
    first_order: bool = True
    needs: str = ""
    seeds: bool = False

    def applies(self, fitted: FittedModel) -> bool:
        """Whether this kind of model has what it needs.

        Returns:
            True or False.
        """
        return self.needs in {"", "network" if fitted.network else "linear"}


def scores(influence: Influence, watched: Watched, estimator: str = "influence") -> FloatArray:
    """Predicted change[i, j] of the watched quantity when training point i is removed.

    Returns:
        (n, m), or (n, g) for groups of test points.
    """
    return numpy(_entry(estimator, influence.fitted).scores(influence, watched))


def applicable_estimators(fitted: FittedModel) -> list[str]:
    """Names of the estimators for this kind of model.

    Returns:
        Names in registry order.
    """
    return [name for name, entry in ESTIMATORS.items() if entry.applies(fitted)]


def _entry(estimator: str, fitted: FittedModel) -> Estimator:
    offered = applicable_estimators(fitted)
    if estimator not in ESTIMATORS:
        raise SettingsError(f"Unknown estimator {estimator[:40]!r}: expected one of {', '.join(offered)}.")
    if estimator not in offered:
        raise SettingsError(f"{ESTIMATORS[estimator].title} is not for this model: choose one of {', '.join(offered)}.")
    return ESTIMATORS[estimator]


ESTIMATORS: dict[str, Estimator] = {
    "influence": Estimator("Influence (first order)", loss_change, "as n grows"),
    "newton": Estimator("One-step Newton", newton_change, "squared loss", first_order=False, needs="linear"),
    "gradient_dot": Estimator(
        "Gradient dot product", gradient_dot, "nowhere (a baseline)", curvature=False, first_order=False
    ),
    "gradient_cosine": Estimator(
        "Gradient cosine", gradient_cosine, "nowhere (a baseline)", False, curvature=False, first_order=False
    ),
    "theta_relative": Estimator("θ-relative influence", theta_relative, "a ranking", predicts=False),
    "loss_relative": Estimator("ℓ-relative influence", loss_relative, "a ranking", predicts=False),
    "tracin": Estimator("TracIn over checkpoints", tracin, "a ranking", False, False, False, "network"),
    "projection": Estimator(
        "Random projections (TRAK)", projection, "a ranking", False, False, False, "network", seeds=True
    ),
}
