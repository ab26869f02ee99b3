"""Losses of scikit-learn's linear models beside ours: piecewise quadratic ones, class weights, several binary problems.

The piecewise quadratic ones have a curvature everywhere but at their kinks, where that of the flatter side is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.models.losses import Logistic, Loss, SmoothedHinge, Squared


@dataclass(frozen=True)
class Piecewise:
    """c (w v − w²/2) with v = u − clip(u, −dead, dead) and w = clip(v, low, high): quadratic between two ends.

    For classes y ∈ {0, 1}, read as s = −1, +1, u is sf − 1; for numbers it is f − y.

    Attributes:
        unit: of the loss.
        labels: whether y is a class.
        scale: c.
        low: end below which the loss is a straight line.
        high: end above which it is one.
        dead: half of the width of a middle part without a loss.
    """

    unit: str
    labels: bool = True
    scale: float = 2.0
    low: float = -math.inf
    high: float = math.inf
    dead: float = 0.0
    outputs: int = 1
    convex: bool = True

    @property
    def smooth(self) -> bool:
        """Whether it is quadratic everywhere."""
        return self.low == -math.inf and self.high == math.inf and not self.dead

    def _sign(self, y: Tensor) -> Tensor:
        return 2 * y - 1 if self.labels else torch.ones_like(y)

    def _beyond(self, f: Tensor, y: Tensor) -> Tensor:
        u = self._sign(y)[..., None] * f - 1 if self.labels else f - y[..., None]
        return u - u.clamp(-self.dead, self.dead) if self.dead else u

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        v = self._beyond(f, y)[..., 0]
        w = v.clamp(self.low, self.high)
        return self.scale * (w * v - w * w / 2)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return self.scale * self._sign(y)[..., None] * self._beyond(f, y).clamp(self.low, self.high)

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        v = self._beyond(f, y)
        curved = (v > self.low) & (v < self.high) & ((v != 0) | (self.dead == 0))
        return self.scale * curved.to(f.dtype)[..., None]

    def margins(self, f: Tensor, y: Tensor) -> Tensor | None:
        return (2 * y - 1) * f[..., 0] if self.labels else None

    def probabilities(self, _f: Tensor) -> None:
        return None


SQUARED_HINGE = Piecewise("squared hinge units", high=0.0)  # max(0, 1 − sf)²
MODIFIED_HUBER = Piecewise("modified Huber units", low=-2.0, high=0.0)  # the same where sf ≥ −1, else −4sf
SQUARED_LABELS = Piecewise("squared label units")  # (f − s)²: least squares on labels


def huber(epsilon: float) -> Piecewise:
    """r²/2 where |r| ≤ ε, else ε|r| − ε²/2, with r = f − y."""
    return Piecewise("Huber units", labels=False, scale=1.0, low=-epsilon, high=epsilon)


def insensitive(epsilon: float) -> Piecewise:
    """max(0, |f − y| − ε)²."""
    return Piecewise("squared target units", labels=False, dead=epsilon)


@dataclass(frozen=True)
class Poisson:
    """eᶠ − y f + y log y − y, half the deviance of counts y ≥ 0 whose expected value is eᶠ."""

    outputs: int = 1
    unit: str = "nats"
    convex: bool = True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return torch.exp(f[..., 0]) - y * f[..., 0] + torch.xlogy(y, y) - y

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return torch.exp(f) - y[..., None]

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        return torch.exp(f + 0 * y[..., None])[..., None]

    def margins(self, _f: Tensor, _y: Tensor) -> None:
        return None

    def probabilities(self, _f: Tensor) -> None:
        return None


@dataclass(frozen=True)
class ClassWeighted:
    """w_y times a loss of class index y."""

    base: Loss
    weights: tuple[float, ...]
    convex: bool = True

    @property
    def outputs(self) -> int:
        return self.base.outputs

    @property
    def unit(self) -> str:
        return f"weighted {self.base.unit}"

    def _weight(self, f: Tensor, y: Tensor) -> Tensor:
        return torch.tensor(self.weights, dtype=f.dtype, device=f.device)[y.long()]

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return self.base.values(f, y) * self._weight(f, y)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return self.base.residuals(f, y) * self._weight(f, y)[..., None]

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        return self.base.curvatures(f, y) * self._weight(f, y)[..., None, None]

    def margins(self, f: Tensor, y: Tensor) -> Tensor | None:
        return self.base.margins(f, y)

    def probabilities(self, f: Tensor) -> Tensor | None:
        return self.base.probabilities(f)


@dataclass(frozen=True)
class Coded:
    """Several binary problems side by side: Σ_k ℓ(f_k, s_yk) over the outputs k that class y takes part in.

    Attributes:
        base: ℓ, of one output.
        code: s, a row of −1, 0 and +1 for each class; 0 where it takes no part.
        positive: weight of the positive examples of each problem; empty for 1.
    """

    base: Loss
    code: tuple[tuple[int, ...], ...]
    positive: tuple[float, ...] = ()
    convex: bool = True

    @staticmethod
    def one_versus_rest(base: Loss, classes: int, positive: tuple[float, ...] = ()) -> Coded:
        """One problem per class."""
        rows = tuple(tuple(1 if k == c else -1 for k in range(classes)) for c in range(classes))
        return Coded(base, rows, positive)

    @staticmethod
    def one_versus_one(base: Loss, classes: int) -> Coded:
        """One problem per pair of classes, the first of which is the positive one."""
        pairs = [(a, b) for a in range(classes) for b in range(a + 1, classes)]
        return Coded(base, tuple(tuple((c == a) - (c == b) for a, b in pairs) for c in range(classes)))

    @property
    def outputs(self) -> int:
        return len(self.code[0])

    @property
    def unit(self) -> str:
        return self.base.unit

    def _code(self, f: Tensor) -> Tensor:
        return torch.tensor(self.code, dtype=f.dtype, device=f.device)

    def _parts(self, f: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Every output as a problem of its own: f (..., K, 1), its label 0 or 1 and what it counts (..., K)."""
        signs = self._code(f)[y.long()]
        weights = signs.new_tensor(self.positive or (1.0,))
        return f[..., None], (signs + 1) / 2, torch.where(signs > 0, weights, signs.abs())

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        own, label, counts = self._parts(f, y)
        return (self.base.values(own, label) * counts).sum(-1)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        own, label, counts = self._parts(f, y)
        return self.base.residuals(own, label)[..., 0] * counts

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        own, label, counts = self._parts(f, y)
        return torch.diag_embed(self.base.curvatures(own, label)[..., 0, 0] * counts)

    def margins(self, f: Tensor, y: Tensor) -> Tensor:
        """What the true class scores above the best other one; one against one counts wins, then outputs."""
        code, score = self._code(f), f
        if bool((code == 0).any()):
            confidence = f @ code.T
            wins = ((f[..., None, :] * code) > 0).to(f.dtype).sum(-1)
            score = wins + confidence / (3 * (confidence.abs() + 1))
        index = y.long().expand(f.shape[:-1])[..., None]
        return score.gather(-1, index)[..., 0] - score.scatter(-1, index, float("-inf")).amax(-1)

    def probabilities(self, f: Tensor) -> Tensor | None:
        """Those of the single problems, scaled to a sum of one, where a problem is one class against the rest."""
        if not isinstance(self.base, Logistic) or any(0 in row for row in self.code):
            return None
        chances = torch.sigmoid(f)
        return chances / chances.sum(-1, keepdim=True)


def core(loss: Loss) -> Loss:
    """The loss without class weights, and of one of several binary problems."""
    return core(loss.base) if isinstance(loss, ClassWeighted | Coded) else loss


def smoother(loss: Loss, t: float) -> Loss:
    """The same with another t of its smoothed hinge."""
    if isinstance(loss, ClassWeighted | Coded):
        return replace(loss, base=smoother(loss.base, t))
    return replace(loss, t=t) if isinstance(loss, SmoothedHinge) else loss


def bounded(loss: Loss) -> bool:
    """Whether outputs have a finite best value whatever the examples: no class need have a member."""
    base = core(loss)
    return quadratic(base) or (isinstance(base, Piecewise) and not base.labels)


def counted(loss: Loss) -> bool:
    """Whether y are counts and not classes, of which none need have a member."""
    return isinstance(core(loss), Poisson)


def kinked(loss: Loss) -> bool:
    """Whether the curvature of one θ says little about that of a neighbour."""
    base = core(loss)
    return isinstance(base, SmoothedHinge) or (isinstance(base, Piecewise) and not base.smooth)


def quadratic(loss: Loss) -> bool:
    """Whether the curvature is the same everywhere."""
    return isinstance(loss, Squared) or (isinstance(loss, Piecewise) and loss.smooth)
