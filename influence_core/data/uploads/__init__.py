"""A user's own data: read within limits, mapped, checked, kept by content, and never executed or unpickled."""

from influence_core.data.uploads.building import Upload, build, label_codes
from influence_core.data.uploads.checks import warnings
from influence_core.data.uploads.columns import Column, ColumnMapping, describe_columns, mapping_of, row_names
from influence_core.data.uploads.decoding import ENCODINGS, titled
from influence_core.data.uploads.filling import Gaps, gap_names, gaps
from influence_core.data.uploads.guessing import guess_mapping, guess_targets, guess_task, left_out
from influence_core.data.uploads.limits import BYTES
from influence_core.data.uploads.raw import Choice, Raw, ReadAs, TableForm
from influence_core.data.uploads.reading import READERS, form_kind, read_upload
from influence_core.data.uploads.rewriting import Rewriting, rewriting
from influence_core.data.uploads.rewriting_records import Edit
from influence_core.data.uploads.separating import BLANKS, SEPARATORS
from influence_core.data.uploads.source import UPLOAD
from influence_core.data.uploads.store import UploadStore, upload_fingerprint, upload_store
from influence_core.data.uploads.taking import AT_ONCE, FileRead, made, take
from influence_core.data.uploads.understanding import reread

__all__ = [
    "AT_ONCE",
    "BLANKS",
    "BYTES",
    "ENCODINGS",
    "READERS",
    "SEPARATORS",
    "UPLOAD",
    "Choice",
    "Column",
    "ColumnMapping",
    "Edit",
    "TableForm",
    "FileRead",
    "Gaps",
    "Raw",
    "ReadAs",
    "Rewriting",
    "Upload",
    "UploadStore",
    "build",
    "describe_columns",
    "form_kind",
    "gap_names",
    "gaps",
    "guess_mapping",
    "guess_targets",
    "guess_task",
    "label_codes",
    "left_out",
    "made",
    "mapping_of",
    "read_upload",
    "reread",
    "rewriting",
    "row_names",
    "take",
    "titled",
    "upload_fingerprint",
    "upload_store",
    "warnings",
]
