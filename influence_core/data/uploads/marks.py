"""What is known of the sheets of a workbook before a library unfolds them: their sizes, and cells without a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import MEGABYTE, UNPACKED, at_most

GRID = 10_000_000  # cells of a sheet, empty ones too
Cell = tuple[int, int]


@dataclass(eq=False)
class Marks:
    """What stands in the XML of a sheet beside values; row and column count from 0.

    Attributes:
        errors: cells such as #N/A.
        uncounted: cells with a formula whose result was not stored.
        spans: first and last cell of areas that were joined to one; found here in an .ods only.
    """

    errors: list[Cell] = field(default_factory=list)
    uncounted: list[Cell] = field(default_factory=list)
    spans: list[tuple[Cell, Cell]] = field(default_factory=list)


def damaged_workbook() -> DataError:
    """The sentence for a workbook that cannot be read."""
    return DataError("Expected a readable workbook, got a damaged or cut one: save it again as .xlsx, or as CSV.")


def check_grid(rows: int, columns: int, text: int) -> None:
    """Refuse a sheet that would fill the memory."""
    at_most("cells between the first and the last of a sheet", GRID, rows * columns, "keep only the table on it")
    at_most("MB of text in a sheet", UNPACKED // MEGABYTE, text // MEGABYTE, "leave out some columns or rows")
