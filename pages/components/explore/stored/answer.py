"""The question about one test row of a stored set, and which rows of it the map and the tables show."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from influence_core.settings import Settings
from pages.components.browser.map import Scene
from pages.components.explore.stored import ready
from pages.components.lenses import lens_of
from pages.components.session import state
from pages.components.session.about import about
from pages.components.session.door import core
from pages.components.session.words import Form, form_of
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.data import Dataset
    from influence_core.data.stored import Stored
    from influence_core.influence import Watched
    from influence_core.streamed import Atlas, Reply

MARKED = 200  # strongest rows of the answer on the map
UNASKED = 60.0  # seconds of a full pass that begins by itself
ASKED = "stored.asked"


@dataclass(frozen=True, eq=False)
class StoredAnswer:
    """What is known about one test row.

    Attributes:
        atlas: the model.
        settings: of this view.
        test: row asked about.
        watched: its quantity.
        first: changes at the rows at hand.
        whole: of all rows, once a pass has found them.
    """

    atlas: Atlas
    settings: Settings
    test: int
    watched: Watched
    first: Reply
    whole: Reply | None

    @property
    def best(self) -> Reply:
        """The better of the two."""
        return self.whole or self.first

    @property
    def stored(self) -> Stored:
        """The data."""
        return self.atlas.stored

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Training rows on the map: those of every map, then the strongest of this answer and the selected one."""
        more = np.concatenate([self.best.rows[:MARKED], _selected()])
        return np.concatenate([self.atlas.known, np.setdiff1d(more, self.atlas.known)])

    @cached_property
    def tests(self) -> NDArray[np.int64]:
        """Test rows on the map: those of every map, and the one asked about."""
        return np.concatenate([self.atlas.tests, np.setdiff1d([self.test], self.atlas.tests)])

    @cached_property
    def changes(self) -> NDArray[np.float64]:
        """Changes of the rows on the map; what is here at once is the same number as in the complete answer."""
        rows = np.concatenate([self.first.rows, self.best.rows])
        values = np.concatenate([self.first.change, self.best.change])
        order = np.argsort(rows, kind="stable")
        return values[order][np.searchsorted(rows[order], self.rows)]

    @cached_property
    def scene(self) -> Scene:
        """The map's constant part."""
        more = (self.rows[len(self.atlas.known) :].tobytes(), self.tests[len(self.atlas.tests) :].tobytes())
        return _scene(ready.name(self.settings, self.stored), more, self)

    @property
    def orientation(self) -> int:
        """+1 where a rise is helpful, −1 where a fall is, 0 where neither word applies."""
        return core.wording.orientation(self.settings)

    @property
    def sign(self) -> int:
        """−1 where a fall is helpful, else +1."""
        return core.wording.sign(self.settings)

    @property
    def quantity(self) -> str:
        """What is watched, in words."""
        return core.wording.watched(self.settings, self.stored.class_names)

    @cached_property
    def form(self) -> Form:
        """How changes are written."""
        unit = core.QUANTITIES[self.settings.quantity].unit_of(self.atlas.at.model.loss)
        return form_of(self.changes, unit)

    @property
    def about(self) -> str:
        """What a file was made of."""
        looked = f"{self.best.looked:,} of {len(self.stored.train):,} rows looked at"
        title = core.ESTIMATORS[self.settings.estimator].title
        return about(self.settings, self.stored.name, title, f"test row {self.test}", looked)

    def train(self, rows: NDArray[np.int64]) -> Dataset:
        """Training rows, in memory."""
        return self.stored.dataset(rows, test=False)


@st.cache_resource(max_entries=8, show_spinner=False)
def _scene(key: str, more: tuple[bytes, ...], _answer: StoredAnswer) -> Scene:
    stored, place = _answer.stored, _answer.atlas.placing.place
    train, test = _answer.train(_answer.rows), stored.dataset(_answer.tests)
    lens, classes = lens_of(train), train.classes > 0
    return Scene(
        fingerprint=hashlib.blake2b(b"|".join((key.encode(), *more)), digest_size=12).hexdigest(),
        train_xy=place(train),
        test_xy=place(test),
        train_class=train.y if classes else np.zeros(len(train), int),
        test_class=test.y if classes else np.zeros(len(test), int),
        class_names=train.class_names,
        train_labels=lens.hover(train, None),
        test_labels=lens.hover(test, None),
        flipped=np.zeros(len(train), dtype=bool),
        axis_titles=_answer.atlas.placing.axes,
        frame=key,
    )


def answer(atlas: Atlas, settings: Settings) -> StoredAnswer:
    """The answer to the question of this session, complete where some session has made it so."""
    test, estimator = state.test(), ready.estimator(settings)
    watched = atlas.at.watched(np.array([test]), settings.quantity, settings.target)
    first, whole = atlas.first(watched, estimator, _selected()), _whole(atlas, settings, test)
    return StoredAnswer(atlas, settings, test, watched, first, whole)


def _selected() -> NDArray[np.int64]:
    train = state.view().train
    return np.array([] if train is None else [train], dtype=np.int64)


def _named(settings: Settings, test: int) -> str:
    return f"{settings.key('quantity', 'estimator', 'target')}:{test}"


def _whole(atlas: Atlas, settings: Settings, test: int) -> Reply | None:
    key = f"pass:{atlas.key}:{_named(settings, test)}"
    found: Reply | None = job_panel.result(key)
    if found is not None:
        return found
    earlier = atlas.earlier(_named(settings, test), core.result_store())
    return None if earlier is None else jobs().keep(key, earlier).result


def complete(answered: StoredAnswer) -> None:
    """The full pass as a job, begun by itself where it is short; a question that all have left is not gone on with."""
    atlas, settings, watched = answered.atlas, answered.settings, answered.watched
    named, cost = _named(settings, answered.test), atlas.cost()
    key = f"pass:{atlas.key}:{named}"
    _leave(key)
    work = job_panel.Work(
        key,
        "Full pass",
        "rows",
        lambda task: atlas.complete(watched, settings.estimator, named, task),
        cost.seconds,
        f":small[Complete it: {cost}.]",
        "Look at all rows",
        "Cancelled: this is the first answer.",
    )
    if cost.seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)


@st.cache_resource(show_spinner=False)
def _asking() -> dict[str, set[str]]:
    """Sessions that wait for each pass."""
    return {}


def _leave(key: str) -> None:
    """This session waits for another pass than before."""
    before = st.session_state.get(ASKED)
    st.session_state[ASKED] = key
    asking = _asking()
    asking.setdefault(key, set()).add(owner())
    if before in {None, key}:
        return
    left = asking.get(before, set())
    left.discard(owner())
    job = jobs().get(before)
    if not left and job is not None and job.active:
        jobs().stop(job)
        jobs().forget(before)  # whoever asks again gets a new pass
    if not left:
        asking.pop(before, None)
