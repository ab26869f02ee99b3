"""A file as a stream of rows ready to be stored, after one pass that has found out what its columns are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.stored.columns import MISSING, Feature, feature_of, looked_at, targets
from influence_core.data.stored.folder import KINDS, MOST_CLASSES, MOST_FEATURES
from influence_core.data.stored.pictures import PictureStream
from influence_core.data.stored.sources import (
    ARRAYS,
    TABLES,
    ArrayStream,
    array_streams,
    pairs,
    table_chunks,
    table_dialect,
)

ID_BYTES = 64
LEAST = 3  # rows of a class


@dataclass(frozen=True, kw_only=True)
class Intake:
    """How a file is read.

    Attributes:
        target: column of a table that is predicted; empty: the last one.
        identity: column whose cells name the rows; empty: hashes of their content.
        drop: columns left out.
        test: share of the rows that is asked about, chosen by their names, so that it stays when the file grows.
        fill: whether gaps in columns of numbers get the mean and a column that says so.
        single: whether a table is kept as float32.
    """

    target: str = ""
    identity: str = ""
    drop: tuple[str, ...] = ()
    test: float = 0.1
    fill: bool = False
    single: bool = False


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows as they are stored: x (b, d), y (b,), ids (b,), and whether each is asked about."""

    x: NDArray[Any]
    y: NDArray[Any]
    ids: NDArray[np.bytes_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class File:
    """A file after the first pass.

    Attributes:
        features: names of the columns that will be stored.
        classes: names of the classes; empty for regression.
        target: what y means.
        dtype: in which the features are kept.
        rows: how many there are.
        stream: number of the first chunk wanted -> rows, a chunk at a time.
        notes: what was guessed, sentences for people.
        picture: height, width and perhaps 3 colours of pictures; else empty.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    target: str
    dtype: np.dtype[Any]
    rows: int
    stream: Callable[[int], Iterator[Rows]]
    notes: tuple[str, ...] = ()
    picture: tuple[int, ...] = ()


def file_of(path: Path, reading: Intake) -> File:
    """Look through a file once.

    Raises:
        DataError: it, a column or a cell cannot be used.
    """
    ending = path.suffix.lower()
    readers = dict.fromkeys(TABLES, _table) | dict.fromkeys(ARRAYS, _arrays) | {".zip": _pictures}
    if ending not in readers:
        raise DataError(f"{path.name}: expected a file ending in {', '.join(readers)}.")
    found = readers[ending](path, reading)
    if not 0 < len(found.features) <= MOST_FEATURES:
        raise DataError(f"{path.name}: expected 1 to {MOST_FEATURES:,} features, got {len(found.features):,}.")
    if len(found.classes) == 1:
        raise DataError(f"{path.name}: expected at least two classes, got only {found.classes[0][:40]!r}.")
    return found


def _table(path: Path, reading: Intake) -> File:
    dialect = table_dialect(path)
    columns = looked_at(table_chunks(path, dialect), {reading.target: MOST_CLASSES})
    dropped = [new for name in reading.drop for new in dialect.made.get(name, (name,))]
    aside = {*dropped, reading.identity} - {""}
    target = reading.target or next((name for name in reversed(columns) if name not in aside), "")
    if unknown := [name for name in (*aside, target) if name not in columns]:
        raise DataError(f"There is no column {unknown[0][:40]!r}: expected one of {', '.join(columns)[:200]}.")
    found = columns[target]
    classes = found.classes
    if not classes and not found.numeric:
        what = "is empty" if found.texts == {} else f"has more than {found.limit} different texts"
        raise DataError(f"Column {target!r} {what} and cannot be the target. Name another by --target.")
    if classes and (rare := [name for name, count in (found.texts or {}).items() if count < LEAST]):
        raise DataError(
            f"Column {target!r}: class {rare[0][:40]!r} has fewer than {LEAST} rows ({len(rare)} classes have). Leave "
            "them out of the file, or name another column by --target."
        )
    features = [feature_of(column, reading.fill) for name, column in columns.items() if name not in {target, *aside}]

    def stream(first: int) -> Iterator[Rows]:
        row = 0
        for k, chunk in enumerate(table_chunks(path, dialect)):
            chunk.columns = [str(name) for name in chunk.columns]
            if k >= first:
                yield _encoded(chunk, features, targets(chunk[target], classes, target, row), reading)
            row += len(chunk)

    names = tuple(name for feature in features for name in feature.names)
    kind = np.dtype(np.float32 if reading.single else np.float64)
    guessed = () if reading.target else (f"Target: {target!r}, the last column; another one by --target.",)
    counted = f"{len(classes)} classes" if classes else "a number"
    missing = f"Missing are empty cells and {', '.join(MISSING[1:])}."
    gaps = tuple(feature.note for feature in features if feature.note)
    notes = (*dialect.notes, *guessed, f"{target!r} is read as {counted}.", *gaps, *((missing,) if gaps else ()))
    return File(names, classes, target, kind, found.rows, stream, notes)


def _encoded(chunk: pd.DataFrame, features: list[Feature], y: NDArray[Any], reading: Intake) -> Rows:
    x = np.hstack([feature.encode(chunk[feature.name]) for feature in features])
    ids = _identity(chunk[reading.identity]) if reading.identity else content_ids(x, y)
    return Rows(x, y, ids, held_out(ids, reading.test))


def _identity(cells: pd.Series) -> NDArray[np.bytes_]:
    texts = [str(cell).encode() for cell in cells]
    if too_long := [text for text in texts if len(text) > ID_BYTES]:
        raise DataError(f"Names of rows may have {ID_BYTES} bytes, got {too_long[0][:80]!r}: leave --id out.")
    return np.array(texts, dtype=f"S{ID_BYTES}")


def _arrays(path: Path, reading: Intake) -> File:
    streams = array_streams(path)
    if "" in streams:
        raise DataError(f"{path.name} holds one array: save features and targets together, np.savez(file, X=X, y=y).")
    parts = pairs(streams, path)
    ys = [np.concatenate([*y.chunks()]) if y.shape[0] else np.zeros(0, y.dtype) for _, y in parts]
    labels, indices = np.unique(np.concatenate(ys), return_inverse=True)
    is_classes = labels.dtype.kind in "uibUS" and len(labels) <= MOST_CLASSES
    if not is_classes and labels.dtype.kind in "US":
        raise DataError(f"{path.name}: more than {MOST_CLASSES} different texts cannot be classes.")
    every = indices if is_classes else np.concatenate(ys).astype(np.float64)
    offsets = np.cumsum([0, *(len(y) for y in ys)])
    names = [label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in labels.tolist()]
    x = parts[0][0]

    def stream(first: int) -> Iterator[Rows]:
        k = 0
        for part, (xs, _) in enumerate(parts):
            row = 0
            for rows in xs.chunks():
                if k >= first:
                    y = every[offsets[part] + row : offsets[part] + row + len(rows)]
                    yield _numbers(rows, y, path, (part if len(parts) == 2 else -1, row, reading.test))
                row, k = row + len(rows), k + 1

    width = int(np.prod(x.shape[1:], dtype=np.int64))
    features = tuple(f"x{k}" for k in range(min(width, MOST_FEATURES + 1)))
    read = f"{len(names)} classes" if is_classes else "numbers"
    notes = (f"{parts[0][1].member.removesuffix('.npy')!r} is read as {read}.",)
    kept, classes = _kept(x), tuple(names) if is_classes else ()
    pictures = kept == np.uint8 and len(x.shape) > 2 and x.shape[3:] in {(), (3,)}
    return File(features, classes, "target", kept, int(offsets[-1]), stream, notes, x.shape[1:] if pictures else ())


def _pictures(path: Path, reading: Intake) -> File:
    found = PictureStream(path)
    y, test = found.y, found.test

    def stream(first: int) -> Iterator[Rows]:
        for rows, images in found.chunks(first):
            x = images.reshape(len(images), -1)
            ids = content_ids(x, y[rows])
            yield Rows(x, y[rows], ids, held_out(ids, reading.test) if test is None else test[rows])

    features = tuple(f"x{k}" for k in range(int(np.prod(found.shape))))
    return File(features, found.names, "class", np.dtype(np.uint8), len(y), stream, found.notes, found.shape)


def _kept(x: ArrayStream) -> np.dtype[Any]:
    """The type in which features are kept: as they are where it is offered, whole numbers as float64."""
    native = x.dtype.newbyteorder("=")
    if native.name in KINDS:
        return native
    if x.dtype.kind not in "uib":
        raise DataError(f"{x.path.name}: expected features that are numbers of {', '.join(KINDS)}, got {x.dtype}.")
    return np.dtype(np.uint8 if x.dtype.kind == "b" else np.float64)


def _numbers(rows: NDArray[Any], y: NDArray[Any], path: Path, where: tuple[int, int, float]) -> Rows:
    part, start, test = where
    x = rows.reshape(len(rows), -1)
    finite = np.isfinite(x).all(1) & np.isfinite(y)
    if not finite.all():
        raise DataError(f"{path.name}: row {start + int(finite.argmin())} holds a number that is missing or infinite.")
    ids = content_ids(x, y)
    return Rows(x, y, ids, held_out(ids, test) if part < 0 else np.full(len(x), part == 1))


def content_ids(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bytes_]:
    """Names of rows by what they hold, 16 hexadecimal digits: the same wherever a row stands; equal rows share one."""
    rows, ends = np.ascontiguousarray(x), np.asarray(y, dtype=np.float64)
    names = [
        hashlib.blake2b(row.tobytes() + end.tobytes(), digest_size=8).hexdigest()
        for row, end in zip(rows, ends, strict=True)
    ]
    return np.array(names, dtype="S16")


def held_out(ids: NDArray[np.bytes_], share: float) -> NDArray[np.bool_]:
    """Which rows are asked about: a share of all names, whatever other rows there are, (b,)."""
    least = [int.from_bytes(hashlib.blake2b(bytes(name), digest_size=4).digest()) for name in ids]
    return np.array(least, dtype=np.float64) < share * 2**32
