"""Cheap witnesses of the scores at one test point: what a refit would say, as far as that can be told without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from influence_core.agreement import AGREES, CLOSE, FACTOR, MISLEADS, ROUGHLY, Agreement, agreement, digits
from influence_core.analysis.ground import Caveat, Ground
from influence_core.compute import FloatArray, numpy
from influence_core.influence.second_step import unrest
from influence_core.influence.watched import UNIQUE, Watched
from influence_core.solvers import Solution

LEVERAGE_LIMIT = 0.5
LEADING, SHARE = 10, 0.1  # strongest points, and what those of high leverage say of all that these say, at least
FAR = 1.5  # at most 2 % of the test points of every bundled set lie further off; a point 5 σ off 2-D blobs is beyond 3
FAR_SHARE = 0.05
TOP = 20
BENT = 0.8  # least qᵀ(H + δI)⁻¹q, in units of qᵀH⁻¹q, of a damping that changes little
RESTLESS, LOST = 0.15, 0.6  # shares of what one step says that a second step takes back
ROUGH = ("hinge", "separable", "support")  # codes of a curvature that rests on too few points


@dataclass(frozen=True, eq=False)
class Click:
    """Scores at one test point, or their mean over several.

    Attributes:
        scores: (n,).
        solution: of (H + δI) V = q.
        remoteness: (m,) of the test points asked about, in units of what is far for a training point.
        watched: what was asked; None where the scores are no changes of it.
        points: (m, d) their features.
        plain: whether the scores are one Newton step without damping.
        measured: (n,) by refits, or None.
        truth: what they are, or would be.
    """

    scores: FloatArray
    solution: Solution
    remoteness: FloatArray
    watched: Watched | None = None
    points: FloatArray | None = None
    plain: bool = False
    measured: FloatArray | None = None
    truth: str = "exact LOO"


@dataclass(frozen=True, eq=False)
class Guess:
    """What one Newton step without damping says of the scores.

    Attributes:
        change: (n,) its own; None where it is not at hand.
        word: of the scores beside it, long steps followed by a second one; empty without it.
        steady: ``agrees`` where a second step would change it little; empty where nothing was checked.
    """

    change: FloatArray | None = None
    word: str = ""
    steady: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """Both words."""
        return self.word, self.steady


def foreseen(ground: Ground, click: Click) -> Guess:
    """Compare the scores with one Newton step, where that is long with a second one, and the one with the other."""
    if ground.forecast is None or click.watched is None:
        return Guess()
    predicted = torch.tensor(click.scores) if click.plain else ground.forecast.change(click.watched)
    change = numpy(predicted)
    second = ground.forecast.second(click.watched, predicted)
    share = unrest(predicted, second)
    told = agreement(numpy(second), click.scores).word(ground.estimator.predicts, share)
    return Guess(change, told, AGREES if share <= RESTLESS else ROUGHLY if share <= LOST else MISLEADS)


def witnesses(ground: Ground, click: Click, guess: Guess | None = None) -> list[Caveat]:
    """Whatever speaks against the scores of this click.

    Returns:
        One caveat per broken assumption.
    """
    found = [_solver(ground, click), _leverage(ground, click.scores)]
    if guess is not None and click.watched is not None:
        found += [_baseline(ground), _damping(ground, click), _step(click, guess)]
        if not any(found) and guess.word and guess.word != AGREES:
            found.append(_first_order(ground, click, guess))
        checked = ground.smoothness is not None or any(c.code == "network" for c in ground.caveats)
        if not any(found) and guess.change is None and not checked:
            found.append(_unchecked(ground, click.truth))
    found += [_copies(ground, click.scores), _own(ground, click), _far(click.remoteness)]
    return [caveat for caveat in found if caveat]


def blame(ground: Ground, click: Click, agreed: Agreement, guess: Guess) -> Caveat:
    """What was measured, where it does not agree, and what to take instead."""
    sized, missed = ground.estimator.predicts, []
    order, name = (agreed.r, "r") if sized else (agreed.rho, "ρ")
    if order.value is not None and order.value < CLOSE:
        missed.append(f"{name} = {order.value:.2f}")
    slope = agreed.slope.value
    if sized and slope is not None and not 1 / FACTOR <= slope <= FACTOR:
        way = "too small" if slope > 1 else "too large"
        missed.append(f"slope = {digits(slope)}{f' (predicted changes are {way})' if slope > 0 else ''}")
    if agreed.sign.value is not None and agreed.sign.value < CLOSE:
        missed.append(f"only {agreed.sign.value:.0%} of the signs are equal")
    strong = agreed.strong.value
    if sized and strong is not None and not 1 / FACTOR <= strong <= FACTOR:
        missed.append(_strongest(strong))
    return Caveat("measured", f"Refits say otherwise: {', '.join(missed)}. Take {_instead(ground, click, guess)}.")


def _strongest(ratio: float) -> str:
    if not 0 < ratio < np.inf:
        return "the ten strongest come out with other signs"
    return (
        f"the ten strongest are {digits(max(ratio, 1 / ratio))} × as {'large' if ratio > 1 else 'small'} as predicted"
    )


def _instead(ground: Ground, click: Click, guess: Guess) -> str:
    """What to take in place of the scores."""
    damping = " and damping 0" if ground.damping else ""
    if click.plain or guess.change is None:
        return "the measured changes"
    if click.measured is not None:
        right = agreement(click.measured, guess.change).word() == AGREES
    else:
        right = guess.steady == AGREES and not any(caveat.code in ROUGH for caveat in ground.caveats)
    if right:
        return f"one-step Newton{damping}"
    return "the measured changes" if click.measured is not None else "exact LOO"


def _solver(ground: Ground, click: Click) -> Caveat | None:
    return Caveat("solver", click.solution.advice) if ground.curvature and click.solution.advice else None


def _baseline(ground: Ground) -> Caveat | None:
    """A ranking, or scores without the Hessian, are no sizes of changes."""
    entry = ground.estimator
    if not entry.predicts:
        return Caveat("ranking", f"{entry.title} is a ranking without unit: only its order and signs can be compared.")
    if entry.curvature or entry.unrolls:
        return None
    return Caveat(
        "baseline",
        f"{entry.title} leaves out the Hessian: a baseline that predicts no size, and the order only roughly. Take "
        "influence or one-step Newton.",
    )


def _damping(ground: Ground, click: Click) -> Caveat | None:
    """Damping that takes more than a fifth of what the curvature gives back: qᵀ(H + δI)⁻¹q against qᵀH⁻¹q."""
    if not ground.damping or not ground.curvature or ground.forecast is None or click.watched is None:
        return None
    q = click.watched.gradient
    bare = float((q * ground.forecast.influence.solve(q).value).sum())
    share = float((q * click.solution.value).sum()) / bare if bare > 0 else 1.0
    if share >= BENT:
        return None
    return Caveat(
        "damping",
        f"Damping {ground.damping:g} holds back {1 - share:.0%} of the answer (qᵀ(H + δI)⁻¹q is {share:.2g} of "
        "qᵀH⁻¹q): predicted changes are too small. Set damping to 0.",
    )


def _step(click: Click, guess: Guess) -> Caveat | None:
    if guess.steady in {"", AGREES} and (not click.plain or guess.word in {"", AGREES}):
        return None
    who = "One Newton step" if click.plain else "One Newton step, and first order more so,"
    return Caveat(
        "step",
        f"{who} leads away from the refit: a second step would change what it says of the strongest points. Take exact "
        "LOO, or a larger l2.",
    )


def _first_order(ground: Ground, click: Click, guess: Guess) -> Caveat:
    """Why the scores leave one Newton step: the test point is where its loss is flat, or the step is long."""
    better = _instead(ground, click, guess)
    straight = ground.forecast.straight(click.watched) if ground.forecast and click.watched else None
    if straight is not None and agreement(numpy(straight), click.scores).word() == AGREES:
        return Caveat(
            "minimum",
            f"The {click.watched.quantity.title if click.watched else 'loss'} of this test point is at its minimum: "
            f"first order says nothing about it. Watch the prediction, or take {better}.",
        )
    return Caveat(
        "order",
        f"First order leaves what one Newton step says of these points: predicted changes are rough. Take {better}.",
    )


def _unchecked(ground: Ground, truth: str) -> Caveat:
    return Caveat(
        "unchecked",
        f"No cheap check is at hand for this model ({ground.fitted.size:,} parameters): only {truth} tells how "
        "far the numbers hold.",
    )


def _top(scores: FloatArray, count: int = TOP) -> NDArray[np.int64]:
    k = min(count, len(scores))
    return np.argpartition(-np.abs(scores), k - 1)[:k]


def _leverage(ground: Ground, scores: FloatArray) -> Caveat | None:
    """A strong point with leverage above one half, which first order under-estimates more than twice.

    Strong is what one Newton step, |score| / (1 − leverage), calls so: first order hides the very point it misses.
    """
    leverage = ground.leverage
    if not ground.first_order or leverage is None:
        return None
    left = 1 - leverage
    strength = np.abs(np.where(left <= UNIQUE, 0.0, scores / np.maximum(left, UNIQUE)))
    top = _top(strength, LEADING)
    high = top[leverage[top] > LEVERAGE_LIMIT]
    count = len(high)
    if not count or strength[high].sum() < SHARE * strength[top].sum():
        return None
    points = "points has" if count == 1 else "points have"
    rough = any(caveat.code in ROUGH for caveat in ground.caveats)
    better = "exact LOO" if rough else "one-step Newton or exact LOO"  # one step errs too where the curvature is rough
    return Caveat(
        "leverage",
        f"{count} of the {len(top)} strongest {points} leverage above {LEVERAGE_LIMIT} "
        f"(up to {leverage[top].max():.2f}): first order under-estimates them; use {better}.",
    )


def _copies(ground: Ground, scores: FloatArray) -> Caveat | None:
    top, (copied, disputed) = _top(scores), ground.twins
    count, other, kind = int(copied[top].sum()), int(disputed[top].sum()), "exact copies"
    if not count and ground.crowd is not None:
        y, near = ground.labels, [ground.near(int(row)) for row in top]
        count, kind = sum(bool(len(rows)) for rows in near), "near copies"
        other = sum(bool((y[rows] != y[row]).any()) for row, rows in zip(top, near, strict=True))
    if not count:
        return None
    points = "points has" if count == 1 else "points have"
    labels = f", {other} under another label" if other else ""
    return Caveat(
        "copies",
        f"{count} of the {len(top)} strongest {points} {kind} among the training points{labels}: removing one "
        "alone says little while its copies stay. Remove them together, as a group.",
    )


def _own(ground: Ground, click: Click) -> Caveat | None:
    """A test point that is a training point."""
    if ground.crowd is None or click.points is None or len(click.points) != 1:
        return None
    rows = ground.crowd.same(click.points[0])
    if not len(rows) or ground.in_sample:
        return None
    return Caveat(
        "own",
        f"This test point is a training point, too (row {rows[0]}): the model has seen it, and the prediction says "
        "little about new data.",
    )


def _far(remoteness: FloatArray) -> Caveat | None:
    count, m = int((remoteness > FAR).sum()), len(remoteness)
    if count <= (FAR_SHARE * m if m > 1 else 0):
        return None
    who = "This test point lies" if m == 1 else f"{count} of the {m} test points lie"
    return Caveat(
        "far",
        f"{who} far outside the training data (up to {remoteness.max():.1f} times as far from the nearest training "
        "point as 99 % of those are from each other): the model extrapolates there. Check the row, or add training "
        "points near it.",
    )
