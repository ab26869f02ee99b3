"""What one browser session has chosen: the Settings and the View.  The URL mirrors both."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from influence_core.settings import Settings, Value
from pages.components.session import links
from pages.components.session import view as views
from pages.components.session.view import View

# Selections that name rows or columns.
FRESH = (
    "test", "train", "ask", "tests", "group", "group_open", "threshold", "axes", "feature", "output", "given",
    "instead", "word",
)  # fmt: skip
CLOSED: dict[str, Any] = {"lesson": "", "step": 1, "tune": ""}  # what the view says where no lesson is open
NOTES = "state.notes"
START = "state.start"  # the test point that nobody chose
ASIDE = "state.aside"
IN_FLIGHT = 1.0  # seconds in which a click may still carry the address from before the last change


@dataclass(frozen=True)
class Aside:
    """The problem of one's own while that of a lesson is on the screen.

    Attributes:
        settings: of one's own.
        view: of one's own.
        along: settings of the lesson that were taken to another page on purpose; None while they stay in the lesson.
    """

    settings: Settings
    view: View
    along: Settings | None = None


def restore() -> None:
    """Take the choices from the link on the first run of a session, and when the browser goes Back or Forward."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    if "settings" in st.session_state and not _went_back(query):
        return
    take(links.read(query))


def _went_back(query: dict[str, list[str]]) -> bool:
    """Whether the address is another one than the last written here, though nothing was chosen since."""
    # A click that the browser sends before it has seen the newest address looks alike for a moment.
    written, when = st.session_state.get("mirrored", ({}, 0.0))
    single = {name: values[-1] for name, values in query.items()}
    return bool(query) and single != written == link() and time.monotonic() - when > IN_FLIGHT


def take(chosen: links.Chosen) -> None:
    """Use the choices of a link or a file; what they ask for in vain is told by :func:`settle`."""
    own = aside()
    if chosen.view.lesson and "settings" in st.session_state:
        set_aside()  # the browser went back to a lesson
    elif own and not (own.along and own.along.data == chosen.settings.data):
        st.session_state.pop(ASIDE)
    st.session_state.settings, st.session_state.view = chosen.settings, chosen.view
    st.session_state.ignored, st.session_state.plain = chosen.problems, chosen.plain
    st.session_state.usual = chosen.usual


def settle() -> tuple[str, ...]:
    """Replace what the registries do not know, wherever it came from.

    Returns:
        A sentence for every part that had to be ignored, a few at most.
    """
    usual = st.session_state.pop("usual", False)
    st.session_state.settings, problems = links.known(settings(), usual)
    st.session_state.told = (*st.session_state.pop("ignored", ()), *problems)
    return links.told(st.session_state.told)


def tell_again() -> None:
    """Before a page runs once more on its own account: what was just told has not been read yet."""
    st.session_state.ignored = st.session_state.get("told", ())


def link() -> dict[str, str]:
    """The choices of this session as URL parameters."""
    return links.write(settings(), view())


def mirror() -> None:
    """Write the choices into the URL, so that the address bar always holds a link to this view."""
    query = link()
    if {name: st.query_params.get_all(name) for name in st.query_params} != {k: [v] for k, v in query.items()}:
        st.query_params.from_dict(query)
        st.session_state.mirrored = (query, time.monotonic())
    elif st.session_state.get("mirrored", ({},))[0] != query:
        st.session_state.mirrored = (query, 0.0)


def settings() -> Settings:
    """The settings of this session."""
    current: Settings = st.session_state.settings
    return current


def view() -> View:
    """What this session looks at."""
    current: View = st.session_state.view
    return current


def look(**values: Any) -> None:
    """Replace parts of the view."""
    st.session_state.view = replace(view(), **values)


def test() -> int:
    """Index of the selected test point."""
    return view().point


def start_at(test: int) -> None:
    """Ask about this test point where none was chosen."""
    if view().test is None:
        look(test=test)
        st.session_state[START] = test


def fit_in(train: int, test: int) -> tuple[str, ...]:
    """Look at points that exist, whatever was asked for; a sentence for every replacement."""
    st.session_state.view, problems = views.within(view(), train, test)
    return problems


def put(new: Settings) -> None:
    """Replace the settings; on other data the selections start anew, because they name rows."""
    old = settings()
    st.session_state.settings = new
    if (old.data, old.seed) != (new.data, new.seed):
        look(**{name: getattr(View(), name) for name in FRESH})
    if (old.data, old.model, old.seed) != (new.data, new.model, new.seed):
        look(compare=False, trial_damping=None)


def aside() -> Aside | None:
    """One's own problem, where a lesson's is on the screen instead."""
    found: Aside | None = st.session_state.get(ASIDE)
    return found


def set_aside(fresh: bool = False) -> None:
    """Keep one's own problem before a lesson takes the screen.

    Args:
        fresh: nothing was chosen yet, because the lesson was the link that opened the session.
    """
    here = Aside(Settings(), View()) if fresh else Aside(settings(), replace(view(), **CLOSED))
    st.session_state[ASIDE] = replace(aside() or here, along=None)


def take_along(new: Settings) -> None:
    """Go on with the problem of a lesson on other pages, on purpose; the way back stays."""
    set_aside()
    put(new)
    st.session_state[ASIDE] = replace(st.session_state[ASIDE], along=new)
    look(**CLOSED)


def back() -> None:
    """One's own problem again; a presentation goes on."""
    own: Aside | None = st.session_state.pop(ASIDE, None)
    if own is not None:
        st.session_state.settings, st.session_state.view = own.settings, replace(own.view, present=view().present)


def leave_lesson() -> None:
    """On a page that is no lesson: one's own problem, unless the lesson's was taken along and nothing else chosen."""
    own = aside()
    if own is not None and own.along is None:
        back()
    elif own is not None and own.along and own.along.data != settings().data:
        st.session_state.pop(ASIDE)
    if view().lesson:
        look(**CLOSED)


def note(sentence: str) -> None:
    """Tell something on the next page that is drawn, whatever caused it."""
    st.session_state[NOTES] = (*st.session_state.get(NOTES, ()), sentence)


def notes() -> tuple[str, ...]:
    """What is to be told, once."""
    found: tuple[str, ...] = st.session_state.pop(NOTES, ())
    return found


def redraw(points: str, keep: bool) -> None:
    """Another drawing; ``keep`` the selections where points only moved, so that the rows they name are the same."""
    current = settings()
    new = replace(current, data=replace(current.data, options=(("points", points),)))
    if keep:
        st.session_state.settings = new
    else:
        put(new)


def change(part: str | None = None, **values: Any) -> None:
    """Replace some settings, of ``part`` (data, model, solver) or of the top level."""
    current, before = settings(), view()
    if before.test == st.session_state.get(START):
        before = replace(before, test=None)
    if part is None:
        put(replace(current, **values))
    else:
        put(replace(current, **{part: replace(getattr(current, part), **values)}))
    if lost := views.lost(before, view()):
        note(f"Other data have other rows: {lost} no longer selected.")


def change_option(part: str, name: str, value: Value) -> None:
    """Set one option of the chosen dataset, model or solver."""
    options = dict(getattr(settings(), part).options) | {name: value}
    change(part, options=tuple(sorted(options.items())))


def choose_test(index: int) -> None:
    """Select a test point and ask about it; the selected training point stays: what does it do to this one?"""
    look(test=int(index), ask="test")


def choose_train(index: int | None) -> None:
    """Select a training point."""
    look(train=index)


def choose_group(text: str, keep_open: bool = False) -> None:
    """Let a group of training points leave together; the panel about it opens, and closes with an empty group.

    Args:
        text: rows of the group, see :func:`views.rows_of`.
        keep_open: leave the panel open without a group, for choices made in the panel itself.
    """
    look(group=text, group_open=True if keep_open and not text else None)


def start_over() -> None:
    """Back to what a newcomer gets."""
    take(links.Chosen(Settings(), View()))
    st.rerun()
