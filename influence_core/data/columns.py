"""The columns of the source behind the features: 0/1 features of one text column are one column again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.compute.sparse import is_sparse

OTHER = "(other)"


@dataclass(frozen=True)
class SourceColumn:
    """One column of the source.

    Attributes:
        name: of the column.
        features: places of its features.
        levels: what each of them stands for; none for a number.
    """

    name: str
    features: tuple[int, ...]
    levels: tuple[str, ...] = ()

    def level(self, values: FloatArray) -> str:
        """The value of one example.

        Args:
            values: (d,) features in the unit of the source.

        Returns:
            Its level; the one without a feature of its own is ``OTHER``.
        """
        return self.named(float(self.codes(values[None])[0]))

    def codes(self, x: FloatArray) -> FloatArray:
        """One number for every example, (n,): its value, or the place of its level, −1 without one of its own.

        Args:
            x: (n, d) features in the unit of the source.
        """
        if not self.levels:
            found: FloatArray = x[:, self.features[0]]
            return found
        on = x[:, list(self.features)] > 0.5
        return np.where(on.any(1), on.argmax(1), -1).astype(np.float64)

    def named(self, code: float) -> str:
        """The level at a place, ``OTHER`` for −1."""
        return self.levels[int(code)] if code >= 0 else OTHER

    def cells(self, x: FloatArray) -> FloatArray | list[str]:
        """The column as a table has it: numbers, or levels in words."""
        codes = self.codes(x)
        return [self.named(code) for code in codes] if self.levels else codes


def source_columns(names: Sequence[str], x: FloatArray) -> tuple[SourceColumn, ...]:
    """Columns of the source, as far as names and values tell: neighbours ``name=level`` of which at most one is 1.

    Args:
        names: d features.
        x: (n, d) in the unit of the source; in any unit where no name :func:`is_level`.

    Returns:
        Columns in the order of their features; whatever is not such a group is a column of its own.
    """
    if is_sparse(x):  # words
        return tuple(SourceColumn(name, (k,)) for k, name in enumerate(names))
    found: list[SourceColumn] = []
    for prefix, part in groupby(range(len(names)), key=lambda k: _prefix(names[k])):
        places = tuple(part)
        if prefix and len(places) > 1 and _exclusive(x[:, places]):
            levels = tuple(names[k][len(prefix) + 1 :] for k in places)
            found.append(SourceColumn(prefix, places, levels))
        else:
            found += [SourceColumn(names[k], (k,)) for k in places]
    return tuple(found)


def is_level(name: str) -> bool:
    """Whether this may be the feature of one level of a text column."""
    return bool(_prefix(name))


def summed(columns: Sequence[SourceColumn], parts: FloatArray) -> FloatArray:
    """What features carry as what columns carry, (…, number of columns).

    Args:
        columns: all of the source, whose features are neighbours.
        parts: (…, d).
    """
    found: FloatArray = np.add.reduceat(parts, [column.features[0] for column in columns], axis=-1)
    return found


def _prefix(name: str) -> str:
    """What stands before the sign of equality, if anything."""
    before, sign, _ = name.partition("=")
    return before if sign else ""


def _exclusive(part: NDArray[np.float64]) -> bool:
    """Whether these are zeros and ones, with at most one 1 in a row; to the rounding of a scaling."""
    whole = np.round(part)
    return bool((np.abs(part - whole) < 1e-9).all() and np.isin(whole, (0, 1)).all() and (whole.sum(1) <= 1).all())
