"""Figure D: what the factor σ(−y f) and H⁻¹ each do to a score, on digits scaled and unscaled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from influence_core.analysis import Analysis, analyse
from influence_core.compute import FloatArray, Task, numpy
from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

VARIANTS = ("without σ(−y f)", "without H⁻¹", "without both")


def variants(analysis: Analysis, test: int) -> dict[str, FloatArray]:
    """The score of a logistic model and its three incomplete forms, at one test point.

    With r_i = −ỹ_i σ(−ỹ_i f_i), ỹ = ±1: the score is q_jᵀ(H + δI)⁻¹(r_i x̃_i)/n.  Without σ r_i becomes −ỹ_i; without
    H⁻¹ the inverse becomes I.

    Returns:
        (n,) each.
    """
    influence, fitted = analysis.influence, analysis.problem.fitted
    watched, train = analysis.watched([test]), fitted.train
    solved, n = influence.solved(watched).value, len(train)
    bare = -(2 * train.y - 1)[:, None]

    def score(residuals: torch.Tensor, column: torch.Tensor) -> FloatArray:
        return numpy(fitted.linear.gradient_dot(train.x, residuals, column, 1 / n)[:, 0])

    gradient, complete = watched.gradient, fitted.residuals
    forms = (score(bare, solved), score(complete, gradient), score(bare, gradient))
    return {"score": score(complete, solved), **dict(zip(VARIANTS, forms, strict=True))}


def incomplete_scores(chosen: Chosen, task: Task) -> Figure:
    """Each variant beside the score, on pixels as they are and on standardised ones, for the same test point.

    Returns:
        Table ``points``: one row per training point and scaling; scores in nats, variants in the units they happen
        to have.
    """
    test, tables = int(chosen["test"]), []
    for scaling, standardise in (("unscaled", False), ("standardised", True)):
        data = DataSettings("mnist", standardise=standardise)
        analysis = analyse(Settings(data, ModelSettings("logistic", float(chosen["l2"]))))
        split = analysis.problem.split
        names = np.asarray(split.train.class_names)
        same = split.train.y == split.test.y[test]
        columns = {
            "id": split.train.ids,
            "scaling": scaling,
            "class": names[split.train.y],
            "same_class": same,
            **variants(analysis, test),
        }
        tables.append(pd.DataFrame(columns))
        task.tick(len(tables), 2)
    points = pd.concat(tables, ignore_index=True)
    return Figure({"points": points}, tuple(_numbers(points)))


def _numbers(points: pd.DataFrame) -> list[Number]:
    numbers = []
    for scaling, rows in points.groupby("scaling", sort=False):
        larger = (rows[VARIANTS[0]].abs() > rows.score.abs()).mean()
        agree = ((rows[VARIANTS[1]] > 0) == rows.same_class).mean()
        truly = ((rows.score > 0) == rows.same_class).mean()
        numbers += [
            Number(f"share over-estimated without σ(−y f), {scaling}", float(larger)),
            Number(f"share whose sign without H⁻¹ is 'same class', {scaling}", float(agree)),
            Number(f"share whose sign of the score is 'same class', {scaling}", float(truly)),
        ]
    return numbers


INCOMPLETE_SCORES = FigureEntry(
    title="Both factors matter: σ(−y f) keeps easy points small, H⁻¹ decides the sign",
    source="[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730), figure 1",
    run=incomplete_scores,
    options=(Option("test", 6, "Test point", 0, 99), Option("l2", 0.1, "l2", 1e-4, 10.0)),
    settings=Settings(DataSettings("mnist"), ModelSettings("logistic", 0.1)),
)
