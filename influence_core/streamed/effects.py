"""Other questions to data on disk: the whole test set at once, other labels, groups that leave together.

New minus old, as everywhere; each is the number that the same question has in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Task, blocks, numpy, product
from influence_core.influence.watched import Watched, rank_corrected
from influence_core.settings import SettingsError
from influence_core.streamed.answers import Streamed


def whole_test_set(at: Streamed, quantity: str = "loss", target: int = -1, task: Task = Task()) -> Watched:  # noqa: B008 - frozen
    """The mean of a quantity over all test rows as one thing that is watched: one pass over the test part.

    Returns:
        Its gradient (p, 1), for first order; the rows themselves are not kept.
    """
    stored, m = at.passes.stored, len(at.passes.stored.test)
    first, total = at.watched(np.zeros(1, dtype=np.int64), quantity, target), torch.zeros_like(at.fit.theta)
    for part in blocks(m, 8.0 * at.passes.width, at.passes.block):
        batch = at.model.batch(stored.dataset(part), torch.device("cpu"))
        residuals = first.quantity.residuals(at.model.loss, at.model.outputs(at.fit.theta, batch.x), batch.y, target)
        total += product(residuals.T.contiguous(), batch.x).reshape(-1) / m
        task.tick(part.stop, m)
    return replace(first, gradient=total[:, None], combine=torch.ones(1, 1, dtype=total.dtype))


def relabelled(
    at: Streamed, watched: Watched, estimator: str = "influence", task: Task | None = None
) -> Iterator[tuple[slice, NDArray[np.int64], FloatArray]]:
    """Change of what is watched when a row gets the label that the model finds best among the others: one pass.

    First order −q_jᵀ (H + δI)⁻¹ (g(x_i, y′) − g(x_i, y_i)) / n; Newton replaces H by H + (H′_i − H_i)/n.

    Yields:
        Rows, their other labels (b,), and changes (b, m).

    Raises:
        SettingsError: the target is no class.
    """
    if not at.passes.stored.class_names:
        raise SettingsError("Another label is asked about where the target is a class: these data have a number.")
    loss, n, first = at.model.loss, len(at.passes), estimator == "influence"
    solved = at.solved(watched) if first else product(at.inverse, at.columns(watched.batch.x))
    for block in at.blocks(task):
        assert isinstance(block.rows, slice)
        other = _best_other(block.outputs, block.batch.y)
        moved = block.residuals - loss.residuals(block.outputs, other)
        if first:
            found = at.model.gradient_dot(block.batch.x, moved, solved, 1 / n)
        else:
            change = block.curvatures - loss.curvatures(block.outputs, other)
            found = at.stepped(watched, block.batch.x, rank_corrected(change, at.spread(block), moved), solved)
        yield block.rows, numpy(other).astype(np.int64), numpy(found)


def _best_other(outputs: Tensor, y: Tensor) -> Tensor:
    """Class index with the largest output but the row's own, (b,)."""
    if outputs.shape[1] == 1:
        return 1 - y
    without = outputs.scatter(1, y.long()[:, None], -torch.inf)
    return without.argmax(1).to(y)


@dataclass(frozen=True, eq=False)
class Departure:
    """Predicted change when some rows leave at once.

    Attributes:
        rows: (k,) ascending.
        first_order: (m,) sum of the single changes.
        newton: (m,) one step with H − H_S/n; NaN where that is not positive definite, or H is known by products alone.
    """

    rows: NDArray[np.int64]
    first_order: FloatArray
    newton: FloatArray


def leave_together(at: Streamed, watched: Watched, rows: NDArray[np.int64]) -> Departure:
    """A group leaves; its rows are read in blocks, and H is factored once more.

    Raises:
        SettingsError: no rows, or rows that do not exist.
    """
    rows, n = np.unique(rows), len(at.passes)
    if not len(rows) or rows[0] < 0 or rows[-1] >= n:
        raise SettingsError(f"Rows that leave: expected some from 0 to {n - 1}, got {rows[:5].tolist()}.")
    plain, theta = replace(at.model, l2=0.0), at.fit.theta
    gradient, h = torch.zeros_like(theta), None if at.hessian is None else at.curvature
    for part in blocks(len(rows), 8.0 * at.passes.width, at.passes.block):
        batch = at.passes.rows(rows[part])
        gradient += plain.objective(theta, batch)[1] * (len(batch) / n)
        if h is not None:
            h.sub_(plain.hessian(theta, batch), alpha=len(batch) / n)
    first = product(at.solved(watched).T, gradient[:, None])[:, 0]
    f = watched.outputs * torch.nan
    if h is not None:
        lower, failed = torch.linalg.cholesky_ex(h)
        if not int(failed):
            step = torch.cholesky_solve(gradient[:, None], lower)[:, 0]
            f = watched.outputs + at.model.outputs(step, watched.batch.x)
    values = watched.quantity.values
    base = values(at.model.loss, watched.outputs, watched.batch.y, watched.target)
    after = values(at.model.loss, f, watched.batch.y, watched.target)
    return Departure(rows, numpy(first), numpy(after - base))
