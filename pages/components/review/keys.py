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
DIGITS, KEYS = "0123456789", "1234567890"  # the second as they lie on a keyboard
FEW, ROW = 5, 5  # classes that keep their digit whatever the card; buttons side by side
BOX = "L"  # opens the box of all classes
HELP = """
| key | what it does |
|---|---|
| Q | keep the given label: *the label is right, the example is only rare or hard* |
| W | accept the suggestion |
| E | exclude: no class fits, or the example is broken |
| N | needs review: somebody else should look |
| 0–9 | relabel to that class; of many classes the most probable ones have the digits |
| L | any other class: type two letters, Enter |
| A | answer the near-duplicates along |
| S | skip: it comes back later, nothing is stored |
| U | undo the last answer, again and again |
| ← → | look at the card before or after; at one of yours, a key changes your answer |
| G | labelling guideline |
| H | this help |

Keys work while no text field has the focus: Esc leaves it. A key before the next card is on
screen, or within a quarter of a second after that, is taken for a slip and refused.
"""


def digits(names: Sequence[str], card: Card) -> dict[str, int]:
    """The class of every digit: its own name where all names are single digits, else its number where there are few.

    Of many classes the most probable other ones come first, in the order of the keys; more than ten need a box too.

    Returns:
        Key to class, in the order of the buttons.
    """
    if all(len(name) == 1 and name in DIGITS for name in names):
        return {name: label for label, name in enumerate(names)}
    if len(names) <= FEW:
        return {DIGITS[label]: label for label in range(len(names))}
    likely = [label for label in card.likely if label != card.given]
    first = dict.fromkeys([*likely, *(label for label in range(len(names)) if label != card.given)])
    return dict(zip(KEYS, first, strict=False))


def decisions(desk: Desk, served: Served, hidden: bool) -> None:
    """Keep, accept, exclude, needs review; and one button for every class."""
    card, off = served.card, not served.answerable
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
    names, keys = desk.queue.class_names, digits(desk.queue.class_names, card)
    pairs = list(keys.items())
    width = len(pairs) if all(len(name) <= 2 for name in names) else ROW
    many = len(names) > len(DIGITS)
    for start in range(0, len(pairs), width):
        columns = st.columns(max(width, ROW) + many)
        for column, (key, label) in zip(columns, pairs[start : start + width], strict=False):
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
        if many and start + width >= len(pairs):
            with columns[-1]:
                _select(desk, card, off)


def _select(desk: Desk, card: Card, off: bool) -> None:
    """More than ten classes: a box that finds by typing; what is chosen there is the answer."""
    names = desk.queue.class_names

    def chosen() -> None:
        label = st.session_state.get(desks.CHOSEN)
        if label is not None:
            desks.answer(desk, card, "re-label", label)

    st.selectbox(
        f"Any class ({BOX}, then two letters and Enter)",
        range(len(names)),
        None,
        names.__getitem__,
        key=desks.CHOSEN,
        placeholder=f"Any class, {BOX}",
        label_visibility="collapsed",
        disabled=off,
        on_change=safely(chosen),
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
