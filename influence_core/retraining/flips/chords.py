"""Refits near one that is at hand: chord steps with its factor, corrected for the points that differ, else Newton."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import blocks, product
from influence_core.models import NoMinimumError
from influence_core.models.fitting import newton
from influence_core.retraining.flips.without import SURE, Without, eye, sizes
from influence_core.retraining.minimise import SingularRefitError

PASSES, SHRINKS = 60, 0.7  # chord steps, and what each makes of the gradient, or less
HALVINGS = 10
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
    model, x, y = near.fitted.linear, near.fitted.train.x[rows], near.fitted.train.y[rows]
    spread, live = near.spread(rows), torch.arange(len(rows), device=rows.device)
    own = _settled_outputs(near, rows, spread)
    theta = near.theta - product(model.pullback(x, model.loss.residuals(own, y)), near.inverse) / len(near.weights)
    margins, norms = theta.new_full((len(rows),), torch.nan), theta.new_full((len(rows),), torch.inf)
    for _ in range(PASSES):
        near.task.tick()
        gradient = _gradients(near, theta[live], rows[live])
        smaller = sizes(gradient, near.inverse)
        shrunk = smaller <= SHRINKS * norms[live]
        live, gradient = live[shrunk], gradient[shrunk]
        norms[live] = smaller[shrunk]
        margins[live] = near.aim.margin(_each_outputs(theta[live], near.aim.x.expand(len(live), -1)))
        open_ = ~(margins[live].abs() > SURE * near.reach * norms[live])
        live, gradient = live[open_], gradient[open_]
        if not len(live):
            break
        c = model.loss.curvatures(_each_outputs(theta[live], x[live]), y[live])  # its own, where it has moved most
        u = product(gradient, near.inverse)
        s = torch.linalg.solve(eye(c) + c @ spread[live], (c @ _each_outputs(u, x[live])[:, :, None])[:, :, 0])
        theta[live] -= u - product(model.pullback(x[live], s), near.inverse) / len(near.weights)
    return margins, near.reach * norms  # A grows when a point comes back, so its metric bounds that one


def _settled_outputs(near: Without, rows: Tensor, spread: Tensor) -> Tensor:
    """f of each of ``rows`` after it has come back alone to a model whose A stays as it is: f + M r(f) = f before."""
    loss, y, before = near.fitted.linear.loss, near.fitted.train.y[rows], near.outputs[rows]

    def gap(f: Tensor) -> Tensor:
        return f - before + torch.einsum("bij,bj->bi", spread, loss.residuals(f, y))

    f = before
    for _ in range(PASSES):
        now = gap(f)
        step = torch.linalg.solve(eye(spread) + spread @ loss.curvatures(f, y), now)
        length = torch.ones_like(now[:, :1])
        for _ in range(HALVINGS):
            worse = gap(f - length * step).norm(dim=1) > now.norm(dim=1)
            length[worse] /= 2
        f = f - length * step
        if bool((now.norm(dim=1) <= 1e-10 * (1 + f.norm(dim=1))).all()):
            break
    return f


def _each_outputs(theta: Tensor, x: Tensor) -> Tensor:
    """f of one example each under b parameters, (b, K)."""
    return torch.einsum("bkd,bd->bk", theta.view(len(theta), theta.shape[1] // x.shape[1], x.shape[1]), x)


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
