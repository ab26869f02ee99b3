"""Evidence from the influence core: who supports the label, who contradicts it, and what a relabel would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.browser.strips import Strip, strip
from pages.components.review import counter, keys, shelf
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session import cached, state
from pages.components.session.door import annotating
from pages.components.session.words import plain_markdown, signed
from pages.components.widgets import job_panel

if TYPE_CHECKING:
    from influence_core.analysis import Case
    from influence_core.data import Split
    from influence_core.reviewing import Recipe, Scored


def relabelling(desk: Desk, served: Served, recipe: Recipe) -> None:
    """The effect of every relabel, where the model is here."""
    scored = shelf.shelf().model(recipe)
    found = None if scored is None else shelf.shelf().case(recipe, scored, served.card.position)
    if found is not None:
        relabel(desk, found)


def evidence(desk: Desk, served: Served, recipe: Recipe) -> None:
    """Supporting and contradicting training examples, and the strongest counter-example."""
    scored = shelf.ready(recipe)
    if scored is None:
        job_panel.panel(shelf.work(recipe))
        return
    found = shelf.shelf().case(recipe, scored, served.card.position)
    if found is None:
        st.info("This example has left the training set, so that the model has no evidence about it.")
        return
    witnesses(desk, scored, found)
    counter.counter(desk, served, scored, found)


def relabel(desk: Desk, found: Case) -> None:
    """Change of the mean validation loss for every class the point might get."""
    st.markdown("**What a relabel would do**")
    if found.relabel is None:
        st.caption("Needs a validation split: set the validation fraction on the Data page above 0, then make a queue.")
        return
    st.table(relabel_table(found, desk.queue.class_names).set_index("class"))
    note = "" if found.relabel_newton is not None else " One-step Newton is not defined for this model."
    st.caption(
        "Predicted change of the mean validation loss, nats, when the example gets that class: − better, + worse."
        + note
    )


def relabel_table(found: Case, class_names: tuple[str, ...]) -> pd.DataFrame:
    """One row per class.

    Returns:
        Texts: class, key, p, first order, Newton.
    """
    belief = found.cross_validated if found.cross_validated is not None else found.probabilities
    columns = {
        "class": [plain_markdown(name) + (" (given)" if k == found.given else "") for k, name in enumerate(class_names)]
    }
    columns["key"] = [key or "" for key in keys.digits(class_names)]
    if belief is not None:
        columns["p"] = [f"{value:.3g}" for value in belief]
    if found.relabel is not None:
        columns["first order"] = [signed(float(value)) for value in found.relabel]
    if found.relabel_newton is not None:
        columns["one-step Newton"] = [signed(float(value)) for value in found.relabel_newton]
    return pd.DataFrame(columns)


def witnesses(desk: Desk, scored: Scored, found: Case) -> None:
    """The training examples that hold the label up, and those that speak against it."""
    label = desk.queue.class_names[found.given]
    what = f"p({label})" if found.quantity == "probability" else f"the margin of {label}"
    titles = (
        f"Support {label}: without one of these {what} falls",
        f"Contradict it: without one of these {what} rises",
    )
    sides = [[(scored.position(w.row), w.change) for w in side] for side in (found.supports, found.contradicts)]
    if scored.split.train.images is not None:
        _strips(desk, scored, found, sides, titles)
    else:
        for column, title, side in zip(st.columns(2), titles, sides, strict=True):
            with column:
                st.markdown(f"**{plain_markdown(title)}**")
                st.table(witness_table(side, scored.split).set_index("id"))
    st.caption(
        f"Predicted change of {plain_markdown(what)} of this example when that training example leaves, first order."
    )


def _strips(
    desk: Desk, scored: Scored, found: Case, sides: list[list[tuple[int, float]]], titles: tuple[str, str]
) -> None:
    train, names = scored.split.train, desk.queue.class_names
    assert train.images is not None  # data without are shown in tables
    change = np.zeros(len(train))
    for position, value in (*sides[0], *sides[1]):
        change[position] = value
    content = Strip(
        train.images[scored.position(found.row)],
        f"{found.id}, given label {names[found.given]}",
        [position for position, _ in sides[0]],
        [position for position, _ in sides[1]],
        change,
        "change of p" if found.quantity == "probability" else "change of the margin",
        None,
        titles,
    )
    captions = {row: f"{train.ids[row]}: {names[int(train.y[row])]}" for row, _ in (*sides[0], *sides[1])}
    strip(train.images, captions, content, lambda position: state.look(train=position), "review-witnesses")


def witness_table(side: list[tuple[int, float]], split: Split) -> pd.DataFrame:
    """Rows that speak for or against, with their labels.

    Returns:
        Columns id, label, change.
    """
    train = split.train
    return pd.DataFrame(
        {
            "id": [str(train.ids[position]) for position, _ in side],
            "label": [train.class_names[int(train.y[position])] for position, _ in side],
            "change": [signed(value) for _, value in side],
        }
    )


def prefetch(desk: Desk, recipe: Recipe) -> None:
    """Evidence of the next cards, made while this one is looked at."""
    scored = shelf.shelf().model(recipe)
    if scored is None:
        return
    try:
        following = annotating.lookahead(
            cached.store(), desk.queue.id, desk.person.name, shelf.AHEAD, desks.only(desk.queue)
        )
    except annotating.StoreUnavailable:
        return  # the card has said so
    shelf.shelf().ahead(recipe, scored, following)
