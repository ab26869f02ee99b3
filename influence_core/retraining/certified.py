"""The truth: refit without a training point (LOO) or a group, to a certified minimum, many refits at a time.

Imports nothing of the solver chain, so that agreement with it means something; the one-step starting point is written
again on purpose (a start cannot bias a certified minimum).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Task, blocks, fingerprint, numpy, once, product
from influence_core.compute.pieces import Found, Piece, gathered
from influence_core.models import QUANTITIES, Batch, Fit, FittedModel, NoMinimumError
from influence_core.models.fitting import newton
from influence_core.models.scikit_losses import kinked
from influence_core.retraining.minimise import CERTIFIED, LeftOut, Minimised
from influence_core.retraining.objectives import FLOOR
from influence_core.retraining.question import Question, Refits, joined
from influence_core.retraining.remaining import settle

BLOCK_BYTES = 40 * 2**20  # refits between two reports of progress
STORED = ("change", "certificate", "certified", "self_change", "passes", "error")
SUSPECT = 1e-4  # of the largest |change| of a refit: an error that is looked at again
ACCURATE = 1e-2  # of the same: an error that is too large for a certificate


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """All single-point refits of one fitted model; its own factor of H is made once.

    Attributes:
        fitted: model at θ̂.
        task: progress, cancel, and the store of finished blocks.
        key: names model and question in the store; empty for no storing.
    """

    fitted: FittedModel
    task: Task = Task()  # noqa: RUF009 - frozen
    key: str = ""

    @once
    def left_out(self) -> LeftOut:
        """The objectives without one point each."""
        return LeftOut(self.fitted, self.task)

    def run(
        self, question: Question | None = None, rows: NDArray[np.int64] | None = None, keep_parameters: bool = False
    ) -> Refits:
        """Refit without each of ``rows`` (default: every training point), in blocks, resuming from stored blocks.

        Returns:
            Measured changes for the question (none: (n, 0)), with a certificate per point.

        Raises:
            ValueError: no rows.
        """
        chosen = np.arange(len(self.fitted.train)) if rows is None else np.asarray(rows, dtype=np.int64)
        if not len(chosen):
            raise ValueError("Expected at least one training point to leave out, got none.")
        parts = [chosen[part] for part in self._blocks(len(chosen))]
        here = self.task if self.fitted.theta.device.type == "cpu" else replace(self.task, workers=None)
        found = gathered([self._piece(part, question, keep_parameters) for part in parts], here)
        return joined([Refits(**block) for block in found])

    def stored(self, question: Question | None = None) -> Refits | None:
        """What an earlier run over all training points left in the store.

        Returns:
            The refits, or None where a block is missing.
        """
        parts = [np.arange(part.start, part.stop) for part in self._blocks(len(self.fitted.train))]
        looked = [self._piece(part, None, keep=False).stored(self.task) for part in parts]
        width = 0 if question is None else len(question.batch)
        found = [Refits(**part) for part in looked if part is not None and part["change"].shape[1] == width]
        return joined(found) if len(found) == len(parts) else None

    def _blocks(self, count: int) -> Iterator[slice]:
        n, outputs = len(self.fitted.train), self.fitted.model.loss.outputs
        return blocks(count, 8.0 * max(n * outputs, 4 * self.fitted.size), BLOCK_BYTES)

    def _name(self, rows: NDArray[np.int64]) -> str:
        return f"loo:{self.key}:{fingerprint(rows)}"

    def _piece(self, rows: NDArray[np.int64], question: Question | None, keep: bool) -> Piece:
        def fits(found: Found) -> bool:
            return set(found) == set(STORED) and found["change"].shape[0] == len(rows)

        name = self._name(rows) if self.key and not keep else ""
        return Piece(LeaveOneOut.arrays, self, (rows, question, keep), name, len(rows), fits)

    def arrays(self, rows: NDArray[np.int64], question: Question | None, keep: bool, _task: Task) -> Found:
        """One block of refits by the names of their fields; the task is that of this object."""
        refits = self._block(torch.as_tensor(rows, device=self.fitted.theta.device), question, keep)
        return {name: getattr(refits, name) for name in (*STORED, "parameters") if name in STORED or keep}

    def _block(self, rows: Tensor, question: Question | None, keep: bool) -> Refits:
        fitted, train, run = self.fitted, self.fitted.train, self.left_out
        found = settle(fitted, rows, run.minimise(rows), run.task)
        change, error = _changes(fitted, question, found.theta), self._error(question, found)
        if question is not None:
            self._tighten(question, (found, change, error))
        exact = (error <= ACCURATE * _largest(change)) | (found.norms <= run.floor)
        certified = (found.norms <= found.goals) & exact
        change[~certified] = torch.nan
        f = torch.einsum("bkd,bd->bk", found.theta.view(len(rows), -1, train.x.shape[1]), train.x[rows])
        loss = fitted.model.loss
        own = loss.values(f, train.y[rows]) - loss.values(fitted.outputs[rows], train.y[rows])
        own += _penalty_change(fitted, found.theta)
        return Refits(
            numpy(change),
            numpy(found.norms / run.sizes(rows).clamp(min=run.floor / CERTIFIED)),
            certified.cpu().numpy(),
            numpy(torch.where(certified, own, torch.nan)),
            np.asarray(found.evaluations / len(train)),
            numpy(found.theta) if keep else None,
            numpy(error),
        )

    def _tighten(self, question: Question, refits: tuple[Minimised, Tensor, Tensor]) -> None:
        """A small gradient says little where J is flat: step closer, in place, and note how far the changes moved."""
        found, change, error = refits
        # At a kink the Hessian at θ̂ says little about that at θ_i.
        loose = (error > SUSPECT * _largest(change)) | kinked(self.fitted.model.loss)
        loose &= (found.norms <= found.goals) & (found.norms > self.left_out.floor)
        if not bool(loose.any()):
            return
        error[loose] = self._error(question, found.take(loose), here=True)
        loose &= error > SUSPECT * _largest(change)
        if not bool(loose.any()):
            return
        closer = self.left_out.closer(found.take(loose))
        there = _changes(self.fitted, question, closer.theta)
        error[loose] = torch.maximum(self._error(question, closer, here=True), _largest(there - change[loose]))
        found.theta[loose], found.gradient[loose], change[loose] = closer.theta, closer.gradient, there

    def _error(self, question: Question | None, found: Minimised, here: bool = False) -> Tensor:
        """Largest |q_jᵀ A_i⁻¹ ∇J(θ_i; 1 − e_i)| over the test points, (b,): what the rest of it may still change."""
        if question is None:
            return torch.zeros_like(found.goals)
        model, batch = self.fitted.model, question.batch
        f = model.outputs(self.fitted.theta, batch.x)
        slopes = QUANTITIES[question.quantity].residuals(model.loss, f, batch.y, question.target)
        q = self.fitted.linear.pullback(batch.x, slopes)
        return self.left_out.remaining(q, found, here).abs().amax(1)


def leave_one_out(
    fitted: FittedModel, question: Question | None = None, rows: NDArray[np.int64] | None = None, keep: bool = False
) -> Refits:
    """Refit without each training point and measure the change; see :class:`LeaveOneOut` for tasks and resuming."""
    return LeaveOneOut(fitted).run(question, rows, keep)


def leave_groups_out(
    fitted: FittedModel,
    question: Question,
    groups: Sequence[NDArray[np.int64]],
    task: Task = Task(),  # noqa: B008 - frozen
    key: str = "",
) -> Refits:
    """Refit without each group of training points, by Newton with line search to the same certificate.

    A group is a block: with a store and a ``key`` that names model and data, finished groups are kept and resumed.

    Returns:
        (number of groups, m) changes with θ; NaN where a group leaves no minimum.
    """
    model, train, n = fitted.linear, fitted.train, len(fitted.train)
    floor = FLOOR * float(model.objective(torch.zeros_like(fitted.theta), train)[1].norm())
    there = [train.take(torch.as_tensor(group, device=train.y.device)) for group in groups]
    sizes = [float(model.gradients(fitted.theta, members).sum(0).norm()) / n for members in there]

    def piece(group: NDArray[np.int64], size: float) -> Piece:
        name = f"group:{key}:{fingerprint(np.asarray(group))}" if key else ""
        asked = group, max(CERTIFIED * size, floor)
        return Piece(without, fitted, asked, name, fits=lambda found: found["theta"].shape == fitted.theta.shape)

    found = gathered([piece(group, size) for group, size in zip(groups, sizes, strict=True)], task, least=2)
    thetas = [torch.as_tensor(made["theta"]).to(fitted.theta) for made in found]
    norms, own = [float(made["norm"]) for made in found], []
    for theta, group, members in zip(thetas, groups, there, strict=True):
        lost = float((model.losses(theta, members) - model.losses(fitted.theta, members)).sum())
        own.append(lost + len(group) * float(_penalty_change(fitted, theta[None])[0]))
    theta, size, norm_of = torch.stack(thetas), np.array(sizes), np.array(norms)
    certified = norm_of <= np.maximum(CERTIFIED * size, floor)
    change, self_change = numpy(_changes(fitted, question, theta)), np.array(own)
    change[~certified] = self_change[~certified] = np.nan
    certificate = norm_of / np.maximum(size, 1e-300)
    return Refits(change, certificate, certified, self_change, np.asarray(float(len(groups))), numpy(theta))


def without(fitted: FittedModel, group: NDArray[np.int64], goal: float, _task: Task) -> Found:
    """θ and gradient norm of one group's refit; the norm is infinite where the group leaves no minimum."""
    weights = torch.ones_like(fitted.train.y)
    weights[torch.as_tensor(group, device=weights.device)] = 0
    try:
        fit = newton(fitted.linear, fitted.train, weights, fitted.theta, goal)
    except NoMinimumError:
        return {"theta": numpy(fitted.theta), "norm": np.asarray(np.inf)}
    return {"theta": numpy(fit.theta), "norm": np.asarray(fit.gradient_norm)}


def refit_changed(fitted: FittedModel, question: Question, train: Batch) -> FloatArray:
    """Refit on changed examples (a label, a feature) from θ̂ and measure, for relabel_change and perturbation_change.

    Returns:
        (m,) change of the watched quantity, new minus old.
    """
    return changed_refit(fitted, question, train)[0]


def changed_refit(
    fitted: FittedModel, question: Question, train: Batch, weights: Tensor | None = None
) -> tuple[FloatArray, Fit]:
    """The same with the fit, which says whether it got to the minimum; examples may have other weights (n,) than 1."""
    fit = newton(fitted.linear, train, weights, fitted.theta)
    return numpy(_changes(fitted, question, fit.theta[None])[0]), fit


def _changes(fitted: FittedModel, question: Question | None, theta: Tensor) -> Tensor:
    """m_j(θ_i) − m_j(θ̂) for refitted rows θ_i (b, p), shape (b, m)."""
    if question is None:
        return theta.new_empty(len(theta), 0)
    model, batch, quantity = fitted.model, question.batch, QUANTITIES[question.quantity]
    base = quantity.values(model.loss, model.outputs(fitted.theta, batch.x), batch.y, question.target)
    f = product(batch.x, theta.reshape(-1, batch.x.shape[1]).T).view(len(batch), len(theta), -1)
    moved = quantity.values(model.loss, f, batch.y[:, None], question.target)
    change = (moved - base[:, None]).T.contiguous()
    return change + _penalty_change(fitted, theta)[:, None] if quantity.penalised else change


def _largest(change: Tensor) -> Tensor:
    """Largest |change| of each refit, (b,)."""
    return change.abs().amax(1) if change.shape[1] else torch.inf * change.new_ones(len(change))


def _penalty_change(fitted: FittedModel, theta: Tensor) -> Tensor:
    """Change of the penalty's share in every loss: zero unless ``fold_penalty``, (b,)."""
    if not fitted.model.fold_penalty:
        return theta.new_zeros(len(theta))
    weight = fitted.model.l2 * fitted.model.penalised(fitted.train.x)
    return ((theta - fitted.theta) * (theta + fitted.theta) * weight).sum(1) / 2
