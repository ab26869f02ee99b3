"""From the bytes of a file to a table: which kind of file it is, and who reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.arrays import read_arrays
from influence_core.data.uploads.limits import BYTES, MEGABYTE, NAME, at_most, plain_text, quoted
from influence_core.data.uploads.parquet import read_parquet
from influence_core.data.uploads.pictures import read_pictures
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.text import read_text
from influence_core.data.uploads.understanding import understood

READERS: dict[str, Callable[[bytes], Raw]] = {
    "csv": read_text,
    "tsv": read_text,
    "txt": read_text,
    "parquet": read_parquet,
    "npz": read_arrays,
    "zip": read_pictures,
}
_STARTS = {b"PAR1": ("parquet",), b"PK\x03\x04": ("npz", "zip"), b"PK\x05\x06": ("npz", "zip")}
_ADVICE = {
    "npy": "save x and y together with np.savez('data.npz', x=x, y=y)",
    "pkl": "save the arrays with np.savez, because pickled files can run code",
    "xlsx": "save the sheet as CSV",
    "json": "save the table as CSV or Parquet",
}


def read_upload(name: str, content: bytes) -> Raw:
    """The content of a file, read by the ending of its name; nothing in it is run, unpickled or written.

    Returns:
        What it held.

    Raises:
        DataError: another kind of file, damaged, or beyond a limit; one sentence says what to do.
    """
    name = plain_text(PurePosixPath(name.replace("\\", "/")).name, NAME)
    ending = PurePosixPath(name).suffix.lower().removeprefix(".")
    if ending not in READERS:
        raise DataError(
            f"Expected a file that ends in {', '.join(READERS)}, got {quoted(name)}: "
            f"{_ADVICE.get(ending, 'save the data as one of these')}."
        )
    at_most("MB in a file", BYTES // MEGABYTE, -(-len(content) // MEGABYTE), "upload a part of it")
    if not content.strip():
        raise DataError(f"Expected data in {quoted(name)}, got an empty file: choose another one.")
    _check_start(name, ending, content)
    raw = READERS[ending](content)
    if len(raw) < 1:
        raise DataError(f"Expected rows in {quoted(name)}, got none: choose another file.")
    return replace(understood(raw), name=name, sha256=hashlib.sha256(content).hexdigest())


def _check_start(name: str, ending: str, content: bytes) -> None:
    said = next((kinds for start, kinds in _STARTS.items() if content.startswith(start)), None)
    if said is None and ending in {"parquet", "npz", "zip"}:
        raise DataError(f"Expected a {ending} file as the name {quoted(name)} says, got other content: save it again.")
    if said is not None and ending not in said:
        raise DataError(
            f"Expected a {ending} file as the name {quoted(name)} says, got {' or '.join(said)}: rename it."
        )
