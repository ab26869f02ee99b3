"""For leads: how fast and how well everybody works, where people agree, and who takes what for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.review import shelf
from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating
from pages.components.widgets.chart_frame import twin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from influence_core.annotations import Answers, Right, Workmanship
    from influence_core.reviewing import Recipe


def people(desk: Desk, recipe: Recipe, said: Answers) -> None:
    """One line for each person, one for each class, and the confusions of a pair."""
    st.subheader("People", anchor=False)
    found = annotating.workers(cached.store(), said, desk.queue.dataset, truth(recipe, said))
    if not found:
        st.caption("Nobody has answered yet.")
        return
    table = people_table(found)
    st.dataframe(table, hide_index=True)
    twin(table, "people")
    st.caption(
        "Seconds: median time with a card. Became the outcome: of rows that somebody else has answered too. Planted "
        "flips: labels flipped on purpose on the Data page that got their own class back."
    )
    if len(said.annotators) > 1:
        left, right = st.columns(2)
        with left:
            st.markdown("**Equal answers by given class**")
            st.dataframe(class_table(said), hide_index=True)
        with right:
            _pair(said)


def truth(recipe: Recipe, said: Answers) -> NDArray[np.int64] | None:
    """(n,) labels before flipping, where some were flipped on purpose."""
    split = shelf.whole(recipe.settings).split
    if not split.flipped.any() or split.train.ids.tolist() != said.ids.tolist():
        return None
    return split.original_y.astype(np.int64)


def people_table(found: tuple[Workmanship, ...]) -> pd.DataFrame:
    """One row for each person."""
    return pd.DataFrame(
        {
            "who": [one.name for one in found],
            "answers": [one.answers for one in found],
            "seconds": [round(one.seconds, 1) for one in found],
            "became the outcome": [_words(one.outcome) for one in found],
            "on controls": [_words(one.controls) for one in found],
            "planted flips": [_words(one.planted) for one in found],
        }
    )


def class_table(said: Answers) -> pd.DataFrame:
    """One row for each class."""
    found = annotating.agreement_by_class(said)
    return pd.DataFrame({"given": list(said.class_names), "equal answers": [_words(one) for one in found]})


def _pair(said: Answers) -> None:
    names = list(said.annotators)
    one, two = st.columns(2)
    first = one.selectbox("Rows", names, 0, key="review.pair-rows")
    second = two.selectbox("Columns", names, 1, key="review.pair-columns")
    words = [*said.class_names, "exclude"]
    cells = annotating.confusion(said, (first, second))
    shown = np.flatnonzero(cells.sum(axis=0) + cells.sum(axis=1))
    names_shown = [words[k] for k in shown]
    st.dataframe(pd.DataFrame(cells[np.ix_(shown, shown)], index=names_shown, columns=_distinct(names_shown)))


def _distinct(names: list[str]) -> list[str]:
    """A class may be called "exclude" too."""
    return [name if name not in names[:k] else f"{name} (excluded)" for k, name in enumerate(names)]


def _words(found: Right) -> str:
    return f"{found.right} of {found.of} ({found.share:.0%})" if found.of else "–"
