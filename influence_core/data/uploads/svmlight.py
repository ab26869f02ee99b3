"""LibSVM text: a label and then ``place:value`` for what is not zero, read through scikit-learn."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
from sklearn.datasets import load_svmlight_file

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import CELLS, COLUMNS, ROWS, at_most, plain_text
from influence_core.data.uploads.raw import Block, Raw

LINES = 20
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LINE = re.compile(rf"{_NUMBER}(?:,{_NUMBER})*(?:\s+qid:\d+)?(?:\s+\d+:\S+)*\s*(?:#.*)?")
_PLACE = re.compile(rb"(?<=[ \t])(\d+):")


def read_svmlight(content: bytes) -> Raw:
    """Labels, and one block of features named by their places.

    Returns:
        The table; places that no row names are zero in all of them.

    Raises:
        DataError: damaged, with queries or several labels, or too large when zeros are filled in.
    """
    head = content[:100_000].decode("utf-8", errors="replace")
    if re.search(r"\sqid:\d", head):
        raise DataError("Expected one label per row, got LibSVM text with queries (qid:): leave them out.")
    if any("," in line.split(maxsplit=1)[0] for line in _rows(head)):
        raise DataError("Expected one label per row, got LibSVM text with several: keep one of them.")
    at_most("rows", ROWS, content.count(b"\n"), "take a random part of the rows")
    most = max((int(place) for place in set(_PLACE.findall(content))), default=0)
    at_most("features", COLUMNS, most, "leave out those that are rare")
    at_most("cells", CELLS, (content.count(b"\n") + 1) * (most + 1), "leave out some columns or rows")
    try:
        sparse, labels = load_svmlight_file(io.BytesIO(content), dtype=np.float64)
    except (ValueError, OverflowError, TypeError) as error:
        raise DataError(
            "Expected LibSVM text such as '1 1:0.5 3:2', got lines that are not "
            f"({plain_text(error, 80).rstrip('.')}): mend them, or save the table as CSV."
        ) from None
    if not sparse.shape[1] or not len(labels):
        raise DataError("Expected LibSVM text with features, got labels only: choose another file.")
    first = 0 if b" 0:" in content else 1
    names = tuple(f"x{k + first}" for k in range(sparse.shape[1]))
    whole = bool((labels == np.round(labels)).all())
    frame = pd.DataFrame({"label": labels.astype(np.int64) if whole else labels})
    note = f"LibSVM text: a label and {sparse.shape[1]:,} features; what is not written is 0."
    return Raw(frame, {"features": Block(sparse.toarray(), names)}, notes=(note,))


def is_svmlight(text: str) -> bool:
    """Whether all of the first lines are a label and places with values."""
    lines = [line for line in _rows(text)][:LINES]
    return any(":" in line for line in lines) and all(_LINE.fullmatch(line) for line in lines)


def _rows(text: str) -> list[str]:
    # The last line of a beginning may be cut.
    lines = [line.strip() for line in text.splitlines()[: LINES + 1]]
    return [line for line in lines if line and not line.startswith("#")]
