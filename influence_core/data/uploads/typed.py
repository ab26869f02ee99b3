"""Cells that already have a type (of a spreadsheet, of JSON) become columns of one kind each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from influence_core.data.uploads.limits import quoted
from influence_core.data.uploads.raw import Reading

EXACT = 2**53  # whole numbers up to here are the same as a float
TEXT = Reading("text")  # of a column whose file says that it holds texts or categories
Column = tuple[pd.Series, str]


def column_of(name: str, cells: Sequence[object]) -> Column:
    """A column of the narrowest kind that holds every cell: None and "" are missing, mixed kinds become texts.

    Returns:
        The column, and a sentence where values were changed, else "".
    """
    if {*map(type, cells)} == {float}:  # the usual case, and many cells
        return _floats(name, np.array(cells)), ""
    known = [cell for cell in cells if not _is_missing(cell)]
    kinds = {_kind(cell) for cell in known}
    if kinds == {"true/false"} and len(known) == len(cells):
        return pd.Series([bool(cell) for cell in cells], name=name), ""
    if kinds == {"number"}:
        return _numbers(name, cells), ""
    if kinds == {"date"}:
        return _dates(name, cells)
    if kinds == {"duration"}:
        seconds = [np.nan if _is_missing(cell) else _seconds(cell) for cell in cells]
        return pd.Series(seconds, name=name), f"Column {quoted(name)} holds times and was read in seconds."
    texts = [None if _is_missing(cell) else as_text(cell) for cell in cells]
    return pd.Series(texts, name=name, dtype=object), ""


def as_text(cell: object) -> str:
    """A cell as a person would write it: 7.0 is 7, a day has no time.

    Returns:
        Text.
    """
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        return str(int(cell))
    if isinstance(cell, dt.datetime) and not cell.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def _is_missing(cell: object) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and np.isnan(cell))


def _kind(cell: object) -> str:
    if isinstance(cell, bool):
        return "true/false"
    if isinstance(cell, int | float):
        return "number"
    if isinstance(cell, dt.datetime | dt.date):
        return "date"
    return "duration" if isinstance(cell, dt.timedelta | dt.time) else "text"


def _numbers(name: str, cells: Sequence[object]) -> pd.Series:
    known = [cell for cell in cells if not _is_missing(cell)]
    if all(isinstance(cell, int) or cell.is_integer() for cell in known):  # type: ignore[attr-defined]
        whole = [None if _is_missing(cell) else int(cell) for cell in cells]  # type: ignore[call-overload]
        largest = max(abs(cell) for cell in whole if cell is not None)
        if largest >= 2**63:  # such long ones are names, and a float would keep 16 digits of them
            return pd.Series([None if cell is None else str(cell) for cell in whole], name=name, dtype=object)
        if len(known) == len(cells):
            return pd.Series(whole, name=name, dtype="int64")
        if largest > EXACT:
            return pd.Series(whole, name=name, dtype="Int64")
    return pd.Series([np.nan if _is_missing(cell) else cell for cell in cells], name=name, dtype="float64")


def _floats(name: str, cells: np.ndarray) -> pd.Series:
    whole = bool((cells == np.round(cells)).all() and (np.abs(cells) < EXACT).all())
    return pd.Series(cells.astype(np.int64) if whole else cells, name=name)


def _dates(name: str, cells: Sequence[object]) -> Column:
    moments = [None if _is_missing(cell) else cell for cell in cells]
    try:
        return pd.Series(pd.to_datetime(pd.Series(moments, dtype=object)), name=name), ""
    except (ValueError, OverflowError, TypeError):  # years before 1 or with and without a time zone
        texts = [None if cell is None else as_text(cell) for cell in moments]
        return pd.Series(texts, name=name, dtype=object), ""


def _seconds(cell: object) -> float:
    if isinstance(cell, dt.timedelta):
        return cell.total_seconds()
    assert isinstance(cell, dt.time)
    return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
