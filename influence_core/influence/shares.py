"""Why one training point scores as it does: its score as a sum over what it is made of, exactly.

For a linear predictor first order is influence(i → j) = (1/n) Σ_a r_ia s_jaᵀx̃_i with s_j = (H + δI)⁻¹ q_j, so
feature k carries the share (1/n) Σ_a r_ia s_jak x_ik, and the intercept and a folded penalty the rest.  One-step Newton
is the same with ρ_i in place of r_i (for one output r_i / (1 − leverage)) and, where the watched quantity bends, its
mean slope along the step in place of its slope at θ̂ (Aumann & Shapley 1974).  For a network the last layer splits like
that over what it reads, and the layers before it stay one number.

A share is not what happens when the feature is changed or left out: that is another experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.compute import FloatArray, numpy
from influence_core.compute.sparse import dense
from influence_core.influence.estimators import ESTIMATORS, Estimator
from influence_core.influence.one_step import quantity_change
from influence_core.influence.watched import Influence, Watched, training_gradients
from influence_core.settings import SettingsError

NODES, WEIGHTS = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(24))


@dataclass(frozen=True, eq=False)
class Shares:
    """The score of one training point, in parts that sum to it.

    Attributes:
        features: (d,) shares of its features; for a network (q,) of what its last layer reads.
        values: what these features are: (d,) scaled, or (q,) activations.
        intercept: share of the constant one.
        penalty: share of a penalty that is folded into the losses.
        before: share of a network's layers before the last; None for a linear predictor.
        score: the sum of all.
    """

    features: FloatArray
    values: FloatArray
    intercept: float
    penalty: float
    before: float | None
    score: float


@dataclass(frozen=True, eq=False)
class Factors:
    """Three reasons for a score: it is n⁻¹ ‖g_i‖ ‖q_j‖ cos in the metric of (H + δI)⁻¹.

    Attributes:
        wrong: ‖r_i‖, how far the model is off at the training point, in the unit of ∂ℓ/∂f.
        energy: g_iᵀ(H + δI)⁻¹g_i, how hard it pulls at the parameters.
        alike: cosine of g_i and q_j in that metric; the sign is that of the first-order score.
    """

    wrong: float
    energy: float
    alike: float


def shares(influence: Influence, watched: Watched, row: int, estimator: str = "influence") -> Shares:
    """The score of training point ``row``, for one watched quantity, over its features.

    Args:
        influence: the fitted model with its factored curvature.
        watched: one test point, or one group of them.
        row: i.
        estimator: whose score; rankings that divide the first-order score divide its shares.

    Returns:
        Shares in the unit of the score; their sum is the score to rounding.

    An estimator whose scores are no sum over features, or a network without a last linear layer, is a
    ``SettingsError``.
    """
    entry = splitting(estimator)
    if not influence.fitted.kind.closed_form:
        found = _last_layer(influence, watched, row, entry.curvature)
    elif estimator == "newton":
        return _newton(influence, watched, row)
    else:
        column = influence.solved(watched).value if entry.curvature else watched.gradient
        found = _split(influence, row, influence.fitted.residuals[row], column[:, 0], influence.folded)
    return _scaled(found, float(entry.one(influence, watched, row)[0]))


def shares_of(
    influence: Influence, watched: Watched, rows: Tensor, scores: Tensor, estimator: str = "influence"
) -> FloatArray | None:
    """Shares of the features of several training points at one test point, all of one solve.

    Σ_a r_ia s_jak x_ik for feature k, scaled to the score: s_j = (H + δI)⁻¹q_j is the same for every training point.
    With one output that holds for one-step Newton, too; with several each point meets slopes of its own there.

    Args:
        influence: the fitted model with its factored curvature.
        watched: one test point.
        rows: (b,) training points.
        scores: (b,) theirs.
        estimator: whose.

    Returns:
        (b, d); None where one solve does not serve: one-step Newton of several outputs, several test points, a folded
        penalty, no gradient.
    """
    fitted, outputs = influence.fitted, influence.fitted.model.loss.outputs
    single = fitted.kind.closed_form and (outputs == 1 or estimator != "newton") and watched.combine is None
    if not single or fitted.model.fold_penalty or len(watched.batch) != 1 or not bool(watched.gradient.any()):
        return None
    column = influence.solved(watched).value.view(outputs, -1)
    sides = column if outputs == 1 else fitted.residuals[rows] @ column
    parts = dense(fitted.train.x[rows]) * sides
    total = parts.sum(1)
    scale = torch.where(total.abs() > 0, scores / total, 0.0)
    width = parts.shape[1] - int(fitted.linear.intercept)
    return numpy((parts * scale[:, None])[:, :width])


def splitting(estimator: str) -> Estimator:
    """The entry of an estimator whose scores are a sum over features.

    Raises:
        SettingsError: they are none.
    """
    entry = ESTIMATORS[estimator]
    if not entry.splits:
        raise SettingsError(f"{entry.title} is no sum over features: choose first order or one-step Newton.")
    return entry


def factors(influence: Influence, watched: Watched, row: int) -> Factors:
    """Why the first-order score of one training point is large: how wrong, how much it pulls, how alike.

    Returns:
        The factors; the cosine is 0 where a gradient vanishes.
    """
    g, q = training_gradients(influence, slice(row, row + 1)), watched.gradient
    solved, asked = influence.solved_row(row).value, influence.solved(watched).value
    energy, other = float((g * solved).sum()), float((q * asked).sum())
    length = max(energy, 0.0) ** 0.5 * max(other, 0.0) ** 0.5
    alike = float((q * solved).sum()) / length if length > 0 else 0.0
    return Factors(float(influence.fitted.residuals[row].norm()), energy, max(-1.0, min(1.0, alike)))


def first_order_parts(influence: Influence, gradients: Tensor, solved: Tensor) -> FloatArray | None:
    """How first-order scores split over features, for ranking these: gᵀv/n, entry by entry.

    Args:
        influence: the fitted model.
        gradients: (p, b) of training points, or of what is watched at test points.
        solved: (p, b) or (p, 1), (H + δI)⁻¹ times those of the other side.

    Returns:
        (b, d); None for a network, whose features are no inputs of its last layer.
    """
    fitted = influence.fitted
    if not fitted.kind.closed_form:
        return None
    parts = (gradients * solved).T.reshape(gradients.shape[1], -1, fitted.train.x.shape[1]).sum(1)
    return numpy(parts[:, :-1] if fitted.linear.intercept else parts) / len(fitted.train)


def _split(influence: Influence, row: int, residual: Tensor, column: Tensor, folded: Tensor) -> Shares:
    """(1/n) (r ⊗ x̃ + folded)ᵀ v over the entries of x̃."""
    fitted = influence.fitted
    n, x = len(fitted.train), fitted.train.x[row]
    parts = (residual @ column.view(len(residual), -1)) * x / n
    penalty = float(folded @ column) / n
    with_constant = fitted.linear.intercept
    features = parts[:-1] if with_constant else parts
    constant = float(parts[-1]) if with_constant else 0.0
    score = float(parts.sum()) + penalty
    return Shares(numpy(features), numpy(x[: len(features)]), constant, penalty, None, score)


def _newton(influence: Influence, watched: Watched, row: int) -> Shares:
    """ρ_i ⊗ x̃_i against the mean slope of what is watched along the step."""
    sides = newton_sides(influence, watched, row)
    column = sides.solve(sides.asked[:, None])[:, 0]
    found = _split(influence, row, sides.residual, column, influence.folded)
    return with_own(found, sides)


@dataclass(frozen=True, eq=False)
class Bilinear:
    """A score as the product of what a training point and what is asked about bring to it: stepᵀ asked, and ``own``.

    Attributes:
        residual: (K,) r_i, or ρ_i of one Newton step.
        step: (p,) A⁻¹(r_i ⊗ x̃_i + folded) / n.
        slopes: (m, K) of the watched quantity at the test points, times their weights.
        asked: (p,) Σ_j slopes_j ⊗ x̃_j.
        solve: A⁻¹.
        own: what the penalty adds that is folded into a watched loss.
        score: the sum.
    """

    residual: Tensor
    step: Tensor
    slopes: Tensor
    asked: Tensor
    solve: Callable[[Tensor], Tensor]
    own: float
    score: float


def newton_sides(influence: Influence, watched: Watched, row: int) -> Bilinear:
    """The two sides of a one-step Newton change, with mean slopes along the step."""
    fitted, here = influence.fitted, slice(row, row + 1)
    n, loss, batch = len(fitted.train), fitted.linear.loss, watched.batch
    rho = influence.newton_residuals[here]
    right = fitted.linearised.pullback(fitted.train.x[here], rho) + influence.folded
    step = influence.removal_solve(right.T.contiguous()).value / n
    moved = fitted.linearised.moved(step[:, 0], batch.x) - watched.outputs
    slopes = _mean_slopes(watched, moved, loss)
    weights = slopes.new_ones(len(batch)) if watched.combine is None else watched.combine[:, 0]
    slopes = slopes * weights[:, None]
    asked = fitted.linearised.pullback(batch.x, slopes).sum(0)
    change, own = float(quantity_change(influence, watched, step)[0, 0]), 0.0
    if fitted.model.fold_penalty and watched.quantity.penalised:
        bent = (fitted.theta + step[:, 0] / 2) * step[:, 0]
        own = fitted.model.l2 * float(fitted.model.penalised(fitted.train.x) @ bent) * float(weights.sum())
    return Bilinear(rho[0], step[:, 0], slopes, asked, lambda b: influence.removal_solve(b).value, own, change)


def with_own(found: Shares, sides: Bilinear) -> Shares:
    """Parts of stepᵀ asked to rounding, with what a folded penalty adds of its own."""
    parts = _scaled(found, sides.score - sides.own)
    return Shares(parts.features, parts.values, parts.intercept, parts.penalty + sides.own, None, sides.score)


def _mean_slopes(watched: Watched, moved: Tensor, loss: object) -> Tensor:
    """∫₀¹ ∂m/∂f(f + t·δf) dt at every test point, (m, K): its product with δf is m(f + δf) − m(f)."""
    quantity, f, y = watched.quantity, watched.outputs, watched.batch.y
    total = torch.zeros_like(f)
    for node, weight in zip(NODES.tolist(), WEIGHTS.tolist(), strict=True):
        total += weight / 2 * quantity.residuals(loss, f + (1 + node) / 2 * moved, y, watched.target)  # type: ignore[arg-type]
    change = quantity.values(loss, f + moved, y, watched.target) - quantity.values(loss, f, y, watched.target)  # type: ignore[arg-type]
    # What the rule leaves, where the quantity has a kink: along the step, so that the parts sum to the whole.
    left, length = change - (total * moved).sum(1), moved.square().sum(1)
    return total + torch.where(length > 0, left / length.clamp(min=1e-300), 0.0)[:, None] * moved


def _last_layer(influence: Influence, watched: Watched, row: int, curvature: bool) -> Shares:
    """Over what the last layer of a network reads; everything before it is one number."""
    fitted, here = influence.fitted, slice(row, row + 1)
    layers, outputs = fitted.linearised.layers, fitted.model.loss.outputs
    if not layers or layers[-1].outputs != outputs:
        raise SettingsError(
            "Expected a network of linear and convolutional layers that ends in a linear one, got another: "
            "its scores are no sum over features."
        )
    n, tap = len(fitted.train), fitted.linearised.tap(fitted.train.x[here])
    a, g = tap.inputs[-1][0].double(), tap.gradients(fitted.residuals[here])[-1][0].double()
    if len(a) != 1:
        raise SettingsError(
            "The last layer of this network runs at several places of an example: its scores are no sum over features."
        )
    column = influence.solved(watched).value if curvature else watched.gradient
    matrix = layers[-1].matrix(column)[..., 0].double()
    parts = (g[0] @ matrix) * a[0] / n
    score = float(fitted.linearised.gradient_dot(fitted.train.x[here], fitted.residuals[here], column, 1 / n)[0, 0])
    constant = layers[-1].bias is not None
    features = parts[:-1] if constant else parts
    before = score - float(parts.sum())
    intercept = float(parts[-1]) if constant else 0.0
    return Shares(numpy(features), numpy(a[0, : len(features)]), intercept, 0.0, before, score)


def _scaled(found: Shares, score: float) -> Shares:
    """The same parts of another multiple of their sum."""
    factor = score / found.score if found.score else 0.0
    before = None if found.before is None else found.before * factor
    return Shares(
        found.features * factor, found.values, found.intercept * factor, found.penalty * factor, before, score
    )
