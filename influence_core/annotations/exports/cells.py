"""Tables as CSV that no spreadsheet runs, and back."""

from __future__ import annotations

import csv
import io

import pandas as pd
from pandas.api import types

from influence_core.annotations.errors import AnnotationError
from influence_core.cells import neutral, restored

READ = 200 * 2**20  # bytes


def to_csv(frame: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV without an index, with texts and column names that no spreadsheet runs.

    Returns:
        The file.
    """
    safe = frame.rename(columns=lambda name: neutral(str(name)))
    for index, name in enumerate(frame.columns):
        if not types.is_numeric_dtype(frame[name]) and not types.is_bool_dtype(frame[name]):
            safe.isetitem(index, [neutral(cell) if isinstance(cell, str) else cell for cell in frame[name]])
    text: str = safe.to_csv(index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    return text.encode()


def read_csv(content: bytes) -> pd.DataFrame:
    """An exported CSV as it was before its cells were made harmless.

    Returns:
        The table.

    Raises:
        AnnotationError: too large, or no such file.
    """
    if len(content) > READ:
        raise AnnotationError(f"Expected a file of at most {READ >> 20} MB, got {len(content) >> 20} MB.")
    try:
        frame = pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeError, pd.errors.ParserError):
        raise AnnotationError("Expected a CSV file in UTF-8, as it was exported: export it again.") from None
    for index, name in enumerate(frame.columns):
        if not types.is_numeric_dtype(frame[name]):
            frame.isetitem(index, [restored(cell) if isinstance(cell, str) else cell for cell in frame[name]])
    return frame.rename(columns=restored)
