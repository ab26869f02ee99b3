"""Exact leave-one-out of some rows of data on disk: every pass serves all of the refits at once.

Chord steps with the fixed inverse of H(θ̂), corrected for the row that leaves, as in memory; imports nothing of what
predicts, so that agreement means something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Task, blocks, numpy, product
from influence_core.compute.pieces import Found, Piece
from influence_core.influence.watched import UNIQUE, Watched
from influence_core.models import Batch
from influence_core.models.fitting import TOLERANCE
from influence_core.retraining.minimise import CERTIFIED
from influence_core.retraining.objectives import FLOOR
from influence_core.streamed.answers import Streamed
from influence_core.streamed.rows import leverage_of
from influence_core.streamed.sharing import taken

ROUNDS = 25
PASSES = 4  # that a block of refits usually takes


@dataclass(frozen=True, eq=False)
class Departures:
    """Refits without some rows.

    Attributes:
        rows: (k,) who left.
        change: (k, m) measured changes, new minus old; NaN where the refit was not certified.
        certificate: (k,) ‖∇J(θ_i; 1 − e_i)‖ over ‖g_i‖/n.
        certified: (k,) whether that is at most 1e-6, or at rounding.
        passes: that it took.
    """

    rows: NDArray[np.int64]
    change: FloatArray
    certificate: FloatArray
    certified: NDArray[np.bool_]
    passes: int


def leave_out(at: Streamed, watched: Watched, rows: NDArray[np.int64], task: Task | None = None) -> Departures:
    """Refit without each of ``rows``; memory grows with (number of rows) × p and with a block times K times that."""
    model, n, loss = at.model, len(at.passes), at.model.loss
    own = at.passes.rows(np.asarray(rows))
    f = model.outputs(at.fit.theta, own.x)
    residuals, curvatures = loss.residuals(f, own.y), loss.curvatures(f, own.y)
    columns = torch.einsum("ab,nd->nbad", torch.eye(loss.outputs, dtype=own.x.dtype), own.x)
    columns = columns.reshape(len(rows) * loss.outputs, -1)  # K_iᵀ, K rows each
    solved = at.solve(columns.T.contiguous()).T.reshape(len(rows), loss.outputs, -1)
    spread = torch.einsum("nap,nbp->nab", solved, columns.view(len(rows), loss.outputs, -1)) / n
    size = model.pullback(own.x, residuals).norm(dim=1) / n
    goals = (CERTIFIED * size).clamp(min=FLOOR / TOLERANCE * at.fit.goal)

    def chord(gradient: Tensor, live: Tensor) -> Tensor:
        """(H − H_i/n)⁻¹ ∇ by H⁻¹ and its rank-K correction, (b, p)."""
        t = torch.einsum("nap,np->na", solved[live], gradient)
        eye, c = torch.eye(loss.outputs, dtype=t.dtype), curvatures[live]
        s = torch.linalg.solve(eye - c @ spread[live], torch.einsum("nab,nb->na", c, t) / n)
        return at.solve(gradient.T.contiguous()).T + torch.einsum("nap,na->np", solved[live], s)

    theta = at.fit.theta.repeat(len(rows), 1)
    gradients = torch.full_like(theta, torch.inf)
    live = torch.nonzero(leverage_of(curvatures, spread) < 1 - UNIQUE)[:, 0]
    theta[live] -= chord(-model.pullback(own.x[live], residuals[live]) / n, live)
    previous, used = size.clone(), 0
    while len(live) and used < ROUNDS:
        gradients[live] = found = _gradients(at, theta[live], own.take(live), task or at.passes.task)
        used, norm = used + 1, found.norm(dim=1)
        moving = (norm > goals[live]) & (norm <= previous[live] / 2)
        previous[live] = norm
        live, found = live[moving], found[moving]
        if len(live):
            theta[live] -= chord(found, live)
    return _measured(at, watched, rows, (theta, gradients.norm(dim=1), goals, size, used))


def together(at: Streamed) -> int:
    """Refits that one pass serves: so many that θ_i and their corrections fill a block, and outputs a few more."""
    outputs, width = at.model.loss.outputs, at.passes.width
    held = 8 * outputs * width * (4 + 2 * outputs)
    return max(1, min(at.passes.block // held, 4 * width // outputs))


def leave_each_out(
    at: Streamed,
    watched: Watched,
    name: str,
    task: Task = Task(),  # noqa: B008 - frozen
) -> Iterator[tuple[slice, Departures]]:
    """Exact leave-one-out of all rows, a block of refits at a time; finished blocks are kept in the store.

    Args:
        at: the model.
        watched: what is measured.
        name: of all that it depends on, in the store.
        task: progress in refits, cancel, store, and the processes that take blocks.

    Yields:
        Rows and their refits.
    """
    if at.products is not None:  # each refit would take passes of its own
        raise at.products.refuse()
    n, k = len(at.passes), together(at)
    parts = list(blocks(n, 1, k))
    pieces = [
        Piece(_left_out, at, (watched, part), f"refits:{name}:{part.start}:{k}", part.stop - part.start)
        for part in parts
    ]
    for part, found in zip(parts, taken(pieces, task), strict=True):
        yield part, Departures(**{**found, "passes": int(found["passes"])})  # type: ignore[arg-type]


def _left_out(at: Streamed, watched: Watched, part: slice, task: Task) -> Found:
    quiet = replace(task, report=lambda _done, _total: None)  # a pass is no refit
    found = leave_out(at, watched, np.arange(part.start, part.stop), quiet)
    return {key: np.asarray(value) for key, value in vars(found).items()}


def _gradients(at: Streamed, theta: Tensor, own: Batch, task: Task) -> Tensor:
    """∇J(θ_i; 1 − e_i) for rows θ_i (b, p): one pass."""
    model, n, k = at.model, len(at.passes), len(theta)
    loss, width = model.loss, at.passes.width
    flat = theta.reshape(-1, width)
    total = torch.zeros_like(flat)
    for _, batch in at.passes.over(task):
        f = product(batch.x, flat.T.contiguous()).view(len(batch), k, loss.outputs)
        r = loss.residuals(f, batch.y[:, None]).reshape(len(batch), -1)
        total += product(r.T.contiguous(), batch.x)
    f = torch.einsum("nkd,nd->nk", theta.view(k, loss.outputs, width), own.x)
    mine = model.pullback(own.x, loss.residuals(f, own.y))
    return (total.view(k, -1) - mine) / n + model.l2 * at.passes.penalised * theta


def _measured(
    at: Streamed, watched: Watched, rows: NDArray[np.int64], found: tuple[Tensor, Tensor, Tensor, Tensor, int]
) -> Departures:
    theta, norms, goals, size, used = found
    loss, batch, k = at.model.loss, watched.batch, len(rows)
    f = product(batch.x, theta.reshape(-1, batch.x.shape[1]).T.contiguous()).view(len(batch), k, loss.outputs)
    values = watched.quantity.values
    base = values(loss, watched.outputs, batch.y, watched.target)
    change = (values(loss, f, batch.y[:, None], watched.target) - base[:, None]).T
    certified = norms <= goals
    change = torch.where(certified[:, None], change, torch.nan)
    return Departures(np.asarray(rows), numpy(change), numpy(norms / size.clamp(min=1e-300)), certified.numpy(), used)
