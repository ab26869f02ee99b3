"""Exports: files that cleanlab, Label Studio and spreadsheets read, with a manifest that says what they are."""

from influence_core.annotations.exports.files import Context, export, read_csv, zipped
from influence_core.annotations.exports.frames import COLUMNS, Original

__all__ = [
    "COLUMNS",
    "Context",
    "Original",
    "export",
    "read_csv",
    "zipped",
]
