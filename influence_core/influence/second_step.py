"""What a second step would change of what one Newton step predicts: whether that may be believed, without a refit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import once, product
from influence_core.influence.one_step import newton_change, quantity_change
from influence_core.influence.watched import Influence, Watched, rank_corrected
from influence_core.models.losses import SmoothedHinge
from influence_core.models.scikit_losses import core, quadratic

FULL = 64  # outputs of test points at which one Newton step is followed in full; of larger groups to first order in θ
CALM = 0.3  # change of an output that changes the curvature of a logistic loss by a third at most, one step by less
SUSPECTS = 64  # points that are followed by a second step
TOP = 20
KEPT = 1_500  # parameters whose inverse is kept
INNER, INEXACT = 12, 1e-3  # conjugate gradients of a second step, and the share of their first that is enough


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
            return newton_change(self.influence, watched, self.inverse)[:, 0]
        return self.straight(watched)

    @once
    def inverse(self) -> Tensor | None:
        """A⁻¹, kept for clicks where it is small."""
        solve = self.influence.removal_solve
        return solve.inverse() if self.influence.fitted.size <= KEPT else None

    def straight(self, watched: Watched) -> Tensor:
        """The same to first order in the step: q_jᵀ δθ_i, (n,)."""
        influence = self.influence
        whole = self.inverse
        q = watched.gradient
        solved = influence.removal_solve(q).value if whole is None else product(whole, q)
        fitted, n = influence.fitted, len(influence.fitted.train)
        found = fitted.linearised.gradient_dot(fitted.train.x, influence.newton_residuals, solved, 1 / n)
        if fitted.model.fold_penalty:
            found += (influence.folded @ solved) / n
        return found[:, 0]

    @once
    def reach(self) -> Tensor:
        """(n,) bound on how far any output moves when i leaves, in units in which the curvature of the loss varies."""
        influence, loss = self.influence, core(self.influence.fitted.model.loss)
        if quadratic(loss):
            return influence.spread.new_zeros(len(influence.spread))
        rho, m = influence.newton_residuals.nan_to_num(0.0), influence.spread
        own = torch.einsum("na,nab,nb->n", rho, m, rho).clamp(min=0)
        largest = m.diagonal(dim1=1, dim2=2).sum(1).max()
        return (own * largest).sqrt() / (loss.t if isinstance(loss, SmoothedHinge) else 1.0)

    @once
    def suspects(self) -> tuple[Tensor, Tensor]:
        """The points of longest reach, and both of their steps together (p, k): taken once, not at every click."""
        k = min(SUSPECTS, int((self.reach > CALM).sum()))
        rows = torch.topk(self.reach, k).indices
        both = sum(second_steps(self.influence, rows)) if k else self.reach.new_empty(self.influence.fitted.size, 0)
        return rows, torch.as_tensor(both)

    def second(self, watched: Watched, change: Tensor) -> Tensor:
        """``change``, (n,), by a second step where one is so long that it leaves the quadratic it was made for."""
        rows, steps = self.suspects
        found = change.nan_to_num(0.0)
        found[rows] = quantity_change(self.influence, watched, steps)[:, 0]
        return found


def unrest(change: Tensor, second: Tensor) -> float:
    """Share that a second step takes back of what one step says of the strongest points, at most 1."""
    change = change.nan_to_num(0.0)
    rows = torch.topk(change.abs(), min(TOP, len(change))).indices
    first, then = change[rows], second[rows]
    return float((then - first).abs().sum()) / max(float(first.abs().sum()), float(then.abs().sum()), 1e-300)


def second_steps(influence: Influence, rows: Tensor) -> tuple[Tensor, Tensor]:
    """δθ_i and the Newton step after it, −∇²J(θ̂ + δθ_i; 1 − e_i)⁻¹∇J(θ̂ + δθ_i; 1 − e_i), (p, k) each.

    The second with the Hessian where it starts, which may be many times softer than that at θ̂, by a few conjugate
    gradients that the Hessian at θ̂ without i preconditions.
    """
    fitted, n = influence.fitted, len(influence.fitted.train)
    one = _pulled(influence, fitted.train.x[rows], influence.newton_residuals[rows]) + influence.folded[:, None]
    one = influence.removal_solve(one.contiguous()).value / n
    there = _There(influence, rows, fitted.theta[:, None] + one)
    two, rest = torch.zeros_like(one), -there.gradient
    z = _chord(influence, rows, rest)
    along, size = z, (rest * z).sum(0)
    for _ in range(INNER):
        bent = there.curved(along)
        length = size / (along * bent).sum(0).clamp(min=1e-300)
        two, rest = two + length * along, rest - length * bent
        z = _chord(influence, rows, rest)
        before, size = size, (rest * z).sum(0).clamp(min=0)
        if bool((size <= INEXACT * before.max()).all()):
            break
        along = z + size / before.clamp(min=1e-300) * along
    return one, two


@dataclass(frozen=True, eq=False)
class _There:
    """J(θ_i; 1 − e_i) at columns θ_i (p, k)."""

    influence: Influence
    rows: Tensor
    theta: Tensor

    def _outputs(self, columns: Tensor) -> Tensor:
        x = self.influence.fitted.train.x
        k, outputs = len(self.rows), self.influence.fitted.model.loss.outputs
        return product(x, columns.T.reshape(k * outputs, x.shape[1]).T.contiguous()).view(len(x), k, outputs)

    def _back(self, weights: Tensor, columns: Tensor) -> Tensor:
        """(1/n) Σ_j w_j ⊗ x̃_j, and the penalty's part, (p, k)."""
        model, x = self.influence.fitted.linear, self.influence.fitted.train.x
        weights[self.rows, torch.arange(len(self.rows))] = 0.0
        data = product(x.T, weights.reshape(len(x), -1)).T.reshape(len(self.rows), -1).T / len(x)
        left = model.l2 * (1 - 1 / len(x) if model.fold_penalty else 1.0)
        found: Tensor = data + left * model.penalised(x)[:, None] * columns
        return found

    @once
    def _f(self) -> Tensor:
        return self._outputs(self.theta)

    @once
    def gradient(self) -> Tensor:
        """∇J(θ_i; 1 − e_i), (p, k)."""
        fitted = self.influence.fitted
        return self._back(fitted.model.loss.residuals(self._f, fitted.train.y[:, None]), self.theta)

    @once
    def _curvatures(self) -> Tensor:
        fitted = self.influence.fitted
        return fitted.model.loss.curvatures(self._f, fitted.train.y[:, None])

    def curved(self, columns: Tensor) -> Tensor:
        """∇²J(θ_i; 1 − e_i) v_i, (p, k)."""
        return self._back(torch.einsum("nkab,nkb->nka", self._curvatures, self._outputs(columns)), columns)


def _chord(influence: Influence, rows: Tensor, columns: Tensor) -> Tensor:
    """A_i⁻¹ v_i with the Hessian at θ̂ without i, by the fixed factor and its rank-K correction, (p, k)."""
    fitted, n = influence.fitted, len(influence.fitted.train)
    x, solve = fitted.train.x[rows], influence.removal_solve
    base = solve(columns).value
    at = torch.stack([fitted.model.outputs(v, row[None])[0] for v, row in zip(base.T, x, strict=True)])
    curved, spread = fitted.curvatures[rows], influence.spread[rows]
    rho = rank_corrected(curved, spread, torch.einsum("kab,kb->ka", curved, at))
    return base + solve(_pulled(influence, x, rho)).value / n


def _pulled(influence: Influence, x: Tensor, rho: Tensor) -> Tensor:
    """Columns K_i ρ_i, (p, k)."""
    return influence.fitted.linearised.pullback(x, rho).T.contiguous()
