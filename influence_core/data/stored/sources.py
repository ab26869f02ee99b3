"""Files as streams of rows: tables through pandas and pyarrow a batch at a time, arrays straight from their bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.stored.dialect import Dialect, of_frame, of_text, plain, text_chunks

ROWS = 20_000  # of a table in memory at a time
BYTES = 2**22  # of an array in memory at a time
TEXTS = (".csv", ".tsv", ".tab", ".txt")
TABLES = (*TEXTS, ".parquet")
ARRAYS = (".npz", ".npy")
TRAIN = (("x_train", "y_train"), ("train_images", "train_labels"), ("X", "y"), ("x", "y"), ("data", "target"))
TEST = (("x_test", "y_test"), ("test_images", "test_labels"))
PICTURE_DIMENSIONS = 4  # n × height × width × channels


def table_dialect(path: Path) -> Dialect:
    """How a table is written, by its first block.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        if path.suffix.lower() != ".parquet":
            return of_text(path)
        with pq.ParquetFile(path) as file:
            return of_frame(next((batch.to_pandas() for batch in file.iter_batches(ROWS)), pd.DataFrame()))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} could not be read as a table: {str(error)[:160]}") from None


def table_chunks(path: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
    """Rows of a text or Parquet file, :data:`ROWS` at a time; cells of a text are texts.

    Yields:
        A frame for each.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS):
                    yield plain(batch.to_pandas(), dialect)
        else:
            yield from text_chunks(path, dialect, ROWS)
    except (pa.ArrowException, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path.name} could not be read as a table: {str(error)[:160]}") from None


@dataclass(frozen=True, eq=False)
class ArrayStream:
    """One array of a file: its shape and type, and its rows a few at a time."""

    path: Path
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def chunks(self) -> Iterator[NDArray[Any]]:
        """Consecutive rows, at most :data:`BYTES` at a time.

        Yields:
            (b, ...) arrays.

        Raises:
            DataError: the file ends before its last row.
        """
        width = int(np.prod(self.shape[1:], dtype=np.int64)) if len(self.shape) > 1 else 1
        rows = max(1, BYTES // max(1, width * self.dtype.itemsize))
        with _opened(self.path, self.member) as file:
            _header(file, self.path)
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                wanted = count * width * self.dtype.itemsize
                content = file.read(wanted)
                if len(content) != wanted:
                    raise DataError(f"{self.path.name}: {self.member or 'the array'} is cut off at row {start}.")
                yield np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])


def array_streams(path: Path) -> Mapping[str, ArrayStream]:
    """The arrays of an NPZ file by name, or the one of an NPY file under "".

    Raises:
        DataError: no such file, or an array that is not of plain numbers in C order.
    """
    try:
        if path.suffix.lower() == ".npy":
            names = [""]
        else:
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".npy")]
        found = {}
        for name in names:
            with _opened(path, name) as file:
                shape, dtype = _header(file, path)
            found[name.removesuffix(".npy")] = ArrayStream(path, name, shape, dtype)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path.name} could not be read: {str(error)[:160]}") from None
    return found


@contextmanager
def _opened(path: Path, member: str) -> Generator[IO[bytes]]:
    if not member:
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
        yield inner


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, columns_first, dtype = read(file)
    except (ValueError, EOFError, TypeError, SyntaxError):
        raise DataError(f"{path.name}: an array has a damaged header.") from None
    if any(type(size) is not int or not 0 <= size < 2**48 for size in shape) or len(shape) > PICTURE_DIMENSIONS:
        raise DataError(f"{path.name}: expected an array of at most four dimensions, got the shape {str(shape)[:60]}.")
    if columns_first and len(shape) > 1:
        raise DataError(f"{path.name}: the array is in Fortran order: save np.ascontiguousarray(x).")
    if dtype.hasobject or dtype.kind not in "uifbUS" or dtype.names:
        raise DataError(f"{path.name}: expected plain numbers or texts, got an array of {dtype}.")
    return tuple(shape), dtype


def pairs(arrays: Mapping[str, ArrayStream], path: Path) -> tuple[tuple[ArrayStream, ArrayStream], ...]:
    """Features and targets under their usual names, (training,) or (training, test).

    Raises:
        DataError: they are not there, or do not fit each other.
    """
    found = []
    for names in (TRAIN, TEST):
        found += [(arrays[x], arrays[y]) for x, y in names if x in arrays and y in arrays][:1]
    if not found or all(x not in arrays for x, _ in TRAIN):
        usual = " or ".join(f"{x} and {y}" for x, y in TRAIN[:3])
        raise DataError(f"{path.name}: expected arrays called {usual}, got {', '.join(arrays)[:120] or 'none'}.")
    first = found[0][0]
    for x, y in found:
        if len(x.shape) < 2 or len(y.shape) != 1 or x.shape[0] != y.shape[0]:
            raise DataError(f"{path.name}: expected n rows and n targets, got the shapes {x.shape} and {y.shape}.")
        if (x.shape[1:], x.dtype) != (first.shape[1:], first.dtype):
            raise DataError(
                f"{path.name}: training and test rows differ, {first.dtype} of {first.shape[1:]} and {x.dtype} of "
                f"{x.shape[1:]}."
            )
    return tuple(found)
