"""What a file held, before anybody says what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.data.uploads.limits import COLUMNS, NAME, at_most, counted, plain_text, quoted, were

Kind = Literal["number", "true/false", "text", "date", "numbers", "other"]
ReadAs = Literal[
    "", "number", "number with decimal comma", "number with decimal point", "category", "date", "date, day first",
    "date, month first",
]  # fmt: skip


@dataclass(frozen=True)
class TableForm:
    """How a table is written in its file: as it was found, or as a person says, where "" and 0 leave it to the guess.

    Attributes:
        encoding: of a text, by its name in Python.
        separator: what stands between the fields of a text; a blank stands for any number of them.
        sheet: of a spreadsheet.
        line: of the file or sheet with which the table begins, from 1.
        names: whether that line names the columns.
        decimal: the decimal mark where the cells of a column fit both.
    """

    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    line: int = 0
    names: Literal["", "yes", "no"] = ""
    decimal: Literal["", ".", ","] = ""


GUESS = TableForm()


@dataclass(frozen=True)
class Choice:
    """What a person says about one column.

    Attributes:
        column: its name.
        read_as: what its cells are; "" is the guess.
        missing: the words that count as missing, beside an empty cell; None is the guess.
    """

    column: str
    read_as: ReadAs = ""
    missing: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reading:
    """How the cells of one column were read.

    Attributes:
        kind: what its values are.
        gaps: the words in it that count as missing.
        doubts: further words in it that could mean a missing value, but count as values.
        notes: what had to be understood, to follow the name of the column and a colon.
        sure: the decimal mark that its cells leave no doubt of, or "".
        doubtful: whether its cells fit two ways to read them.
    """

    kind: Kind
    gaps: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sure: str = ""
    doubtful: bool = False


@dataclass(frozen=True, eq=False)
class Block:
    """Many numeric columns under one name: an embedding, an array, the pixels of pictures.

    Attributes:
        values: (n, k) numbers of any kind.
        names: k feature names.
        pixels: whether these are bytes of pictures, which become features in [0, 1].
    """

    values: NDArray[Any]
    names: tuple[str, ...]
    pixels: bool = False


@dataclass(frozen=True, eq=False)
class Raw:
    """The content of one file.

    Attributes:
        frame: (n, columns) single columns; their names are different and harmless.
        written: the same columns with their cells as the file holds them; the frame itself until it is understood.
        readings: column to how its cells were understood; empty until then.
        blocks: further columns that belong together.
        images: (n, h, w) or (n, h, w, 3) uint8 to show a person.
        notes: sentences on what was understood on the way.
        name: of the file.
        sha256: of the file.
        index: the column that names the rows, where the file itself says so.
        target: the column of classes, where the file itself says so.
        aside: columns that describe an example and are no features by guess, such as groups of pictures.
        asked: how a person says that the table is written.
        form: how it was found to be written; None where a file of its kind is written in one way only.
        sheets: of a spreadsheet that may be chosen.
    """

    frame: pd.DataFrame
    blocks: Mapping[str, Block] = field(default_factory=dict)
    images: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    name: str = "data"
    sha256: str = ""
    index: str = ""
    target: str = ""
    aside: tuple[str, ...] = ()
    written: pd.DataFrame | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    asked: TableForm = GUESS
    form: TableForm | None = None
    sheets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of single columns, then of blocks."""
        return (*map(str, self.frame.columns), *self.blocks)


def column_names(given: Sequence[object]) -> tuple[list[str], tuple[str, ...]]:
    """Harmless, different names; a blank one is named after its place.

    Returns:
        The names, and a note where one was made up, numbered or cut; more columns than can be are a ``DataError``.
    """
    at_most("columns", COLUMNS, len(given), "leave out some columns")
    plain = [plain_text(name, NAME) or f"column {place}" for place, name in enumerate(given, 1)]
    names: list[str] = []
    taken, twins = set(plain), []
    seen: set[str] = set()
    for name in plain:
        new = name
        if name in seen:
            new = next(other for k in count(2) if (other := f"{name[: NAME - 8]} {k}") not in taken)
            twins.append(f"{quoted(name)} became {quoted(new)}")
        taken.add(new)
        seen.add(name)
        names.append(new)
    blank = sum(not plain_text(name) for name in given)
    cut = sum(name.endswith("…") and len(name) == NAME for name in names)
    notes = [
        f"{counted(blank, 'column')} without a name {were(blank)} numbered." if blank else "",
        f"Columns of equal names were numbered: {', '.join(twins[:3])}{' …' if len(twins) > 3 else ''}."
        if twins else "",
        f"{counted(cut, 'column name')} {were(cut)} cut to {NAME} characters." if cut else "",
    ]  # fmt: skip
    return names, tuple(note for note in notes if note)
