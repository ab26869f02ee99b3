"""Evidence from the influence core: who supports the label, who contradicts it, and what a relabel would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.browser.strips import Strip
from pages.components.lenses import LENSES, Strongest, lens_of
from pages.components.review import counter, keys, shelf, tinted
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.review.example import decisive, html_table, originals_of
from pages.components.session import cached, state
from pages.components.session.door import annotating
from pages.components.session.words import Form, form_of, plain_markdown, signed
from pages.components.widgets import job_panel

if TYPE_CHECKING:
    from influence_core.analysis import Case
    from influence_core.data import Split
    from influence_core.reviewing import Recipe, Scored


EFFECT = "if-effect"
LISTED = 6  # classes beside the card; of more, the likeliest


def relabelling(desk: Desk, served: Served, recipe: Recipe) -> None:
    """The effect of every relabel, where the model is here."""
    scored = shelf.shelf().model(recipe)
    found = None if scored is None else shelf.shelf().case(recipe, scored, served.card.position)
    if found is not None:
        relabel(desk, served, found)


def evidence(desk: Desk, served: Served, recipe: Recipe) -> None:
    """Supporting and contradicting training examples, and the strongest counter-example."""
    scored = shelf.ready(recipe)
    if scored is None:
        job_panel.panel(shelf.work(recipe))
        return
    found = shelf.shelf().case(recipe, scored, served.card.position)
    if found is None:
        st.info("This example has left the data, so that the model has no evidence about it.")
        return
    witnesses(desk, scored, found, recipe)
    counter.counter(desk, served, scored, found)


def relabel(desk: Desk, served: Served, found: Case) -> None:
    """Change of the mean validation loss for every class the point might get."""
    st.markdown("**What a relabel would do**")
    if found.relabel is None:
        st.caption("The model knows no relabel effect: it has no class probabilities.")
        return
    names = desk.queue.class_names
    table = relabel_table(found, names, keys.digits(names, served.card))
    lines = [tuple(map(str, line)) for line in table.to_numpy().tolist()]
    first = range(len(names)) if len(names) <= LISTED else dict.fromkeys([found.given, *served.card.likely])
    near = sorted([*first][:LISTED])
    st.html(html_table(tuple(table.columns), [lines[k] for k in near], EFFECT))
    if rest := [line for k, line in enumerate(lines) if k not in near]:
        with st.expander(f"The other classes: {len(rest)}"):
            st.html(html_table(tuple(table.columns), rest, EFFECT))
    note = "" if found.relabel_newton is not None else " One-step Newton is not defined for this model."
    st.caption(
        "Predicted change of the mean validation loss, nats, when the example gets that class: − better, + worse."
        + note
    )


def relabel_table(found: Case, class_names: tuple[str, ...], digits: Mapping[str, int]) -> pd.DataFrame:
    """One row per class.

    Returns:
        Texts: class, key, p, first order, Newton.
    """
    belief = found.cross_validated if found.cross_validated is not None else found.probabilities
    columns = {"class": [name + (" (given)" if k == found.given else "") for k, name in enumerate(class_names)]}
    key_of = {label: key for key, label in digits.items()}
    columns["key"] = [key_of.get(label, "") for label in range(len(class_names))]
    if belief is not None:
        columns["p"] = [f"{value:.3g}" for value in belief]
    if found.relabel is not None:
        columns["first order"] = [signed(float(value)) for value in found.relabel]
    if found.relabel_newton is not None:
        columns["one-step Newton"] = [signed(float(value)) for value in found.relabel_newton]
    return pd.DataFrame(columns)


def witnesses(desk: Desk, scored: Scored, found: Case, recipe: Recipe) -> None:
    """The training examples that hold the label up, and those that speak against it."""
    label = desk.queue.class_names[found.given]
    what = f"p({label})" if found.quantity == "probability" else f"the margin of {label}"
    titles = (
        f"Support {label}: without one of these {what} falls",
        f"Contradict it: without one of these {what} rises",
    )
    train, change = scored.split.train, np.zeros(len(scored.split.train))
    supports, contradicts = ([one.row for one in side] for side in (found.supports, found.contradicts))
    change[[*supports, *contradicts]] = [one.change for one in (*found.supports, *found.contradicts)]
    unit = "change of p" if found.quantity == "probability" else "change of the margin"
    content = Strip(
        f"{found.id}, given label {label}", supports, contradicts, change, form_of(change, unit), titles=titles, asked=0
    )  # the card shows it already
    asked, names = train.take(np.array([found.row])), desk.queue.class_names
    captions = {row: f"{train.ids[row]}: {names[int(train.y[row])]}" for row in (*supports, *contradicts)}
    points = Strongest(
        train, asked, captions, content, lambda position: state.look(train=position), "review-witnesses",
        lambda: _tables(desk, found, scored, content), originals_of(recipe, train, [*supports, *contradicts]),
    )  # fmt: skip
    lens_of(train).strongest(points)
    st.caption(
        f"Predicted change of {plain_markdown(what)} of this example when that training example leaves, first order."
    )


def _tables(desk: Desk, found: Case, scored: Scored, content: Strip) -> None:
    split = scored.split
    rows = lens_of(split) is LENSES["row"]  # other kinds have cells of their own
    columns = decisive(split, cached.problem(scored.recipe.settings).columns, found) if rows else []
    sides = (content.helpful, content.harmful)
    if split.train.texts is not None:
        for column, title, side in zip(st.columns(2), content.titles, sides, strict=True):
            with column:
                st.markdown(f"**{plain_markdown(title)}**")
                heads = [_head(scored, content, row) for row in side]
                tinted.side(scored, side, heads, (found.given, found.suggestion))
        return
    table = witness_table([found.row, *chain(*sides)], content.scores, split, content.form)
    table.iloc[0, :3] = ["this one", desk.queue.class_names[found.given], ""]
    for name, texts in columns:
        table[name] = [texts(row) for row in (found.row, *chain(*sides))]
    lines = [tuple(map(str, line)) for line in table.to_numpy().tolist()]
    middle = 1 + len(sides[0])
    lines[middle:middle], lines[1:1] = [(content.titles[1],)], [(content.titles[0],)]
    st.html(html_table(tuple(map(str, table.columns)), lines, "if-said if-row" if rows else "if-said"))


def _head(scored: Scored, content: Strip, row: int) -> str:
    """Id, label and change of one witness."""
    train, form = scored.split.train, content.form
    label = train.class_names[int(train.y[row])]
    return f"{train.ids[row]} · {label} · {form.text(float(content.scores[row]))} {form.scaled_unit}"


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
