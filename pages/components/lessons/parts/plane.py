"""A two-class problem of two features on the plane: points, boundaries, the star and the diamond."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.components.charts.base import INK, class_colour
from pages.components.charts.field import Floats
from pages.components.charts.scale import NEUTRAL
from pages.components.lessons.parts.drawing import Cloud, boundary, cloud, mark, star
from pages.components.lessons.parts.kinds import Setting

if TYPE_CHECKING:
    from influence_core.analysis import Problem


def two_features(setting: Setting) -> str:
    """Why a problem cannot be drawn on the plane, a sentence; empty where it can."""
    split, fitted = setting.analysis.problem.split, setting.analysis.problem.fitted
    if split.train.x.shape[1] == 2 and split.train.classes == 2 and fitted.theta.numel() == 3:
        return ""
    return (
        "This lesson draws a straight boundary between two classes: choose data with two features and a linear model."
    )


def in_the_source(problem: Problem, theta: Any) -> Floats:
    """θ of the scaled features as (w₁, w₂, b) of the features as they are."""
    theta, scaling = np.asarray(theta, float), problem.split.scaling
    weights = theta[:2] / scaling.scale
    return np.append(weights, theta[2] - weights @ scaling.mean)


def plane(
    setting: Setting, title: str, scores: Floats | None = None, train: Sequence[int] = (), after: Any = None
) -> go.Figure:
    """The training points, the boundary, the test point as a star and some training points as diamonds.

    Args:
        setting: its problem has two features and two classes.
        title: a sentence.
        scores: (n,) colours, or None.
        train: rows with a diamond.
        after: θ after a change: its boundary is solid, the one before it turns dashed grey.
    """
    problem = setting.analysis.problem
    split, places = problem.split, problem.positions
    figure = cloud(Cloud(places.train, split.train.y, split.train.class_names, scores), title, places.axes)
    now = in_the_source(problem, problem.fitted.theta.cpu().numpy())
    if after is None:
        boundary(figure, now, "boundary")
    else:
        boundary(figure, now, "before", "dash", NEUTRAL)
        boundary(figure, in_the_source(problem, after), "after")
    own = int(split.test.y[setting.test])
    shade = class_colour(own) if scores is None else INK
    star(figure, places.test[setting.test], f"test point, {plainly(split.test.class_names[own])}", shade)
    if len(train):
        mark(figure, places.train[list(train)], "training point that leaves")
    return figure


def plainly(name: str) -> str:
    """``class 1`` for a class whose name is a number or a letter, its name otherwise."""
    return f"class {name}" if len(name) < 3 else name


def table_of(setting: Setting, **columns: Any) -> pd.DataFrame:
    """The training points with their features, labels and more columns, one row each."""
    train, places = setting.analysis.problem.split.train, setting.analysis.problem.positions.train
    names = np.asarray(train.class_names, dtype=object)[train.y]
    base = {"id": train.ids, "x1": places[:, 0], "x2": places[:, 1], "class": names}
    return pd.DataFrame(base | columns)
