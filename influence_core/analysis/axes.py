"""Axes of the map that somebody chose: columns of the source, the target, or what the model says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from influence_core.analysis.problem import Problem
from influence_core.compute import FloatArray, numpy
from influence_core.data import DataError
from influence_core.data.columns import SourceColumn
from influence_core.data.positions import Positions

OUTPUT, TARGET, PRINCIPAL = "output", "target", ("axis1", "axis2")
LEVELS = 4  # categories that the title of an axis names


def usual(problem: Problem) -> tuple[str, str]:
    """The axes that are drawn unasked; see :func:`influence_core.data.positions.positions`."""
    d = problem.split.train.x.shape[1]
    if d > 2 or len(problem.columns) < d:
        return PRINCIPAL
    return ("0", "1") if d == 2 else ("0", TARGET)


def offered(problem: Problem, columns: bool = True) -> Mapping[str, str]:
    """Every axis there is, by its name in a link.

    Args:
        problem: data and model.
        columns: whether columns of the source mean something to a person; single pixels do not.

    Returns:
        Titles by name.
    """
    found = dict(zip(PRINCIPAL, problem.positions.axes, strict=True)) if usual(problem) == PRINCIPAL else {}
    test, loss = problem.split.test, problem.fitted.model.loss
    one = "what the model predicts" if not test.classes else f"model's output f, > 0 says {test.class_names[-1]}"
    if loss.outputs == 1:
        found[OUTPUT] = one
    else:
        found |= {f"{OUTPUT}{k}": f"model's probability of {name}" for k, name in enumerate(test.class_names)}
    if not test.classes or TARGET in usual(problem):
        found[TARGET] = test.target_name
    return found | ({str(k): _title(column) for k, column in enumerate(problem.columns)} if columns else {})


def placed(problem: Problem, names: tuple[str, str]) -> Positions:
    """Where the points lie on two axes.

    Args:
        problem: data and model.
        names: of :func:`offered`, across and up.

    Returns:
        Coordinates of both parts with the titles of the axes.

    Raises:
        DataError: there is no such axis.
    """
    known = offered(problem)
    if wrong := [name for name in names if name not in known]:
        raise DataError(f"Axes of the map: expected two of {', '.join(list(known)[:8])} …, got {wrong[0][:40]!r}.")
    pairs = [_coordinates(problem, name) for name in names]
    train, test = (np.column_stack([pair[part] for pair in pairs]) for part in (0, 1))
    return Positions(train, test, (known[names[0]], known[names[1]]))


def _coordinates(problem: Problem, name: str) -> tuple[FloatArray, FloatArray]:
    split = problem.split
    parts = split.train, split.test
    if name in PRINCIPAL:
        k = PRINCIPAL.index(name)
        return problem.positions.train[:, k], problem.positions.test[:, k]
    if name == TARGET:
        return parts[0].y, parts[1].y
    if name.startswith(OUTPUT):
        train, test = (_said(problem, x) for x in (problem.fitted.train.x, problem.test.x))
        k = int(name.removeprefix(OUTPUT) or 0)
        return train[:, k], test[:, k]
    column = problem.columns[int(name)]
    values = [column.codes(split.scaling.invert(part.x)) for part in parts]
    return values[0], values[1]


def _said(problem: Problem, x: Tensor) -> FloatArray:
    """(n, 1) outputs, or (n, K) probabilities of classes."""
    model = problem.fitted.model
    f = model.outputs(problem.fitted.theta, x)
    probability = model.loss.probabilities(f) if model.loss.outputs > 1 else None
    return numpy(f if probability is None else probability)


def _title(column: SourceColumn) -> str:
    if not column.levels:
        return column.name
    named = ", ".join(f"{k} = {level}" for k, level in enumerate(column.levels[:LEVELS]))
    return f"{column.name} ({named}{', …' if len(column.levels) > LEVELS else ''})"
