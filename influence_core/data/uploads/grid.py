"""A table on a sheet of cells: where its header stands, what lies above and below it, which columns are empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import plain_text, quoted
from influence_core.data.uploads.raw import GUESS, TableForm
from influence_core.data.uploads.typed import as_text

ABOVE = 50  # lines in which the header is looked for
YEARS = range(1900, 2101)
Row = Sequence[object]


@dataclass(frozen=True, eq=False)
class Grid:
    """A table found among cells.

    Attributes:
        header: names as written, one per column; all "" where the first line holds values already.
        rows: lines below it that hold anything.
        places: row of the sheet of each line, from 1.
        columns: column of the sheet of each column, from 0.
        line: row of the sheet with which the table begins, from 1.
        headless: whether that line is a row already.
        notes: what was left out around the table.
    """

    header: list[str]
    rows: list[Row]
    places: list[int]
    columns: list[int]
    line: int
    headless: bool
    notes: tuple[str, ...]


def find_table(cells: Sequence[Row], asked: TableForm = GUESS) -> Grid | None:
    """The table on a sheet.

    Args:
        cells: of the sheet.
        asked: what a person says of it.

    Returns:
        None where fewer than two columns or no line below a header hold anything.
    """
    filled = [(place, row) for place, row in enumerate(cells) if any(not _blank(cell) for cell in row)]
    start = _asked_row(filled, asked.line)
    width = max((_width(row) for _, row in filled[start:]), default=0)
    if width < 2:
        return None
    head, headless = (start, not _is_words(filled[start][1])) if asked.line else _header(filled, width)
    headless = asked.names == "no" or (headless and not asked.names)
    above, body = filled[:head], filled[head if headless else head + 1 :]
    body, below = _footer(body, width)
    if not body:
        return None
    names = [""] * len(body[0][1]) if headless else [plain_name(cell) for cell in filled[head][1]]
    used = [k for k in range(len(names)) if names[k] or any(not _blank(row[k]) for _, row in body)]
    first, last = body[0][0], body[-1][0]
    notes = (
        _said(above, "above the table"),
        _said(below, "below the table"),
        "The first line holds values, so the columns were numbered." if headless and not asked.names else "",
        _gaps(last - first + 1 - len(body)),
    )
    rows: list[Row] = [[row[k] for k in used] for _, row in body]
    places = [place + 1 for place, _ in body]
    said = tuple(note for note in notes if note)
    return Grid([names[k] for k in used], rows, places, used, filled[head][0] + 1, headless, said)


def _asked_row(filled: list[tuple[int, Row]], line: int) -> int:
    """Place among the lines that hold anything of the one with which a person says that the table begins."""
    if not line:
        return 0
    found = next((k for k, (place, _) in enumerate(filled) if place == line - 1), None)
    if found is None:
        raise DataError(
            f"Expected a table that begins in row {line:,} of the sheet, as was chosen, got an empty row: choose "
            "another row."
        )
    return found


def plain_name(cell: object) -> str:
    """The text of a cell that names a column."""
    return "" if _blank(cell) else as_text(cell)


def _header(filled: list[tuple[int, Row]], width: int) -> tuple[int, bool]:
    # The fullest line of texts above the first line with other values; a title holds fewer cells than a header.
    near = filled[:ABOVE]
    wide = [k for k, (_, row) in enumerate(near) if _width(row) >= max(2, width // 2)]
    data = next((k for k in wide if not _is_words(near[k][1])), None)
    words = [k for k in wide if (data is None or k < data) and _is_words(near[k][1])]
    if data is None:
        full = [k for k in words if _width(near[k][1]) >= width - 1]
        return (full or words or [0])[0], False
    if not words:
        return data, True
    most = max(_width(near[k][1]) for k in words)
    return next(k for k in words if _width(near[k][1]) == most), False


def _footer(body: list[tuple[int, Row]], width: int) -> tuple[list[tuple[int, Row]], list[tuple[int, Row]]]:
    # A single text after an empty line, under a table of at least three columns: a source or a remark.
    cut = len(body)
    while (
        cut > 1
        and width > 2
        and _width(body[cut - 1][1]) == 1
        and any(isinstance(c, str) and c for c in body[cut - 1][1])
    ):
        cut -= 1
    apart = cut < len(body) and body[cut][0] > body[cut - 1][0] + 1
    return (body[:cut], body[cut:]) if apart else (body, [])


def _said(lines: list[tuple[int, Row]], where: str) -> str:
    if not lines:
        return ""
    text = next(as_text(cell) for cell in lines[0][1] if not _blank(cell))
    some = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
    return f"{some} {where} left out: row {lines[0][0] + 1}, {quoted(plain_text(text, 40))}."


def _gaps(empty: int) -> str:
    return f"{empty:,} empty lines within the table were skipped." if empty > 0 else ""


def _is_words(row: Row) -> bool:
    known = [cell for cell in row if not _blank(cell)]
    numbers = [cell for cell in known if not isinstance(cell, str)]
    return not numbers or (len(numbers) < len(known) and all(_is_year(cell) for cell in numbers))


def _is_year(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and cell in YEARS


def _width(row: Row) -> int:
    return sum(not _blank(cell) for cell in row)


def _blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
