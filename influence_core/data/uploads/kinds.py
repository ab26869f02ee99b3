"""Which kind of file it is, by its content; the name only helps where the content leaves it open."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.arff import is_arff
from influence_core.data.uploads.limits import quoted
from influence_core.data.uploads.packed import BZIP2, GZIP, XZ, ZSTD, kind_of_zip
from influence_core.data.uploads.records import is_records
from influence_core.data.uploads.records_of_books import OLD
from influence_core.data.uploads.svmlight import is_svmlight

HEAD = 2**18
_STARTS = (
    (b"PAR1", "parquet"), (b"ARROW1\0\0", "feather"), (b"\xff\xff\xff\xff", "feather"), (b"\x93NUMPY", "npy"),
    (GZIP, "packed"), (BZIP2, "packed"), (XZ, "packed"), (ZSTD, "packed"),
    (OLD, "spreadsheet"), (b"PK\x03\x04", "a zip"), (b"PK\x05\x06", "a zip"),
)  # fmt: skip
_PICTURE = "put the pictures of each class into a folder of its name and upload a zip of the folders"
_PICKLE = "save the arrays with np.savez, because pickled files can run code"
_TABLE = "save the table as CSV or Parquet"
_STRANGERS = (
    (b"FEA1", "Feather version 1", "write it again as version 2, or as Parquet"),
    (b"\x89PNG", "a single picture", _PICTURE), (b"\xff\xd8\xff", "a single picture", _PICTURE),
    (b"GIF8", "a single picture", _PICTURE), (b"II*\0", "a single picture", _PICTURE),
    (b"MM\0*", "a single picture", _PICTURE), (b"\x89HDF", "HDF5", _TABLE), (b"MATLAB 5.0", "a file of MATLAB", _TABLE),
    (b"SQLite format 3", "a database", _TABLE), (b"%PDF", "a PDF document", _TABLE), (b"Obj\x01", "Avro", _TABLE),
    (b"ORC", "ORC", _TABLE), (b"$FL2", "a file of SPSS", _TABLE), (b"<stata_dta>", "a file of Stata", _TABLE),
    (b"RDX", "a file of R", _TABLE), (b"\x80\x02", "a pickle", _PICKLE), (b"\x80\x03", "a pickle", _PICKLE),
    (b"\x80\x04", "a pickle", _PICKLE), (b"\x80\x05", "a pickle", _PICKLE),
    (b"7z\xbc\xaf", "a 7z archive", "pack it as zip"), (b"Rar!", "a RAR archive", "pack it as zip"),
    (b"MZ", "a program", "choose a data file"), (b"\x7fELF", "a program", "choose a data file"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself with git lfs pull"),
)  # fmt: skip
_AFTER_NAME = {b",", b";", b"\t", b"|", b" ", b"_", b'"'}
_TEXTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("arff", is_arff), ("json", is_records), ("libsvm", is_svmlight),
)  # fmt: skip
ENDINGS = {
    "csv": "text", "tsv": "text", "txt": "text", "tab": "text", "dat": "text", "data": "text", "parquet": "parquet",
    "pq": "parquet", "feather": "feather", "arrow": "feather", "npz": "npz", "npy": "npy", "zip": "zip",
    "xlsx": "spreadsheet", "xlsm": "spreadsheet", "ods": "spreadsheet", "xls": "spreadsheet", "xlsb": "spreadsheet",
    "json": "json", "jsonl": "json", "ndjson": "json", "arff": "arff", "libsvm": "libsvm", "svm": "libsvm",
    "gz": "packed", "bz2": "packed", "tgz": "packed", "xz": "packed", "zst": "packed",
}  # fmt: skip
WORDS = {
    "text": "a table written as text", "parquet": "Parquet", "feather": "Feather or Arrow", "npz": "arrays (NPZ)",
    "npy": "an array (NPY)", "zip": "a zip archive", "spreadsheet": "a spreadsheet", "json": "JSON", "arff": "ARFF",
    "libsvm": "LibSVM text", "packed": "a packed file",
}  # fmt: skip


def kind_of_content(name: str, content: bytes) -> tuple[str, str]:
    """The kind of a file, one of ``WORDS``.

    Returns:
        The kind, and a sentence where the name says another; a kind that is not read is a ``DataError``.
    """
    found = next((kind for start, kind in _STARTS if _starts(content, start)), "")
    if found == "a zip":
        found = kind_of_zip(content)
    if not found:
        _refuse_strangers(name, content)
        text = _head(content)
        found = next((kind for kind, fits in _TEXTS if fits(text)), "text")
    said = ENDINGS.get(PurePosixPath(name).suffix.lower().removeprefix("."), found)
    plain = {"text", "json", "arff", "libsvm"}
    if said in {found, "npz" if found == "zip" else found} or {said, found} <= plain:
        return found, ""
    return found, f"The name {quoted(name)} says {WORDS[said]}, but the content is {WORDS[found]} and was read as that."


def _starts(content: bytes, start: bytes) -> bool:
    # A short mark of letters may also be the name of a first column.
    return content.startswith(start) and not (start.isalnum() and content[len(start) : len(start) + 1] in _AFTER_NAME)


def _refuse_strangers(name: str, content: bytes) -> None:
    for start, what, advice in _STRANGERS:
        if _starts(content, start):
            raise DataError(f"Expected a table, arrays or pictures, got {what} in {quoted(name)}: {advice}.")
    if content[4:8] == b"ftyp":
        raise DataError(f"Expected a table, arrays or pictures, got a picture or film in {quoted(name)}: {_PICTURE}.")
    if content[257:262] == b"ustar":
        raise DataError(f"Expected a table, arrays or pictures, got a tar archive in {quoted(name)}: pack it as zip.")
    if content[8:10] == b'{"' and b"dtype" in content[:2_000]:
        raise DataError(f"Expected a table, arrays or pictures, got safetensors in {quoted(name)}: use np.savez.")
    if content.lstrip()[:1] == b"<" and (b"</" in content[:HEAD] or content.lstrip()[:2] in {b"<!", b"<?"}):
        raise DataError(f"Expected a table, arrays or pictures, got HTML or XML in {quoted(name)}: save it as CSV.")


def _head(content: bytes) -> str:
    head = content[:HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="ignore")
    return head.decode("utf-8-sig", errors="replace")
