"""Tables written as text: comma, semicolon, tab or bar between the fields, in the usual encodings."""

from __future__ import annotations

import codecs
import csv
import io
import re
from contextlib import suppress

import pandas as pd
from pandas.api import types

from influence_core.cells import as_written, restored
from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import CELLS, COLUMNS, ROWS, at_most, plain_text, quoted
from influence_core.data.uploads.raw import Raw, column_names

HEAD = 2**20
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECIMAL_COMMA, _DECIMAL_POINT = re.compile(r"\d,\d"), re.compile(r"\d\.\d")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def read_text(content: bytes) -> Raw:
    """The table in a text file; its first line names the columns, unless it holds numbers only.

    Returns:
        The table, with notes on encoding and separator where they are not UTF-8 and comma; what is no text, no
        table or too large is a ``DataError``.
    """
    content, encoding_note = _utf8(content)
    head = content[:HEAD].decode("utf-8", errors="ignore")
    separator = _separator(head)
    records = _records(head, separator)
    _check_size(content, records[0])
    headless = all(_NUMBER.fullmatch(name) for name in records[0])
    headers = [restored(name) for name in records[0]]
    names, name_notes = column_names([""] * len(headers) if headless else headers)
    comma = separator == ";" and bool(_DECIMAL_COMMA.search(head)) and not _DECIMAL_POINT.search(head)
    frame = as_written(_parse(content, separator, headless, "," if comma else ".")).set_axis(names, axis=1)
    at_most("rows", ROWS, len(frame), "take a random part of the rows")
    frame, further = _mended(frame)
    notes = (
        encoding_note,
        f"Fields are separated by {SEPARATORS[separator]}." if separator != "," else "",
        "Numbers are written with a decimal comma." if comma else "",
        "The first line holds numbers, so the columns were numbered." if headless else "",
        *(() if headless else name_notes),
        *further,
    )
    return Raw(frame, notes=tuple(note for note in notes if note))


def _utf8(content: bytes) -> tuple[bytes, str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16").encode(), "The file is written in UTF-16."
        except UnicodeError:
            raise DataError(
                "Expected text in UTF-16, as the first bytes say, got something else: save it again."
            ) from None
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        raise DataError("Expected a table as text, got NUL bytes: save it as CSV in UTF-8.")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), HEAD):
            decoder.decode(content[start : start + HEAD])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        note = "The file is not UTF-8 and was read as Latin-1: check letters with accents."
        return content.decode("latin-1").encode(), note
    return content, ""


def _separator(head: str) -> str:
    line = next((line for line in head.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=line.count)


def _records(head: str, separator: str) -> list[list[str]]:
    # The header and the first row; a quoted field may hold line ends.
    found: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(head, newline=""), delimiter=separator):
            if any(record):
                found.append(record)
            if len(found) == 2:
                break
    except csv.Error as error:
        raise DataError(
            f"Expected a table as text, got first lines that are none ({plain_text(error, 60)}): save it as CSV."
        ) from None
    if not found:
        raise DataError("Expected a table with a line of column names, got no text: choose another file.")
    return found


def _check_size(content: bytes, header: list[str]) -> None:
    at_most("columns", COLUMNS, len(header), "leave out some columns")
    lines = max(content.count(b"\n"), content.count(b"\r"))
    if b'"' not in content:  # otherwise a field may hold line ends, and the parser counts
        at_most("rows", ROWS, lines - 1, "take a random part of the rows")
    at_most("cells", CELLS, min(lines, ROWS) * len(header), "leave out some columns or rows")
    if len(header) < 2:
        got = f"one column, {plain_text(header[0], 30)!r}"
        raise DataError(
            f"Expected at least 2 columns between {', '.join(SEPARATORS.values())}, got {got}: save it as CSV."
        )


def _parse(content: bytes, separator: str, headless: bool, decimal: str) -> pd.DataFrame:
    width = len(_records(content[:HEAD].decode("utf-8", errors="ignore"), separator)[0])
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            header=None if headless else 0,
            # pandas would take a first row that is too long for one with a name of its own.
            index_col=None,
            nrows=ROWS + 1,
            decimal=decimal,
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, OverflowError, MemoryError) as error:
        reason = plain_text(str(error).removeprefix("Error tokenizing data. C error: "), 80).rstrip(".")
        raise DataError(
            f"Expected {width} fields in every line and quotation marks in pairs, got a table that breaks off "
            f"({reason}): mend that line."
        ) from None
    if frame.shape[1] != width or not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"Expected {width} fields in every line as in the first, got more in line 2: mend that line.")
    return frame


def _mended(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    # Whole numbers of more than 64 bits come as texts; columns without any value say nothing.
    notes = []
    empty = [name for name in frame.columns if frame[name].isna().all()]
    if empty and len(frame):
        frame = frame.drop(columns=empty)
        notes.append(f"{len(empty)} columns without any value were left out.")
    for name in frame.columns:
        if types.is_numeric_dtype(frame[name].dtype) or not _looks_numeric(frame[name]):
            continue
        with suppress(ValueError):  # further down stand texts
            frame = frame.assign(
                **{name: frame[name].map(lambda value: float(str(value)), na_action="ignore").astype("float64")}
            )
            notes.append(f"Column {quoted(name)} holds very long numbers; 16 digits of them are kept.")
    return frame, notes


def _looks_numeric(values: pd.Series) -> bool:
    first = values.dropna().head(20)
    return len(first) > 0 and all(_NUMBER.fullmatch(str(value)) for value in first)
