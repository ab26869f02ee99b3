"""What the cells of a table mean: guessed column by column, said in notes, read otherwise where a person says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import counted, quoted, were
from influence_core.data.uploads.meaning import has_points, read_column
from influence_core.data.uploads.numerals import Mark
from influence_core.data.uploads.raw import Choice, Raw, ReadAs, Reading
from influence_core.data.uploads.texts import is_text


def understood(raw: Raw, hint: Mark = "", decimal: Mark = "") -> Raw:
    """A file whose cells are still as written, each column read as what it seems to be.

    Texts become numbers with gaps, dates, or stay texts; columns that are numbers or dates already stay as they are.
    A reader may have said already how a column is to be read, and then it stays.

    Args:
        raw: what a reader found; cells may be texts, or texts beside numbers, true/false and dates.
        hint: the decimal mark to expect where the cells of a column fit both.
        decimal: the mark that a person chose for these columns.

    Returns:
        The file with typed columns, its cells as written, and a note on each thing that had to be guessed.

    Raises:
        DataError: no column has any value.
    """
    columns = {str(name): raw.frame[name] for name in raw.frame.columns if str(name) not in raw.readings}
    if not columns or not len(raw):
        return raw
    found = {name: read_column(cells, Choice(name), hint) for name, cells in columns.items()}
    sure = {reading.sure for _, reading in found.values()} - {""}
    numbers = [name for name, (_, reading) in found.items() if reading.kind == "number"]
    if any(found[name][1].doubtful for name in numbers) and any(has_points(columns[name]) for name in numbers):
        sure |= {"."}
    unsure = [name for name in numbers if not found[name][1].sure]
    if decimal:
        how: ReadAs = "number with decimal comma" if decimal == "," else "number with decimal point"
        found |= {name: read_column(columns[name], Choice(name, how)) for name in unsure if is_text(columns[name])}
    elif len(sure) == 1:  # a column that fits both marks goes with the others
        mark = cast("Mark", sure.pop())
        found |= {name: read_column(columns[name], Choice(name), mark, among=True) for name in unsure}
    empty = [name for name, (_, reading) in found.items() if reading.kind == "other" and not reading.notes]
    if len(empty) == len(found) and not (raw.blocks or raw.readings):
        raise DataError("Expected values in the table, got columns without any: choose another file.")
    found |= {name: (raw.frame[name], reading) for name, reading in raw.readings.items()}
    whole = replace(raw, written=raw.frame)
    result = _with(whole, {str(name): found[str(name)] for name in raw.frame.columns if str(name) not in empty})
    said = (f"{counted(len(empty), 'column')} without any value {were(len(empty))} left out.",) if empty else ()
    return replace(result, notes=(*raw.notes, *said, *spoken(result.readings)))


def reread(raw: Raw, choices: Sequence[Choice]) -> Raw:
    """The file with some columns read as a person says; the others stay as guessed.

    Args:
        raw: as it was understood by guess.
        choices: at most one for a column.

    Returns:
        The file; its notes say how the columns are read now.

    Raises:
        DataError: there is no such column.
    """
    if not choices:
        return raw
    written = raw.frame if raw.written is None else raw.written
    found = {}
    for choice in choices:
        if choice.column not in raw.frame:
            raise DataError(f"Expected columns of the file, got {quoted(choice.column)}: choose one of its columns.")
        found[choice.column] = read_column(written[choice.column], choice, "")
    before = set(spoken(raw.readings))
    result = _with(raw, {name: (raw.frame[name], reading) for name, reading in raw.readings.items()} | found)
    return replace(result, notes=(*(n for n in raw.notes if n not in before), *spoken(result.readings)))


def spoken(readings: Mapping[str, Reading]) -> tuple[str, ...]:
    """What had to be understood, columns of which the same is said together.

    Returns:
        Sentences.
    """
    said: dict[str, list[str]] = {}
    for name, reading in readings.items():
        for note in reading.notes:
            said.setdefault(note, []).append(quoted(name))
    return tuple(
        f"{', '.join(names[:4])}{f' and {len(names) - 4:,} more' if len(names) > 4 else ''}: {note}."
        for note, names in said.items()
    )


def _with(raw: Raw, columns: Mapping[str, tuple[pd.Series, Reading]]) -> Raw:
    frame = pd.DataFrame({name: values for name, (values, _) in columns.items()}, raw.frame.index, copy=False)
    return replace(raw, frame=frame, readings={name: reading for name, (_, reading) in columns.items()})
