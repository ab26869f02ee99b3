"""Where the table stands in a text: what separates its fields, which line names the columns, where its rows end."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import counted, plain_text, quoted, were
from influence_core.data.uploads.raw import GUESS, TableForm
from influence_core.data.uploads.separating import (
    BLANKS,
    RECORDS,
    SEPARATORS,
    Record,
    is_number,
    records_of,
    separator_of,
)
from influence_core.data.uploads.vocabulary import MARKERS

HEAD, TAIL = 2**20, 2**16
TITLES, FOOTERS = 30, 20
_HINT = re.compile(r'"?sep=(.)"?\s*')
_COMMENT = re.compile(r"\s*(#|%|//)")
_RULE = re.compile(r"[\s|+:=-]*--[\s|+:=-]*")
_SOURCE = re.compile(r"\(|#|\*|(source|note|total|quelle|fuente|generated|created)", re.IGNORECASE)
_TOTAL = re.compile(r"(grand |sub)?totals?\b.*|sum|gesamt.*|summe|total général|insgesamt", re.IGNORECASE)


@dataclass(frozen=True)
class TextLayout:
    """How a text holds its table.

    Attributes:
        separator: what stands between the fields; a blank stands for any number of them.
        names: of the columns, "" where there is none; as many as the rows have fields.
        start: byte at which the rows begin.
        end: byte at which they end.
        line: with which the table begins, from 1.
        headless: whether the first line is a row already.
        padded: whether a blank follows each separator.
        spaced: whether blanks stand before quotation marks, which are no part of the field.
        notes: sentences on what was skipped or guessed.
    """

    separator: str
    names: tuple[str, ...]
    start: int
    end: int
    line: int
    headless: bool = False
    padded: bool = False
    spaced: bool = False
    notes: tuple[str, ...] = ()


def find_layout(content: bytes, asked: TableForm = GUESS) -> TextLayout:
    """The place and the form of the table in a text in UTF-8.

    Args:
        content: of the text.
        asked: what a person says of it.

    Raises:
        DataError: there is no table, or its first lines have unequal numbers of fields.
    """
    lines = [*io.StringIO(content[:HEAD].decode("utf-8", errors="ignore"), newline="")]
    if len(content) > HEAD and len(lines) > 1:
        lines.pop()  # it is cut
    hint = _HINT.fullmatch(lines[0]) if lines else None
    skipped = _asked_line(lines, asked) if asked.line else _leading(lines, int(hint is not None))
    separator = asked.separator or (hint[1] if hint else separator_of(lines[skipped:]))
    spaced = bool(re.search(re.escape(separator) + ' +"', "".join(lines[skipped : skipped + RECORDS])))
    records = [*islice(records_of(_bare(lines, skipped, asked), skipped, separator, spaced), RECORDS)]
    if not any(record.full for record in records):
        raise DataError("Expected a table with a line of column names, got no text: choose another file.")
    width = _width(records)
    place = 0 if asked.line else _header(records, width)
    guessed = not (place or asked.line or asked.names == "no")
    named = _commented(lines, skipped, separator, records[0], width) if guessed else None
    header, rows = records[place], [r for r in records[place + 1 :] if r.full and not _is_rule(r)]
    headless = asked.names == "no" or (
        not named and not asked.names and not _names_columns(header.fields, [row.fields for row in rows])
    )
    names, name_note = _names(named or header.fields, rows, headless, width)
    first = header.first if headless or named else header.last
    while not headless and first < len(lines) and _RULE.fullmatch(lines[first].strip() or "x"):
        first += 1
    start = sum(len(line.encode()) for line in lines[:first])
    end, footers = _end(content, start, separator, len(names), rows)
    line = skipped if named else header.first + 1
    titles = lines[int(hint is not None) : line - 1]
    notes = (
        _separated(separator),
        "The first line, which names the separator, was left out." if hint and line > 1 else "",
        _titles(titles, line, headless),
        "The first line holds a row, so the columns were numbered." if headless and not asked.names else "",
        name_note,
        *footers,
    )
    padded = len(header.fields) > 1 and all(field.startswith(" ") for field in header.fields[1:])
    return TextLayout(separator, names, start, end, line, headless, padded, spaced, tuple(n for n in notes if n))


def _asked_line(lines: Sequence[str], asked: TableForm) -> int:
    """Place of the line with which a person says that the table begins."""
    if asked.line > len(lines) or not lines[asked.line - 1].strip():
        got = "an empty one" if asked.line <= len(lines) else f"a text of {counted(len(lines), 'line')}"
        raise DataError(
            f"Expected a table that begins in line {asked.line:,}, as was chosen, got {got}: choose another line."
        )
    return asked.line - 1


def _bare(lines: list[str], first: int, asked: TableForm) -> list[str]:
    """The lines, that with which the table begins without the mark of a comment, where a person chose it."""
    if not asked.line or asked.names == "no":
        return lines
    return [*lines[:first], _COMMENT.sub("", lines[first], count=1).lstrip(), *lines[first + 1 :]]


def _separated(separator: str) -> str:
    if separator == ",":
        return ""
    what = SEPARATORS.get(separator, "blanks" if separator == BLANKS else quoted(separator))
    return f"Fields are separated by {what}."


def _leading(lines: Sequence[str], first: int) -> int:
    # Empty lines and comments in front.
    while first < len(lines) and (not lines[first].strip() or _COMMENT.match(lines[first])):
        first += 1
    return first if first < len(lines) else 0


def _width(records: Sequence[Record]) -> int:
    sizes = Counter(len(record.fields) for record in records if record.full)
    wide = {size: times for size, times in sizes.items() if size > 1} or sizes
    return max(wide, key=lambda size: (wide[size], size))


def _header(records: Sequence[Record], width: int) -> int:
    """Place of the line that names the columns, or of the first row where none does."""
    for place, record in enumerate(records[:TITLES]):
        further = [other for other in records[place + 1 :] if other.full]
        if not record.full or len(record.fields) < width - 1 or (len(record.fields) == 1 and width > 1 and further):
            continue
        alone = record.full <= 1 and (width > 2 or bool(record.fields[0].strip()))
        if alone and width > 1 and further and further[0].full > record.full:
            continue
        return place
    return next(place for place, record in enumerate(records) if record.full)


def _commented(lines: Sequence[str], skipped: int, separator: str, first: Record, width: int) -> tuple[str, ...] | None:
    # A last comment with as many fields as a row that follows it at once names the columns.
    if not skipped or not lines[skipped - 1].strip() or not _COMMENT.match(lines[skipped - 1]):
        return None
    bare = _COMMENT.sub("", lines[skipped - 1], count=1).strip()
    fields = next(records_of([bare], 0, separator)).fields if bare else ()
    data = sum(is_number(field) for field in first.fields)
    texts = not any(is_number(field) for field in fields)
    return fields if len(fields) == width > 1 and data and texts else None


def _is_rule(record: Record) -> bool:
    return all(_RULE.fullmatch(field) for field in record.fields)


def _names_columns(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a line names the columns: words above numbers or the reverse, or texts that no row repeats."""
    if not rows:
        return not all(is_number(cell) for cell in first)
    repeated, fresh, counts = 0, 0, []
    for place, cell in enumerate(first):
        column = [row[place].strip() for row in rows if place < len(row) and not _is_gap(row[place])]
        if _is_gap(cell) or not column:
            continue
        if sum(map(is_number, column)) >= 0.8 * len(column):
            if not is_number(cell):
                return True
            counts.append(cell.strip())
        elif is_number(cell) and not any(map(is_number, column)):
            return True
        elif not is_number(cell):
            repeated += cell.strip() in column
            fresh += cell.strip() not in column and len(set(column)) <= max(len(column) / 2, 1)
    if repeated:
        return not counts and repeated < len(first) / 2
    if counts:
        return _counts(counts, len(first)) or (fresh > 0 and all(cell.isdigit() for cell in counts))
    return True


def _counts(cells: Sequence[str], width: int) -> bool:
    # 0, 1, 2, … or 2019, 2020, … are names that a program or a person gave.
    if not all(cell.isdigit() for cell in cells) or len(cells) < max(3, width - 2):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {after - before for before, after in zip(numbers, numbers[1:], strict=False)}
    return steps == {1} and (numbers[0] in {0, 1} or 1900 <= numbers[0] <= 2100)


def _is_gap(cell: str) -> bool:
    return cell.strip().lower() in MARKERS


def _names(header: tuple[str, ...], rows: Sequence[Record], headless: bool, width: int) -> tuple[tuple[str, ...], str]:
    if headless:
        return ("",) * max(width, len(header)), ""
    missing = max((len(row.fields) for row in rows), default=len(header)) - len(header)
    if missing <= 0 or all(not any(map(str.strip, row.fields[len(header) :])) for row in rows):
        return (*header, *[""] * max(missing, 0)), ""
    firsts = [row.fields[0] for row in rows if len(row.fields) == len(header) + 1]
    if missing == 1 and len(firsts) == len(rows) == len({*firsts}):
        return ("", *header), "The first line has one name less than the rows have fields: the first column has none."
    row = next(row for row in rows if any(map(str.strip, row.fields[len(header) :])))
    raise DataError(
        f"Expected {len(header)} fields in every line as in the first, got more in line {row.first + 1:,}: mend that "
        "line."
    )


def _titles(titles: Sequence[str], line: int, headless: bool) -> str:
    said = [text for title in titles if (text := plain_text(title.strip(" \t\r\n,;|\"'"), 40))]
    if not said:
        return "Empty lines above the column names were left out." if any(map(str.strip, titles)) else ""
    below = "rows" if headless else "column names"
    what = f"{counted(len(said), 'line')} above the {below} in line {line:,} {were(len(said))} left out"
    return f"{what}: {quoted(said[0])}."


def _end(content: bytes, start: int, separator: str, width: int, rows: Sequence[Record]) -> tuple[int, tuple[str, ...]]:
    """Where the rows end, without totals, counts and sources below them."""
    tail = content[max(start, len(content) - TAIL) :].decode("utf-8", errors="ignore")
    lines = [*io.StringIO(tail, newline="")]
    counts = sum(is_number(row.fields[0]) for row in rows) > len(rows) / 2
    end, said = len(content), []
    for line in lines[: 0 if len(lines) < 2 else None][: -FOOTERS - 1 : -1]:
        text = line.strip(" \t\r\n" + separator)
        fields = next(csv.reader([line], delimiter=separator), [])
        if line.count('"') % 2 or (text and not _is_footer(text, [f.strip() for f in fields], width, counts)):
            break
        end -= len(line.encode())
        if text:
            said.append(plain_text(text, 60))
    if not said:
        return len(content), ()
    return end, (f"What stands below the rows was left out: {', '.join(map(quoted, said[::-1][:3]))}.",)


def _is_footer(text: str, fields: Sequence[str], width: int, counts: bool) -> bool:
    full = [field for field in fields if field]
    if len(full) > 1:
        return width > 2 and bool(_TOTAL.fullmatch(full[0]) or (len(fields) < width and _SOURCE.match(text)))
    if width < 2 or is_number(text):
        return False
    return (len(fields) < width or width > 2) and (counts or bool(_SOURCE.match(text)))
