"""How a column of an uploaded file is read: the guess, and another way where a person says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.data.uploads import Choice, Column, ColumnMapping, Raw

COLUMN, READ_AS, MISSING = "upload.column", "upload.read_as", "upload.missing"
RAW, MAPPING, SEEN, PROBLEM = "upload.raw", "upload.mapping", "upload.seen", "upload.problem"
KEPT = (COLUMN, READ_AS, MISSING, SEEN, PROBLEM)
WORDS = ("-999", "-99", "9999", "0")
READINGS = {
    "": "As guessed",
    "number": "Numbers",
    "number with decimal point": "Numbers with a decimal point (1,234.5)",
    "number with decimal comma": "Numbers with a decimal comma (1.234,5)",
    "category": "Categories",
    "date": "Dates, used as their parts",
    "date, day first": "Dates, day first (31/12/2024)",
    "date, month first": "Dates, month first (12/31/2024)",
}


def choose_reading(raw: Raw, columns: Sequence[Column], mapping: ColumnMapping) -> None:
    """One column at a time: what its cells are, and which words among them are missing values."""
    names = [column.name for column in columns if column.kind != "numbers"]
    changed = {choice.column for choice in mapping.readings}
    what, how, gaps = st.columns([3, 3, 4])
    if st.session_state.get(COLUMN) not in {None, *names}:
        st.session_state.pop(COLUMN)
    name = what.selectbox(
        "Read a column another way",
        names,
        index=None,
        key=COLUMN,
        placeholder="Choose a column",
        format_func=lambda name: f"{name} (changed)" if name in changed else name,
        on_change=safely(_show),
        help="What its cells are, and which words in it count as missing, such as NA, None or -999.",
    )
    column = next((column for column in columns if column.name == name), None)
    if column is None:
        return
    choice = chosen(mapping, column.name)
    st.session_state.setdefault(READ_AS, choice.read_as)
    st.session_state.setdefault(MISSING, list(column.gaps if choice.missing is None else choice.missing))
    reading = raw.readings.get(column.name)
    titles = READINGS | ({"": f"As guessed ({reading.kind})"} if reading else {})
    how.selectbox(
        "Its cells are", list(READINGS), key=READ_AS, format_func=titles.__getitem__, on_change=safely(_take_kind)
    )
    options = [*dict.fromkeys([*st.session_state[MISSING], *column.gaps, *column.doubts, *WORDS])]
    gaps.multiselect(
        "Counts as missing, beside empty cells",
        options,
        key=MISSING,
        accept_new_options=True,
        on_change=safely(_take_gaps),
        placeholder="Nothing; type a word to add one",
    )
    if st.session_state.get(PROBLEM):
        st.error(plain_markdown(st.session_state[PROBLEM]), icon=":material/warning:")


def chosen(mapping: ColumnMapping, name: str) -> Choice:
    """What a person said about a column; the guess where nothing was said."""
    found: Choice = next((choice for choice in mapping.readings if choice.column == name), core.uploads.Choice(name))
    return found


def understood(raw: Raw, mapping: ColumnMapping) -> tuple[Raw, tuple[Column, ...]]:
    """The file read as a person says, and its columns; kept until something else is said."""
    kept = st.session_state.get(SEEN)
    if kept is None or kept[0] != mapping.readings:
        seen = core.uploads.reread(raw, mapping.readings)
        kept = st.session_state[SEEN] = mapping.readings, (seen, core.uploads.describe_columns(seen))
    found: tuple[Raw, tuple[Column, ...]] = kept[1]
    return found


def _show() -> None:
    # The widgets of another column start from what is said about that one.
    for key in (READ_AS, MISSING, PROBLEM):
        st.session_state.pop(key, None)


def _take_kind() -> None:
    _take(replace(_old(), read_as=st.session_state[READ_AS]))


def _take_gaps() -> None:
    _take(replace(_old(), missing=tuple(st.session_state[MISSING])))


def _old() -> Choice:
    return chosen(st.session_state[MAPPING], st.session_state[COLUMN])


def _take(new: Choice) -> None:
    """Read the column as was said; one that can be a feature now becomes one, and a target is looked at again."""
    mapping: ColumnMapping = st.session_state[MAPPING]
    others = [choice for choice in mapping.readings if choice.column != new.column]
    said = [new] if new.read_as or new.missing is not None else []
    mapping = replace(mapping, readings=tuple([*others, *said]))
    _show()
    try:
        seen, _ = understood(st.session_state[RAW], mapping)
    except core.EXPECTED_ERRORS as error:
        st.session_state[PROBLEM] = str(error)
        return
    if new.column == mapping.target:
        mapping = replace(mapping, task=core.uploads.guess_task(seen, mapping.target))
        st.session_state.pop("upload.task", None)
    elif new.column not in {*mapping.features, mapping.id, mapping.split}:
        mapping = replace(mapping, features=(*mapping.features, new.column))
        st.session_state.pop("upload.left_out", None)
    st.session_state[MAPPING] = mapping
