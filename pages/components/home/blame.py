"""One prediction of the bundled digits: the training images to blame for it, and what happens without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from influence_core.settings import ModelSettings, Settings
from pages.components.session import cached

if TYPE_CHECKING:
    from influence_core.analysis import Analysis

SETTINGS = Settings(model=ModelSettings("logistic", 0.01), estimator="newton")  # hard points have leverage
BLAMED = 3


@dataclass(frozen=True, eq=False)
class Blame:
    """A test image and the training images that pull hardest against its label.

    Attributes:
        test: row of the test image.
        rows: training images, the most harmful first.
        scores: (n,) predicted change of its loss, nats, > 0 where the training image helps.
        true: its label.
        said: what the model reads.
        before: probability of its label.
        predicted: the same without ``rows``, by one Newton step.
    """

    test: int
    rows: tuple[int, ...]
    scores: np.ndarray
    true: str
    said: str
    before: float
    predicted: float

    @property
    def wrong(self) -> bool:
        """Whether the model misreads it."""
        return self.true != self.said


@dataclass(frozen=True)
class Removed:
    """What the refit without them says: probability of the label, and whether the refit reached its minimum."""

    after: float
    certified: bool


def wrong_ones() -> list[int]:
    """Test images that the model misreads, the least certain first; all of them where it misreads none."""
    problem = _probability().problem
    wrong = np.flatnonzero(problem.misclassified)
    asked = wrong if len(wrong) else np.arange(len(problem.split.test))
    own = problem.predictions[asked, problem.split.test.y[asked].astype(int)]
    found: list[int] = asked[np.argsort(-own, kind="stable")].tolist()
    return found


@st.cache_resource(max_entries=256, show_spinner=False)
def blame(test: int) -> Blame:
    """The training images to blame for one prediction."""
    scores = cached.analysis(SETTINGS).scores([test])[:, 0]
    rows = tuple(int(row) for row in np.argsort(scores, kind="stable")[:BLAMED])
    analysis = _probability()
    test_set, said = analysis.problem.split.test, analysis.problem.predictions[test]
    own = int(test_set.y[test])
    effect = analysis.group(rows)
    change = effect.first_order if effect.newton is None else effect.newton
    names = test_set.class_names
    before = float(said[own])
    return Blame(test, rows, scores, names[own], names[int(said.argmax())], before, before + float(change[test]))


@st.cache_resource(max_entries=256, show_spinner=False)
def removed(test: int) -> Removed:
    """The refit without the blamed images, measured at the same test image."""
    found = blame(test)
    refit = _probability().problem.group_refit(found.rows, "probability")
    return Removed(found.before + float(refit.change[test]), refit.certified)


def _probability() -> Analysis:
    return cached.analysis(replace(SETTINGS, quantity="probability"))
