"""The core behind Streamlit's caches, keyed by settings and never by arrays; imported lazily for a fast first paint."""

from __future__ import annotations

import gc
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Options, Settings

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Problem, Refits
    from influence_core.annotations import Store
    from influence_core.figures import Figure

SWITCH = 1e-3  # seconds a thread may keep the interpreter while others wait: the usual 5 ms add up over many messages


def core() -> ModuleType:
    """The core, imported when first asked for, in a thread that is ready to compute: every rerun is a thread.

    Returns:
        ``influence_core.analysis``.
    """
    module = _core()
    module.settle()
    return module


@st.cache_resource(show_spinner=False)
def _core() -> ModuleType:
    """Import the core once; sessions that arrive meanwhile wait here, so that imports never race."""
    import plotly.graph_objects  # noqa: F401, PLC0415 - in one fixed order: numpy, pandas and plotly before torch

    import influence_core.analysis as analysis  # noqa: PLC0415

    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH)
    return analysis


def figures() -> ModuleType:
    """The published figures, imported when first asked for.

    Returns:
        ``influence_core.figures``.
    """
    core()
    return _figures()


@st.cache_resource(show_spinner=False)
def _figures() -> ModuleType:
    import influence_core.figures as figures  # noqa: PLC0415

    return figures


def lessons() -> ModuleType:
    """The experiments of the lessons, imported when first asked for.

    Returns:
        ``influence_core.lessons``.
    """
    core()
    return _lessons()


@st.cache_resource(show_spinner=False)
def _lessons() -> ModuleType:
    import influence_core.lessons as lessons  # noqa: PLC0415

    return lessons


@st.cache_resource(max_entries=24, show_spinner=False)
def figure(name: str, options: Options) -> Figure:
    """A published figure with some options, where it takes a moment; long ones are jobs.

    Returns:
        Its tables and numbers, shared by all sessions.
    """
    found: Figure = figures().compute(name, options)
    return found


def annotations() -> ModuleType:
    """The annotators' side of the core, imported when a page about labels first asks for it.

    Returns:
        ``influence_core.annotations``.
    """
    core()
    return _annotations()


@st.cache_resource(show_spinner=False)
def _annotations() -> ModuleType:
    """Import the database's libraries once, after the core."""
    import influence_core.annotations as annotations  # noqa: PLC0415

    gc.collect()
    gc.freeze()
    return annotations


def store() -> Store:
    """The annotators' database, opened once per server.

    Returns:
        The store; it is shared by all sessions.
    """
    return _store(os.environ.get("INFLUENCE_DB_URL", ""), os.environ.get("INFLUENCE_DATA_DIR", ""))


@st.cache_resource(show_spinner=False, on_release=lambda opened: opened.close())
def _store(url: str, folder: str) -> Store:
    opened: Store = annotations().open_store(url)
    return opened


def expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is a sentence for the person in front of the page.

    Returns:
        Those of the core, and those of the annotators' database once that has been asked for.
    """
    known: tuple[type[Exception], ...] = core().EXPECTED_ERRORS
    if "influence_core.annotations" not in sys.modules:
        return known
    found = _annotations()
    return (*known, found.AnnotationError, found.Refused, found.StoreUnavailable)


def is_store_trouble(error: Exception) -> bool:
    """Whether the annotators' database is what failed, so that trying again may help and other settings will not.

    Returns:
        False before that database was ever asked for.
    """
    return "influence_core.annotations" in sys.modules and isinstance(error, _annotations().StoreUnavailable)


def problem(settings: Settings) -> Problem:
    """Data and fitted model of the settings, shared by all sessions.

    Returns:
        The problem; data and fit happen when first asked for.
    """
    key = settings.key("data", "model", "seed")
    return (_drawn_problem if drawn(settings) else _problem)(key, settings)


@st.cache_resource(max_entries=6, show_spinner=False)
def _problem(key: str, _settings: Settings) -> Problem:
    found: Problem = core().Problem(_settings)
    return found


def drawn(settings: Settings) -> bool:
    """Whether the data are drawn by hand: every stroke is another problem, and must not push out those of others.

    Returns:
        True where results belong into a cache of this session.
    """
    return settings.data.name == "drawn"


@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _drawn_problem(key: str, _settings: Settings) -> Problem:
    found: Problem = core().Problem(_settings)
    return found


def fit(settings: Settings) -> None:
    """Fit now, where the page shows a spinner, instead of when a result is first asked for."""
    _ = problem(settings).fitted


def analysis(settings: Settings) -> Analysis:
    """The whole analysis of the settings, shared by all sessions.

    Returns:
        The analysis; each step happens when first asked for.
    """
    return (_drawn_analysis if drawn(settings) else _analysis)(settings.key(), settings)


@st.cache_resource(max_entries=24, show_spinner=False)
def _analysis(key: str, _settings: Settings) -> Analysis:
    found: Analysis = core().Analysis(_settings, problem(_settings))
    return found


@st.cache_resource(max_entries=4, show_spinner=False, scope="session")
def _drawn_analysis(key: str, _settings: Settings) -> Analysis:
    found: Analysis = core().Analysis(_settings, problem(_settings))
    return found


def instant_loo(settings: Settings) -> Refits:
    """Exact LOO where it takes a fraction of a second.

    Returns:
        Measured changes for all test points.
    """
    key = settings.key("data", "model", "quantity", "target", "seed")
    return (_drawn_loo if drawn(settings) else _loo)(key, settings)


@st.cache_resource(max_entries=12, show_spinner=False)
def _loo(key: str, _settings: Settings) -> Refits:
    return problem(_settings).loo(_settings.quantity, _settings.target)


@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _drawn_loo(key: str, _settings: Settings) -> Refits:
    return problem(_settings).loo(_settings.quantity, _settings.target)
