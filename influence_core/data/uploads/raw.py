"""What a file held, before anybody says what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import COLUMNS, NAME, at_most, plain_text, quoted


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
        blocks: further columns that belong together.
        images: (n, h, w) or (n, h, w, 3) uint8 to show a person.
        notes: sentences on what was understood on the way.
        name: of the file.
        sha256: of the file.
        index: the column that names the rows, where the file itself says so.
        target: the column of classes, where the file itself says so.
        aside: columns that describe an example and are no features by guess, such as groups of pictures.
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

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of single columns, then of blocks."""
        return (*map(str, self.frame.columns), *self.blocks)


def column_names(given: Sequence[object]) -> tuple[list[str], tuple[str, ...]]:
    """Harmless, different names; a blank one is named after its place.

    Returns:
        The names, and a note where one was made up or cut.

    Raises:
        DataError: two columns have the same name, or there are too many.
    """
    at_most("columns", COLUMNS, len(given), "leave out some columns")
    names = [plain_text(name, NAME) or f"column {place}" for place, name in enumerate(given, 1)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"Expected different column names, got {quoted(name)} twice: rename one of the two.")
        seen.add(name)
    blank = sum(not plain_text(name) for name in given)
    cut = sum(name.endswith("…") and len(name) == NAME for name in names)
    notes = [f"{blank} columns without a name were numbered."] if blank else []
    return names, (*notes, *([f"{cut} column names were cut to {NAME} characters."] if cut else []))
