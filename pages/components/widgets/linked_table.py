"""A table of examples in which a picked row is the selected example, and the selected example is a picked row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.session.errors import safely

ROWS_SENT = 200  # more are in the CSV file; the browser should not wait for rows that nobody scrolls to
ROWS_SHOWN = 13
LONG, WIDE = 20, 150  # letters of a heading that would take the room of two columns, and the pixels it gets


def linked_table(
    frame: pd.DataFrame,
    selected: int | None,
    on_pick: Callable[[int], None],
    key: str,
    changes: Iterable[str] = (),
) -> None:
    """Draw the first rows; the selection follows the state, wherever it was made.

    Args:
        frame: in the order of interest, indexed by the example's number; a negative one cannot be picked.
        selected: example whose row is picked; it comes first where it is not among the first rows.
        on_pick: called with the number of the example whose row was picked.
        key: of the element.
        changes: columns whose numbers always have a sign.
    """
    rows = top_rows(frame, selected)
    places = [] if selected is None or selected not in rows.index else [rows.index.tolist().index(selected)]
    st.session_state[key] = {"selection": {"rows": places, "columns": [], "cells": []}}

    def picked() -> None:
        number = picked_row(rows, st.session_state[key])
        if number is not None and number >= 0:
            on_pick(number)

    st.dataframe(
        rows,
        key=key,
        on_select=safely(picked),
        selection_mode="single-row",
        hide_index=True,
        column_config=formats(rows, changes),
        height=36 * (1 + min(len(rows), ROWS_SHOWN)) + 2,
        alt=f"{len(rows)} rows, the strongest points first; picking one selects that example",
    )


def top_rows(frame: pd.DataFrame, selected: int | None) -> pd.DataFrame:
    """The rows that travel: the first ones, and above them the selected one if it lies further down."""
    rows = frame.iloc[:ROWS_SENT]
    if selected is None or selected in rows.index or selected not in frame.index:
        return rows
    return pd.concat([frame.loc[[selected]], rows])


def picked_row(rows: pd.DataFrame, event: object) -> int | None:
    """The example that a selection event of the browser names, or None where it names none."""
    chosen = event.get("selection") if isinstance(event, dict) else None
    places = chosen.get("rows") if isinstance(chosen, dict) else None
    if not isinstance(places, list) or len(places) != 1:
        return None
    place = places[0]
    return int(rows.index[place]) if type(place) is int and 0 <= place < len(rows) else None


def formats(frame: pd.DataFrame, changes: Iterable[str] = ()) -> dict[str, Any]:
    """Digits that count; columns of changes, whose largest is written in one to three digits, always have a sign."""
    chosen = set(changes)
    fractions = [name for name, kind in frame.dtypes.items() if pd.api.types.is_float_dtype(kind)]
    return {
        str(name): st.column_config.NumberColumn(
            format="%+.4f" if name in chosen else "%.4g", width=WIDE if len(str(name)) > LONG else None
        )
        for name in fractions
    }
