"""How a table is written, told by its first block: encoding, separator, decimal commas, dates."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from influence_core.cells import restored
from influence_core.data.uploads.decoding import as_utf8
from influence_core.data.uploads.layout import find_layout
from influence_core.data.uploads.moments import Order, moments, parts
from influence_core.data.uploads.numerals import Mark, numbers, plain_numbers
from influence_core.data.uploads.raw import Raw, column_names
from influence_core.data.uploads.text import read_text
from influence_core.data.uploads.texts import as_texts

FIRST = 2**20  # bytes
MARKS: tuple[Mark, ...] = (",", ".")
NEW_LINE = b"\n"


@dataclass(frozen=True)
class Dialect:
    """What the first block of a table says of all of it.

    Attributes:
        marks: columns of numbers that are no plain ones, with their decimal mark.
        dates: columns of dates, with which of day and month comes first.
        made: columns of dates, with the columns of numbers that each becomes.
        encoding: of a text.
        separator: between its fields.
        names: of its columns; "" for one that is empty and left out.
        skipped: characters before its first row.
        rows: all of its rows, where the first block holds them; else empty.
        notes: what was guessed, sentences for people.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)
    dates: Mapping[str, Order] = field(default_factory=dict)
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    encoding: str = "utf-8"
    separator: str = ","
    names: tuple[str, ...] = ()
    skipped: int = 0
    rows: str = ""
    notes: tuple[str, ...] = ()


def of_text(path: Path) -> Dialect:
    """The dialect of a text file; one that holds no table is a ``DataError``."""
    with path.open("rb") as file:
        content = file.read(FIRST)
        whole = not file.read(1)
    if not whole and b"\0" not in content:
        content = content[: content.rfind(NEW_LINE) + 1] or content
    raw = read_text(content)
    form = raw.form
    assert form is not None
    text = as_utf8(content, "" if form.encoding == "utf-8" else form.encoding)[0]
    layout = find_layout(text)
    names = column_names([restored(name.strip()) for name in layout.names])[0]
    empty = [not written and name not in raw.frame for name, written in zip(names, layout.names, strict=True)]
    names = ["" if gone else name for name, gone in zip(names, empty, strict=True)]
    above = text[: layout.start].decode()
    rows = text[layout.start : layout.end].decode() if whole else ""
    notes = [note for note in raw.notes if whole or not note.startswith("What stands below")]
    found = _of_columns(raw, raw.written if raw.written is not None else raw.frame)
    return Dialect(
        *found, form.encoding, form.separator, tuple(names), len(above), rows, tuple(notes)
    )  # fmt: skip


def of_frame(frame: pd.DataFrame) -> Dialect:
    """The dialect of a table whose columns have types: only dates become something else."""
    dates: dict[str, Order] = {
        str(name): "" for name, cells in frame.items() if pd.api.types.is_datetime64_any_dtype(cells)
    }
    made = {name: tuple(parts(name, frame[name])) for name in dates}
    notes = tuple(f"Column {name!r}: dates, as {', '.join(new)}." for name, new in made.items())
    return Dialect(dates=dates, made=made, notes=notes)


def _of_columns(
    raw: Raw, written: pd.DataFrame
) -> tuple[dict[str, Mark], dict[str, Order], dict[str, tuple[str, ...]]]:
    marks, dates, made = dict[str, Mark](), dict[str, Order](), dict[str, tuple[str, ...]]()
    for name, reading in raw.readings.items():
        texts = as_texts(written[name])
        if reading.kind == "date":
            found = moments(texts, compact=True)
            dates[name] = "" if found is None else found.order
            made[name] = tuple(parts(name, raw.frame[name]))
        elif reading.kind == "number" and plain_numbers(texts) is None:
            values = raw.frame[name].to_numpy(dtype=np.float64)
            for mark in MARKS:
                as_marked = numbers(texts, forced=mark)
                if as_marked is not None and np.allclose(as_marked.values, values, equal_nan=True):
                    marks[name] = mark
                    break
    return marks, dates, made


def text_chunks(path: Path, dialect: Dialect, rows: int) -> Iterator[pd.DataFrame]:
    """Cells of a text file as texts, some rows at a time, numbers and dates of other dialects made plain ones.

    Yields:
        A frame for each.
    """
    encoding = dialect.encoding
    with io.StringIO(dialect.rows) if dialect.rows else path.open(encoding=encoding, newline="") as file:
        if not dialect.rows:
            marked = file.read(1) == "\ufeff"
            file.seek(0)
            file.read(dialect.skipped + marked)
        blank = dialect.separator == " "
        reader = pd.read_csv(
            file, sep=r"\s+" if blank else dialect.separator, header=None, names=range(len(dialect.names)), dtype=str,
            chunksize=rows, keep_default_na=False, skipinitialspace=True, index_col=False,
        )  # fmt: skip
        for chunk in reader:
            kept = {name: chunk[place].fillna("") for place, name in enumerate(dialect.names) if name}
            yield plain(pd.DataFrame(kept, copy=False), dialect)


def plain(chunk: pd.DataFrame, dialect: Dialect) -> pd.DataFrame:
    """Numbers with a point, and dates as numbers; a cell that is neither stays as it is written."""
    columns = dict[str, pd.Series]()
    for name, cells in ((str(name), cells) for name, cells in chunk.items()):
        if name in dialect.marks:
            columns[name] = _numbers(cells, dialect.marks[name])
        elif name in dialect.made:
            columns |= _date(name, cells, dialect)
        else:
            columns[name] = cells
    return pd.DataFrame(columns, copy=False)


def _numbers(cells: pd.Series, mark: Mark) -> pd.Series:
    found = numbers(as_texts(cells), forced=mark)
    if found is None:
        return cells
    values = np.where(np.isnan(found.values), cells.to_numpy(dtype=object), found.values.astype(object))
    return pd.Series(values, index=cells.index)


def _date(name: str, cells: pd.Series, dialect: Dialect) -> dict[str, pd.Series]:
    if pd.api.types.is_datetime64_any_dtype(cells):
        when = cells
    else:
        texts: pa.Array = as_texts(cells)
        found = moments(texts, dialect.dates[name], compact=True)
        values = np.full(len(cells), np.datetime64("NaT", "us")) if found is None else found.values
        when = pd.Series(values, index=cells.index)
    numbered = {
        f"{name} {part}": getattr(when.dt, "day_of_week" if part == "weekday" else part).astype("float64")
        for part in ("year", "month", "day", "weekday", "hour", "minute")
    }
    return {new: numbered[new] for new in dialect.made[name]}
