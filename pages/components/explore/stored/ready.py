"""The fitted model on all rows of a stored set, made by one job for every session, and kept while it is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings, SettingsError
from pages.components.session.door import core, streaming
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import Recent
    from influence_core.data.stored import Stored
    from influence_core.streamed import Atlas

KEPT = 2  # models in memory: each holds H and its inverse
UNASKED = 20.0  # seconds of work that begins by itself
FROM_STORE = 2.0


def explores_all(settings: Settings) -> bool:
    """Whether Explore asks all rows of a stored set."""
    data = settings.data
    return data.name == "stored" and dict(data.options).get("explore", streaming.EVERY) == streaming.EVERY


@st.cache_resource(show_spinner=False)
def _atlases() -> Recent[Atlas]:
    return core.Recent(KEPT)


def atlas(settings: Settings, stored: Stored) -> Atlas | None:
    """The model, or None while the job that makes it is offered or running here."""
    key = name(settings, stored)
    found = _atlases().find(key)
    if found is not None:
        return found
    if job_panel.result(f"atlas:{key}"):
        jobs().forget(f"atlas:{key}")  # pushed out by others since it was done
    cost, ready = streaming.preparing(settings, stored), _ready(settings, stored)
    work = job_panel.Work(
        f"atlas:{key}",
        "Fitting on all rows",
        "rows",
        lambda task: bool(_atlases().put(key, streaming.atlas(settings, stored, task))),
        FROM_STORE if ready else cost.seconds,
        f"**{len(stored.train):,} rows are fitted where they lie, on disk.** Then the strongest rows are found, and an "
        f"index of neighbours is built.  \n:small[{cost}; once, for every session.]",
        "Fit on all rows",
    )
    if work.seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)
    return None


def _ready(settings: Settings, stored: Stored) -> bool:
    return streaming.is_prepared(settings, stored, core.Task(store=core.result_store()))


def name(settings: Settings, stored: Stored) -> str:
    """Names the model: the settings, what the files hold, and when they were written."""
    changed = max(when for _, when in stored.sizes.values())
    return f"{settings.key('data', 'model', 'solver', 'seed')}:{changed}"


def estimator(settings: Settings) -> str:
    """The estimator, where it is offered on disk.

    Raises:
        SettingsError: it is not.
    """
    if settings.estimator in streaming.ESTIMATORS:
        return settings.estimator
    offered = " or ".join(core.ESTIMATORS[known].title for known in streaming.ESTIMATORS)
    raise SettingsError(
        f"All rows of a stored set are asked by {offered}, not by {core.ESTIMATORS[settings.estimator].title}."
    )
