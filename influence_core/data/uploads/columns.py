"""What the columns of an upload look like, and what a person may say each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api import types

from influence_core.data.source import Task
from influence_core.data.uploads.limits import plain_text, quoted
from influence_core.data.uploads.raw import GUESS, Choice, Kind, Raw, TableForm
from influence_core.data.uploads.texts import as_texts

NumberFill = Literal["refuse", "drop", "median", "mean", "indicator"]
TextFill = Literal["refuse", "drop", "frequent", "category"]

SAMPLE = 20_000
PART_OF = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column, or a block of them, in words for a person.

    Attributes:
        name: of the column.
        kind: what its values are; ``numbers`` is a block.
        missing: number of values that are missing.
        distinct: number of different values, of the first 20,000 rows.
        example: its first value, as the file holds it.
        gaps: words in it that count as missing.
        doubts: words in it that count as values, but could mean a missing one.
        note: what had to be understood, in words.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int
    example: str
    gaps: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ColumnMapping:
    """What the columns are for, and what happens to missing values; "" stands for none.

    Attributes:
        target: the column to predict.
        features: columns and blocks to predict it from.
        task: what the target is.
        id: column that names the rows.
        split: column of the words train, test and validation.
        hover: column of texts shown beside a point.
        numbers: missing numbers are refused, their rows dropped, or they become median or mean of the column;
            ``indicator`` is the median with a further 0/1 feature that says where it stands.
        texts: missing texts are refused, dropped, the most frequent text, or a category ``missing``.
        target_gaps: rows without a target are refused or dropped.
        readings: columns that are not read as they were guessed.
        form: how the table is written in the file, where a person says so.
        prose: columns of texts, joined, whose words are the features in place of all others.
    """

    target: str
    features: tuple[str, ...]
    task: Task
    id: str = ""
    split: str = ""
    hover: str = ""
    numbers: NumberFill = "refuse"
    texts: TextFill = "refuse"
    target_gaps: Literal["refuse", "drop"] = "refuse"
    readings: tuple[Choice, ...] = ()
    form: TableForm = GUESS
    prose: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """As it was before there were ``form`` and ``prose``, where nothing uses them: uploads keep their names."""
        shown = [(f.name, getattr(self, f.name)) for f in fields(self)]
        shown = [(name, value) for name, value in shown if (name, value) not in {("form", GUESS), ("prose", ())}]
        return f"ColumnMapping({', '.join(f'{name}={value!r}' for name, value in shown)})"


def mapping_of(document: Mapping[str, Any]) -> ColumnMapping:
    """Inverse of ``dataclasses.asdict`` on a mapping that went through JSON."""
    readings = tuple(
        Choice(one["column"], one["read_as"], None if one["missing"] is None else tuple(one["missing"]))
        for one in document.get("readings", ())
    )
    form = TableForm(**document.get("form", {}))
    lists = {name: tuple(document.get(name, ())) for name in ("features", "prose")}
    return ColumnMapping(**{**document, **lists, "readings": readings, "form": form})


def describe_columns(raw: Raw, besides: frozenset[str] = frozenset()) -> tuple[Column, ...]:
    """All columns of a file as they are read now, then its blocks.

    Args:
        raw: the file.
        besides: names that are not asked about.

    Returns:
        One entry per column.
    """
    singles = [_single(raw, str(name)) for name in raw.frame.columns if name not in besides]
    blocks = []
    for name, block in ((name, block) for name, block in raw.blocks.items() if name not in besides):
        gaps = int(np.isnan(block.values).sum()) if block.values.dtype.kind == "f" else 0
        first = ", ".join(f"{value:.4g}" for value in block.values[0, :4])
        blocks.append(Column(name, "numbers", gaps, len(block.names), first))
    return (*singles, *blocks)


def kind_of(values: pd.Series) -> Kind:
    """What the values of a column are."""
    kind = values.dtype
    if types.is_bool_dtype(kind):
        return "true/false"
    if types.is_datetime64_any_dtype(kind):
        return "date"
    if types.is_numeric_dtype(kind) and not types.is_complex_dtype(kind):
        return "number"
    if isinstance(kind, pd.CategoricalDtype) or types.is_string_dtype(kind) or types.is_object_dtype(kind):
        return "text"
    return "other"


def factors(values: pd.Series) -> tuple[NDArray[np.integer], list[str]]:
    """A column as numbered texts, without making a copy of a text for every row that repeats it.

    Returns:
        (n,) place of each row's text, -1 where it is missing, and the different texts.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, used = np.unique(values.cat.codes.to_numpy(), return_inverse=True)
        texts = [str(text) for text in values.cat.categories[codes[codes >= 0]]]
        return used - int(len(codes) > len(texts)), texts
    codes, found = pd.factorize(values.astype(object))
    return codes, [str(text) for text in found]


def row_names(raw: Raw, column: str) -> list[str]:
    """(n,) cells of a column exactly as the file holds them, "" where there is none."""
    cells = raw.frame[column] if raw.written is None else raw.written[column]
    names: list[str] = pc.fill_null(as_texts(cells), "").to_pylist()
    return names


def is_row_number(values: np.ndarray) -> bool:
    """Whether numbers count the rows: each is one more than the one before.

    Returns:
        True for 0, 1, 2, … and 1, 2, 3, …
    """
    return len(values) > 2 and bool((np.diff(values) == 1).all())


def _single(raw: Raw, name: str) -> Column:
    values, written = raw.frame[name], raw.frame[name] if raw.written is None else raw.written[name]
    reading = raw.readings.get(name)
    present = values.head(SAMPLE).dropna()
    first = written.loc[present.index[0]] if len(present) else ""
    return Column(
        name,
        kind_of(values) if reading is None else reading.kind,
        int(values.isna().sum()),
        int(present.nunique()),
        plain_text(first, 40),
        reading.gaps if reading else (),
        reading.doubts if reading else (),
        "; ".join(reading.notes) if reading else "",
    )


def listed(names: list[str]) -> str:
    """At most three names in quotation marks, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(quoted(name) for name in names[:3]) + more
