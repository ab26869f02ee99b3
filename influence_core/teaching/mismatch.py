"""A domain mismatch made by hand: a subgroup that training hardly covers, and what covering it changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import Analysis
from influence_core.data import Dataset, Split
from influence_core.data.drawn import Point, text_of
from influence_core.settings import DataSettings, ModelSettings, Settings

SEED = 9
EDGE = 1.5  # of the second feature: everybody above it belongs to the subgroup


def settings(covered: int) -> Settings:
    """120 training points of a large group and four of a subgroup, three of them of the class that is rare there.

    In the large group x1 decides.  Four fifths of the subgroup are of class a whatever x1 says; training saw three of
    class b and one of class a, by bad luck, and ``covered`` more that are drawn as the subgroup is.

    Returns:
        Settings whose points are drawn in code from a fixed seed, so that Explore opens them as a drawing.
    """
    random = np.random.default_rng(SEED)
    points = [*_main(random, 60, test=False), *_main(random, 12, test=True)]
    points += _subgroup(random, "bbba", test=False) + _subgroup(random, "aaaabaaaabaaaab", test=True)
    points += _subgroup(random, ("aaaab" * covered)[:covered], test=False)
    return Settings(DataSettings("drawn", (("points", text_of(points)),)), ModelSettings("logistic", 0.01))


def _main(random: np.random.Generator, each: int, test: bool) -> list[Point]:
    points = []
    for letter, centre in (("a", -150), ("b", 150)):
        for x, y in random.normal((centre, -100), 80, (each, 2)).round().astype(int):
            points.append(Point(letter, test, int(x), int(min(y, 120))))
    return points


def _subgroup(random: np.random.Generator, letters: str, test: bool) -> list[Point]:
    places = random.normal((110, 320), 60, (len(letters), 2)).round().astype(int)
    return [Point(letter, test, int(x), int(max(y, 180))) for letter, (x, y) in zip(letters, places, strict=True)]


def in_subgroup(split: Split, part: Dataset) -> NDArray[np.bool_]:
    """Which examples belong to the subgroup.

    Returns:
        One bool per example.
    """
    return np.asarray(split.scaling.invert(part.x)[:, 1] > EDGE)


def by_group(analysis: Analysis) -> pd.DataFrame:
    """Training points, test points and share of right predictions of both groups.

    Returns:
        Two rows: group, train, test, accuracy.
    """
    split, wrong = analysis.problem.split, np.asarray(analysis.problem.misclassified)
    train, test = in_subgroup(split, split.train), in_subgroup(split, split.test)
    rows = [
        (name, int((train == inside).sum()), int((test == inside).sum()), float(1 - wrong[test == inside].mean()))
        for name, inside in (("large group", False), ("subgroup", True))
    ]
    return pd.DataFrame(rows, columns=["group", "train", "test", "accuracy"])
