"""How fragile predictions are: the lead of a predicted class as points leave, and every test point's smallest set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from influence_core.analysis import Analysis, FlipQuestion, fragility
from influence_core.data import DataError
from influence_core.influence import estimators
from influence_core.influence.watched import watch


def lead_without(analysis: Analysis, test: int, sizes: Sequence[int]) -> pd.DataFrame:
    """The lead of the predicted class of two, without the k points that lower it most to first order.

    Args:
        analysis: of a classifier of two classes.
        test: test point.
        sizes: k, ascending.

    Returns:
        One row per k that leaves enough of both classes: size, first_order (a sum), measured (a certified refit).
    """
    problem = analysis.problem
    sign = -1.0 if problem.misclassified[test] else 1.0
    watched = watch(problem.fitted, problem.test.take(torch.tensor([test])), "margin")
    single = sign * estimators.scores(analysis.influence, watched)[:, 0]
    order, now = np.argsort(single, kind="stable"), sign * float(_margin(analysis, test))
    rows = []
    for size in sizes:
        group = order[:size]
        try:
            moved = problem.group_refit(group, "margin").change[test] if size else 0.0
        except DataError:  # too little of a class would stay
            break
        rows.append((size, now + float(single[group].sum()), now + sign * float(moved)))
    return pd.DataFrame(rows, columns=["size", "first_order", "measured"])


def fragile(analysis: Analysis) -> pd.DataFrame:
    """The smallest set found for every test point.

    Returns:
        One row per test point: id, lead (of the predicted class), points (NaN where no set was found), first_order (NaN
        where it says that none exists).
    """
    problem, rows = analysis.problem, []
    for test in range(len(problem.split.test)):
        turned = fragility.fragility(problem, FlipQuestion(test, fragility.wants(problem, test)[0])).turned
        first = len(turned.first) if len(turned.first) else np.nan
        rows.append((turned.before, len(turned.rows) if turned.found else np.nan, first))
    found = pd.DataFrame(rows, columns=["lead", "points", "first_order"])
    found.insert(0, "id", problem.split.test.ids)
    return found


def _margin(analysis: Analysis, test: int) -> float:
    fitted, batch = analysis.problem.fitted, analysis.problem.test
    margins = fitted.model.loss.margins(fitted.model.outputs(fitted.theta, batch.x), batch.y)
    assert margins is not None  # classes
    return float(margins[test])
