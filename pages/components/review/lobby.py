"""The list of queues: whose they are, how far, and when somebody last answered; one press leads to a card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings, SettingsError, from_json
from pages.components.review.activity import day, zone
from pages.components.review.people import Person
from pages.components.session import cached, state
from pages.components.session.door import annotating, reviewing
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Overview

ENTERED, LISTED = "review.entered", "review.listed"


def is_wanted() -> bool:
    """Whether nothing says yet which queue it shall be: neither a link nor a press in this session."""
    chosen = state.view().version is not None or state.settings().data != Settings().data
    return not chosen and not st.session_state.get(ENTERED)


def has_list() -> bool:
    """Whether the list is what follows: somebody has made a queue, and nothing was chosen."""
    return is_wanted() and annotating.has_queues(cached.store())


def enter() -> None:
    """This session works on its data from now on."""
    st.session_state[ENTERED] = True


def leave() -> None:
    """Back to the list; a callback."""
    st.session_state[ENTERED] = False
    st.session_state[LISTED] = True


def lobby(person: Person) -> bool:
    """The list, where there is anything to list and nothing was chosen.

    Returns:
        Whether it was shown.
    """
    if not (is_wanted() or st.session_state.get(LISTED)):
        return False
    found = annotating.overviews(cached.store(), person.name)
    if not found:
        return False
    st.subheader("Queues", anchor=False)
    for number, one in enumerate(found):
        _line(person, one, primary=not number)
    st.caption(f"Times in {zone()}. A lead makes queues and assigns people under *Team*.")
    st.button(
        f"Other data: {plain_markdown(reviewing.title(state.settings().data))}",
        key="review-lobby-data",
        icon=":material/database:",
        on_click=safely(_stay),
    )
    return True


def _line(person: Person, one: Overview, primary: bool) -> None:
    queue, done = one.queue, one.progress
    with st.container(border=True):
        words, button = st.columns([5, 1], vertical_alignment="center")
        for_you = " · **for you**" if one.is_for(person.name) else ""
        words.markdown(f"**{plain_markdown(one.title)}**, queue {queue.version}{for_you}")
        waiting = done.disagreements + done.needs_review
        parts = [f"{done.done:,} of {done.size:,} cards done"]
        parts += [f"{waiting:,} wait for a second look"] if waiting else []
        parts += [f"{count:,} by {name}" for name, count in sorted(done.by_annotator.items())]
        parts += [f"assigned to {', '.join(one.assigned)}"] if one.assigned else []
        parts += [f"last answer {day(one.last_at)} by {one.last_by}"] if one.last_by else ["no answer yet"]
        words.caption(plain_markdown(" · ".join(parts)))
        button.button(
            "Open",
            key=f"review-open-{queue.id}",
            type="primary" if primary else "secondary",
            on_click=safely(open_queue),
            args=(one,),
            width="stretch",
        )


def open_queue(one: Overview) -> None:
    """Work on the data of this queue; a callback."""
    try:
        state.put(from_json(json.dumps(one.settings["settings"])))
    except (KeyError, SettingsError):
        st.toast("This queue was made by another program: its data cannot be opened here.", icon=":material/warning:")
        return
    state.look(version=one.queue.version, place=None, panel="review")
    _stay()


def _stay() -> None:
    enter()
    st.session_state[LISTED] = False
