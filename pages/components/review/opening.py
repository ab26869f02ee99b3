"""Before the first card: a name, and a queue, which is one click for somebody who only wants to try."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.browser.focus import start_in
from pages.components.review import lobby, people, shelf
from pages.components.review.people import Person
from pages.components.session import cached, state
from pages.components.session.door import annotating, core, reviewing
from pages.components.session.words import plain_markdown
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.annotations import Plan, Queue
    from influence_core.compute import Task

DEMO = Settings(
    DataSettings("mnist", (("digits", "3,5,8"), ("size", 1000)), True, 0.15, 0.2, 0.1),
    ModelSettings("softmax", 1.0),
)
BEST = ("margin", "loss", "self_influence")  # by the errors among the first fifty, see the benchmarks
WANTED = "review.wanted"  # a queue was asked for, and the page that follows makes it


def ask_name() -> None:
    """The name, and with the same click the first card."""
    st.markdown(
        "**Which training labels are wrong?** The most suspicious come first, with the evidence; one key answers.\n\n"
        "**Who are you?** The name stands beside your answers; it is asked once, and kept in this browser. "
        "Where accounts are configured, they are used instead."
    )
    listed = lobby.has_list()
    with st.form("review-name", border=True):
        name = st.text_input("Your name", key="review.typed", max_chars=200, placeholder="Ada")
        proof = people.key_field("review.key")
        own, demo = st.columns(2)
        with own:  # the first button is what Enter presses
            went = st.form_submit_button(
                "Go to the queues" if listed else f"Review the current data: {_title()}",
                type="primary",
                icon=":material/list:" if listed else ":material/database:",
            )
        with demo:
            tried = st.form_submit_button(
                "Try it: handwritten digits, one label in ten wrong", icon=":material/play_arrow:"
            )
    start_in("review.typed")
    if not (tried or went):
        return
    trouble = people.take_name(name, proof)
    if trouble:
        st.error(plain_markdown(trouble), icon=":material/warning:")
        return
    if tried:
        take_demo()
    if tried or not listed:
        lobby.enter()
    st.rerun()


def take_demo() -> None:
    """Digits with flipped labels, and their queue."""
    state.put(DEMO)
    state.look(version=None, place=None, panel="review")
    st.session_state[WANTED] = True


def no_classes() -> None:
    """A regression has no labels to check."""
    st.info(
        "These data have a numeric target. Review is about class labels: choose data with classes, or try the digits.",
        icon=":material/info:",
    )
    with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
        st.page_link("pages/1_Data.py", label="Choose other data", icon=":material/database:")
    if st.button("Try it: handwritten digits, one label in ten wrong", type="primary", key="review-demo"):
        take_demo()
        st.rerun()


def _title() -> str:
    return plain_markdown(reviewing.title(state.settings().data))


def current(person: Person) -> Queue | None:
    """The queue under review: that of the link, else where this person works, else the newest of these data.

    Returns:
        None where there is none yet.
    """
    found = versions()
    asked = state.view().version
    for queue in found:
        if queue.version == asked:
            return queue
    if asked is not None:
        st.warning(f"These data have no queue {asked}: the newest is shown.", icon=":material/link_off:")
        state.look(version=None, place=None)
    if not found:
        return None
    mine = annotating.last_queue(cached.store(), found[0].dataset, person.name)
    return next((queue for queue in found if queue.id == mine), found[0])


def versions() -> tuple[Queue, ...]:
    """All queues of these data, the newest first.

    Returns:
        None of them for data that nobody has queued.
    """
    return annotating.queues(cached.store(), shelf.whole(state.settings()).fingerprint)


def first(person: Person) -> None:
    """No queue yet: what one is, and the button that makes it."""
    if not person.lead:
        st.info("Nobody has made a queue for these data yet: ask a lead to do it.", icon=":material/info:")
        return
    if st.session_state.pop(WANTED, False):
        submit(person, usual_plan(), usual_recipe())
    st.markdown(
        f"**No queue for {_title()} yet.** The model's scores decide which labels are checked first; one card in "
        "twelve is drawn at random, so that the gain over chance can be told."
    )
    make(person, usual_plan(), usual_recipe(), "Make the queue")
    if state.settings() != DEMO and st.button(
        "Try it instead: handwritten digits, one label in ten wrong", icon=":material/play_arrow:", key="review-demo"
    ):
        take_demo()
        st.rerun()


def applicable() -> list[str]:
    """Signals that these data and this model define.

    Returns:
        Names in the order of the registry.
    """
    return core.Review(cached.analysis(state.settings())).signals


def usual_plan() -> Plan:
    """What a queue is like if nobody chooses."""
    return annotating.Plan(strategy=best(applicable()), seed=state.settings().seed)


def best(offered: list[str]) -> str:
    """The signal that finds most errors among the first fifty, where this was measured."""
    return next((name for name in BEST if name in offered), offered[0])


def usual_recipe() -> reviewing.Recipe:
    """Every signal that costs little."""
    cheap = [name for name, signal in core.SIGNALS.items() if signal.cheap]
    return reviewing.Recipe(state.settings(), None, reviewing.offered(cheap))


def make(person: Person, plan: Plan, recipe: reviewing.Recipe, button: str) -> None:
    """A queue as a job with Cancel; the page runs again when it is there."""
    work = _work(person, plan, recipe, button)
    made = job_panel.result(work.key)
    if made is not None:
        jobs().forget(work.key)
        lobby.enter()
        state.look(version=made.version, place=None)
        st.rerun()
    job_panel.panel(work)


def submit(person: Person, plan: Plan, recipe: reviewing.Recipe) -> None:
    """Start it without another click."""
    work = _work(person, plan, recipe, "")
    jobs().submit(work.key, work.start, owner=owner(), cost=work.seconds)


def _work(person: Person, plan: Plan, recipe: reviewing.Recipe, button: str) -> job_panel.Work:
    store, score = cached.store(), shelf.scorer(recipe)
    next_version = len(versions()) + 1

    def start(task: Task) -> Queue:
        scored = score(task)
        with scored.leash.held(task):
            groups = reviewing.duplicates(scored)
            run = reviewing.run(scored, recipe, groups)
        rows = reviewing.samples(scored.whole, reviewing.title(recipe.settings.data))
        return annotating.create_queue(store, rows, run, replace(plan, duplicates=groups), person.name)

    return job_panel.Work(
        f"queue:{store.engine.url}:{next_version}:{plan.strategy}:{recipe.key}",
        "Scores of the queue",
        "steps",
        start,
        seconds=reviewing.seconds(recipe, cached.problem(recipe.settings)),
        button=button,
        cancelled="Cancelled: no queue was made.",
    )
