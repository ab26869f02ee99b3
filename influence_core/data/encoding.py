"""A table of mixed columns as numbers: texts become one column for each value, numbers stay."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from influence_core.compute import FloatArray
from influence_core.data.dataset import DataError, Dataset
from influence_core.data.source import row_ids

MOST_VALUES = 100
MOST_FEATURES = 5_000


def encode(
    frame: pd.DataFrame, target: str, name: str = "row", task: Literal["auto", "classification", "regression"] = "auto"
) -> Dataset:
    """Features and target of a table.

    Text, categorical and boolean columns become 0/1 columns ``column=value``, values sorted; numeric ones stay.
    With ``auto`` a text or boolean target, or a numeric one with two values, is a class; other numbers are a
    regression target.

    Args:
        frame: (n, columns), one example per row.
        target: the column to predict.
        name: prefix of the ids; the rest is the row's position.
        task: what the target is.

    Returns:
        n examples in the order of the rows; a missing or infinite value, a column that cannot be used or a target
        with one value only is a ``DataError``.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1).infer_objects()
    _check(frame, target)
    names, x = encode_features(frame.drop(columns=target))
    y, class_names = encode_target(target, frame[target], task)
    return Dataset(x, y, row_ids(name, np.arange(len(frame))), names, class_names, target)


def encode_features(frame: pd.DataFrame) -> tuple[tuple[str, ...], FloatArray]:
    """All columns of a table without missing values as numbers, texts as 0/1 columns ``column=value``.

    Returns:
        d names and (n, d); d may be 0.

    Raises:
        DataError: a column cannot be used, or there are too many.
    """
    parts = [_columns(str(column), frame[column]) for column in frame.columns]
    names = tuple(label for labels, _ in parts for label in labels)
    if len(set(names)) < len(names):
        raise DataError("Two features have the same name after encoding: rename one of the columns.")
    if len(names) > MOST_FEATURES:
        raise DataError(f"Expected at most {MOST_FEATURES} features, got {len(names)}: leave out some columns.")
    return names, np.concatenate([np.empty((len(frame), 0)), *(block for _, block in parts)], axis=1)


def _check(frame: pd.DataFrame, target: str) -> None:
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"Expected different column names, got {str(repeated[0])[:40]!r} twice: rename one.")
    if target not in frame.columns:
        raise DataError(f"Target: expected one of the columns, got {target[:40]!r}.")
    if len(frame) < 2 or len(frame.columns) < 2:
        raise DataError(f"Expected at least 2 rows and 2 columns, got {len(frame)} and {len(frame.columns)}.")
    for column in frame.columns:
        missing = frame[column].isna().to_numpy()
        if missing.any():
            raise DataError(
                f"Column {column[:40]!r}: {missing.sum()} of {len(frame)} values are missing, the first in data row "
                f"{missing.argmax() + 1}: fill them in, or leave out those rows or this column."
            )


def _columns(label: str, values: pd.Series) -> tuple[list[str], FloatArray]:
    # Feature names and their (n, k) block.
    if not _is_text(values):
        return [label], _numbers(label, values)[:, None]
    levels, index = np.unique(values.astype(str).to_numpy(dtype=str), return_inverse=True)
    if len(levels) > MOST_VALUES:
        raise DataError(
            f"Column {label[:40]!r} has {len(levels)} different texts, expected at most {MOST_VALUES}: "
            "leave out this column, or group its values."
        )
    return [f"{label}={level}" for level in levels], np.eye(len(levels))[index]


def _is_text(values: pd.Series) -> bool:
    kind = values.dtype
    return bool(
        types.is_bool_dtype(kind)
        or types.is_object_dtype(kind)
        or types.is_string_dtype(kind)
        or isinstance(kind, pd.CategoricalDtype)
    )


def _numbers(label: str, values: pd.Series) -> FloatArray:
    if not types.is_numeric_dtype(values.dtype) or types.is_complex_dtype(values.dtype):
        raise DataError(
            f"Column {label[:40]!r}: expected numbers, texts or true/false, got {values.dtype}: "
            "convert it to numbers, or leave it out."
        )
    numbers = values.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers))) + 1
        raise DataError(f"Column {label[:40]!r}: expected finite numbers, got {numbers[row - 1]} in data row {row}.")
    return numbers


def encode_target(label: str, values: pd.Series, task: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """A column without missing values as class indices, or as numbers for regression; ``auto`` as in :func:`encode`.

    Returns:
        (n,) and the class names, none for regression.

    Raises:
        DataError: one value only, too many classes, or texts for regression.
    """
    text = _is_text(values)
    distinct = values.nunique()
    if distinct < 2:
        raise DataError(f"Target {label[:40]!r}: expected at least two different values, got one only.")
    if task == "regression" or (task == "auto" and not text and distinct > 2):
        if text:
            raise DataError(
                f"Target {label[:40]!r}: expected numbers for regression, got texts: choose classification."
            )
        return _numbers(label, values), ()
    if distinct > MOST_VALUES:
        raise DataError(f"Target {label[:40]!r}: expected at most {MOST_VALUES} classes, got {distinct}.")
    if text:
        words, index = np.unique(values.astype(str).to_numpy(dtype=str), return_inverse=True)
        return index.astype(np.int64), tuple(map(str, words))
    numbers, index = np.unique(_numbers(label, values), return_inverse=True)
    return index.astype(np.int64), tuple(repr(float(number)).removesuffix(".0") for number in numbers)
