"""The truth: refit without a training point (LOO) or a group, to a certified minimum, many refits at a time.

Imports nothing of the solver chain, so that agreement with it means something; the one-step starting point is written
again on purpose (a start cannot bias a certified minimum).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Task, blocks, fingerprint, numpy, once, product
from influence_core.models import QUANTITIES, Batch, FittedModel, NoMinimumError
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
        parts = []
        for part in self._blocks(len(chosen)):
            parts.append(self._stored(chosen[part], question, keep_parameters))
            self.task.tick(part.stop, len(chosen))
        return joined(parts)

    def stored(self, question: Question | None = None) -> Refits | None:
        """What an earlier run over all training points left in the store.

        Returns:
            The refits, or None where a block is missing.
        """
        parts = [self._load(np.arange(part.start, part.stop)) for part in self._blocks(len(self.fitted.train))]
        found = [part for part in parts if part is not None and part.change.shape[1] == _columns(question)]
        return joined(found) if len(found) == len(parts) else None

    def _blocks(self, count: int) -> Iterator[slice]:
        n, outputs = len(self.fitted.train), self.fitted.model.loss.outputs
        return blocks(count, 8.0 * max(n * outputs, 4 * self.fitted.size), BLOCK_BYTES)

    def _name(self, rows: NDArray[np.int64]) -> str:
        return f"loo:{self.key}:{fingerprint(rows)}"

    def _load(self, rows: NDArray[np.int64]) -> Refits | None:
        found = self.task.store.load(self._name(rows)) if self.task.store and self.key else None
        if found is None or set(found) != set(STORED) or found["change"].shape[0] != len(rows):
            return None
        return Refits(**{name: found[name] for name in STORED})

    def _stored(self, rows: NDArray[np.int64], question: Question | None, keep: bool) -> Refits:
        if not keep and (found := self._load(rows)) is not None:
            self.task.reused(len(rows))
            return found
        refits = self._block(torch.as_tensor(rows, device=self.fitted.theta.device), question, keep)
        if self.task.store and self.key:
            with suppress(OSError):  # a full disk costs the resume, not the result
                self.task.store.save(self._name(rows), **{name: getattr(refits, name) for name in STORED})
        return refits

    def _block(self, rows: Tensor, question: Question | None, keep: bool) -> Refits:
        fitted, train, run = self.fitted, self.fitted.train, self.left_out
        found = settle(fitted, rows, run.minimise(rows), run.task)
        change, error = _changes(fitted, question, found.theta), self._error(rows, question, found)
        if question is not None:
            self._tighten(rows, question, (found, change, error))
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

    def _tighten(self, rows: Tensor, question: Question, refits: tuple[Minimised, Tensor, Tensor]) -> None:
        """A small gradient says little where J is flat: step closer, in place, and note how far the changes moved."""
        found, change, error = refits
        # At a kink the Hessian at θ̂ says little about that at θ_i.
        loose = (error > SUSPECT * _largest(change)) | kinked(self.fitted.model.loss)
        loose &= (found.norms <= found.goals) & (found.norms > self.left_out.floor)
        if not bool(loose.any()):
            return
        some = Minimised(found.theta[loose], found.gradient[loose], found.goals[loose], 0)
        error[loose] = self._error(rows[loose], question, some, here=True)
        loose &= error > SUSPECT * _largest(change)
        if not bool(loose.any()):
            return
        closer = self.left_out.closer(
            rows[loose], Minimised(found.theta[loose], found.gradient[loose], found.goals[loose], 0)
        )
        there = _changes(self.fitted, question, closer.theta)
        error[loose] = torch.maximum(
            self._error(rows[loose], question, closer, here=True), _largest(there - change[loose])
        )
        found.theta[loose], found.gradient[loose], change[loose] = closer.theta, closer.gradient, there

    def _error(self, rows: Tensor, question: Question | None, found: Minimised, here: bool = False) -> Tensor:
        """Largest |q_jᵀ A_i⁻¹ ∇J(θ_i; 1 − e_i)| over the test points, (b,): what the rest of it may still change."""
        if question is None:
            return found.goals.new_zeros(len(rows))
        model, batch = self.fitted.model, question.batch
        step = self.left_out.remaining(rows, found, here)
        f = model.outputs(self.fitted.theta, batch.x)
        slopes = QUANTITIES[question.quantity].residuals(model.loss, f, batch.y, question.target)
        moved = product(batch.x, step.reshape(-1, batch.x.shape[1]).T).view(len(batch), len(rows), -1)
        return torch.einsum("mbk,mk->bm", moved, slopes).abs().amax(1)


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
    thetas, norms, sizes, own = [], [], [], []
    for done, group in enumerate(groups):
        members = train.take(torch.as_tensor(group, device=train.y.device))
        sizes.append(float(model.gradients(fitted.theta, members).sum(0).norm()) / n)
        theta, norm = _without(fitted, group, max(CERTIFIED * sizes[-1], floor), (task, key))
        thetas.append(theta)
        norms.append(norm)
        lost = float((model.losses(theta, members) - model.losses(fitted.theta, members)).sum())
        own.append(lost + len(group) * float(_penalty_change(fitted, theta[None])[0]))
        task.tick(done + 1, len(groups))
    theta, size, norm_of = torch.stack(thetas), np.array(sizes), np.array(norms)
    certified = norm_of <= np.maximum(CERTIFIED * size, floor)
    change, self_change = numpy(_changes(fitted, question, theta)), np.array(own)
    change[~certified] = self_change[~certified] = np.nan
    certificate = norm_of / np.maximum(size, 1e-300)
    return Refits(change, certificate, certified, self_change, np.asarray(float(len(groups))), numpy(theta))


def _without(
    fitted: FittedModel, group: NDArray[np.int64], goal: float, kept: tuple[Task, str]
) -> tuple[Tensor, float]:
    """θ and gradient norm of one group's refit, from the store where it is there."""
    task, key = kept
    store, name = (task.store if key else None), f"group:{key}:{fingerprint(np.asarray(group))}"
    found = store.load(name) if store is not None else None
    if found is not None and found.get("theta", np.empty(0)).shape == fitted.theta.shape:
        task.reused(1)
        return torch.as_tensor(found["theta"], device=fitted.theta.device), float(found["norm"])
    weights = torch.ones_like(fitted.train.y)
    weights[torch.as_tensor(group, device=weights.device)] = 0
    try:
        fit = newton(fitted.linear, fitted.train, weights, fitted.theta, goal)
    except NoMinimumError:
        return fitted.theta, float("inf")
    if store is not None:
        with suppress(OSError):
            store.save(name, theta=numpy(fit.theta), norm=np.asarray(fit.gradient_norm))
    return fit.theta, fit.gradient_norm


def refit_changed(fitted: FittedModel, question: Question, train: Batch) -> FloatArray:
    """Refit on changed examples (a label, a feature) from θ̂ and measure, for relabel_change and perturbation_change.

    Returns:
        (m,) change of the watched quantity, new minus old.
    """
    fit = newton(fitted.linear, train, None, fitted.theta)
    return numpy(_changes(fitted, question, fit.theta[None])[0])


def _columns(question: Question | None) -> int:
    return 0 if question is None else len(question.batch)


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
    weight = (fitted.model.l2 if fitted.model.fold_penalty else 0.0) * fitted.model.penalised(fitted.train.x)
    return ((theta - fitted.theta) * (theta + fitted.theta) * weight).sum(1) / 2
