"""Spreadsheets (.xlsx, .xls, .xlsb, .ods): the first visible sheet with a table, its header found, its cells typed."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import python_calamine

from influence_core.data.dataset import DataError
from influence_core.data.uploads.grid import Grid, find_table
from influence_core.data.uploads.limits import COLUMNS, ROWS, at_most, plain_text, quoted
from influence_core.data.uploads.marks import Cell, Marks, damaged_workbook
from influence_core.data.uploads.raw import GUESS, Raw, TableForm, column_names
from influence_core.data.uploads.typed import column_of
from influence_core.data.uploads.workbook import checked_workbook

Cells = list[list[object]]


def read_spreadsheet(content: bytes, asked: TableForm = GUESS) -> Raw:
    """The first visible sheet with at least two columns and one line below its header, or the one that was chosen.

    Args:
        content: of the file.
        asked: which sheet, and in which of its lines the table begins, where a person says so.

    Returns:
        The table, with notes on other sheets, on lines around it, on errors and on joined cells.

    Raises:
        DataError: damaged, encrypted, too large, or without a table.
    """
    copy, marks = checked_workbook(content)
    with _one_sentence():
        book = python_calamine.load_workbook(io.BytesIO(copy))
        shown = [
            place
            for place, sheet in enumerate(book.sheets_metadata)
            if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
            and sheet.visible == python_calamine.SheetVisibleEnum.Visible
        ]
        names = list(book.sheet_names)
    for place in _chosen(shown, names, asked.sheet):
        with _one_sentence():
            sheet = book.get_sheet_by_index(place)
            cells: Cells = sheet.to_python(skip_empty_area=False)  # type: ignore[assignment]
            joined = sheet.merged_cell_ranges
        found = marks[place] if place < len(marks) else Marks()
        filled = _fill_joined(cells, found.spans if joined is None else joined)
        table = find_table(cells, asked)
        if table is not None:
            others = [name for name in names if name != names[place]]
            notes = (_other_sheets(names[place], others), filled, *_marked(found, table))
            form = TableForm("", "", names[place], table.line, "no" if table.headless else "yes")
            return replace(_raw(table, notes), asked=asked, form=form, sheets=tuple(names[k] for k in shown))
    got = f"the sheet {quoted(asked.sheet)}" if asked.sheet else f"{len(names)} sheets"
    raise DataError(
        f"Expected a sheet with at least 2 columns and a line of names, got {got} without such a table: put the names "
        "of the columns into one line and the values below."
    )


def _chosen(shown: list[int], names: list[str], sheet: str) -> list[int]:
    """Places of the sheets that may be read."""
    if not sheet:
        return shown
    found = [place for place in shown if names[place] == sheet]
    if not found:
        raise DataError(f"Expected a sheet of the workbook, got {quoted(sheet)}: choose one of its sheets.")
    return found


@contextmanager
def _one_sentence() -> Generator[None]:
    # A panic of the library is no Exception.
    try:
        yield
    except python_calamine.PasswordError:
        raise DataError("Expected an open workbook, got an encrypted one: save it without a password.") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise damaged_workbook() from None


def _raw(table: Grid, notes: Sequence[str]) -> Raw:
    at_most("columns", COLUMNS, len(table.header), "leave out some columns")
    at_most("rows", ROWS, len(table.rows), "take a random part of the rows")
    names, named = column_names(table.header)
    columns = [column_of(name, cells) for name, cells in zip(names, zip(*table.rows, strict=True), strict=True)]
    empty = [name for name, (column, _) in zip(names, columns, strict=True) if column.isna().all()]
    frame = pd.concat([column for column, _ in columns if column.name not in empty], axis=1)
    left_out = f"Without any value and left out: {', '.join(map(quoted, empty[:5]))}." if empty else ""
    said = (*notes, *table.notes, *named, left_out, *(note for _, note in columns))
    return Raw(frame, notes=tuple(note for note in said if note))


def _other_sheets(name: str, others: list[str]) -> str:
    if not others:
        return ""
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"Sheet {quoted(name)} was read; not read: {', '.join(map(quoted, others[:5]))}{more}."


def _fill_joined(cells: Cells, spans: Sequence[tuple[Cell, Cell]]) -> str:
    # Down only: a cell joined across columns is a title, and one joined over lines means each of them.
    filled = 0
    for (top, left), (bottom, _) in spans:
        inside = range(top + 1, min(bottom + 1, len(cells)))
        if top < len(cells) and left < len(cells[top]) and cells[top][left] != "":
            for row in inside:
                cells[row][left] = cells[top][left]
            filled += bool(inside)
    return f"Cells joined over several lines count for each of these lines: {filled:,}." if filled else ""


def _marked(marks: Marks, table: Grid) -> Iterator[str]:
    first, last = table.places[0] - 1, table.places[-1] - 1
    for found, what in (
        (marks.errors, "an error such as #N/A or #DIV/0!"),
        (marks.uncounted, "a formula without its result (opening and saving the file adds it)"),
    ):
        inside = [(row, column) for row, column in found if first <= row <= last and column in table.columns]
        if inside:
            yield f"Cells with {what} count as missing: {len(inside):,}, the first is {_place(inside[0])}."


def _place(cell: Cell) -> str:
    row, column = cell
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return plain_text(f"{letters}{row + 1}")
