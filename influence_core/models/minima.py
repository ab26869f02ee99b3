"""Objectives that have no minimum: separable classes without a penalty, and classes without examples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from influence_core.compute import gram
from influence_core.models.linear import LinearModel, add_projector
from influence_core.models.protocol import Batch
from influence_core.models.scikit_losses import bounded, counted

DENSE_LIMIT = 1_500  # above this many parameters a Newton direction by conjugate gradients is cheaper than H itself
MOST = 12_000  # parameters: H is p × p, and a fit of more does without it
VECTORS, ITERATIONS = 4, 10
CERTAIN = 1e-7  # least curvature of a direction, in units of XᵀX/n and of the largest, that holds a parameter


class NoMinimumError(ValueError):
    """J has no minimum, for example separable data without a penalty."""


def refuse_separable(model: LinearModel, theta: Tensor, batch: Batch, weights: Tensor | None) -> None:
    """Without a penalty, any θ that classifies everything right can be scaled up for ever.

    Raises:
        NoMinimumError: that is the case.
    """
    if model.l2 > 0 or bounded(model.loss):
        return
    margins = model.loss.margins(model.outputs(theta, batch.x), batch.y)
    if margins is None:
        return
    kept = margins if weights is None else margins[weights > 0]
    if bool((kept > 0).all()):
        raise NoMinimumError(
            "These classes are perfectly separable and l2 = 0: the loss falls for ever and has no minimum. "
            "Choose l2 > 0, for example 0.001."
        )


def refuse_partly_separable(model: LinearModel, theta: Tensor, batch: Batch, weights: Tensor | None) -> None:
    """Without a penalty, a column that predicts perfectly wherever it says something grows for ever, too.

    Along such a direction v every point that it moves is certain: vᵀHv is nothing beside vᵀSv, S = XᵀX/n.

    Raises:
        NoMinimumError: that is the case.
    """
    outputs, null = model.loss.outputs, model.null_space(batch.x)
    if model.l2 > 0 or bounded(model.loss) or outputs * batch.x.shape[1] > MOST:
        return
    kept = batch.x if weights is None else batch.x[weights > 0]
    square = gram(kept) / len(batch)
    square.diagonal().add_((0.0 if null is None or outputs > 1 else null) + 1e-12 * square.diagonal().mean())
    lower, failed = torch.linalg.cholesky_ex(square)
    if int(failed):
        return
    h = add_projector(model.hessian(theta, batch, weights), null, outputs)
    least, largest = _curvatures(h, lower, outputs)
    if least < CERTAIN * largest:
        raise NoMinimumError(
            "Some features separate a part of these classes perfectly and l2 = 0: their weights grow for ever and the "
            "loss has no minimum. Choose l2 > 0, for example 0.001, or leave those features out."
        )


def _curvatures(h: Tensor, lower: Tensor, outputs: int) -> tuple[float, float]:
    """Least and largest vᵀHv / vᵀSv with S = I_K ⊗ LLᵀ: iteration of a few vectors with H⁻¹S and S⁻¹H.

    A Ritz value is never below the least eigenvalue, so what is called flat is flat.
    """
    factor, failed = torch.linalg.cholesky_ex(h)
    if int(failed):
        return 0.0, 1.0

    def onto(matrix: Tensor, w: Tensor) -> Tensor:
        found: Tensor = (matrix @ w.view(outputs, len(lower), -1)).reshape(len(h), -1)
        return found

    def inverse(w: Tensor) -> Tensor:
        return onto(lower.T, torch.cholesky_solve(onto(lower, w), factor))

    def forward(w: Tensor) -> Tensor:
        v = torch.linalg.solve_triangular(lower.T, w.view(outputs, len(lower), -1), upper=True).reshape(len(h), -1)
        back: Tensor = torch.linalg.solve_triangular(lower, (h @ v).view(outputs, len(lower), -1), upper=False)
        return back.reshape(len(h), -1)

    ends = []
    for step in (inverse, forward):
        random = torch.Generator().manual_seed(0)
        w = torch.randn(len(h), min(VECTORS, len(h)), dtype=h.dtype, generator=random).to(h)
        for _ in range(ITERATIONS):
            w = torch.linalg.qr(step(w))[0]
        ends.append(torch.linalg.eigvalsh(w.T @ forward(w)))
    return float(ends[0][0]), float(ends[1][-1])


def empty_class(model: LinearModel, batch: Batch, weights: Tensor | None = None) -> int:
    """A class without examples, whose free intercept would fall for ever, whatever the penalty.

    Returns:
        The class; −1 where there is none, or no such intercept.
    """
    if not model.intercept or bounded(model.loss) or counted(model.loss):
        return -1
    y = batch.y if weights is None else batch.y[weights > 0]
    empty = torch.bincount(y.long(), minlength=max(model.loss.outputs, 2)) == 0
    return int(empty.nonzero()[0]) if bool(empty.any()) else -1


def refuse_empty(model: LinearModel, batch: Batch, weights: Tensor | None = None, names: Sequence[str] = ()) -> None:
    """A class without examples has no fit.

    Raises:
        NoMinimumError: there is one.
    """
    found = empty_class(model, batch, weights)
    if found >= 0:
        name = names[found] if names else f"number {found}"
        raise NoMinimumError(
            f"Class {name[:40]} has no training point, so the loss falls for ever with its intercept and has no "
            "minimum. Leave the class out, take another split, or fit without an intercept and l2 > 0."
        )
