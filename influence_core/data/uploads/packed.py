"""Packed files: a zip is what its members make it, and a table packed by gzip or bzip2 is unpacked within limits."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import open_archive, refuse_nested, unpack
from influence_core.data.uploads.gallery import is_picture, read_pictures
from influence_core.data.uploads.limits import BYTES, MEGABYTE, RATIO, UNSUSPICIOUS, at_most, quoted
from influence_core.data.uploads.raw import Raw

Read = Callable[[str, bytes], Raw]
GZIP, BZIP2 = b"\x1f\x8b", b"BZh"
TABLES = {".csv", ".tsv", ".tab", ".parquet", ".feather", ".arrow", ".xlsx", ".ods", ".jsonl", ".ndjson", ".arff"}
MAYBE = {".txt", ".data", ".dat", ".json", ".libsvm", ".svm", ""}  # tables where nothing better is there
_SPREADSHEET = {"xl/workbook.xml": "spreadsheet", "content.xml": "spreadsheet"}
_OTHER = {
    "xl/workbook.bin": ("a binary workbook (.xlsb)", "save it as .xlsx"),
    "word/document.xml": ("a text document", "save its table as CSV"),
    "ppt/presentation.xml": ("slides", "save the table as CSV"),
    "Index/Document.iwa": ("a document of Numbers", "export it as .xlsx or CSV"),
    "data.pkl": ("a file of PyTorch", "save the arrays with np.savez, because pickled files can run code"),
}


def kind_of_zip(content: bytes) -> str:
    """What a zip archive is by its members.

    Returns:
        "spreadsheet", "npz" or "zip".

    Raises:
        DataError: a document of another program, or an archive that cannot be opened.
    """
    _, members = open_archive(content)
    names = [member.filename for member in members]
    for name, (what, advice) in _OTHER.items():
        if any(found == name or (name == "data.pkl" and found.endswith("/data.pkl")) for found in names):
            raise DataError(f"Expected a table, arrays or pictures, got {what}: {advice}.")
    if "xl/workbook.xml" in names:
        return "spreadsheet"
    if "content.xml" in names and "mimetype" in names:
        kind = unpack(*_named(content, "mimetype")).decode("ascii", "replace")
        if "spreadsheet" not in kind:
            raise DataError(f"Expected a spreadsheet, got another document ({quoted(kind)}): save its table as CSV.")
        return "spreadsheet"
    return "npz" if names and any(name.endswith(".npy") for name in names) else "zip"


def read_zip(content: bytes, read: Read) -> Raw:
    """Pictures with labels, or the only table in an archive.

    Args:
        content: of the archive.
        read: reads a file by name and content, and refuses archives.

    Returns:
        What it held.

    Raises:
        DataError: neither, or several tables; what was found is listed.
    """
    archive, members = open_archive(content)
    refuse_nested(members)
    if any(is_picture(member.filename) for member in members):
        return read_pictures(archive, members, read)
    tables = _with_ending(members, TABLES) or _with_ending(members, MAYBE)
    if len(tables) != 1:
        found = _listed([m.filename for m in tables or members])
        raise DataError(
            "Expected one table, or at least 2 folders with pictures, one per class, in the archive, got "
            f"{found}: pack only the table that is to be read."
            if tables else
            f"Expected one table, or at least 2 folders with pictures, one per class, in the archive, got {found}: "
            "pack a CSV file, or the pictures of each class in a folder of its name."
        )  # fmt: skip
    inside = read(PurePosixPath(tables[0].filename).name, unpack(archive, tables[0]))
    others = [m.filename for m in members if m is not tables[0]]
    left_out = (f"Other files in the archive were left out: {_listed(others)}.",) if others else ()
    note = f"The table {quoted(tables[0].filename)} in the archive was read."
    return replace(inside, notes=(note, *left_out, *inside.notes))


def read_packed(name: str, content: bytes, read: Read) -> Raw:
    """A file packed by gzip or bzip2.

    Args:
        name: of the file; what is left without its last ending names the content.
        content: packed.
        read: reads a file by name and content, and refuses archives.

    Returns:
        What it held.

    Raises:
        DataError: damaged, too large when unpacked, or an archive of several files.
    """
    opened = (
        gzip.GzipFile(fileobj=io.BytesIO(content)) if content.startswith(GZIP) else bz2.BZ2File(io.BytesIO(content))
    )
    most = min(BYTES, max(UNSUSPICIOUS, RATIO * len(content)))
    try:
        with opened as file:
            inside = file.read(most + 1)
    except (OSError, EOFError, zlib.error, ValueError):
        raise DataError("Expected a packed file, got a damaged or cut one: pack and upload it again.") from None
    if len(inside) > most and most < BYTES:
        raise DataError(
            f"Expected a packed file that unpacks to at most {RATIO} times its size, got more: upload real data, less "
            "tightly packed."
        )
    at_most("MB in the unpacked file", BYTES // MEGABYTE, -(-len(inside) // MEGABYTE), "upload a part of it")
    return read(PurePosixPath(name).stem, inside)


def _named(content: bytes, name: str) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    archive, members = open_archive(content)
    return archive, next(member for member in members if member.filename == name)


def _with_ending(members: Sequence[zipfile.ZipInfo], endings: set[str]) -> list[zipfile.ZipInfo]:
    found = [m for m in members if PurePosixPath(m.filename).suffix.lower() in endings]
    told = {"readme", "license", "licence", "metadata", "datapackage"}
    return [m for m in found if PurePosixPath(m.filename).stem.lower() not in told]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(quoted(name) for name in names[:5]) + more if names else "nothing"
