"""From the bytes of a file to a table: which kind of file it is, and who reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.arff import read_arff
from influence_core.data.uploads.arrays import read_array, read_arrays
from influence_core.data.uploads.arrow import read_feather
from influence_core.data.uploads.kinds import ENDINGS, WORDS, kind_of_content
from influence_core.data.uploads.limits import BYTES, MEGABYTE, NAME, at_most, plain_text, quoted
from influence_core.data.uploads.packed import read_packed, read_zip
from influence_core.data.uploads.parquet import read_parquet
from influence_core.data.uploads.raw import GUESS, Raw, TableForm
from influence_core.data.uploads.records import read_records
from influence_core.data.uploads.spreadsheet import read_spreadsheet
from influence_core.data.uploads.svmlight import read_svmlight
from influence_core.data.uploads.text import read_text
from influence_core.data.uploads.understanding import understood

# By the kind of the content; a zip of pictures or of a table and a packed file hold files of these kinds.
FORMED: dict[str, Callable[[bytes, TableForm], Raw]] = {"text": read_text, "spreadsheet": read_spreadsheet}
READERS: dict[str, Callable[[bytes], Raw]] = {
    "text": read_text,
    "parquet": read_parquet,
    "feather": read_feather,
    "npz": read_arrays,
    "npy": read_array,
    "spreadsheet": read_spreadsheet,
    "json": read_records,
    "arff": read_arff,
    "libsvm": read_svmlight,
}


def read_upload(name: str, content: bytes, asked: TableForm = GUESS) -> Raw:
    """The content of a file, whatever its name; nothing in it is run, unpickled or written.

    Args:
        name: of the file.
        content: of the file.
        asked: how a person says that its table is written; kinds that are written in one way only leave it aside.

    Returns:
        What it held; another kind of file, a damaged one or one beyond a limit is a ``DataError``, whose one sentence
        says what to do.
    """
    name = plain_text(PurePosixPath(name.replace("\\", "/")).name, NAME)
    at_most("MB in a file", BYTES // MEGABYTE, -(-len(content) // MEGABYTE), "upload a part of it")
    raw = understood(_read(name, content, asked))
    return replace(raw, name=name, sha256=hashlib.sha256(content).hexdigest())


def form_kind(name: str, content: bytes) -> str:
    """The kind of a file whose :class:`TableForm` may be chosen although it could not be read by guess.

    Returns:
        "text", "spreadsheet", or "" where there is nothing to choose.
    """
    try:
        kind, _ = kind_of_content(name, content)
    except DataError:
        return ""
    return kind if kind in FORMED else "text" if kind == "packed" else ""


def _read(name: str, content: bytes, asked: TableForm) -> Raw:
    if not content.strip():
        raise DataError(f"Expected data in {quoted(name)}, got an empty file: choose another one.")
    kind, note = kind_of_content(name, content)
    if kind == "zip":
        raw = read_zip(content, partial(_read_inside, asked=asked))
    elif kind == "packed":
        raw = read_packed(name, content, partial(_read_inside, asked=asked))
    else:
        raw = _as_kind(kind, name, content, bool(note), asked)
    if len(raw) < 1:
        raise DataError(f"Expected rows in {quoted(name)}, got none: choose another file.")
    return replace(raw, notes=(note, *raw.notes)) if note else raw


def _read_inside(name: str, content: bytes, asked: TableForm) -> Raw:
    """A file in an archive, which is no archive itself."""
    if kind_of_content(name, content)[0] in {"zip", "packed"}:
        raise DataError(f"Expected a table in the packed file, got the archive {quoted(name)}: unpack it first.")
    return _read(name, content, asked)


def _as_kind(kind: str, name: str, content: bytes, surprising: bool, asked: TableForm) -> Raw:
    try:
        return FORMED[kind](content, asked) if kind in FORMED else READERS[kind](content)
    except DataError:
        said = ENDINGS.get(PurePosixPath(name).suffix.lower().removeprefix("."), kind)
        if kind != "text" or not surprising:
            raise
        raise DataError(
            f"Expected {WORDS[said]} as the name {quoted(name)} says, got other content: save it again."
        ) from None
