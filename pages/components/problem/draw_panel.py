"""A drawing on the Explore page: the board, what a stroke changes, and the history that a link does not hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from influence_core.settings import DataSettings, Settings
from pages.components.browser.board import Board, Colours, Event, board, half_for
from pages.components.browser.map import MapView
from pages.components.problem import suit
from pages.components.problem.draw_colours import colours_of, places
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.data import Split

SOURCE = "drawn"
KEY = "board"
EASEL = "draw.easel"
STEPS = 100  # strokes that can be undone
Picture = Callable[[], tuple[np.ndarray, MapView]]


@dataclass(frozen=True)
class Easel:
    """What a session keeps of a drawing beside its text.

    Attributes:
        points: the drawing that this belongs to; where another one stands in the settings, the history starts anew.
        settled: the drawing before the stroke in hand.
        past: drawings to go back to, oldest first.
        seq: number of the last event seen.
        live: the stroke goes on.
        follow: the rest of the page has yet to follow.
        refusal: why the last event was not taken.
        half: the plane reaches from −half to half.
    """

    points: str
    settled: str
    past: tuple[str, ...] = ()
    seq: int = 0
    live: bool = False
    follow: bool = False
    refusal: str = ""
    half: float = 0.0


def current() -> str:
    """The drawing of this session's settings as text: the option ``points``, or the usual drawing."""
    return str(dict(state.settings().data.options).get("points", core.drawn.DEFAULT))


def draw_panel(picture: Picture) -> None:
    """The board, in a fragment of its own: while a point is dragged it follows and nothing else is run.

    Args:
        picture: scores and view that the map would show for the settings of this session at the time it is called,
            which is after every stroke.
    """
    st.markdown("**Your training points, coloured by influence on the star**")
    _board(picture)


@st.fragment
def _board(picture: Picture | None) -> None:
    with guarded():
        suit.say_once()
        easel = _framed(_easel())
        colours, sentence = _answer(picture, easel.half)
        shown = Board(
            points=easel.points,
            half=easel.half,
            asked=_position("test", state.test()),
            selected=_position("train", state.view().train),
            seq=easel.seq,
            undo=bool(easel.past) or easel.live,
            sentence=easel.refusal or sentence,
            colours=colours,
        )
        board(shown, _edited, KEY)
        st.session_state[EASEL] = replace(easel, follow=False)
        if easel.follow:
            st.rerun()


def gate() -> bool:
    """Call it before a page computes anything: a drawing may be half done, and must stay editable then.

    A text that is no drawing, as a tampered link may hold it, is replaced by the usual drawing and said so.  A drawing
    without an analysis (one training point of a class, no minimum) is shown on a board alone, with the reason.

    Returns:
        Whether the page should stop here.
    """
    if state.settings().data.name != SOURCE:
        return False
    if problem := _unreadable(current()):
        st.warning(plain_markdown(f"{problem} The usual drawing is shown."), icon=":material/link_off:")
        state.change("data", options=())
    if not _trouble():
        return False
    left, _ = st.columns(2, gap="medium")  # where the board stands when there is an analysis
    with left:
        st.markdown("**Your points**")
        _board(None)
    return True


def edit_button(settings: Settings, split: Split) -> None:
    """Offer to go on by hand from any other data of two features and a few classes."""
    if settings.data.name == SOURCE or split.train.x.shape[1] != 2 or not split.train.classes:
        return
    try:
        points, why_not = core.drawn.draw(split), ""
    except core.EXPECTED_ERRORS as error:
        points, why_not = "", str(error)
    st.button(
        "Edit by hand",
        icon=":material/draw:",
        key="draw.edit",
        disabled=bool(why_not),
        on_click=safely(_take),
        args=(settings, points),
        help=why_not
        or "Add, drag, relabel and delete points. Coordinates are rounded to hundredths and used as they are, without "
        "standardising, so scores change a little. Points of the validation part are left out.",
    )


def _take(settings: Settings, points: str) -> None:
    old = state.view()
    data = DataSettings(SOURCE, (("points", points),), flip_fraction=settings.data.flip_fraction)
    state.put(replace(settings, data=data))
    state.look(test=old.test, train=old.train)  # the rows are the same


def data_options() -> None:
    """The Data page's part: where to draw, and the text of the drawing."""
    if problem := _unreadable(current()):
        st.warning(plain_markdown(f"{problem} The usual drawing is shown."), icon=":material/link_off:")
        state.change("data", options=())
    if st.button("Draw on the Explore page", icon=":material/draw:", type="primary", key="draw.open"):
        st.switch_page("pages/3_Explore.py")
    with st.expander("The drawing as text"):
        st.session_state["draw.text"] = current()
        st.text_area("Points", key="draw.text", on_change=safely(_typed), height=140, help="Ctrl+Enter takes the text.")
        st.caption(
            "A letter for the class, small for a training point and capital for a test point, then x1 and x2 in "
            "hundredths; a full stop between points. Test share and standardising do not apply."
        )
        if refusal := st.session_state.pop("draw.refused", ""):
            st.warning(plain_markdown(refusal), icon=":material/warning:")


def _typed() -> None:
    text = "".join(st.session_state["draw.text"].split())
    if problem := _unreadable(text):
        st.session_state["draw.refused"] = problem
    else:
        state.change_option("data", "points", text)


def _unreadable(text: str) -> str:
    """Why a text is no drawing; empty where it is one."""
    try:
        core.drawn.parse(text)
    except core.EXPECTED_ERRORS as error:
        return str(error)
    return ""


def _trouble() -> str:
    """Why there is no analysis of the drawing; empty where there is one.  A new class may call for another model."""
    try:
        suit.suit_model(cached.problem(state.settings()).split.train)
        cached.fit(state.settings())
    except core.EXPECTED_ERRORS as error:
        return str(error)
    return ""


def _answer(picture: Picture | None, half: float) -> tuple[Colours | None, str]:
    """Colours of the drawing, or the sentence why there are none."""
    trouble = _trouble()
    if trouble or picture is None:
        return None, trouble
    try:
        scores, view = picture()
    except core.EXPECTED_ERRORS as error:
        return None, str(error)
    return colours_of(cached.problem(state.settings()), scores, view, half), ""


def _positions(side: str) -> np.ndarray:
    """Position in the drawing of every row of the training or the test part."""
    with suppress(*core.EXPECTED_ERRORS):
        return places(getattr(cached.problem(state.settings()).split, side))
    points = core.drawn.parse(current())
    return np.array([k for k, point in enumerate(points) if point.test == (side == "test")], dtype=int)


def _position(side: str, row: int | None) -> int | None:
    found = _positions(side)
    return None if row is None or not 0 <= row < len(found) else int(found[row])


def _row(side: str, position: int | None) -> int | None:
    if position is None:
        return None
    found = np.flatnonzero(_positions(side) == position)
    return int(found[0]) if len(found) else None


def _easel() -> Easel:
    easel: Easel | None = st.session_state.get(EASEL)
    points = current()
    if easel is None or easel.points != points:
        return Easel(points, points, seq=easel.seq if easel else 0)
    return easel


def _framed(easel: Easel) -> Easel:
    """The plane grows when a stroke is over, never under a moving point."""
    if easel.live and easel.half:
        return easel
    reach = max((max(abs(p.x), abs(p.y)) / 100 for p in core.drawn.parse(easel.points)), default=0.0)
    return replace(easel, half=half_for(reach, easel.half))


def _edited(event: Event) -> None:
    """Take what the board sent: another drawing, other selections, or the wish to undo."""
    easel = replace(_easel(), seq=event.seq, refusal="")
    points, past = event.points, easel.past
    if points is None:  # a stroke in hand is undone before the one before it
        started = easel.points != easel.settled
        points = easel.settled if started or not past else past[-1]
        past = past if started else past[:-1]
    elif refusal := _unreadable(points):
        st.session_state[EASEL] = replace(easel, refusal=refusal, live=False)
        return
    elif not event.live and points != easel.settled:
        past = (*past, easel.settled)[-STEPS:]
    _redraw(easel.points, points, event)
    settled = easel.settled if event.live else points
    st.session_state[EASEL] = replace(
        easel, points=points, settled=settled, past=past, live=event.live, follow=not event.live
    )


def _redraw(before: str, points: str, event: Event) -> None:
    """Settings and selections after an event."""
    if points != before:
        moved = _kinds(points) == _kinds(before)
        state.redraw(points, keep=moved)
        if event.points is not None:
            row = _row("test", event.asked)
            state.look(test=0 if row is None else row, train=_row("train", event.selected))
        return
    row = _row("test", event.asked)
    if event.points is not None and row is not None and row != state.test():
        state.choose_test(row)
    elif event.points is not None:
        state.choose_train(_row("train", event.selected))


def _kinds(points: str) -> list[tuple[str, bool]]:
    return [(point.letter, point.test) for point in core.drawn.parse(points)]
