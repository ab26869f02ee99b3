"""The question on screen and its answer: whose points are coloured, by which numbers, and what their sign means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from influence_core.settings import Settings
from pages.components.browser.bridge import named
from pages.components.browser.map import Scene, Side
from pages.components.browser.strips import OnMap
from pages.components.lenses import lens_of
from pages.components.problem.groups import Rows, asked_tests, train_groups
from pages.components.problem.scene import scene
from pages.components.session import state
from pages.components.session.about import about, made_of
from pages.components.session.door import core
from pages.components.session.view import View, rows_of
from pages.components.session.words import Form, form_of

if TYPE_CHECKING:
    from influence_core.agreement import Agreement
    from influence_core.analysis import Analysis, Refits, Truth
    from influence_core.data import Dataset
    from influence_core.data.columns import SourceColumn

EACH = 6  # points on either side that are shown as those that matter most: one row at 1280 px
ASKED = 6  # examples that are asked about and shown, of a group
SHORT = 12  # letters of a target's name that can stand in a unit
TOLD = 4  # columns in the box beside the mouse
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
        return Shown(analysis, settings, view, tests, scores, refits, scene(settings, view.axes))

    @property
    def truth(self) -> Truth:
        """What the measured changes are, or would be."""
        return self.analysis.problem.truths.get(self.view.truth, self.analysis.problem.truth)

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
        first = n if self.side == "test" else 0
        asked = [int(self.view.train or 0)] if self.side == "test" else (n + self.tests[:ASKED]).tolist()
        return OnMap(self.scene.fingerprint, tuple(asked), first, coloured)

    @cached_property
    def decisive(self) -> tuple[int, ...]:
        """Places of the columns of the source, the most telling first; none for examples that are no rows."""
        listed = list(dict.fromkeys([*self.ranked[:EACH], *self.ranked[-EACH:]]))
        if not listed or not lens_of(self.data).tabular:
            return ()
        if self.side == "test":
            return core.decisive(self.analysis, listed, [int(self.view.train or 0)], reverse=True)
        return core.decisive(self.analysis, self.tests, listed)

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """These columns."""
        return tuple(self.analysis.problem.columns[k] for k in self.decisive)

    @property
    def told(self) -> list[int]:
        """Those of them that the box beside the mouse tells."""
        known = 0 if self.scene.cells is None else len(self.scene.cells.columns)
        return [k for k in self.decisive if k < known][:TOLD]

    @property
    def beside(self) -> tuple[Side, int] | None:
        """The one point asked about."""
        if self.side == "test":
            return "train", int(self.view.train or 0)
        return None if self.single is None else ("test", self.single)

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
        """Of the watched quantity; a short name of the target stands for its unit."""
        name = self.data.target_name
        short = len(name) <= SHORT and " " not in name and name != "target"
        unit = self.analysis.unit
        return unit.replace("squared target units", f"{name}²").replace("target units", name) if short else unit

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
        """What a file of this view was made of, in one line."""
        return about(self.settings, *self._said.values())

    @property
    def made_of(self) -> dict[str, str]:
        """The same, as columns of a table."""
        return made_of(self.settings, self._said)

    @property
    def _said(self) -> dict[str, str]:
        ids = self.analysis.problem.split
        asked = {
            "test": lambda: f"test point {self.view.point} ({ids.test.ids[self.view.point]})",
            "tests": lambda: f"{len(self.tests):,} test points",
            "train": lambda: f"without training point {self.view.train or 0} ({ids.train.ids[self.view.train or 0]})",
        }[self.view.ask]()
        damping = f", damping {self.settings.solver.damping:g}" if self.settings.solver.damping else ""
        way = self.truth.way.name
        r = f"{self.agreed.said(self.sized)} against {way}" if self.measured is not None else ""
        estimator = f"{core.ESTIMATORS[self.settings.estimator].title}{damping}"
        return {"estimator": estimator, "what": f"change of the {self.watched}", "asked about": asked, "agreement": r}

    @property
    def orientation(self) -> int:
        """+1 where a rise is helpful, −1 where a fall is, 0 where neither word applies: a prediction, another class."""
        return core.wording.orientation(self.settings)

    @property
    def sign(self) -> int:
        """−1 where a fall is helpful, else +1."""
        return core.wording.sign(self.settings)

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
        found: list[int] = order[np.isfinite(self.scores[order])].tolist()
        return found

    @property
    def strongest(self) -> int:
        """The coloured point with the largest |score|; 0 where none has any."""
        return self.ranked[int(np.abs(self.scores[self.ranked]).argmax())] if self.ranked else 0

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

    def pick(self, index: int) -> None:
        """Select one of the coloured points: a training point, or a test point, which is then asked about."""
        (state.choose_test if self.side == "test" else state.choose_train)(index)


def definition(shown: Shown) -> str:
    """What the numbers on screen are, with their sign in words: the sentence of the method."""
    reverse = shown.view.ask == "train"
    who = ("the selected training point",) if reverse else ()
    what = f"{shown.watched} of a test point" if reverse else shown.watched
    if not shown.sized:
        return core.wording.ranking(core.ESTIMATORS[shown.settings.estimator].title, what, shown.orientation, *who)
    return core.wording.meaning(what, shown.orientation, *who)
