"""Exports: files that cleanlab, Label Studio and spreadsheets read, with a manifest that says what they are."""

from influence_core.annotations.exports.files import Context, export, read_csv, zipped
from influence_core.annotations.exports.frames import COLUMNS, Original
from influence_core.annotations.exports.reading import export_counts

__all__ = [
    "COLUMNS",
    "Context",
    "Original",
    "export",
    "export_counts",
    "read_csv",
    "zipped",
]
