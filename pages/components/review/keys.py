"""The keys of a card, printed on buttons with words.  Streamlit does not fire them while somebody types in a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Card
    from influence_core.annotations.records import Action

TIPS = {
    "Q": "The given label is right.",
    "W": "The most probable other class is right.",
    "E": "No class fits, or the example is broken: it leaves the training set.",
    "N": "Somebody else should look.",
}
DIGITS = "0123456789"
HELP = """
| key | what it does |
|---|---|
| Q | keep the given label: *the label is right, the example is only rare or hard* |
| W | accept the suggestion |
| E | exclude: no class fits, or the example is broken |
| N | needs review: somebody else should look |
| 0–9 | relabel to that class |
| A | answer the near-duplicates along |
| S | skip: it comes back later, nothing is stored |
| U | undo the last answer, again and again |
| ← → | look at the card before or after, without answering |
| G | labelling guideline |
| H | this help |

Keys work while no text field has the focus: press Esc or click beside it. A key before the next card is on
screen, or within a quarter of a second after that, is taken for a slip and refused.
"""


def digits(names: Sequence[str]) -> list[str | None]:
    """The digit of every class: its own name where all names are single digits, else its number.

    Returns:
        None for all of them where there are more than ten classes, which need a select box.
    """
    if len(names) > len(DIGITS):
        return [None] * len(names)
    if all(len(name) == 1 and name in DIGITS for name in names):
        return list(names)
    return list(DIGITS[: len(names)])


def decisions(desk: Desk, served: Served, hidden: bool) -> None:
    """Keep, accept, exclude, needs review; and one button for every class."""
    card, off = served.card, not served.held
    names = desk.queue.class_names
    suggested = "suggestion" if hidden else plain_markdown(names[card.suggested])
    row: list[tuple[str, str, Action, int | None, bool, Literal["primary", "secondary"]]] = [
        ("Q", f"Keep: {plain_markdown(names[card.given])}", "keep", None, off, "primary"),
        ("W", f"Accept: {suggested}", "re-label", card.suggested, off or hidden, "secondary"),
        ("E", "Exclude", "exclude", None, off, "secondary"),
        ("N", "Needs review", "review", None, off, "secondary"),
    ]
    for column, (key, label, action, target, disabled, kind) in zip(st.columns(4), row, strict=True):
        column.button(
            label,
            key=f"review-{key}",
            shortcut=key,
            type=kind,
            help=TIPS[key],
            on_click=safely(desks.answer),
            args=(desk, card, action, target),
            disabled=disabled,
            width="stretch",
        )
    _classes(desk, card, off)


def _classes(desk: Desk, card: Card, off: bool) -> None:
    names = desk.queue.class_names
    keys = digits(names)
    if keys[0] is None:
        _select(desk, card, off)
        return
    for column, (label, key) in zip(st.columns(max(len(names), 5)), enumerate(keys), strict=False):
        column.button(
            plain_markdown(names[label]),
            key=f"review-class-{key}",
            shortcut=key,
            on_click=safely(desks.answer),
            args=(desk, card, "re-label", label),
            disabled=off,
            width="stretch",
            help="The given label: the same as to keep it." if label == card.given else None,
        )


def _select(desk: Desk, card: Card, off: bool) -> None:
    """More than ten classes: a select box, which finds by typing."""
    box, button = st.columns([3, 1], vertical_alignment="bottom")
    names = desk.queue.class_names
    label = box.selectbox(
        "Class", range(len(names)), None, names.__getitem__, key=desks.CHOSEN, placeholder="Type a class", disabled=off
    )
    button.button(
        "Relabel",
        key="review-relabel",
        on_click=safely(desks.answer),
        args=(desk, card, "re-label", label),
        disabled=off or label is None,
        width="stretch",
    )


def movements(desk: Desk, served: Served) -> None:
    """Skip, undo, previous, next, guideline, help."""
    card = served.card
    buttons: list[tuple[str, str, Callable[..., None], tuple[object, ...], bool, str]] = [
        ("S", "Skip", desks.skip, (desk, card), not served.held, "skip_next"),
        ("U", "Undo", desks.undo, (desk,), False, "undo"),
        ("Left", "Previous", desks.move, (card, -1), card.place == 0, "arrow_back"),
        ("Right", "Next", desks.move, (card, 1), card.place >= desk.queue.size - 1, "arrow_forward"),
        ("G", "Guideline", desks.flip, ("review.guideline",), False, "menu_book"),
        ("H", "Help", desks.flip, ("review.help",), False, "help"),
    ]
    for column, (key, label, call, args, disabled, icon) in zip(st.columns(6), buttons, strict=True):
        column.button(
            label,
            key=f"review-{key}",
            shortcut=key,
            type="tertiary",
            icon=f":material/{icon}:",
            on_click=safely(call),
            args=args,
            disabled=disabled,
            width="stretch",
        )
