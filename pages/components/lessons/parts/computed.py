"""Experiments of the lessons behind Streamlit's caches, keyed by settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.lessons.parts.kinds import Setting
from pages.components.session import cached
from pages.components.session.door import core, teaching

if TYPE_CHECKING:
    from influence_core.analysis import GroupRefit, Review
    from influence_core.teaching import Path, Poisoned

cache = st.cache_resource(max_entries=48, show_spinner=False)


@dataclass(frozen=True, eq=False)
class Spot:
    """One place on the path of up-weighting."""

    loss: float
    theta: np.ndarray


def removal(setting: Setting, train: int) -> GroupRefit:
    """The refit without one training point.

    Returns:
        Changes at all test points and the new θ.
    """
    return _removal(setting.settings.key("data", "model", "seed"), train, setting.settings)


@cache
def _removal(key: str, train: int, _settings: Settings) -> Any:
    return cached.problem(_settings).group_refit([train])


def path(setting: Setting, train: int, way: str) -> Path:
    """The loss and θ̂ along ``up_weighted`` or ``contaminated``, from −1/n to 3/n.

    Returns:
        The path.
    """
    return _path(setting.settings.key(), train, setting.test, way, setting.settings)


@cache
def _path(key: str, train: int, test: int, way: str, _settings: Settings) -> Any:
    analysis = cached.analysis(_settings)
    return getattr(teaching, way)(analysis, train, test, teaching.steps(len(analysis.problem.split.train)))


def spot(setting: Setting, train: int, step: float) -> Spot:
    """One more refit, at any ε.

    Returns:
        Loss and θ̂ there.
    """
    return _spot(setting.settings.key(), train, setting.test, step, setting.settings)


@cache
def _spot(key: str, train: int, test: int, step: float, _settings: Settings) -> Spot:
    found = teaching.up_weighted(cached.analysis(_settings), train, test, np.array([step]))
    return Spot(float(found.loss[0]), found.theta[0])


def stretch(setting: Setting) -> pd.DataFrame:
    """Leverage against how much farther θ moves than first order says.

    Returns:
        One row per training point.
    """
    return _stretch(setting.settings.key(), setting.settings)


@cache
def _stretch(key: str, _settings: Settings) -> Any:
    return teaching.stretch(cached.analysis(_settings))


def by_direction(setting: Setting, train: int) -> pd.DataFrame:
    """A score taken apart along the eigenvectors of H.

    Returns:
        One row per direction.
    """
    return _directions(setting.settings.key(), train, setting.test, setting.settings)


@cache
def _directions(key: str, train: int, test: int, _settings: Settings) -> Any:
    return teaching.by_direction(cached.analysis(_settings), train, test)


def damping_agreement(setting: Setting, dampings: tuple[float, ...]) -> pd.DataFrame:
    """Scores at many dampings against exact leave-one-out.

    Returns:
        One row per damping.
    """
    return _dampings(setting.settings.key(), setting.test, dampings, setting.settings)


@cache
def _dampings(key: str, test: int, dampings: tuple[float, ...], _settings: Settings) -> Any:
    measured = cached.instant_loo(_settings).change[:, test]
    return teaching.damping_agreement(cached.analysis(_settings), test, dampings, measured)


@cache
def exact_hinge(seed: int) -> np.ndarray:
    """Leave-one-out of the exact hinge on Iris.

    Returns:
        (90, 10).
    """
    found: np.ndarray = teaching.exact_changes(seed)
    return found


@cache
def hinge(t: float, seed: int) -> pd.DataFrame:
    """Influence through the smoothed hinge against :func:`exact_hinge`.

    Returns:
        One row per pair.
    """
    found: pd.DataFrame = teaching.at_temperature(t, seed, exact_hinge(seed))
    return found


def with_estimator(setting: Setting, name: str) -> np.ndarray:
    """Scores at the test point by another estimator.

    Returns:
        (n,).
    """
    analysis = setting.analysis
    found: np.ndarray = core.estimators.scores(analysis.influence, analysis.watched([setting.test]), name)[:, 0]
    return found


def review(setting: Setting) -> Review:
    """What the mislabel signals of the problem are made of.

    Returns:
        The review, each signal computed once.
    """
    return _review(setting.settings.key(), setting.settings)


@cache
def _review(key: str, _settings: Settings) -> Any:
    return core.Review(cached.analysis(_settings))


def growing(setting: Setting, order: str, sizes: tuple[int, ...]) -> pd.DataFrame:
    """Groups that leave together: the ``helpful``, most helpful first, or ``random`` ones.

    Returns:
        One row per size.
    """
    return _growing(setting.settings.key(), setting.test, order, sizes, setting.settings)


@cache
def _growing(key: str, test: int, order: str, sizes: tuple[int, ...], _settings: Settings) -> Any:
    analysis = cached.analysis(_settings)
    scores = analysis.scores([test])[:, 0]
    rows = (
        np.argsort(-scores, kind="stable") if order == "helpful" else np.random.default_rng(0).permutation(len(scores))
    )
    return teaching.growing(analysis, test, rows, sizes)


@cache
def noise(key: str, row: int, test: int, seeds: int, _settings: Settings) -> pd.DataFrame:
    """Training with and without one point, once per seed; ``key`` is that of the settings.

    Returns:
        One row per seed.
    """
    found: pd.DataFrame = teaching.training_noise(_settings, row, test, range(seeds))
    return found


def poison(setting: Setting, count: int, bound: float) -> Poisoned:
    """Some training points moved a little, and the refit.

    Returns:
        What was moved and what came of it.
    """
    return _poison(setting.settings.key(), setting.test, count, bound, setting.settings)


@cache
def _poison(key: str, test: int, count: int, bound: float, _settings: Settings) -> Any:
    return teaching.poison(cached.analysis(_settings), test, count, bound)


@st.cache_resource(max_entries=16, show_spinner="Looking for the fewest points …")
def least_poison(key: str, test: int, bound: float, most: int, _settings: Settings) -> int:
    """How many points it takes to flip the prediction; ``key`` is that of the settings.

    Returns:
        The fewest, or 0 where ``most`` do not suffice.
    """
    found = teaching.least(cached.analysis(_settings), test, bound, most)
    return 0 if found is None else len(found.rows)
