"""Problems, analyses and refits behind Streamlit's caches, keyed by settings and never by arrays."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Options, Settings
from pages.components.session.door import annotating, core, figures, was_opened
from pages.components.session.keeping import kept

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Problem, Refits
    from influence_core.annotations import Store
    from influence_core.teaching.figures import Figure


LARGE = 2_000_000  # numbers of data that take more than a moment to prepare
LONGEST = 30.0  # seconds for which a page waits for another
_TURN = threading.Lock()


@st.cache_resource(max_entries=24, show_spinner=False)
def figure(name: str, options: Options) -> Figure:
    """A published figure with some options, where it takes a moment; long ones are jobs."""
    return figures.compute(name, options)


def store() -> Store:
    """The annotators' database, opened once per server."""
    return _store(os.environ.get("INFLUENCE_DB_URL", ""), os.environ.get("INFLUENCE_DATA_DIR", ""))


def store_advice() -> str:
    """What is wrong with the folder of uploads where several servers share the database; looked at once."""
    return _advice(os.environ.get("INFLUENCE_DB_URL", ""), os.environ.get("INFLUENCE_DATA_DIR", ""))


@st.cache_resource(show_spinner=False)
def _advice(url: str, folder: str) -> str:
    return annotating.check_folder(store())


@st.cache_resource(show_spinner=False, on_release=lambda opened: opened.close())
def _store(url: str, folder: str) -> Store:
    return annotating.open_store(url)


def expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is a sentence for the person in front of the page.

    Returns:
        Those of the core, and those of the annotators' database once that has been asked for.
    """
    known = core.EXPECTED_ERRORS
    if not was_opened("influence_core.annotations"):
        return known
    return (*known, annotating.AnnotationError, annotating.Refused, annotating.StoreUnavailable)


def is_store_trouble(error: Exception) -> bool:
    """Whether the annotators' database is what failed, so that trying again may help and other settings will not."""
    return was_opened("influence_core.annotations") and isinstance(error, annotating.StoreUnavailable)


def problem(settings: Settings) -> Problem:
    """Data and fitted model of the settings, made when first asked for and shared by all sessions."""
    key = settings.key("data", "model", "seed")
    return (_drawn_problem if drawn(settings) else _problem)(key, settings)


@kept
def _problem(key: str, _settings: Settings) -> Problem:
    if _numbers(_settings) < LARGE or core.beside() is None:
        return core.Problem(_settings)
    with st.spinner("Loading the data …"):  # elsewhere: who copies that many rows keeps the interpreter from all clicks
        return core.Problem(_settings, given=core.Given(core.aside(core.load, _settings.data, _settings.seed)))


def drawn(settings: Settings) -> bool:
    """Whether the data are drawn by hand: every stroke is another problem, and must not push out those of others."""
    return settings.data.name == "drawn"


@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _drawn_problem(key: str, _settings: Settings) -> Problem:
    return core.Problem(_settings)


@contextmanager
def in_turn(settings: Settings) -> Generator[None]:
    """Large data are prepared for one page after the other: many at once take no less time, and all clicks theirs.

    Yields:
        Nothing.
    """
    if core.known(analysis(settings), "ground") or _numbers(settings) < LARGE:  # has answered before
        yield
        return
    with st.spinner("Other large data are being prepared …") if _TURN.locked() else nullcontext():
        mine = _TURN.acquire(timeout=LONGEST)
    try:
        yield
    finally:
        if mine:
            _TURN.release()


def _numbers(settings: Settings) -> int:
    """How many an upload holds, by its manifest; 0 for other data."""
    if settings.data.name != "upload":
        return 0
    try:
        held = core.uploads.upload_store().manifest(str(dict(settings.data.options).get("id", "")))
    except core.EXPECTED_ERRORS:
        return 0
    return int(held["rows"]) * len(held["feature_names"])


def fit(settings: Settings) -> None:
    """Fit now, where the page shows a spinner; what takes more than a second in a process of its own."""
    problem(settings).fit(core.Task(workers=core.beside()))


def analysis(settings: Settings) -> Analysis:
    """The whole analysis of the settings, each step made when first asked for, shared by all sessions."""
    return (_drawn_analysis if drawn(settings) else _analysis)(settings.key(), settings)


@kept
def _analysis(key: str, _settings: Settings) -> Analysis:
    return core.Analysis(_settings, problem(_settings))


@st.cache_resource(max_entries=4, show_spinner=False, scope="session")
def _drawn_analysis(key: str, _settings: Settings) -> Analysis:
    return core.Analysis(_settings, problem(_settings))


def instant_loo(settings: Settings) -> Refits:
    """Exact LOO for all test points, where it takes a fraction of a second."""
    key = settings.key("data", "model", "quantity", "target", "seed")
    return (_drawn_loo if drawn(settings) else _loo)(key, settings)


@kept
def _loo(key: str, _settings: Settings) -> Refits:
    return problem(_settings).loo(_settings.quantity, _settings.target)


@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _drawn_loo(key: str, _settings: Settings) -> Refits:
    return problem(_settings).loo(_settings.quantity, _settings.target)
