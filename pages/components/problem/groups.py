"""Groups of points by name, as they stand in a link, and the test points that a question is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pages.components.session.view import View, rows_of

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.data import Dataset

Rows = NDArray[np.int64]
NOTE = "note "  # begins the name of a group by what is said beside its points


def asked_tests(problem: Problem, view: View) -> Rows:
    """The test points that the question is about: one, a group, or all of them for the reverse question."""
    m = len(problem.split.test)
    if view.ask == "test":
        return np.array([view.point])
    return np.arange(m) if view.ask == "train" else rows_of(view.tests, m, test_groups(problem))


def test_groups(problem: Problem) -> Mapping[str, Rows]:
    """Rows of the groups of test points that have a name in a link."""
    test = problem.split.test
    found = {"all": np.arange(len(test)), "wrong": np.flatnonzero(problem.misclassified)}
    return found | {f"class {k}": np.flatnonzero(test.y == k) for k in range(test.classes)} | _noted(test)


def train_groups(problem: Problem) -> Mapping[str, Rows]:
    """Rows of the groups of training points that have a name in a link."""
    train = problem.split.train
    found = {"flipped": np.flatnonzero(problem.split.flipped)}
    return found | {f"class {k}": np.flatnonzero(train.y == k) for k in range(train.classes)} | _noted(train)


def titles(data: Dataset) -> dict[str, str]:
    """What groups by class and by note are called."""
    return {f"class {k}": f"Class {name}" for k, name in enumerate(data.class_names)} | {
        name: f"With '{name.removeprefix(NOTE)}'" for name in _noted(data)
    }


def _noted(data: Dataset) -> dict[str, Rows]:
    return {f"{NOTE}{said}": rows for said, rows in data.noted.items()}
