"""The parts of the page: the card, the progress, the export, and what leads see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review import administration, export, lobby, opening, people, progress, table, team
from pages.components.review.desk import Desk
from pages.components.session import cached, state
from pages.components.session.door import annotating, reviewing
from pages.components.session.errors import safely
from pages.components.session.view import PANELS
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.annotations import Queue, Store
    from pages.components.review.people import Person

WORDS = {"review": "Review", "progress": "Progress", "export": "Export", "team": "Team"}
DRAWN = {"review": table.table, "progress": progress.progress, "export": export.export, "team": team.team}


def panels(queue: Queue, person: Person) -> None:
    """One part at a time, named in the link."""
    left, middle, right = st.columns([6, 4, 3], vertical_alignment="center")
    with left:
        _choose(person)
    with middle:
        _version(queue)
    with right:
        _who(person)
    _newer(queue)
    DRAWN[state.view().panel](Desk(queue, person), recipe_of(queue.run))


def _choose(person: Person) -> None:
    offered = [name for name in PANELS if name != "team" or person.lead]
    if state.view().panel not in offered:
        state.look(panel="review")
    st.session_state["review.panel"] = state.view().panel

    def changed() -> None:
        if st.session_state["review.panel"] in offered:  # a second click on the open part deselects it
            state.look(panel=st.session_state["review.panel"])

    st.segmented_control(
        "Part of the page",
        offered,
        key="review.panel",
        format_func=WORDS.__getitem__,
        label_visibility="collapsed",
        on_change=safely(changed),
    )


def _version(queue: Queue) -> None:
    """Which queue; the older ones stay."""
    versions = opening.versions()
    titles = {
        str(one.version): f"Queue {one.version}: {one.size:,} cards by {administration.title(one.strategy).lower()}"
        for one in versions
    }
    controls.choice(
        "Queue",
        list(titles),
        str(queue.version),
        "review.version",
        lambda text: state.look(version=int(text), place=None),
        titles=titles,
        label_visibility="collapsed",
    )


def _newer(queue: Queue) -> None:
    """Nobody is moved to a new queue in silence."""
    newest = opening.versions()[0]
    if newest.version == queue.version or newest.created_at < queue.created_at:
        return
    words, button = st.columns([5, 1], vertical_alignment="center")
    words.info(
        f"You work in queue {queue.version}. Queue {newest.version}, of {newest.size:,} cards, is newer.",
        icon=":material/new_releases:",
    )
    button.button(
        f"Go to queue {newest.version}",
        key="review-newer",
        on_click=safely(state.look),
        kwargs={"version": newest.version, "place": None},
        width="stretch",
    )


def _who(person: Person) -> None:
    """Who answers; a typed name can be changed, an account is left by logging out."""
    name = plain_markdown(person.name)
    with st.popover(f"{name}, {'lead' if person.lead else 'annotator'}", icon=":material/person:", width="stretch"):
        st.button("All queues", on_click=safely(lobby.leave), key="review-lobby", icon=":material/list:")
        if person.source == "oidc":
            st.caption("Known by an account.")
            st.button("Log out", on_click=safely(st.logout), key="review-log-out", icon=":material/logout:")
        else:
            st.caption("Known by a typed name, which proves nothing: the log says so.")
            if not person.lead and annotating.asks_for_key():
                people.key_field("review.proof")
                st.button("I am a lead", on_click=safely(people.prove), args=("review.proof",), key="review-prove")
            st.button(
                "Somebody else sits here", on_click=safely(people.leave), key="review-leave", icon=":material/logout:"
            )


def recipe_of(run: int) -> reviewing.Recipe:
    """The model behind the scores, read once per run and database.

    Returns:
        Settings and corrections.
    """
    store = cached.store()
    return _recipe_of(str(store.engine.url), run, store)


@st.cache_resource(max_entries=24, show_spinner=False)
def _recipe_of(url: str, run: int, _store: Store) -> reviewing.Recipe:
    return reviewing.recipe_of(annotating.run_settings(_store, run))
