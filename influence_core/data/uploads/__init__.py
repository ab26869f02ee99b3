"""A user's own data: read within limits, mapped, checked, kept by content, and never executed or unpickled."""

from influence_core.data.uploads.building import Upload, build
from influence_core.data.uploads.checks import warnings
from influence_core.data.uploads.columns import Column, ColumnMapping, describe_columns, guess_mapping, guess_task
from influence_core.data.uploads.filling import Gaps, gaps
from influence_core.data.uploads.limits import BYTES
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.reading import READERS, read_upload
from influence_core.data.uploads.source import UPLOAD
from influence_core.data.uploads.store import UploadStore, upload_fingerprint, upload_store

__all__ = [
    "BYTES",
    "READERS",
    "UPLOAD",
    "Column",
    "ColumnMapping",
    "Gaps",
    "Raw",
    "Upload",
    "UploadStore",
    "build",
    "describe_columns",
    "gaps",
    "guess_mapping",
    "guess_task",
    "read_upload",
    "upload_fingerprint",
    "upload_store",
    "warnings",
]
