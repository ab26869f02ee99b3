"""What the columns of an upload look like, and a first guess at what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from influence_core.data.encoding import MOST_VALUES
from influence_core.data.source import Task
from influence_core.data.uploads.limits import plain_text
from influence_core.data.uploads.raw import Raw

Kind = Literal["number", "true/false", "text", "date", "numbers", "other"]
NumberFill = Literal["refuse", "drop", "median", "mean"]
TextFill = Literal["refuse", "drop", "frequent", "category"]

FEW = 20  # a numeric target with at most so many whole values is taken for classes
SAMPLE = 20_000
TARGETS = ("target", "label", "labels", "class", "y", "outcome")
NAMELESS = "column 1"  # an index that was written without a name
IDENTITIES = ("id", "ids", "uuid", "key", "index", "row", "name", "file", NAMELESS)
SPLITS = ("split", "set", "subset", "partition", "fold", "part")
TEXTS = ("text", "sentence", "review", "comment", "description", "title", "name", "file")
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
        example: its first value.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int
    example: str


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
        numbers: missing numbers are refused, their rows dropped, or they become median or mean of the column.
        texts: missing texts are refused, dropped, the most frequent text, or a category ``missing``.
        target_gaps: rows without a target are refused or dropped.
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


def describe_columns(raw: Raw) -> tuple[Column, ...]:
    """All columns of a file, then its blocks.

    Returns:
        One entry per column.
    """
    singles = [_single(str(name), raw.frame[name]) for name in raw.frame.columns]
    blocks = []
    for name, block in raw.blocks.items():
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


def guess_mapping(raw: Raw, columns: tuple[Column, ...]) -> ColumnMapping:
    """A first guess that a person can change: the target by its name, or the last column that could be one.

    Returns:
        The mapping; features are all columns that can be encoded and are not names of rows.
    """
    split = next((c.name for c in columns if c.name.lower() in SPLITS and _is_split(raw, c)), "")
    identity = raw.index or next((c.name for c in columns if _names_rows(raw, c)), "")
    taken = {split, identity}
    able = [c for c in columns if c.name not in taken and _can_be_target(c)]
    single = [c for c in columns if c.name not in taken and c.kind in {"number", "true/false", "text"}]
    named = [c for word in TARGETS for c in single if c.name.lower() == word]
    target = raw.target or (named or able[::-1] or list(columns))[0].name
    hover = _guess_hover(columns, {target, split, identity})
    aside = {*taken, *raw.aside, target}
    features = tuple(c.name for c in columns if c.name not in aside and _can_be_feature(raw, c))
    task = guess_task(raw, target)
    return ColumnMapping(target, features, task, identity, split, hover)


def guess_task(raw: Raw, target: str) -> Task:
    """Texts, true/false and few whole numbers are classes; other numbers are a regression target."""
    if target in raw.blocks or kind_of(raw.frame[target]) != "number":
        return "classification"
    values = raw.frame[target].dropna()
    distinct = values.nunique()
    whole = distinct <= FEW and bool((values == values.round()).all())
    return "classification" if distinct <= 2 or whole else "regression"


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


def _single(name: str, values: pd.Series) -> Column:
    head = values.head(SAMPLE)
    present = head.dropna()
    example = plain_text(present.iloc[0], 40) if len(present) else ""
    return Column(name, kind_of(values), int(values.isna().sum()), int(present.nunique()), example)


def _is_split(raw: Raw, column: Column) -> bool:
    if column.kind != "text" or column.missing or column.distinct > len(PART_OF):
        return False
    return {str(word).strip().lower() for word in raw.frame[column.name].unique()} <= PART_OF.keys()


def _names_rows(raw: Raw, column: Column) -> bool:
    # Different in every row, and a text or a whole number; the first column of a file without names has to count.
    if (
        column.name.lower() not in IDENTITIES
        or column.kind not in {"text", "number"}
        or column.missing
        or column.distinct < min(len(raw), SAMPLE)
    ):
        return False
    values = raw.frame[column.name]
    if column.kind == "text":
        return values.is_unique
    whole = bool((values == values.round()).all()) and column.name.lower() != NAMELESS
    return values.is_unique and (whole or is_row_number(values.to_numpy()))


def is_row_number(values: np.ndarray) -> bool:
    """Whether numbers count the rows: each is one more than the one before.

    Returns:
        True for 0, 1, 2, … and 1, 2, 3, …
    """
    return len(values) > 2 and bool((np.diff(values) == 1).all())


def _can_be_target(column: Column) -> bool:
    return column.kind in {"number", "true/false"} or (column.kind == "text" and 2 <= column.distinct <= MOST_VALUES)


def _can_be_feature(raw: Raw, column: Column) -> bool:
    if column.kind == "text":
        return 1 <= column.distinct <= MOST_VALUES
    return column.kind in {"true/false", "numbers"} or (column.kind == "number" and not _names_rows(raw, column))


def _guess_hover(columns: tuple[Column, ...], taken: set[str]) -> str:
    texts = [c for c in columns if c.kind == "text" and c.name not in taken]
    named = [c.name for c in texts if c.name.lower() in TEXTS]
    many = [c.name for c in texts if c.distinct > MOST_VALUES]
    return (named + many + [""])[0]
