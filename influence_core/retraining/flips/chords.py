"""Refits near one that is at hand: chord steps with its factor, corrected for the points that differ, else Newton."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import blocks, product
from influence_core.models import NoMinimumError
from influence_core.models.fitting import newton
from influence_core.retraining.flips.without import SURE, Without, sizes
from influence_core.retraining.minimise import SingularRefitError

PASSES, SHRINKS = 60, 0.7  # chord steps, and what each makes of the gradient, or less
FACTORS = 4  # of A, each from where steps with the one before led no further
ROUGH = 1e-3  # of the margin: how near a refit on the way comes to its minimum
NEWTON_GOAL = 1e-11  # of ‖∇J(0)‖, from where chord steps go on to rounding


def refit(near: Without, rows: Tensor) -> Without:
    """Refit without ``rows``, from a refit without others, until the sign of m and its first digits stand.

    Returns:
        The refit; its own certificate says how near it came.  Where what is left has no minimum, that is a
        ``SingularRefitError``.
    """
    start = replace(near, rows=rows, borrowed=None)
    at = near if near.corrects(start.weights) else start
    for _ in range(FACTORS):
        found, settled = _chords(at, start)
        if settled:
            return _with_minimum(found)
        if found.theta is start.theta:
            break
        at = start = replace(found, borrowed=None)
    return _with_minimum(_newton(replace(start, theta=near.theta, borrowed=None)))


def _chords(at: Without, start: Without) -> tuple[Without, bool]:
    """Steps with A⁻¹ of ``at`` as long as the gradient shrinks, and whether they got there."""
    step, size, found = at.corrected(start.weights), torch.inf, start
    tried = replace(start, borrowed=at.inverse if at is start else None)
    for _ in range(PASSES):
        smaller = float(sizes(tried.gradient[None], at.inverse)[0])
        if not smaller <= SHRINKS * size:
            break
        found, size = tried, smaller
        if at.reach * size <= ROUGH * abs(found.margin):
            return found, True
        tried = replace(found, theta=found.theta - step(found.gradient))
    return found, False


def polished(refitted: Without) -> Without:
    """The same refit, to rounding."""
    here = refitted = replace(refitted, borrowed=None)
    while True:
        there = replace(here, theta=here.theta - product(here.gradient[None], refitted.inverse)[0])
        if not float(there.gradient.norm()) < float(here.gradient.norm()) / 2:
            return here
        here = there


def each_returned(near: Without) -> tuple[Tensor, Tensor]:
    """m and its certificate after each point that left has come back alone.

    Many chord refits at a time, only as far as the sign needs; those that do not settle are refitted alone.

    Returns:
        (k,) each; NaN where such a refit has no minimum.
    """
    margins, certificates = torch.empty(2, len(near.rows), dtype=near.theta.dtype, device=near.theta.device)
    n, outputs = len(near.fitted.train), near.fitted.linear.loss.outputs
    for part in blocks(len(near.rows), 32.0 * max(n * outputs, len(near.theta))):
        margins[part], certificates[part] = _returned(near, near.rows[part])
    for k in torch.nonzero(~(margins.abs() > SURE * certificates))[:, 0].tolist():
        margins[k], certificates[k] = torch.nan, torch.inf
        with suppress(SingularRefitError):
            alone = refit(near, torch.cat([near.rows[:k], near.rows[k + 1 :]]))
            if not abs(alone.margin) > SURE * alone.certificate:
                alone = polished(alone)
            margins[k], certificates[k] = alone.margin, alone.certificate
    return margins, certificates


def _returned(near: Without, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Chord refits with each of ``rows`` back, until they are decided or their gradient shrinks no more."""
    theta, live = near.theta.repeat(len(rows), 1), torch.arange(len(rows), device=rows.device)
    margins, norms = theta.new_full((len(rows),), torch.nan), theta.new_full((len(rows),), torch.inf)
    step = _steps_back(near, rows)
    for _ in range(PASSES):
        if not len(live):
            break
        near.task.tick()
        gradient = _gradients(near, theta[live], rows[live])
        smaller = sizes(gradient, near.inverse)
        shrunk = smaller <= SHRINKS * norms[live]
        live, gradient = live[shrunk], gradient[shrunk]
        norms[live] = smaller[shrunk]
        f = product(theta[live].view(-1, len(near.aim.x)), near.aim.x[:, None]).view(
            len(live), near.curvatures.shape[1]
        )
        margins[live] = near.aim.margin(f)
        open_ = ~(margins[live].abs() > SURE * near.reach * norms[live])
        live = live[open_]
        if len(live):
            theta[live] -= step(gradient[open_], live)
    return margins, near.reach * norms  # A grows when a point comes back, so its metric bounds that one


def _steps_back(near: Without, rows: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """(A + H_i/n)⁻¹∇ for some of ``rows``, each alone back, (b, p)."""
    x, c, model = near.fitted.train.x[rows], near.curvatures[rows], near.fitted.linear
    grown = torch.eye(c.shape[1], dtype=c.dtype, device=c.device) + c @ near.spread(rows)

    def step(gradient: Tensor, which: Tensor) -> Tensor:
        u = product(gradient, near.inverse)
        t = torch.einsum("bkd,bd->bk", u.view(len(u), c.shape[1], -1), x[which])
        s = torch.linalg.solve(grown[which], torch.einsum("bij,bj->bi", c[which], t) / len(near.weights))
        return u - product(model.pullback(x[which], s), near.inverse)

    return step


def _gradients(near: Without, theta: Tensor, back: Tensor) -> Tensor:
    """∇J(θ_b; 1 − 1_S + e_b) for b refits, (b, p)."""
    model, train = near.fitted.linear, near.fitted.train
    f = product(train.x, theta.view(-1, train.x.shape[1]).T).view(len(train), len(theta), -1)
    weights = near.weights[:, None].repeat(1, len(back))
    weights[back, torch.arange(len(back), device=back.device)] = 1
    residuals = model.loss.residuals(f, train.y[:, None]) * weights[:, :, None]
    penalty = model.penalty(weights[:, 0]) * model.penalised(train.x)
    return product(residuals.view(len(train), -1).T, train.x).view(len(back), -1) / len(train) + penalty * theta


def _newton(start: Without) -> Without:
    """Newton steps with line search."""
    model, train = start.fitted.linear, start.fitted.train
    goal = NEWTON_GOAL * float(model.objective(torch.zeros_like(start.theta), train)[1].norm())
    try:
        return replace(start, theta=newton(model, train, start.weights, start.theta, goal).theta)
    except NoMinimumError as error:
        raise SingularRefitError(start.nothing_left) from error


def _with_minimum(found: Without) -> Without:
    """The refit, unless everything that is left is classified right and no penalty holds it."""
    model, train = found.fitted.linear, found.fitted.train
    margins = model.loss.margins(model.outputs(found.theta, train.x), train.y) if model.l2 == 0 else None
    if margins is not None and bool((margins[found.weights > 0] > 0).all()):
        raise SingularRefitError(found.nothing_left)
    return found
