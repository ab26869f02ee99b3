"""Newton's method in passes: one gives J, ∇J and ∇²J at once, or J and ∇J where ∇²J is known by products alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core.data.stored import Stored
from influence_core.models import build
from influence_core.models.fitting import MAX_STEPS, POLISH, ROUNDING, TOLERANCE, Fit
from influence_core.models.linear import LinearModel, add_projector
from influence_core.settings import ModelSettings, SettingsError
from influence_core.streamed.passes import Cost, Passes
from influence_core.streamed.products import USUAL_FIT, Products, of

HALVINGS = 30
USUAL = 10  # passes of a fit: seven steps, two that polish, and the start
FEW = 3  # rows that stand for a data set where only its kind matters


def model_of(settings: ModelSettings, stored: Stored) -> LinearModel:
    """The linear predictor that the settings describe.

    Raises:
        SettingsError: a network, or a model that does not fit these targets.
    """
    model = build(settings, stored.dataset(slice(0, FEW), test=False))
    if not isinstance(model, LinearModel):
        raise SettingsError("Data on disk are for models with a linear predictor, such as logistic regression.")
    return replace(model, held=())


@dataclass(frozen=True, eq=False)
class Expansion:
    """J and ∇J (p,) at one θ, the mean size of what is summed to ∇J, and H (p, p), or None and the mean C_i (K, K)."""

    value: float
    gradient: Tensor
    terms: float
    hessian: Tensor | None
    curvature: Tensor

    @property
    def norm(self) -> float:
        """‖∇J‖."""
        return float(self.gradient.norm())


def at(passes: Passes, theta: Tensor, whole: bool = True) -> Expansion:
    """One pass: J, its gradient and, where the ``whole`` of it is asked for, its Hessian at θ."""
    model, n = passes.model, len(passes)
    plain, outputs = replace(model, l2=0.0, fold_penalty=False), model.loss.outputs
    value, terms = 0.0, 0.0
    gradient, curvature = torch.zeros_like(theta), theta.new_zeros(outputs, outputs)
    hessian = theta.new_zeros(len(theta), len(theta)) if whole else None
    for _, batch in passes:
        share = len(batch) / n
        mean, slope = plain.objective(theta, batch)
        residuals = model.loss.residuals(model.outputs(theta, batch.x), batch.y)
        value, gradient = value + share * mean, gradient + share * slope
        terms += float((residuals.norm(dim=1) * batch.x.norm(dim=1)).sum()) / n
        if hessian is None:
            curvature += plain.curvatures(theta, batch).sum(0) / n
        else:
            hessian.add_(plain.hessian(theta, batch), alpha=share)
    if hessian is not None:
        hessian.diagonal().add_(model.l2 * passes.penalised)
    penalty = model.l2 * passes.penalised * theta
    return Expansion(value + float(penalty @ theta) / 2, gradient + penalty, terms, hessian, curvature)


def cost(settings: ModelSettings, stored: Stored) -> Cost:
    """What a fit usually takes, before it begins."""
    passes = Passes(stored, model_of(settings, stored))
    outputs, products = passes.model.loss.outputs, of(passes)
    if products is not None:
        return passes.cost(USUAL_FIT, 3 * outputs / passes.width, held=products.held(1))
    return passes.cost(USUAL, outputs * (outputs + 1) / 2, outputs * passes.width)


def positive(passes: Passes, hessian: Tensor) -> Tensor:
    """H with the directions lifted along which θ changes nothing, (p, p), in place."""
    return add_projector(hessian, passes.null, passes.model.loss.outputs)


def fit(passes: Passes, products: Products | None = None) -> tuple[Fit, Tensor | None]:
    """θ̂ by Newton steps with Armijo halving, and H there (p, p).

    A step is one pass, and one more for each halving; with ``products``, which hold no H, its direction is searched in
    as many passes as conjugate gradients take.
    """
    check(passes)
    theta = torch.zeros(passes.model.loss.outputs * passes.width, dtype=torch.float64)
    point, history = at(passes, theta, products is None), list[float]()
    goal = max(TOLERANCE * point.norm, ROUNDING * point.terms)
    polish, first = POLISH if products is None else 1, point.norm
    while len(history) < MAX_STEPS:
        history.append(point.value)
        if point.norm <= goal:
            polish -= 1
        if polish < 0:
            break
        if products is None:
            direction = _dense(passes, point)
        else:
            direction = products.direction(
                theta, point.gradient, point.curvature, min(0.1, (point.norm / first) ** 0.5)
            )
        found = _step(passes, theta, point, direction)
        if found is None or (point.norm <= goal and not found[1].norm < point.norm):
            break
        theta, point = found
    return Fit(theta, "newton", point.norm, goal, tuple(history)), point.hessian


def check(passes: Passes) -> None:
    """What cannot be fitted in blocks.

    Raises:
        SettingsError: it is that.
    """
    model, stored = passes.model, passes.stored
    if model.l2 <= 0 or model.fold_penalty:
        raise SettingsError("Data on disk are fitted with a penalty l2 > 0 of its own, for example model.l2=1e-6.")
    if stored.class_names:
        counts = np.bincount(stored.train.y, minlength=len(stored.class_names))
        if not counts.all():
            name = stored.class_names[int(counts.argmin())]
            raise SettingsError(
                f"Class {name[:40]} has no training row: leave it out, or take another share of test rows."
            )


def _dense(passes: Passes, point: Expansion) -> Tensor:
    """−H⁻¹∇J."""
    assert point.hessian is not None
    h = positive(passes, point.hessian.clone())
    ridge, failed = 0.0, 1
    while failed:
        factor, failed = torch.linalg.cholesky_ex(h)
        ridge = max(100 * ridge, 1e-14 * float(h.diagonal().mean()))
        h.diagonal().add_(ridge if int(failed) else 0.0)
    direction: Tensor = -torch.cholesky_solve(point.gradient[:, None], factor)[:, 0]
    return direction


def _step(passes: Passes, theta: Tensor, point: Expansion, direction: Tensor) -> tuple[Tensor, Expansion] | None:
    """The next θ with enough descent, None where rounding allows none."""
    slope, length = float(point.gradient @ direction), 1.0
    for _ in range(HALVINGS):
        candidate = theta + length * direction
        found = at(passes, candidate, point.hessian is not None)
        if found.value <= point.value + 1e-4 * length * slope + 1e-14 * abs(point.value):
            return candidate, found
        length /= 2
    return None
