"""The training points that matter most to each of two models, side by side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.browser.strips import Strip
from pages.components.lenses import Strongest, lens_of
from pages.components.session import cached, state
from pages.components.session.words import Form, form_of, plain_markdown

if TYPE_CHECKING:
    from influence_core.teaching import Joined

TOP = 6


def strongest(joined: Joined, names: tuple[str, str]) -> None:
    """The strongest training points of both models, side by side."""
    st.subheader("The training points that matter most to each", anchor=False)
    split = cached.problem(state.settings()).split
    asked = split.test.take(np.array([state.test()]))
    labels = lens_of(split).hover(split.train, split.original_y)
    for column, which, name in zip(st.columns(2, gap="medium"), ("first", "second"), names, strict=True):
        with column:
            st.markdown(f"**{plain_markdown(name)}**")
            rows = joined.top(which, TOP, 1).tolist(), joined.top(which, TOP, -1).tolist()
            content = Strip(
                lens_of(split).hover(asked, None)[0], *rows, joined.table[which].to_numpy(),
                _form(joined, which), file=f"compare-{which}",
            )  # fmt: skip
            table = partial(_table, top_table(joined, which, labels, rows), name)
            lens_of(split).strongest(
                Strongest(split.train, asked, labels, content, state.choose_train, content.file, table)
            )


def _form(joined: Joined, which: str) -> Form:
    """One factor for the scores of both models where they have one unit."""
    both = ["first", "second"] if joined.units[0] == joined.units[1] else [which]
    return form_of(joined.table[both].to_numpy(), joined.units[which == "second"])


def _table(frame: pd.DataFrame, name: str) -> None:
    narrow = {column: st.column_config.Column(width=90) for column in frame.columns[1:]}
    label = f"Strongest training points of {name}, their rank here and for the other model"
    st.dataframe(frame, hide_index=True, column_config=narrow, alt=label)


def top_table(joined: Joined, which: str, labels: list[str], rows: tuple[list[int], list[int]]) -> pd.DataFrame:
    """The strongest helpful and harmful points of one model with their rank in the other."""
    other, form = "second" if which == "first" else "first", _form(joined, which)
    chosen = [*rows[0], *rows[1]]
    return pd.DataFrame(
        {
            "training point": [labels[i] for i in chosen],
            f"score, {form.scaled_unit}": [form.text(float(joined.table[which][i])) for i in chosen],
            "rank here": joined.table[f"rank_{which}"].to_numpy()[chosen],
            "rank there": joined.table[f"rank_{other}"].to_numpy()[chosen],
        }
    )
