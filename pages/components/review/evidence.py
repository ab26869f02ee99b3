"""Evidence from the influence core: who supports the label, who contradicts it, and what a relabel would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.browser.strips import Strip
from pages.components.lenses import Strongest, lens_of
from pages.components.review import counter, keys, shelf
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session import cached, state
from pages.components.session.door import annotating
from pages.components.session.words import Form, form_of, plain_markdown, signed
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
    train, change = scored.split.train, np.zeros(len(scored.split.train))
    supports, contradicts = ([scored.position(one.row) for one in side] for side in (found.supports, found.contradicts))
    change[[*supports, *contradicts]] = [one.change for one in (*found.supports, *found.contradicts)]
    unit = "change of p" if found.quantity == "probability" else "change of the margin"
    content = Strip(
        f"{found.id}, given label {label}", supports, contradicts, change, form_of(change, unit), titles=titles
    )
    asked, names = train.take(np.array([scored.position(found.row)])), desk.queue.class_names
    captions = {row: f"{train.ids[row]}: {names[int(train.y[row])]}" for row in (*supports, *contradicts)}
    points = Strongest(
        train, asked, captions, content, lambda position: state.look(train=position), "review-witnesses",
        lambda: _tables(scored.split, content),
    )  # fmt: skip
    lens_of(train).strongest(points)
    st.caption(
        f"Predicted change of {plain_markdown(what)} of this example when that training example leaves, first order."
    )


def _tables(split: Split, content: Strip) -> None:
    for column, title, side in zip(st.columns(2), content.titles, (content.helpful, content.harmful), strict=True):
        with column:
            st.markdown(f"**{plain_markdown(title)}**")
            st.table(witness_table(side, content.scores, split, content.form).set_index("id"))


def witness_table(rows: Sequence[int], change: np.ndarray, split: Split, form: Form) -> pd.DataFrame:
    """Examples that speak for or against, with their labels.

    Returns:
        Columns id, label, the change with its unit, and what else shows an example of this kind.
    """
    train = split.train.take(np.array(rows, int))
    frame = pd.DataFrame(
        {
            "id": train.ids.astype(object),
            "label": [train.class_names[int(label)] for label in train.y],
            form.scaled_unit: [form.text(float(change[row])) for row in rows],
        }
    )
    return lens_of(train).beside(frame, train, split.scaling)


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
