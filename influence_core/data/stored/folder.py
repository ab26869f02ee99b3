"""A stored data set: what its manifest says, its mapped arrays, and whether its files are still those."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import Task, data_folder, once
from influence_core.data.dataset import DataError, Dataset, Scaling
from influence_core.files import json_text

FORMAT = 1
MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
KINDS = ("uint8", "float16", "float32", "float64")
FILES = ("x", "y", "ids", "x_test", "y_test", "ids_test", "scaling")
CHUNK = 2**24
MOST_FEATURES, MOST_CLASSES = 100_000, 1_000


@dataclass(frozen=True, eq=False)
class Part:
    """Examples on disk: x (n, d) as stored, y (n,) class index or target, ids (n,) UTF-8 bytes; all mapped."""

    x: NDArray[Any]
    y: NDArray[Any]
    ids: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Stored:
    """An opened data set.

    Attributes:
        folder: where it lies.
        name: what people call it.
        feature_names: d names.
        class_names: c names; empty for regression.
        target_name: what y means.
        checksums: SHA-256 of every file.
        sizes: bytes and time of change of every file when it was opened.
        notes: what was guessed of the file it came from, sentences for people.
        picture: height, width and perhaps 3 colours, where the features are the pixels of one; else empty.
    """

    folder: Path
    name: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    target_name: str
    checksums: dict[str, str]
    sizes: dict[str, tuple[int, int]]
    notes: tuple[str, ...] = ()
    picture: tuple[int, ...] = ()

    @once
    def train(self) -> Part:
        """What a model is fitted on."""
        return Part(self._map("x"), self._map("y"), self._map("ids"))

    @once
    def test(self) -> Part:
        """What is asked about."""
        return Part(self._map("x_test"), self._map("y_test"), self._map("ids_test"))

    @once
    def scaling(self) -> Scaling:
        """Mean and standard deviation of the training part."""
        mean, scale = self._map("scaling")
        return Scaling(np.asarray(mean), np.asarray(scale))

    @property
    def nbytes(self) -> int:
        """Of the training features on disk."""
        return int(self.train.x.nbytes)

    def dataset(self, rows: NDArray[np.int64] | slice, test: bool = True) -> Dataset:
        """A few examples in memory, scaled."""
        part = self.test if test else self.train
        x = self.scaling.apply(np.asarray(part.x[rows], dtype=np.float64))
        y = np.asarray(part.y[rows])
        ids = np.char.decode(part.ids[rows], "utf-8").astype(str)
        images = self.images(part.x[rows])
        return Dataset(x, y, ids, self.feature_names, self.class_names, self.target_name, images)

    def images(self, x: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Features as they are stored, (n, d), as the pictures that they are pixels of; None where they are none."""
        return np.array(x).reshape(len(x), *self.picture) if self.picture and x.dtype == np.uint8 else None

    def check(self) -> None:
        """Whether the files are still those that were opened.

        Raises:
            DataError: one has been changed or taken away.
        """
        for file, size in self.sizes.items():
            if (found := _size(self.folder / file)) == size:
                continue
            if found[0] < 0:
                raise DataError(
                    f"{self.name}: {self.folder / file} is not there: put it back, or let every machine that takes "
                    "part see this folder."
                )
            raise DataError(f"{self.name}: {file} was changed while it was in use. Open the data set again.")

    def verify(self, task: Task = Task()) -> None:  # noqa: B008 - frozen
        """Read every byte and compare the checksums.

        Raises:
            DataError: a file is damaged.
        """
        total, done = sum(size for size, _ in self.sizes.values()), 0
        for file, expected in self.checksums.items():
            digest = hashlib.sha256()
            for chunk in chunks_of(self.folder / file):
                digest.update(chunk)
                done += len(chunk)
                task.tick(done, total)
            if digest.hexdigest() != expected:
                raise DataError(f"{self.name}: {file} is damaged, its checksum differs. Add the data set again.")

    def _map(self, name: str) -> NDArray[Any]:
        file = f"{name}.npy"
        try:
            array: NDArray[Any] = np.load(self.folder / file, mmap_mode="r", allow_pickle=False)
            partner = np.load(self.folder / _partner(file), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise DataError(f"{self.name}: {file} is damaged or cut off. Add the data set again.") from None
        rows = len(partner) if name != "scaling" and partner.ndim else 2
        width = (len(self.feature_names),) if name in {"x", "x_test", "scaling"} else ()
        if array.shape != (rows, *width) or (name in {"x", "x_test"} and array.dtype.name not in KINDS):
            raise DataError(
                f"{self.name}: {file} holds {array.dtype} of shape {array.shape}, expected {(rows, *width)} of "
                f"{', '.join(KINDS)}. Add the data set again."
            )
        return array


def _fits(features: tuple[str, ...], picture: tuple[int, ...]) -> bool:
    whole = not picture or (math.prod(picture) == len(features) and picture[2:] in {(), (3,)} and min(picture) > 0)
    return whole and 0 < len(features) <= MOST_FEATURES


def _partner(file: str) -> str:
    """The file of the same part that says how many rows it has."""
    return "ids_test.npy" if "_test" in file else "ids.npy"


def _size(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a few at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def shelf() -> Path:
    """Folder of the stored data sets."""
    return data_folder() / "stored"


def stored_names() -> tuple[str, ...]:
    """Names of the stored data sets, in order."""
    return tuple(sorted(path.parent.name for path in shelf().glob(f"*/{MANIFEST}") if NAME.fullmatch(path.parent.name)))


def content_of(name: str) -> str:
    """What a name stands for now: a hash of the manifest, which holds the checksums of all files.

    Returns:
        16 hexadecimal digits; empty where nothing is stored under the name.
    """
    path = shelf() / name / MANIFEST
    if not NAME.fullmatch(name) or (size := _size(path))[0] < 0:
        return ""
    return _content(path, *size)


@lru_cache(maxsize=64)
def _content(path: Path, _size: int, _changed: int) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def checked_name(name: str) -> str:
    """The name, if it is one.

    Raises:
        DataError: it is not.
    """
    if not NAME.fullmatch(name):
        raise DataError(
            f"Expected a name of at most 60 letters, digits, dots, dashes and underscores, got {name[:60]!r}."
        )
    return name


def opened(name: str) -> Stored:
    """Open a stored data set; nothing but its manifest is read.

    Raises:
        DataError: there is none of that name, or it is incomplete or of another version.
    """
    folder = shelf() / checked_name(name)
    try:
        said = json.loads(json_text((folder / MANIFEST).read_bytes()))
        version, files = int(said["format"]), {str(file): str(sum_) for file, sum_ in said["files"].items()}
        features, classes = (tuple(str(text) for text in said[key]) for key in ("features", "classes"))
        target, notes = str(said["target"]), tuple(str(text) for text in said.get("notes", ()))
        picture = tuple(int(size) for size in said.get("picture", ()))
    except OSError:
        known = ", ".join(stored_names()) or "none yet"
        raise DataError(f"There is no stored data set {name!r}: expected one of {known}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{name}: {MANIFEST} is damaged. Add the data set again.") from None
    if version != FORMAT:
        raise DataError(f"{name}: stored in format {version}, this version reads {FORMAT}. Add the data set again.")
    if set(files) != {f"{file}.npy" for file in FILES} or not _fits(features, picture):
        raise DataError(f"{name}: {MANIFEST} is damaged. Add the data set again.")
    sizes = {file: _size(folder / file) for file in files}
    if missing := [file for file, (size, _) in sizes.items() if size < 0]:
        raise DataError(f"{name}: {missing[0]} is missing. Add the data set again.")
    found = Stored(folder, name, features, classes, target, files, sizes, notes, picture)
    if not len(found.train) or len(found.test) < 1:
        raise DataError(f"{name}: no training or no test rows. Add the data set again with another --test.")
    return found
