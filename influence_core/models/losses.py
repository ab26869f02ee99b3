"""Losses with K outputs f: value, residual ∂ℓ/∂f and curvature ∂²ℓ/∂f², one row each of the table in the method.

Every function takes f of shape (..., K) and y of shape (...) and broadcasts over the leading axes, so that the same
line serves n examples of one model and n examples of b models at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Loss(Protocol):
    """What a linear predictor (and later a network) needs to know about its loss."""

    @property
    def outputs(self) -> int:
        """K, the number of outputs per example."""

    @property
    def unit(self) -> str:
        """Unit of the loss, for axes."""

    @property
    def convex(self) -> bool:
        """Whether ℓ is convex in f and curved, so that the Gauss–Newton matrix says something."""

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """ℓ(y, f), shape (...)."""

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """∂ℓ/∂f, shape (..., K)."""

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        """∂²ℓ/∂f², shape (..., K, K)."""

    def margins(self, f: Tensor, y: Tensor) -> Tensor | None:
        """> 0 where the prediction is right, shape (...); None for regression."""

    def probabilities(self, f: Tensor) -> Tensor | None:
        """Class probabilities, shape (..., c); None where the loss defines none."""


def _softplus(z: Tensor) -> Tensor:
    """log(1 + eᶻ), exact to rounding: torch's own threshold of 20 would drop e^{−20}."""
    return torch.nn.functional.softplus(z, threshold=40)


@dataclass(frozen=True)
class Squared:
    """(f − y)²."""

    outputs: int = 1
    unit: str = "squared target units"
    convex: bool = True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return (f[..., 0] - y) ** 2

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return 2 * (f - y[..., None])

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        return torch.full_like(f - y[..., None], 2.0)[..., None]

    def margins(self, _f: Tensor, _y: Tensor) -> None:
        return None

    def probabilities(self, _f: Tensor) -> None:
        return None


@dataclass(frozen=True)
class Logistic:
    """log(1 + eᶠ) − y f, y ∈ {0, 1}."""

    outputs: int = 1
    unit: str = "nats"
    convex: bool = True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return _softplus((1 - 2 * y) * f[..., 0])

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        # σ(f) − y without cancellation for confident examples: ±σ(∓f).
        sign = (1 - 2 * y)[..., None]
        return (sign * f).sigmoid_().mul_(sign)

    def curvatures(self, f: Tensor, _y: Tensor) -> Tensor:
        return (torch.sigmoid(f) * torch.sigmoid(-f))[..., None]

    def margins(self, f: Tensor, y: Tensor) -> Tensor:
        return (2 * y - 1) * f[..., 0]

    def probabilities(self, f: Tensor) -> Tensor:
        return torch.sigmoid(torch.cat([-f, f], dim=-1))


@dataclass(frozen=True)
class SmoothedHinge:
    """t·log(1 + e^{(1 − yf)/t}), y ∈ {0, 1} read as −1, +1; at t = 0 the hinge itself, whose curvature is zero."""

    t: float = 0.1
    outputs: int = 1
    unit: str = "hinge units"
    convex: bool = True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        gap = 1 - (2 * y - 1) * f[..., 0]
        return gap.clamp(min=0) if self.t == 0 else self.t * torch.logaddexp(gap / self.t, torch.zeros_like(gap))

    def _active(self, f: Tensor, y: Tensor) -> Tensor:
        gap = 1 - (2 * y - 1)[..., None] * f
        return (gap > 0).to(f.dtype) if self.t == 0 else torch.sigmoid(gap / self.t)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return -(2 * y - 1)[..., None] * self._active(f, y)

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        if self.t == 0:
            return torch.zeros_like(self._active(f, y))[..., None]
        gap = (1 - (2 * y - 1)[..., None] * f) / self.t
        return (torch.sigmoid(gap) * torch.sigmoid(-gap) / self.t)[..., None]

    def margins(self, f: Tensor, y: Tensor) -> Tensor:
        return (2 * y - 1) * f[..., 0]

    def probabilities(self, _f: Tensor) -> None:
        return None


@dataclass(frozen=True)
class Softmax:
    """−log softmax(f)_y, y ∈ {0, …, c − 1}."""

    outputs: int
    unit: str = "nats"
    convex: bool = True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return _softplus(-self.log_odds(f, y))

    def log_odds(self, f: Tensor, y: Tensor) -> Tensor:
        """f_y − log Σ_{k≠y} e^{f_k}, shape (...); no cancellation, so that confident losses keep their precision."""
        index = y.long().expand(f.shape[:-1])[..., None]
        return f.gather(-1, index)[..., 0] - torch.logsumexp(f.scatter(-1, index, float("-inf")), -1)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        probability = torch.softmax(f, -1)
        index = y.long().expand(f.shape[:-1])[..., None]
        # P_y − 1 = −Σ_{k≠y} P_k, summed so that confident examples keep their relative precision.
        others = probability.scatter(-1, index, 0.0).sum(-1, keepdim=True)
        return probability.scatter(-1, index, -others)

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        probability = torch.softmax(f, -1).expand(*np.broadcast_shapes(f.shape[:-1], y.shape), self.outputs)
        return torch.diag_embed(probability) - probability[..., :, None] * probability[..., None, :]

    def margins(self, f: Tensor, y: Tensor) -> Tensor:
        index = y.long().expand(f.shape[:-1])[..., None]
        others = f.scatter(-1, index, float("-inf")).amax(-1)
        return f.gather(-1, index)[..., 0] - others

    def probabilities(self, f: Tensor) -> Tensor:
        return torch.softmax(f, -1)


def training_residuals(loss: Loss, f: Tensor, y: Tensor) -> Tensor:
    """∂ℓ/∂f for steps of training, which bear rounding: softmax written out.

    Over few classes torch's own softmax took 6 to 40 times as long (measured on the CPU); the residuals of ``Softmax``
    itself keep their sum at zero, which minimising to rounding needs.

    Returns:
        (..., K).
    """
    if not isinstance(loss, Softmax):
        return loss.residuals(f, y)
    e = (f - f.amax(-1, keepdim=True)).exp_()
    e /= e.sum(-1, keepdim=True)
    return e.sub_(torch.nn.functional.one_hot(y.long(), loss.outputs))
