"""ESTIMATORS: predicted changes when a training point is removed, without refitting.

    change[i, j] = m_j(θ̂ without i) − m_j(θ̂)           (new minus old)

For the loss: > 0 means removing i hurts the prediction, so i is helpful; < 0 means i is harmful.  First order it is
+ q_jᵀ (H + δI)⁻¹ g_i / n (Koh & Liang 2017 print −n times this as I_up,loss).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from influence_core.compute import FloatArray, numpy, product
from influence_core.influence.networks import projection, tracin
from influence_core.influence.one_step import newton_change, newton_row, penalty_change
from influence_core.influence.unrolled import repeatable, unrolled
from influence_core.influence.watched import Influence, Watched, training_gradients
from influence_core.models import LINEAR, NETWORK, FittedModel, Kind
from influence_core.models.fitted import SQUARE
from influence_core.settings import SettingsError

ALL = slice(None)
Row = Callable[[Influence, Watched, int], Tensor]
Length = Callable[[Watched, Tensor, Tensor, int], Tensor]


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
    """q_jᵀ g_i / n: the baseline without curvature, exact nowhere, (n, m)."""
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
    """The same change[i, j] for one training point i and everything watched: (m,), a row of :func:`scores`."""
    return numpy(_entry(estimator, influence.fitted).one(influence, watched, row))


def first_order(length: Length | None = None, curvature: bool = True) -> Row:
    """Makes rows of q_jᵀ v_i / n by one solve for v_i = (H + δI)⁻¹ g_i, or with g_i itself, over a length of it."""

    def one(influence: Influence, watched: Watched, row: int) -> Tensor:
        g = training_gradients(influence, slice(row, row + 1))
        v = influence.solved_row(row).value if curvature else g
        n = len(influence.fitted.train)
        found = product(watched.gradient.T, v)[:, 0] / n
        if length is None:
            return found
        size = length(watched, g, v, n)
        return torch.where(size > 0, found / size.clamp(min=1e-300), 0.0)

    return one


def self_influence(influence: Influence, newton: bool = False) -> FloatArray:
    """Predicted loss_change of i on itself: g_iᵀ (H + δI)⁻¹ g_i / n ≥ 0, or its one-step Newton form, (n,)."""
    fitted = influence.fitted
    if not newton:
        return numpy(influence.energies / len(fitted.train))
    shared = fitted.model.outputs(influence.drift, fitted.train.x) / len(fitted.train)
    f = fitted.outputs + torch.einsum("nab,nb->na", influence.spread, influence.newton_residuals) + shared
    change = fitted.model.loss.values(f, fitted.train.y) - fitted.model.loss.values(fitted.outputs, fitted.train.y)
    return numpy(change + penalty_change(influence) if fitted.model.fold_penalty else change)


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """One way to predict the change.

    Attributes:
        title: for people.
        help: what it does, in a sentence or two.
        scores: (n, m) from the linearised model and what is watched.
        row: (m,) of one training point, where that is cheaper than a row of ``scores``.
        own: (n,) predicted loss_change of every training point on itself.
        predicts: False for rankings whose values are not changes.
        curvature: whether it uses the Hessian.
        first_order: whether it keeps the Hessian when a point leaves, so that high leverage is under-estimated.
        kinds: of the models that it is for.
        seeds: whether it averages over networks of other seeds, which must be trained first.
        unrolls: whether it goes back through the training run of this model, which is what its truth repeats.
        splits: whether its scores are a sum over the features of the training point (``shares``).
    """

    title: str
    help: str
    scores: Callable[[Influence, Watched], Tensor]
    row: Row | None = None
    own: Callable[[Influence], FloatArray] = self_influence
    predicts: bool = True
    curvature: bool = True
    first_order: bool = True
    kinds: tuple[Kind, ...] = (LINEAR, NETWORK)
    seeds: bool = False
    unrolls: bool = False
    splits: bool = False

    def one(self, influence: Influence, watched: Watched, row: int) -> Tensor:
        """The change at everything watched, (m,), when one training point leaves."""
        return self.scores(influence, watched)[row] if self.row is None else self.row(influence, watched, row)

    def applies(self, fitted: FittedModel) -> bool:
        """Whether it is for this model, and for so many parameters: leverages need a whole inverse, p × p or n × n."""
        bare = self.first_order or not self.curvature or not fitted.kind.closed_form
        small = bare or fitted.size <= SQUARE or fitted.wide
        return small and fitted.kind in self.kinds and (not self.unrolls or repeatable(fitted))


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
    "influence": Estimator(
        title="Influence (first order)",
        help="qᵀ(H + δI)⁻¹g/n, the slope at the fit. Too small where leverage is high.",
        scores=loss_change,
        row=first_order(),
        splits=True,
    ),
    "newton": Estimator(
        title="One-step Newton",
        help="One Newton step without the point: first order divided by 1 − leverage. Exact for squared loss.",
        scores=newton_change,
        row=newton_row,
        own=partial(self_influence, newton=True),
        first_order=False,
        kinds=(LINEAR,),
        splits=True,
    ),
    "gradient_dot": Estimator(
        title="Gradient dot product",
        help="qᵀg/n: what one step of plain descent would do. No curvature: a baseline.",
        scores=gradient_dot,
        row=first_order(curvature=False),
        curvature=False,
        first_order=False,
        splits=True,
    ),
    "gradient_cosine": Estimator(
        title="Gradient cosine",
        help="The cosine of q and g: whether they point the same way, whatever their size. A ranking.",
        scores=gradient_cosine,
        row=first_order(lambda watched, g, _v, n: g.norm() * watched.gradient.norm(dim=0) / n, curvature=False),
        predicts=False,
        curvature=False,
        first_order=False,
        splits=True,
    ),
    "theta_relative": Estimator(
        title="θ-relative influence",
        help="First order divided by how far the point moves θ: who does much by moving the model little.",
        scores=theta_relative,
        row=first_order(lambda _watched, _g, v, _n: v.norm()),
        predicts=False,
        splits=True,
    ),
    "loss_relative": Estimator(
        title="ℓ-relative influence",
        help="First order divided by the square root of the point's own influence: outliers count less.",
        scores=loss_relative,
        row=first_order(lambda _watched, g, v, _n: (g * v).sum().clamp(min=0).sqrt()),
        predicts=False,
        splits=True,
    ),
    "unrolled": Estimator(
        title="This training run, unrolled",
        help="The derivative of this very training run by the weight of the point, step by step backwards.",
        scores=unrolled,
        curvature=False,
        first_order=False,
        kinds=(NETWORK,),
        unrolls=True,
    ),
    "tracin": Estimator(
        title="TracIn over checkpoints",
        help="Gradient dot products summed over checkpoints of the training run. A ranking.",
        scores=tracin,
        predicts=False,
        curvature=False,
        first_order=False,
        kinds=(NETWORK,),
    ),
    "projection": Estimator(
        title="Projection scores (TRAK)",
        help="Kernel regression on the gradients of the margin, averaged over networks on halves (TRAK). A ranking.",
        scores=projection,
        predicts=False,
        curvature=False,
        first_order=False,
        kinds=(NETWORK,),
        seeds=True,
    ),
}
