"""The fewest training points found whose leaving turns a prediction, and the certified refits that say so.

Greedy removal by one-step scores, then reverse elimination, then a swap of two members for one other point: the set
that is left turns the prediction, and no single member can be put back.  A smaller set may exist.  First order (AMIP:
Broderick, Giordano & Meager 2020) is asked beside it.  After Yang et al. (2023), with every claim refitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.compute import FloatArray, Rows, Task, numpy
from influence_core.models import FittedModel
from influence_core.retraining.flips.aim import Aim
from influence_core.retraining.flips.chords import each_returned, polished, refit
from influence_core.retraining.flips.limits import Limits, allowed, fits
from influence_core.retraining.flips.without import SURE, Without
from influence_core.retraining.minimise import SingularRefitError

ROUND = 25  # at most n/25 points leave in a round
HALF = 0.5  # of what is still asked for, a round
ON_THE_LINE = "The prediction lies on the line between the two answers, as far as the fit can tell."
SWAPS, TRIES = 3, 4  # members and others that are looked at for a swap; swaps that are refitted


@dataclass(frozen=True, eq=False)
class Turned:
    """The smallest set found, or why there is none.

    Attributes:
        rows: (k,) ascending; empty where no set was found.
        before: m with all points, > 0.
        after: m without the set, < 0; where none was found, of the furthest that was tried.
        certificate: how far ``after`` is at most from the exact refit.
        held: whether certified refits say that no single member can be put back.
        closest: smallest m with one member back; NaN without a set.
        tried: points that were gone when the search ended.
        f_before: (K,) outputs at the test point with all points.
        f_after: (K,) without the set.
        theta: (p,) of the refit.
        refits: how many were made.
        why: a sentence where the search had to end; else empty.
        first: (a,) the set that first order names; empty where it says that none exists.
        first_after: m after the refit without that; NaN where there is none.
        first_certificate: of it.
    """

    rows: Rows
    before: float
    after: float
    certificate: float
    held: bool
    closest: float
    tried: int
    f_before: FloatArray
    f_after: FloatArray
    theta: FloatArray
    refits: int
    why: str
    first: Rows
    first_after: float
    first_certificate: float

    @property
    def found(self) -> bool:
        """Whether there is a set."""
        return len(self.rows) > 0

    @property
    def first_turns(self) -> bool:
        """Whether the refit without the set that first order names has the other prediction."""
        return self.first_after + SURE * self.first_certificate < 0


@dataclass(frozen=True, eq=False)
class Stage:
    """How far a search is: what comes next, who is gone, θ without them.

    Attributes:
        next: a name in ``STEPS``; ``held`` or ``none`` at the end.
        rows: who is gone.
        theta: near the minimum of what is left.
        refits: made so far.
        closest: smallest certified m with one member back; NaN where that is not known.
        why: the sentence where a refit had no minimum.
    """

    next: str
    rows: Rows
    theta: FloatArray
    refits: int = 0
    closest: float = np.nan
    why: str = ""


def fewest(
    fitted: FittedModel,
    aim: Aim,
    limits: Limits,
    task: Task = Task(),  # noqa: B008 - frozen
    key: str = "",
) -> Turned:
    """Search; with a store and a ``key`` that names model, data and question, finished steps are kept and resumed.

    Returns:
        The set with its certificates, or that none was found.
    """
    run = task if key else replace(task, store=None)
    return Turned(**_values(run.kept(f"flip:{key}", lambda: _arrays(_search(fitted, aim, limits, (run, key))))))


def _search(fitted: FittedModel, aim: Aim, limits: Limits, kept: tuple[Task, str]) -> Turned:
    task, key = kept
    start = polished(_at(Stage("take", np.empty(0, np.int64), numpy(fitted.theta)), fitted, aim, task))
    first, before, f_before = _first_order(start, limits), start.margin, numpy(start.at_test)
    stage, number = Stage("take", np.empty(0, np.int64), numpy(start.theta)), 0
    if not before > SURE * start.certificate:
        stage = replace(stage, next="none", why=ON_THE_LINE)
    here = start
    del start  # and with it, after the first step, its A⁻¹
    while stage.next in STEPS:
        made: list[Without] = []
        stage = Stage(**_values(task.kept(f"flip:{key}:{number}", partial(_step, stage, here, limits, made))))
        here = made[0] if made else _at(stage, fitted, aim, task)
        number += 1
        task.tick(number, number + _left(stage, here.margin / before))
    end = polished(here)
    found = stage.next == "held" and end.flips
    return Turned(
        rows=np.sort(stage.rows) if found else stage.rows[:0],
        before=before,
        after=end.margin,
        certificate=end.certificate,
        held=bool(found and stage.closest > 0),
        closest=stage.closest,
        tried=len(stage.rows),
        f_before=f_before,
        f_after=numpy(end.at_test),
        theta=numpy(end.theta),
        refits=stage.refits + 1,
        why=stage.why,
        **first,
    )


def _at(stage: Stage, fitted: FittedModel, aim: Aim, task: Task) -> Without:
    device = fitted.theta.device
    return Without(
        fitted, aim, torch.as_tensor(stage.rows, device=device), torch.tensor(stage.theta, device=device), task
    )


def _step(stage: Stage, here: Without, limits: Limits, made: list[Without]) -> dict[str, Any]:
    """The next stage for a store; the refit it stands on goes to ``made`` with all that is known of it."""
    try:
        stage, here = STEPS[stage.next](stage, here, limits)
    except SingularRefitError as error:
        stage = replace(stage, next="none", why=str(error))
    made.append(here)
    return _arrays(stage)


def _first_order(start: Without, limits: Limits) -> dict[str, Any]:
    """The set that first order names, as fields of the result, and what the refit without it says."""
    change = start.first_order()
    order = torch.argsort(change)
    gone = torch.cumsum(change[order].clamp(max=0), 0)
    count = int((start.margin + gone >= 0).sum()) + 1
    rows = order[:count] if count <= limits.most else order[:0]
    after, certificate = np.nan, np.nan
    if len(rows) and fits(start, rows, limits):
        with suppress(SingularRefitError):
            there = polished(refit(start, rows))
            after, certificate = there.margin, there.certificate
    return {"first": np.sort(_rows(rows)), "first_after": after, "first_certificate": certificate}


def _take(stage: Stage, here: Without, limits: Limits) -> tuple[Stage, Without]:
    """The strongest points leave that together make half of the way by one-step scores, and everything is made anew."""
    change = here.leaving()
    order = allowed(here, torch.argsort(change)[: int((change < 0).sum())], limits)
    if not len(order):
        return replace(stage, next="none"), here
    gone = torch.cumsum(-change[order], 0)
    count = int((gone < HALF * here.margin).sum()) + 1
    order = order[: min(count, max(1, len(here.weights) // ROUND))]
    there = refit(here, torch.cat([here.rows, order]))
    if there.margin < 0 and not there.flips:
        there = polished(there)
    return _moved(stage, there, "put back" if there.flips else "take", 1)


def _put_back(stage: Stage, here: Without, _limits: Limits) -> tuple[Stage, Without]:
    """As many as one-step scores allow come back, the cheapest first; at the end each alone, by certified refits."""
    change = here.returning()
    order = torch.argsort(change)
    count, refits = int((here.margin + torch.cumsum(change[order], 0) < 0).cumprod(0).sum()), 0
    while count:
        refits += 1
        if (there := _turned(here, _less(here.rows, order[:count]))) is not None:
            return _moved(stage, there, "put back", refits)
        count //= 2
    margins, certificates = each_returned(here)
    refits += len(margins)
    best = int(margins.nan_to_num(torch.inf).argmin())
    if float(margins[best] + SURE * certificates[best]) < 0 and len(margins) > 1:
        return _moved(stage, refit(here, _less(here.rows, [best])), "put back", refits)
    sure = bool((margins > SURE * certificates).all())
    closest = float(margins[best]) if sure else float("nan")
    return replace(stage, next="swap", refits=stage.refits + refits, closest=closest), here


def _swap(stage: Stage, here: Without, limits: Limits) -> tuple[Stage, Without]:
    """Two come back for one other that leaves."""
    back, out, refits = here.returning(), here.leaving(), 0
    members = torch.argsort(back)[:SWAPS].tolist()
    others = torch.argsort(out)[: min(SWAPS, int((out < 0).sum()))].tolist()
    offers = product(combinations(members, 2), others)
    tries = sorted(offers, key=lambda offer: float(back[list(offer[0])].sum() + out[offer[1]]))[:TRIES]
    for pair, other in tries:
        rows = torch.cat([_less(here.rows, pair), here.rows.new_tensor([other])])
        refits += 1
        if fits(here, rows, limits) and (there := _turned(here, rows)) is not None:
            return _moved(stage, there, "put back", refits)
    return replace(stage, next="held", refits=stage.refits + refits), here


STEPS: Mapping[str, Callable[[Stage, Without, Limits], tuple[Stage, Without]]] = {
    "take": _take,
    "put back": _put_back,
    "swap": _swap,
}


def _turned(here: Without, rows: Tensor) -> Without | None:
    """The refit without ``rows``, where there is one and it turns the prediction."""
    with suppress(SingularRefitError):
        return there if (there := refit(here, rows)).flips else None
    return None


def _moved(stage: Stage, there: Without, then: str, refits: int) -> tuple[Stage, Without]:
    return Stage(then, _rows(there.rows), numpy(there.theta), stage.refits + refits), there


def _rows(rows: Tensor) -> Rows:
    found: Rows = rows.cpu().numpy().astype(np.int64)
    return found


def _less(rows: Tensor, places: Iterable[int] | Tensor) -> Tensor:
    keep = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    keep[torch.as_tensor(list(places), device=rows.device)] = False
    return rows[keep]


def _left(stage: Stage, way: float) -> int:
    """Steps that are still to come, roughly, with this share of the margin left."""
    return {"take": 4 + int(6 * min(max(way, 0.0), 1.0)), "put back": 3, "swap": 1}.get(stage.next, 0)


def _arrays(found: Stage | Turned) -> dict[str, Any]:
    """For a store."""
    return {item.name: np.asarray(getattr(found, item.name)) for item in fields(found)}


def _values(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """From what a store keeps."""
    return {name: value if value.ndim else value.item() for name, value in arrays.items()}
