"""Tables written as text: comma, semicolon, tab, bar or blanks between the fields, in the usual encodings."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from influence_core.cells import restored
from influence_core.data.dataset import DataError
from influence_core.data.uploads.decoding import as_utf8, encoding_of
from influence_core.data.uploads.layout import TextLayout, find_layout
from influence_core.data.uploads.limits import (
    COLUMNS,
    MEGABYTE,
    ROWS,
    TEXT_CELLS,
    at_most,
    counted,
    harmful,
    plain_text,
    quoted,
    were,
)
from influence_core.data.uploads.raw import GUESS, Raw, TableForm, column_names
from influence_core.data.uploads.separating import BLANKS, SEPARATORS, reader_of
from influence_core.data.uploads.understanding import understood

BLOCK = 16 * MEGABYTE


def read_text(content: bytes, asked: TableForm = GUESS) -> Raw:
    """The table in a text file.

    Returns:
        The table, its columns understood, with notes on all that had to be guessed; what is no text, no table or too
        large is a ``DataError``.
    """
    encoding = asked.encoding or encoding_of(content)
    content, encoding_note = as_utf8(content, asked.encoding)
    layout = find_layout(content, asked)
    _check_size(content, layout)
    names, name_notes = column_names([restored(name.strip()) for name in layout.names])
    table, mended = _parse(content[layout.start : layout.end], layout)
    at_most("rows", ROWS, table.num_rows, "take a random part of the rows")
    columns = {name: _plain(column, layout.padded) for name, column in zip(names, table.columns, strict=True)}
    repeated = _repeated(columns, layout)
    trailing = [name for name in _trailing(layout) if _is_empty(columns[names[name]])]
    rows, blank = _kept(columns)
    if repeated is not None:
        rows = pc.invert(repeated) if rows is None else pc.and_not(rows, repeated)
    frame = pd.DataFrame({
        name: column.to_pandas() if rows is None else column.filter(rows).to_pandas()
        for place, (name, column) in enumerate(columns.items()) if place not in trailing
    }, copy=False)  # fmt: skip
    notes = (
        encoding_note,
        *layout.notes,
        *mended,
        f"{counted(blank, 'empty row')} {were(blank)} left out." if blank else "",
        _again(repeated),
        "The empty field at the end of each line was left out." if trailing else "",
        *(note for note in name_notes if not layout.headless and not (trailing and "without a name" in note)),
    )
    form = TableForm(encoding, layout.separator, "", layout.line, "no" if layout.headless else "yes", asked.decimal)
    raw = Raw(frame, notes=tuple(n for n in notes if n), index=_index(layout, names[0], frame), asked=asked, form=form)
    return understood(raw, "," if layout.separator == ";" else "", asked.decimal)


def _check_size(content: bytes, layout: TextLayout) -> None:
    width = len(layout.names)
    at_most("columns", COLUMNS, width, "leave out some columns")
    lines = max(content.count(b"\n"), content.count(b"\r"))
    if b'"' not in content:  # otherwise a field may hold line ends, and the parser counts
        at_most("rows", ROWS, lines - 1, "take a random part of the rows")
    at_most("cells", TEXT_CELLS, min(lines, ROWS) * width, "leave out some columns or rows")
    if width < 2:
        got = f"one column, {plain_text(layout.names[0], 30)!r}" if layout.names[0] else "one column"
        raise DataError(
            f"Expected at least 2 columns between {', '.join(SEPARATORS.values())}, got {got}: save it as CSV."
        )


def _parse(content: bytes, layout: TextLayout) -> tuple[pa.Table, tuple[str, ...]]:
    if layout.separator == BLANKS or layout.spaced or content.count(b'"') % 2:
        content, notes = _mended(content, layout)
        return _table(content, layout, ","), notes
    try:
        return _table(content, layout, layout.separator), ()
    except pa.ArrowInvalid:  # lines of unequal length
        content, notes = _mended(content, layout)
        return _table(content, layout, ","), notes


def _table(content: bytes, layout: TextLayout, separator: str) -> pa.Table:
    names = [str(place) for place in range(len(layout.names))]
    if not content.strip(b"\r\n"):
        return pa.table({name: pa.array([], pa.large_string()) for name in names})
    return arrow_csv.read_csv(
        pa.BufferReader(content),
        arrow_csv.ReadOptions(column_names=names, block_size=min(max(len(content), 1), BLOCK)),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in content),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, check_utf8=False
        ),
    )


def _mended(content: bytes, layout: TextLayout) -> tuple[bytes, tuple[str, ...]]:
    """The same rows with as many fields as there are columns, between commas."""
    width, short, comments, buffer = len(layout.names), 0, 0, io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    lines = io.StringIO(content.decode("utf-8", errors="replace"), newline="")
    reader = reader_of(lines, layout.separator, layout.spaced, strict=True)
    row = 0
    try:
        for row, record in enumerate(reader, 1):
            fields = record[:width]
            if any(map(str.strip, record[width:])):
                raise DataError(
                    f"Expected {width} fields in every line, got {len(record)} in row {row:,}, which starts with "
                    f"{quoted(record[0])}: mend that line."
                )
            if not record or (record[0].startswith("#") and len(record) < width):
                comments += bool(record)
                continue
            short += len(fields) < width
            writer.writerow([*fields, *[""] * (width - len(fields))])
    except csv.Error as error:
        raise DataError(
            f"Expected {width} fields in every line and quotation marks in pairs, got a table that breaks off after "
            f"row {row:,} ({plain_text(error, 60)}): mend that line."
        ) from None
    notes = [
        f"The last fields of {counted(short, 'row')} are not there and count as missing." if short else "",
        f"{counted(comments, 'line')} with # in front {were(comments)} left out." if comments else "",
    ]
    return buffer.getvalue().encode(), tuple(note for note in notes if note)


def _plain(column: pa.ChunkedArray, padded: bool) -> pa.Array:
    """The cells as they were before a spreadsheet was kept from running them."""
    cells = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if padded:
        cells = pc.utf8_ltrim(cells, " ")
    marked = pc.starts_with(cells, "'")
    if not pc.any(marked).as_py():
        return cells
    return pa.array([restored(cell) for cell in cells.to_pylist()], pa.large_string())


def _repeated(columns: dict[str, pa.Array], layout: TextLayout) -> pa.Array | None:
    """Rows that are the line of names once more, as in files that were put together; None for none."""
    if layout.headless:
        return None
    found = None
    for cells, name in zip(columns.values(), layout.names, strict=True):
        here = pc.equal(pc.utf8_trim_whitespace(cells), name.strip())
        found = here if found is None else pc.and_(found, here)
        if not pc.any(found).as_py():
            return None
    return found


def _again(repeated: pa.Array | None) -> str:
    count = 0 if repeated is None else pc.sum(repeated).as_py()
    verb = "names" if count == 1 else "name"
    return f"{counted(count, 'line')} that {verb} the columns again {were(count)} left out." if count else ""


def _index(layout: TextLayout, name: str, frame: pd.DataFrame) -> str:
    """A first column without a name, in which each row has another number or text: the index of a data frame."""
    if layout.headless or layout.names[0].strip() or name not in frame:
        return ""
    cells = frame[name]
    fits = cells.is_unique and not (cells == "").any() and not cells.str.contains(r"\.\d*[1-9]", regex=True).any()
    return name if fits and not any(map(harmful, cells)) else ""


def _trailing(layout: TextLayout) -> list[int]:
    """Places of nameless columns at the end, from the last one on."""
    places = []
    for place in reversed(range(len(layout.names))):
        if layout.headless or layout.names[place].strip():
            break
        places.append(place)
    return places


def _is_empty(cells: pa.Array) -> bool:
    return not pc.any(pc.not_equal(cells, "")).as_py()


def _kept(columns: dict[str, pa.Array]) -> tuple[pa.Array | None, int]:
    """Rows with something in them, None for all; and the number of the others."""
    empty = None
    for cells in columns.values():
        here = pc.equal(cells, "")
        empty = here if empty is None else pc.and_(empty, here)
        if not pc.any(empty).as_py():
            return None, 0
    return (None, 0) if empty is None else (pc.invert(empty), int(pc.sum(empty).as_py() or 0))
