"""What a second step would change of what one Newton step predicts: whether that may be believed, without a refit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import once, product
from influence_core.influence.one_step import newton_change, quantity_change
from influence_core.influence.watched import Influence, Watched, rank_corrected
from influence_core.models.losses import SmoothedHinge, Squared
from influence_core.models.scikit_losses import SquaredLabels, core

FULL = 64  # outputs of test points at which one Newton step is followed in full; of larger groups to first order in θ
CALM = 0.3  # change of an output that changes the curvature of a logistic loss by a third at most, one step by less
SUSPECTS = 64  # points that are followed by a second step
TOP = 20


@dataclass(frozen=True, eq=False)
class Forecast:
    """One-step Newton without damping: the best guess at a refit that a click can afford.

    Attributes:
        influence: the exact Hessian, undamped, factored.
    """

    influence: Influence

    def change(self, watched: Watched) -> Tensor:
        """Predicted change of the one watched quantity, (n,)."""
        if len(watched.batch) * self.influence.fitted.model.loss.outputs <= FULL:
            return newton_change(self.influence, watched)[:, 0]
        return self.straight(watched)

    def straight(self, watched: Watched) -> Tensor:
        """The same to first order in the step: q_jᵀ δθ_i, (n,)."""
        influence = self.influence
        solved = influence.removal_solve(watched.gradient).value
        fitted, n = influence.fitted, len(influence.fitted.train)
        found = fitted.linearised.gradient_dot(fitted.train.x, influence.newton_residuals, solved, 1 / n)
        if fitted.model.fold_penalty:
            found += (influence.folded @ solved) / n
        return found[:, 0]

    @once
    def reach(self) -> Tensor:
        """(n,) bound on how far any output moves when i leaves, in units in which the curvature of the loss varies."""
        influence, loss = self.influence, core(self.influence.fitted.model.loss)
        if isinstance(loss, Squared | SquaredLabels):
            return influence.spread.new_zeros(len(influence.spread))
        rho, m = influence.newton_residuals, influence.spread
        own = torch.einsum("na,nab,nb->n", rho, m, rho).clamp(min=0)
        largest = m.diagonal(dim1=1, dim2=2).sum(1).max()
        return (own * largest).sqrt() / (loss.t if isinstance(loss, SmoothedHinge) else 1.0)

    @once
    def suspects(self) -> tuple[dict[int, int], Tensor, Tensor]:
        """The points of longest reach, with their first and second steps (p, k): taken once, not at every click."""
        k = min(SUSPECTS, int((self.reach > CALM).sum()))
        rows = torch.topk(self.reach, k).indices
        empty = self.reach.new_empty(self.influence.fitted.size, 0)
        one, two = second_steps(self.influence, rows) if k else (empty, empty)
        return {int(row): place for place, row in enumerate(rows)}, one, two

    def unrest(self, watched: Watched, change: Tensor) -> float:
        """Share that a second step takes back of what one step says of the strongest points.

        Returns:
            0 where no step is long enough to leave the quadratic it was made for.
        """
        rows = torch.topk(change.abs(), min(TOP, len(change))).indices
        places, one, two = self.suspects
        asked = [places[int(row)] for row in rows if int(row) in places]
        if not asked:
            return 0.0
        first = quantity_change(self.influence, watched, one[:, asked])[:, 0]
        second = quantity_change(self.influence, watched, one[:, asked] + two[:, asked])[:, 0]
        whole = float(change[rows].abs().sum())
        return float((second - first).abs().sum()) / max(whole, float(second.abs().sum()), 1e-300)


def second_steps(influence: Influence, rows: Tensor) -> tuple[Tensor, Tensor]:
    """δθ_i and the chord step after it, −A_i⁻¹∇J(θ̂ + δθ_i; 1 − e_i), A_i the Hessian at θ̂ without i, (p, k) each."""
    fitted, n = influence.fitted, len(influence.fitted.train)
    x, solve = fitted.train.x[rows], influence.removal_solve
    one = _pulled(influence, x, influence.newton_residuals[rows]) + influence.folded[:, None]
    one = solve(one.contiguous()).value / n
    base = solve(_gradients(influence, rows, fitted.theta[:, None] + one)).value
    at = torch.stack([fitted.model.outputs(v, row[None])[0] for v, row in zip(base.T, x, strict=True)])
    curved, spread = fitted.curvatures[rows], influence.spread[rows]
    rho = rank_corrected(curved, spread, torch.einsum("kab,kb->ka", curved, at))
    return one, -(base + solve(_pulled(influence, x, rho)).value / n)


def _pulled(influence: Influence, x: Tensor, rho: Tensor) -> Tensor:
    """Columns K_i ρ_i, (p, k)."""
    return influence.fitted.linearised.pullback(x, rho).T.contiguous()


def _gradients(influence: Influence, rows: Tensor, theta: Tensor) -> Tensor:
    """∇J(θ_i; 1 − e_i) of columns θ_i, (p, k), in two products."""
    fitted, n, k = influence.fitted, len(influence.fitted.train), len(rows)
    model, x, y = fitted.linear, fitted.train.x, fitted.train.y
    outputs, width = model.loss.outputs, x.shape[1]
    f = product(x, theta.T.reshape(k * outputs, width).T.contiguous()).view(n * k, outputs)
    r = model.loss.residuals(f, y.repeat_interleave(k)).view(n, k, outputs)
    r[rows, torch.arange(k)] = 0.0
    data = product(x.T, r.reshape(n, -1)).T.reshape(k, outputs * width).T / n
    left = model.l2 * (1 - 1 / n if model.fold_penalty else 1.0)
    found: Tensor = data + left * model.penalised(x)[:, None] * theta
    return found
