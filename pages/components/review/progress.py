"""How far the review is and what it brings: the list of cards, the curve where flips are known, and the refit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.review import curve, retrain, strip
from pages.components.review.desk import Desk
from pages.components.session import cached, state
from pages.components.session.door import annotating
from pages.components.session.words import plain_markdown
from pages.components.widgets.linked_table import linked_table

if TYPE_CHECKING:
    from influence_core.annotations import Item
    from influence_core.reviewing import Recipe

ANY = "any"
OPEN = "open"
STATES = {"": OPEN, "keep": "kept", "re-label": "relabelled", "exclude": "excluded", "review": "needs review"}


def progress(desk: Desk, recipe: Recipe) -> None:
    """Everything that shows how far the queue is."""
    strip.strip(strip.read(desk))
    people(desk)
    cards(desk)
    retrain.retrain(desk, recipe)
    curve.curve(desk, recipe)


def people(desk: Desk) -> None:
    """How many answers everybody gave; what they said is nobody else's business before one's own answer."""
    found = annotating.progress(cached.store(), desk.queue.id, desk.person.name).by_annotator
    if len(found) > 1:
        st.caption("Answers: " + ", ".join(f"{count:,} by {plain_markdown(name)}" for name, count in found.items()))


def cards(desk: Desk) -> None:
    """The cards of the queue with one's own answers; picking one opens it to look at."""
    st.subheader("Cards", anchor=False)
    found = annotating.items(cached.store(), desk.queue.id, desk.person.name)
    names = desk.queue.class_names
    one, two, three = st.columns(3)
    given = one.selectbox("Given label", [ANY, *names], key="review.filter-given")
    suggested = two.selectbox("Best alternative", [ANY, *names], key="review.filter-suggested")
    mine = three.selectbox("Your answer", [ANY, *STATES.values()], key="review.filter-mine")
    table = cards_table(found, names)
    for column, chosen in (("given", given), ("best alternative", suggested), ("your answer", mine)):
        if chosen != ANY:
            table = table[table[column] == chosen]
    if desk.queue.blind:
        table = table.drop(columns="best alternative")
    linked_table(table, state.view().place, lambda place: look_at(place), "review-cards")
    st.caption(f"{len(table):,} of {len(found):,} cards. Pick one to look at it under *Review* or change your answer.")


def look_at(place: int) -> None:
    """Open a card to look at."""
    state.look(place=place, panel="review")


def cards_table(found: tuple[Item, ...], names: tuple[str, ...]) -> pd.DataFrame:
    """One row per card, indexed by its place.

    Returns:
        Columns card, id, given, best alternative, your answer, new label, note.
    """
    labels = np.array([*names, ""], dtype=object)
    return pd.DataFrame(
        {
            "card": [item.place + 1 for item in found],
            "id": [item.name for item in found],
            "given": labels[[item.given for item in found]],
            "best alternative": labels[[item.suggested for item in found]],
            "your answer": [STATES[item.action] for item in found],
            "new label": labels[[-1 if item.label is None else item.label for item in found]],
            "note": [item.note for item in found],
        },
        index=[item.place for item in found],
    )
