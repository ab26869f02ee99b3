"""QUANTITIES: what is watched at a test point while training points come and go.

A quantity is one differentiable function of the outputs f; its gradient with respect to f is left to autodiff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.models.losses import Loss, Softmax, Squared
from influence_core.models.scikit_losses import core

Values = Callable[[Loss, Tensor, Tensor, int], Tensor]


class QuantityError(ValueError):
    """A quantity that this model does not define."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """m(f, y), and the words beside it.

    Attributes:
        title: for charts.
        values: (loss, f, y, class) to m; differentiable in f.
        helpful: +1 where a rise on removal means the removed point was helpful (loss), −1 where a fall does (margin,
            probability of the true class), 0 where neither word applies (a plain prediction).
        unit: of m; empty for that of the loss, see :meth:`unit_of`.
        needs: the Loss method that must not return None.
        penalised: whether it carries its example's share of the penalty under ``fold_penalty``.
        default: who class −1 is, with {} for the last class; empty where there is no class to choose.
        other: its title for another class {}, of which no change is helpful; empty where the title serves.
    """

    title: str
    values: Values
    helpful: int = 0
    unit: str = ""
    needs: str = ""
    penalised: bool = False
    default: str = ""
    other: str = ""

    def applies(self, loss: Loss) -> bool:
        """Whether ``loss`` defines what this quantity needs."""
        if not self.needs:
            return True
        f, y = torch.zeros(1, loss.outputs), torch.zeros(1)
        return (loss.margins(f, y) if self.needs == "margins" else loss.probabilities(f)) is not None

    def unit_of(self, loss: Loss) -> str:
        """Unit of m: its own, for a plain prediction that of the outputs, else that of the loss."""
        if self.values is not _prediction:
            return self.unit or loss.unit
        if loss.probabilities(torch.zeros(1, loss.outputs)) is not None:
            return "probability"
        return "target units" if isinstance(loss, Squared) else "units of the output f"

    def residuals(self, loss: Loss, f: Tensor, y: Tensor, target: int = -1) -> Tensor:
        """∂m/∂f for ``f`` of shape (m, K)."""
        free = f.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.values(loss, free, y, target).sum(), free)
        return gradient


def _loss(loss: Loss, f: Tensor, y: Tensor, _target: int) -> Tensor:
    return loss.values(f, y)


def _margin(loss: Loss, f: Tensor, y: Tensor, _target: int) -> Tensor:
    """Log-odds of the true class: y f for two classes, f_y − log Σ_{k≠y} e^{f_k} for more."""
    if isinstance(inner := core(loss), Softmax):
        return inner.log_odds(f, y)
    margin = loss.margins(f, y)
    if margin is None:
        raise QuantityError("The margin needs a classifier: choose the loss or the prediction.")
    return margin


def _probability(loss: Loss, f: Tensor, y: Tensor, target: int) -> Tensor:
    probability = loss.probabilities(f)
    if probability is None:
        raise QuantityError("This model gives no class probability: choose the loss, the margin or the prediction.")
    if target >= probability.shape[-1]:
        raise QuantityError(f"Expected a class from 0 to {probability.shape[-1] - 1}, got {target}.")
    index = y.long() if target < 0 else torch.full_like(y, target).long()
    return probability.gather(-1, index.expand(f.shape[:-1])[..., None])[..., 0]


def _prediction(loss: Loss, f: Tensor, y: Tensor, target: int) -> Tensor:
    """The output itself; with probabilities, that of ``target`` (default: the last class, '1' of a binary model)."""
    probability = loss.probabilities(f)
    if probability is None:
        return f[..., 0]
    return _probability(loss, f, y, target if target >= 0 else probability.shape[-1] - 1)


QUANTITIES: dict[str, Quantity] = {
    "loss": Quantity(title="test loss", values=_loss, helpful=+1, penalised=True),
    "margin": Quantity(title="margin of the true class", values=_margin, helpful=-1, unit="log-odds", needs="margins"),
    "probability": Quantity(
        title="probability of the true class",
        values=_probability,
        helpful=-1,
        unit="probability",
        needs="probabilities",
        default="the true class",
        other="probability of class {}",
    ),
    "prediction": Quantity(title="prediction", values=_prediction, default="default ({})"),
}
