"""The question on screen and its answer: whose points are coloured, by which numbers, and what their sign means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from influence_core.settings import Settings
from pages.components.browser.bridge import named
from pages.components.browser.loo_scatter import Look
from pages.components.browser.map import Scene, Side
from pages.components.browser.strips import OnMap
from pages.components.problem.scene import scene
from pages.components.session import state
from pages.components.session.about import about
from pages.components.session.door import core
from pages.components.session.view import View, rows_of
from pages.components.session.words import Form, form_of

if TYPE_CHECKING:
    from influence_core.agreement import Agreement
    from influence_core.analysis import Analysis, Problem, Refits
    from influence_core.data import Dataset

Rows = NDArray[np.int64]
ALIKE = 100.0  # times as large are numbers that one factor serves


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows for one question.

    Attributes:
        analysis: where everything comes from.
        settings: of this view.
        view: question, selections and switches.
        tests: (k,) test points asked about; all of them for the reverse question.
        scores: predicted change, new minus old: (n,) at the training points, or (m,) at the test points.
        refits: measured changes, where they exist.
        scene: the map's constant part.
    """

    analysis: Analysis
    settings: Settings
    view: View
    tests: Rows
    scores: np.ndarray
    refits: Refits | None
    scene: Scene

    @staticmethod
    def of(analysis: Analysis, refits: Refits | None) -> Shown:
        """The answer to the question of this session."""
        view, settings = state.view(), state.settings()
        tests = asked_tests(analysis.problem, view)
        if view.ask == "train":
            scores = analysis.removal(int(view.train or 0))
        else:
            scores = analysis.scores(tests, mean=len(tests) > 1)[:, 0]
        return Shown(analysis, settings, view, tests, scores, refits, scene(settings))

    @property
    def side(self) -> Side:
        """Whose points are coloured."""
        return "test" if self.view.ask == "train" else "train"

    @property
    def data(self) -> Dataset:
        """The coloured examples."""
        split = self.analysis.problem.split
        return split.test if self.side == "test" else split.train

    @property
    def labels(self) -> list[str]:
        """One line for each coloured example."""
        return self.scene.test_labels if self.side == "test" else self.scene.train_labels

    @property
    def single(self) -> int | None:
        """The one test point asked about; None for a group and for the reverse question."""
        return self.view.point if self.view.ask == "test" else None

    @property
    def first(self) -> int:
        """The test point asked about, or the first of several."""
        return int(self.tests[0]) if len(self.tests) else 0

    @property
    def on_map(self) -> OnMap:
        """Where the map's sheet has the example that is asked about, and the first of those that are coloured."""
        n, coloured = len(self.analysis.problem.split.train), named(self.form.scale(self.helpfulness))
        asked, first = (int(self.view.train or 0), n) if self.side == "test" else (n + self.first, 0)
        return OnMap(self.scene.fingerprint, asked, first, coloured)

    @property
    def selected(self) -> int | None:
        """The selected point among the coloured ones."""
        return self.view.train if self.side == "train" else None

    @property
    def group(self) -> Rows:
        """Training points that leave together; empty for none."""
        problem = self.analysis.problem
        return rows_of(self.view.group, len(problem.split.train), train_groups(problem))

    @property
    def own_unit(self) -> str:
        """Of the watched quantity."""
        return self.analysis.unit

    @property
    def unit(self) -> str:
        """Of the scores."""
        return self.own_unit if self.sized else "a ranking without unit"

    @property
    def sized(self) -> bool:
        """Whether the scores are changes in a unit; a ranking has order and signs alone."""
        return bool(core.ESTIMATORS[self.settings.estimator].predicts)

    @cached_property
    def form(self) -> Form:
        """How scores are written: one factor for all numbers of the view."""
        if self.view.lock and self.view.ask == "test":
            return form_of(self.analysis.all_scores, self.unit)
        return form_of(np.concatenate([self.scores, self.measured if self._alike else ()]), self.unit)

    @cached_property
    def _alike(self) -> bool:
        """Whether scores and measured changes have one unit, and sizes that one factor serves."""
        if self.measured is None or not self.sized:
            return False
        here, there = (np.nanmax(np.abs(values), initial=0.0) for values in (self.scores, self.measured))
        return bool(here < ALIKE * there and there < ALIKE * here)

    @cached_property
    def truth_form(self) -> Form:
        """How measured changes are written: as the scores, where those have the same unit."""
        if self._alike or self.measured is None:
            return replace(self.form, unit=self.own_unit)
        return form_of(self.measured, self.own_unit)

    @property
    def axis_form(self) -> Form:
        """How scores are written on an axis beside that of the measured changes: alike, where both are changes."""
        return self.truth_form if self.sized else self.form

    @property
    def about(self) -> str:
        """What a file of this view was made of."""
        ids = self.analysis.problem.split
        asked = {
            "test": lambda: f"test point {self.view.point} ({ids.test.ids[self.view.point]})",
            "tests": lambda: f"{len(self.tests):,} test points",
            "train": lambda: f"without training point {self.view.train or 0} ({ids.train.ids[self.view.train or 0]})",
        }[self.view.ask]()
        damping = f", damping {self.settings.solver.damping:g}" if self.settings.solver.damping else ""
        way = self.analysis.problem.truth.way.name
        r = f"{self.agreed.said(self.sized)} against {way}" if self.measured is not None else ""
        estimator = f"{core.ESTIMATORS[self.settings.estimator].title}{damping}"
        return about(self.settings, estimator, f"change of the {self.watched}", asked, r)

    @property
    def orientation(self) -> int:
        """+1 where a rise is helpful, −1 where a fall is, 0 where neither word applies: a prediction, another class."""
        return core.wording.orientation(self.settings)

    @property
    def sign(self) -> int:
        """−1 where a fall is helpful, else +1."""
        return -1 if self.orientation < 0 else 1

    @property
    def helpfulness(self) -> np.ndarray:
        """Scores turned so that + is helpful: a fall of the margin or of the true class's probability is."""
        return self.sign * self.scores

    @property
    def quantity(self) -> str:
        """The quantity of one test point in words."""
        return str(core.wording.watched(self.settings, self.analysis.problem.split.test.class_names))

    @cached_property
    def ranked(self) -> list[int]:
        """Coloured points, the most helpful first; without those that have no score."""
        order = np.argsort(-self.helpfulness, kind="stable")
        return [int(i) for i in order if np.isfinite(self.scores[i])]

    @property
    def strongest(self) -> int:
        """The coloured point with the largest |score|; 0 where none has any."""
        return max(self.ranked, key=lambda i: abs(self.scores[i]), default=0)

    @property
    def watched(self) -> str:
        """The quantity in words."""
        quantity = self.quantity
        return quantity if self.view.ask != "tests" else f"mean {quantity} of {len(self.tests):,} test points"

    @cached_property
    def measured(self) -> np.ndarray | None:
        """Measured change at the coloured points, where refits exist."""
        if self.refits is None:
            return None
        if self.view.ask == "train":
            return np.asarray(self.refits.change[int(self.view.train or 0)])
        return np.asarray(self.refits.change[:, self.tests].mean(1))

    @property
    def agreed(self) -> Agreement:
        """Measured against predicted changes at the coloured points; needs refits."""
        if self.refits is not None and self.side == "train":
            return self.analysis.agreement(self.refits, self.tests)
        assert self.measured is not None
        return core.agreement(self.measured, self.scores)

    @property
    def ends(self) -> tuple[str, str]:
        """What the negative and the positive numbers mean."""
        return core.wording.ENDS[self.orientation]

    def look(self) -> Look:
        """How the points of the LOO scatter are named and coloured."""
        group = self.group if self.side == "train" else ()
        noise = self.refits.noise_of(self.tests) if self.refits is not None and self.side == "train" else None
        units = self.axis_form.scaled_unit, self.truth_form.scaled_unit
        look = Look(*units, self.sized, self.sign, self.selected, group, self.ends, about=self.about)
        return look if noise is None else replace(look, band=2 * noise / 10.0**self.truth_form.power)

    def pick(self, index: int) -> None:
        """Select one of the coloured points: a training point, or a test point, which is then asked about."""
        (state.choose_test if self.side == "test" else state.choose_train)(index)


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
    return found | {f"class {k}": np.flatnonzero(test.y == k) for k in range(test.classes)}


def train_groups(problem: Problem) -> Mapping[str, Rows]:
    """Rows of the groups of training points that have a name in a link."""
    train = problem.split.train
    found = {"flipped": np.flatnonzero(problem.split.flipped)}
    return found | {f"class {k}": np.flatnonzero(train.y == k) for k in range(train.classes)}


def definition(shown: Shown) -> str:
    """What the numbers on screen are, with their sign in words: the sentence of the method."""
    reverse = shown.view.ask == "train"
    who = ("the selected training point",) if reverse else ()
    what = f"{shown.watched} of a test point" if reverse else shown.watched
    if not shown.sized:
        return core.wording.ranking(core.ESTIMATORS[shown.settings.estimator].title, what, shown.orientation, *who)
    return core.wording.meaning(what, shown.orientation, *who)
