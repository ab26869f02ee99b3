"""Evidence about the labels of some training points: who supports them, who contradicts them, what a relabel would do.

For a training point i with given label y_i, evidence[k] is the predicted change of p(y_i | x_i) when another training
point k leaves, new minus old, first order.  < 0: without k the model believes the label less, so k supports it.  > 0: k
contradicts it.  All points asked about share one block of solves with the curvature that is factored already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, RowsLike, numpy
from influence_core.influence.one_step import quantity_change
from influence_core.influence.watched import Influence, Watched, rank_corrected
from influence_core.models import QUANTITIES, QuantityError


@dataclass(frozen=True, eq=False)
class Evidence:
    """About b training points, in the order asked for.

    Attributes:
        rows: (b,) the points.
        quantity: what changes: ``probability`` of the given label, or its ``margin`` where the model has none.
        change: (b, n) predicted change when training point k leaves, new minus old; 0 for k = i itself.
        relabel: (b, c) first-order predicted change of what is watched when i gets each class; 0 for its own; None
            where nothing is watched.
        relabel_newton: (b, c) the same by one Newton step; None also for networks and under ``fold_penalty``.
    """

    rows: NDArray[np.int64]
    quantity: str
    change: FloatArray
    relabel: FloatArray | None
    relabel_newton: FloatArray | None

    def supports(self, item: int, count: int) -> NDArray[np.int64]:
        """The training points whose removal lowers the belief in the label most, strongest first.

        Returns:
            At most ``count`` rows, fewer where fewer lower it.
        """
        return _strongest(-self.change[item], count)

    def contradicts(self, item: int, count: int) -> NDArray[np.int64]:
        """The training points whose removal raises the belief in the label most, strongest first.

        Returns:
            At most ``count`` rows; the first one is the strongest counter-example.
        """
        return _strongest(self.change[item], count)


def evidence(influence: Influence, rows: RowsLike, classes: int, watched: Watched | None = None) -> Evidence:
    """Support, contradiction and relabelling of some training points by one block of b·K solves.

    Args:
        influence: the fitted model with its factored curvature.
        rows: b training points.
        classes: c.
        watched: one combined quantity, such as the mean validation loss; None for no relabelling.

    Returns:
        The evidence; memory O(p·b·K + n·b).

    Raises:
        QuantityError: a model without probabilities and margins has no belief in a label.
    """
    chosen, fitted = np.asarray(rows, dtype=np.int64), influence.fitted
    members = torch.as_tensor(chosen, device=fitted.theta.device)
    loss, n = fitted.model.loss, len(fitted.train)
    quantity = next((name for name in ("probability", "margin") if QUANTITIES[name].applies(loss)), "")
    if not quantity:
        raise QuantityError("Evidence about labels needs a classifier: choose data with classes.")
    solved = influence.solve(_columns(influence, members)).value.view(fitted.size, len(chosen), loss.outputs)
    residuals = QUANTITIES[quantity].residuals(loss, fitted.outputs[members], fitted.train.y[members])
    directions = torch.einsum("pbk,bk->pb", solved, residuals)
    change = fitted.linearised.gradient_dot(fitted.train.x, fitted.residuals, directions, 1 / n)
    if fitted.model.fold_penalty:
        change += (influence.folded @ directions) / n
    change = change.T.contiguous()
    change[torch.arange(len(chosen)), members] = 0.0
    if watched is None:
        return Evidence(chosen, quantity, numpy(change), None, None)
    first = _relabel(influence, watched, members, classes)
    one_step = fitted.kind.closed_form and not fitted.model.fold_penalty
    newton = _relabel_newton(influence, watched, members, (classes, solved)) if one_step else None
    return Evidence(chosen, quantity, numpy(change), first, newton)


def _columns(influence: Influence, members: Tensor) -> Tensor:
    """K_i of every point, (p, b·K), the K outputs of a point next to each other."""
    fitted = influence.fitted
    x, outputs = fitted.train.x[members], fitted.model.loss.outputs
    units = torch.eye(outputs, dtype=fitted.theta.dtype, device=fitted.theta.device)
    parts = [fitted.linearised.pullback(x, unit.expand(len(x), -1)) for unit in units]
    return torch.stack(parts, 1).reshape(len(x) * outputs, -1).T.contiguous()


def _moves(influence: Influence, members: Tensor, label: int) -> tuple[Tensor, Tensor]:
    """Residuals r(y_i) − r(label), (b, K), and curvatures C(y_i) − C(label), (b, K, K)."""
    fitted, loss = influence.fitted, influence.fitted.model.loss
    f, y = fitted.outputs[members], torch.full_like(fitted.train.y[members], label)
    return fitted.residuals[members] - loss.residuals(f, y), fitted.curvatures[members] - loss.curvatures(f, y)


def _relabel(influence: Influence, watched: Watched, members: Tensor, classes: int) -> FloatArray:
    """First-order relabel_change of the one watched quantity for every class, (b, c)."""
    fitted, solved = influence.fitted, influence.solved(watched).value
    x, scale = fitted.train.x[members], 1 / len(fitted.train)
    moved = [_moves(influence, members, label)[0] for label in range(classes)]
    columns = [fitted.linearised.gradient_dot(x, rho, solved, scale)[:, 0] for rho in moved]
    return numpy(torch.stack(columns, 1))


def _relabel_newton(influence: Influence, watched: Watched, members: Tensor, given: tuple[int, Tensor]) -> FloatArray:
    """One-step Newton relabel_change from the solved columns V_i = A⁻¹K_i: δθ = V_i ρ_i / n, (b, c)."""
    (classes, solved), fitted = given, influence.fitted
    outputs, n = fitted.model.loss.outputs, len(fitted.train)
    blocks = solved.view(outputs, -1, len(members), outputs)
    spread = torch.einsum("bd,adbk->bak", fitted.train.x[members], blocks) / n
    moves = [_moves(influence, members, label) for label in range(classes)]
    rho = torch.stack([rank_corrected(curved, spread, moved) for moved, curved in moves], 2)
    result = [quantity_change(influence, watched, solved[:, item] @ rho[item] / n)[:, 0] for item in range(len(rho))]
    change = torch.stack(result)
    change[torch.arange(len(members)), fitted.train.y[members].long()] = 0.0  # its own label: nothing, not rounding
    return numpy(change)


def _strongest(values: FloatArray, count: int) -> NDArray[np.int64]:
    count = min(count, len(values))
    top = np.argpartition(-values, count - 1)[:count]
    order: NDArray[np.int64] = top[np.lexsort((top, -values[top]))]
    return order[values[order] > 0]
