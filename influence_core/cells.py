"""Cells that a spreadsheet would run: one rule for every CSV that is written here, and the way back when it is read.

A cell that starts with = + - @, a tab or a line break is a formula for Excel and LibreOffice (OWASP, CSV injection);
their full-width forms are too in some languages, and what stands before them, blank or quotation mark, may get lost on
the way.  An apostrophe in front makes it text.  Plain numbers stay numbers.
"""

from __future__ import annotations

import csv
import re
from numbers import Number

import pandas as pd
from pandas.api import types

# In the words that Python and JavaScript share: the browser makes files too.  An apostrophe more changes nothing.
FORMULA = (
    r"^(?!'*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+|[Ii]nf(?:inity)?)(?:[eE][+-]?[0-9]+)?(?![\s\S]))"
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff'\x22]*"
    r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
)
_RISKY = re.compile(FORMULA)
_FRAGILE = re.compile(r"(?:^|,) |\r", re.MULTILINE)  # a blank that readers skip, a return that they take for a line end


def neutral(text: str) -> str:
    """The text with one apostrophe more, where a spreadsheet might run it or where it looks as if this had been done.

    Returns:
        A text that no spreadsheet runs.
    """
    return f"'{text}" if _RISKY.match(text) else text


def restored(text: str) -> str:
    """Inverse of :func:`neutral`, for every text."""
    return text[1:] if text.startswith("'") and _RISKY.match(text) else text


def to_csv(frame: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV without an index, whose cells and column names no spreadsheet runs."""
    safe = frame.rename(columns=lambda name: neutral(str(name)))
    for index, kind in enumerate(frame.dtypes):
        if not types.is_numeric_dtype(kind):
            safe.isetitem(index, [_safe(cell) for cell in frame.iloc[:, index].tolist()])
    text: str = safe.to_csv(index=False, lineterminator="\n")
    if _FRAGILE.search(text):
        text = safe.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text.encode()


def as_written(frame: pd.DataFrame) -> pd.DataFrame:
    """A table that was read from a CSV file as it was before :func:`to_csv`; other tables stay as they are.

    Returns:
        The table, column names too.
    """
    found = frame.rename(columns=lambda name: restored(str(name)))
    for index, kind in enumerate(frame.dtypes):
        cells = frame.iloc[:, index]
        if not types.is_numeric_dtype(kind) and cells.astype(str).str.startswith("'").any():
            found.isetitem(index, [restored(cell) if isinstance(cell, str) else cell for cell in cells.tolist()])
    return found


def _safe(cell: object) -> object:
    """Also of what is neither text nor number, such as a negative duration."""
    return cell if isinstance(cell, Number) or not _RISKY.match(text := str(cell)) else f"'{text}"
