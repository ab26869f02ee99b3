"""Experiments of the lessons behind Streamlit's caches, keyed by settings and test point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.lessons.parts.kinds import Setting
from pages.components.session.door import core, teaching

if TYPE_CHECKING:
    from influence_core.analysis import Fragility, GroupRefit, Review
    from influence_core.teaching import Path, Poisoned
    from influence_core.teaching.trigger import Trigger

cache = st.cache_resource(max_entries=48, show_spinner=False)
Asked = ParamSpec("Asked")
Found = TypeVar("Found")


@st.cache_resource(max_entries=256, show_spinner=False)
def _kept(name: str, key: str, test: int, asked: tuple[Any, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


def experiment(
    compute: Callable[Concatenate[Setting, Asked], Found],
) -> Callable[Concatenate[Setting, Asked], Found]:
    """Computed once for each problem, test point and further arguments; the sliders of the setting do not matter."""

    @wraps(compute)
    def kept(setting: Setting, /, *asked: Asked.args, **named: Asked.kwargs) -> Found:
        key, further = setting.settings.key(), (*asked, *sorted(named.items()))
        found: Found = _kept(compute.__name__, key, setting.test, further, lambda: compute(setting, *asked, **named))
        return found

    return kept


@dataclass(frozen=True, eq=False)
class Spot:
    """One place on the path of up-weighting."""

    loss: float
    theta: np.ndarray


@experiment
def removal(setting: Setting, train: int) -> GroupRefit:
    """The refit without one training point: changes at all test points and the new θ."""
    return setting.analysis.problem.group_refit([train])


@experiment
def path(setting: Setting, train: int, way: str) -> Path:
    """The loss and θ̂ along ``up_weighted`` or ``contaminated``, from −1/n to 3/n."""
    found: Path = getattr(teaching, way)(
        setting.analysis, train, setting.test, teaching.steps(len(setting.split.train))
    )
    return found


@experiment
def spot(setting: Setting, train: int, step: float) -> Spot:
    """One more refit, at any ε."""
    found = teaching.up_weighted(setting.analysis, train, setting.test, np.array([step]))
    return Spot(float(found.loss[0]), found.theta[0])


@experiment
def stretch(setting: Setting) -> pd.DataFrame:
    """Leverage against how much farther θ moves than first order says, one row per training point."""
    return teaching.stretch(setting.analysis)


@experiment
def by_direction(setting: Setting, train: int) -> pd.DataFrame:
    """A score taken apart along the eigenvectors of H, one row per direction."""
    return teaching.by_direction(setting.analysis, train, setting.test)


@experiment
def damping_agreement(setting: Setting, dampings: tuple[float, ...]) -> pd.DataFrame:
    """Scores at many dampings against exact leave-one-out, one row per damping."""
    return teaching.damping_agreement(setting.analysis, setting.test, dampings, setting.measured)


@cache
def exact_hinge(seed: int) -> np.ndarray:
    """Leave-one-out of the exact hinge on Iris, (90, 10)."""
    return teaching.exact_changes(seed)


@cache
def hinge(t: float, seed: int) -> pd.DataFrame:
    """Influence through the smoothed hinge against :func:`exact_hinge`, one row per pair."""
    return teaching.at_temperature(t, seed, exact_hinge(seed))


def with_estimator(setting: Setting, name: str) -> np.ndarray:
    """(n,) scores at the test point by another estimator."""
    analysis = setting.analysis
    return core.estimators.scores(analysis.influence, analysis.watched([setting.test]), name)[:, 0]


@experiment
def review(setting: Setting) -> Review:
    """What the mislabel signals of the problem are made of, each signal computed once."""
    return core.Review(setting.analysis)


@experiment
def growing(setting: Setting, sizes: tuple[int, ...]) -> pd.DataFrame:
    """Groups that leave together, the most helpful points first; one row per size."""
    order = np.argsort(-setting.scores, kind="stable")
    return teaching.growing(setting.analysis, setting.test, order, sizes)


@experiment
def fewest(setting: Setting) -> Fragility:
    """The fewest points found whose leaving turns the prediction at the test point."""
    problem = setting.analysis.problem
    asked = core.FlipQuestion(setting.test, core.fragility.wants(problem, setting.test)[0])
    return core.fragility.fragility(problem, asked)


@experiment
def lead_without(setting: Setting, sizes: tuple[int, ...]) -> pd.DataFrame:
    """The lead of the predicted class without the points that first order names first, one row per number of them."""
    return teaching.lead_without(setting.analysis, setting.test, sizes)


@experiment
def fragile(setting: Setting) -> pd.DataFrame:
    """The smallest set found for every test point, whichever the lesson asks about."""
    return teaching.fragile(setting.analysis)


@experiment
def noise(setting: Setting, row: int, seeds: int) -> pd.DataFrame:
    """Training with and without one point, one row per seed."""
    return teaching.training_noise(setting.settings, row, setting.test, range(seeds))


@experiment
def smooth_runs(setting: Setting, activation: str, rates: tuple[float, ...]) -> pd.DataFrame:
    """Metasmoothness of a small network and how far its runs bear their derivative out, one row per learning rate."""
    with st.spinner("Training a small network again without each point, at every learning rate …"):
        return teaching.smooth.smooth_runs(setting.settings, activation, rates)


@experiment
def poison(setting: Setting, count: int, bound: float) -> Poisoned:
    """Some training points moved a little, and the refit."""
    return teaching.poison(setting.analysis, setting.test, count, bound)


@experiment
def _least_poison(setting: Setting, bound: float, most: int) -> int:
    found = teaching.least(setting.analysis, setting.test, bound, most)
    return 0 if found is None else len(found.rows)


def least_poison(setting: Setting, bound: float, most: int) -> int:
    """The fewest points that flip the prediction, or 0 where ``most`` do not suffice."""
    with st.spinner("Looking for the fewest points …"):
        return _least_poison(setting, bound, most)


@experiment
def pulls(setting: Setting) -> pd.DataFrame:
    """Words that pull the test text to the class that is predicted, one row per word."""
    return teaching.shortcut.pulls(setting.analysis, setting.test)


@experiment
def taught(setting: Setting, words: tuple[str, ...]) -> np.ndarray:
    """(n,) what these words of every training text carry of its score."""
    return teaching.shortcut.taught(setting.analysis, setting.test, words)


@experiment
def without_texts(setting: Setting, words: tuple[str, ...], sizes: tuple[int, ...]) -> pd.DataFrame:
    """The lead of the true class without the most harmful texts, those whose words are, or a random draw."""
    scores, n = setting.scores, len(setting.split.train)
    orders = {
        "most harmful texts": np.argsort(scores, kind="stable"),
        "most harmful by these words": np.argsort(taught(setting, words), kind="stable"),
        "at random": np.random.default_rng(setting.settings.seed).permutation(n),
    }
    return teaching.shortcut.without(setting.analysis, setting.test, orders, sizes)


@experiment
def trigger(setting: Setting, count: int, times: int) -> Trigger:
    """A made-up word in some training texts of another label, and the model fitted on them."""
    return teaching.trigger.trigger(setting.analysis, setting.test, count, times)
