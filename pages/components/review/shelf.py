"""What the server keeps of fitted models under review, and the evidence of the cards that come next, made ahead."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.session import cached
from pages.components.session.door import core, reviewing
from pages.components.session.keeping import kept, when_all_left
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.analysis import Case, Recent, Task
    from influence_core.data import Whole
    from influence_core.reviewing import Recipe, Scored
    from influence_core.settings import Settings

log = logging.getLogger("influence_explorer")
MODELS = 4  # each holds a factor of its curvature
BYTES = 3 * 2**30  # of all of them; the newest stays whatever it takes
CASES = 400
AHEAD = 8


@dataclass(eq=False)
class Shelf:
    """Models and cases in memory, the least recently used go first; one thread makes cases ahead."""

    models: Recent[Scored] = field(default_factory=lambda: core.Recent(MODELS, BYTES, lambda scored: scored.size))
    cases: Recent[Case] = field(default_factory=lambda: core.Recent(CASES))
    computing: threading.Lock = field(default_factory=threading.Lock)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "cases"))

    def put(self, recipe: Recipe, scored: Scored) -> None:
        """Keep a model that was just scored."""
        self.models.put(recipe.key, scored)

    def model(self, recipe: Recipe) -> Scored | None:
        """A model that is here.

        Returns:
            None where it has to be fitted (again).
        """
        return self.models.find(recipe.key)

    def case(self, recipe: Recipe, scored: Scored, position: int) -> Case | None:
        """Evidence about one training point, from memory if it was made ahead.

        Returns:
            None for a row that has left the data.
        """
        self._make(recipe, scored, [position])
        return self.cases.find((recipe.key, position))

    def ahead(self, recipe: Recipe, scored: Scored, positions: Sequence[int]) -> None:
        """Make the cases of these points in the background, once one of the first half is missing.

        Of a large model a solve for one card takes as long as that for all.
        """
        if self._missing(recipe, positions[: (len(positions) + 1) // 2]):
            self.thread.submit(self._quietly, recipe, scored, positions)

    def _quietly(self, recipe: Recipe, scored: Scored, positions: Sequence[int]) -> None:
        try:
            core.settle()
            self._make(recipe, scored, positions)
        except Exception:  # noqa: BLE001 - the card itself will say it
            log.warning("cases could not be made ahead", exc_info=True)

    def _make(self, recipe: Recipe, scored: Scored, positions: Iterable[int]) -> None:
        if not self._missing(recipe, positions):
            return
        with self.computing:
            wanted = self._missing(recipe, positions)
            for position, case in zip(wanted, scored.cases(wanted, _told(scored)), strict=True):
                if case is not None:
                    self.cases.put((recipe.key, position), case)

    def _missing(self, recipe: Recipe, positions: Iterable[int]) -> list[int]:
        return [position for position in positions if self.cases.find((recipe.key, position)) is None]


def _told(scored: Scored) -> tuple[str, ...]:
    """Confident learning brings probabilities of models that have not seen the point, where they are there."""
    return ("confident_learning",) if "confident_learning" in scored.signals else ()


def whole(settings: Settings) -> Whole:
    """All rows of the data, those included that are held out; answers of older stores are found from then on."""
    return _whole(settings.key("data", "seed"), str(cached.store().engine.url), settings)


@kept
def _whole(key: str, store: str, _settings: Settings) -> Whole:
    found = reviewing.under_review(cached.problem(_settings))
    reviewing.adopt_older(cached.store(), found, _settings)
    return found


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """The one shelf of this server, empty when nobody is here."""
    made = Shelf()
    when_all_left(made.models.clear)
    when_all_left(made.cases.clear)
    return made


def scorer(recipe: Recipe) -> Callable[[Task], Scored]:
    """What fits a model and its signals, unless it is on the shelf, and leaves it there.

    Returns:
        A job; who needs the model takes what it returns, because the shelf may have to make room for others.
    """
    given, kept = cached.problem(recipe.settings), shelf()  # shared with the other pages where labels are as given

    def start(task: Task) -> Scored:
        found = kept.model(recipe)
        if found is None:
            found = reviewing.score(recipe, given, task)
            kept.put(recipe, found)
        return found

    return start


def work(recipe: Recipe) -> job_panel.Work:
    """The same for its own sake.

    Returns:
        The work; its result is True: the list of jobs should hold no model.
    """
    score = scorer(recipe)

    def start(task: Task) -> bool:
        score(task)
        return True

    seconds = reviewing.seconds(recipe, cached.problem(recipe.settings))
    return job_panel.Work(recipe.key, "Evidence of the cards", "steps", start, seconds, button="Make the evidence")


def ready(recipe: Recipe) -> Scored | None:
    """The model behind the scores; its job is started where it is not here, after a restart say.

    Returns:
        None while it is being made.
    """
    found = shelf().model(recipe)
    if found is None:
        job = jobs().get(recipe.key)
        if job is not None and job.state == "done":
            jobs().forget(recipe.key)  # it was here once, and had to make room
        if job is None or job.state == "done":
            made = work(recipe)
            jobs().submit(made.key, made.start, owner=owner(), cost=made.seconds)
    return found
