"""Packed files: a zip is what its members make it; what gzip, bzip2, xz or zstd packed is unpacked within limits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import open_archive, refuse_nested, unpack
from influence_core.data.uploads.gallery import is_picture, read_pictures
from influence_core.data.uploads.limits import BYTES, MEGABYTE, RATIO, UNSUSPICIOUS, at_most, quoted
from influence_core.data.uploads.parted import files_listed, others_left_out, parts_of, read_parts
from influence_core.data.uploads.prose import is_text_folders, read_texts
from influence_core.data.uploads.raw import Raw

Read = Callable[[str, bytes], Raw]
XZ_MEMORY = 100 * MEGABYTE  # the largest dictionary of the usual levels takes 65
TABLES = {
    ".csv",
    ".tsv",
    ".tab",
    ".parquet",
    ".feather",
    ".arrow",
    ".xlsx",
    ".xls",
    ".xlsb",
    ".ods",
    ".jsonl",
    ".ndjson",
    ".arff",
}
MAYBE = {".txt", ".data", ".dat", ".json", ".libsvm", ".svm", ""}  # tables where nothing better is there
_OTHER = {
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
    if {"xl/workbook.xml", "xl/workbook.bin"} & {*names}:
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
    if is_text_folders(members) and not _with_ending(members, TABLES):
        return read_texts(archive, members)
    tables = _with_ending(members, TABLES) or _with_ending(members, MAYBE)
    parts = parts_of(tables)
    if parts:
        return read_parts(archive, parts, [m.filename for m in members], read)
    if len(tables) != 1:
        found = files_listed([m.filename for m in tables or members])
        raise DataError(
            "Expected one table, or at least 2 folders with pictures, one per class, in the archive, got "
            f"{found}: pack only the table that is to be read."
            if tables else
            f"Expected one table, or at least 2 folders with pictures, one per class, in the archive, got {found}: "
            "pack a CSV file, or the pictures of each class, as JPEG or PNG, in a folder of its name."
        )  # fmt: skip
    inside = read(PurePosixPath(tables[0].filename).name, unpack(archive, tables[0]))
    note = f"The table {quoted(tables[0].filename)} in the archive was read."
    others = [m.filename for m in members if m is not tables[0]]
    return replace(inside, notes=(note, *others_left_out(others), *inside.notes))


def read_packed(name: str, content: bytes, read: Read) -> Raw:
    """A file packed by gzip, bzip2, xz or zstd.

    Args:
        name: of the file; what is left without its last ending names the content.
        content: packed.
        read: reads a file by name and content, and refuses archives.

    Returns:
        What it held.

    Raises:
        DataError: damaged, too large when unpacked, or an archive of several files.
    """
    most = min(BYTES, max(UNSUSPICIOUS, RATIO * len(content)))
    unpacked = next(unpacked for start, unpacked in PACKERS.items() if content.startswith(start))
    try:
        inside = unpacked(content, most + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        raise DataError("Expected a packed file, got a damaged or cut one: pack and upload it again.") from None
    if len(inside) > most and most < BYTES:
        raise DataError(
            f"Expected a packed file that unpacks to at most {RATIO} times its size, got more: upload real data, less "
            "tightly packed."
        )
    at_most("MB in the unpacked file", BYTES // MEGABYTE, -(-len(inside) // MEGABYTE), "upload a part of it")
    return read(PurePosixPath(name).stem, inside)


def _gzip(content: bytes, most: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return file.read(most)


def _bzip2(content: bytes, most: int) -> bytes:
    with bz2.BZ2File(io.BytesIO(content)) as file:
        return file.read(most)


def _xz(content: bytes, most: int) -> bytes:
    """All streams; the standard library limits the memory of one stream only where it is asked to."""
    parts, size = [], 0
    while content.startswith(XZ) and size < most:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        parts.append(stream.decompress(content, most - size))
        size += len(parts[-1])
        if not stream.eof and size < most:
            raise EOFError
        content = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _zstd(content: bytes, most: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as file:
        found: bytes = file.read(most)
    return found


GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"
PACKERS = {GZIP: _gzip, BZIP2: _bzip2, XZ: _xz, ZSTD: _zstd}


def _named(content: bytes, name: str) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    archive, members = open_archive(content)
    return archive, next(member for member in members if member.filename == name)


def _with_ending(members: Sequence[zipfile.ZipInfo], endings: set[str]) -> list[zipfile.ZipInfo]:
    found = [m for m in members if PurePosixPath(m.filename).suffix.lower() in endings]
    told = {"readme", "license", "licence", "metadata", "datapackage"}
    return [m for m in found if PurePosixPath(m.filename).stem.lower() not in told]
