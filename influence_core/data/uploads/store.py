"""Uploads kept on the server: one private folder per content, written atomically, the least recently used go first."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import data_folder, fingerprint
from influence_core.data.dataset import DataError, Dataset, Table
from influence_core.data.source import Task
from influence_core.data.texts import no_words, packed, unpacked
from influence_core.data.uploads.building import Upload
from influence_core.data.uploads.limits import quoted
from influence_core.data.words import WordFeatures

VERSION = 3
READABLE = (1, 2, VERSION)  # what was stored before stays as it was read then
STORE_BYTES = 4 * 2**30
FINGERPRINT = re.compile(r"[0-9a-f]{32}")
ABANDONED = 3600.0  # seconds after which a folder that nobody finished writing is removed
_ARRAYS, _MANIFEST, _PART = "arrays.npz", "manifest.json", ".part-"


@dataclass(frozen=True)
class UploadStore:
    """Validated uploads in folders named by their fingerprint."""

    folder: Path
    max_bytes: int = STORE_BYTES

    def save(self, upload: Upload) -> str:
        """Keep an upload; one that is there already is only marked as used.

        Returns:
            Its fingerprint: 32 hexadecimal digits of file, mapping and version.

        Raises:
            DataError: it cannot be written.
        """
        key = upload_fingerprint(upload)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._is_whole(key):
                self._write(key, upload)
            os.utime(self.folder / key)
            self._evict(key)
        except OSError as error:
            raise DataError(
                f"Expected room for the upload on the server, got the error '{os.strerror(error.errno or 5)}': "
                "ask whoever runs it to make room."
            ) from None
        return key

    def load(self, key: str) -> Table:
        """The data set kept under a fingerprint, checked against its manifest.

        Raises:
            DataError: no fingerprint, not held here, or damaged.
        """
        manifest = self.manifest(key)
        try:
            raw = (self.folder / key / _ARRAYS).read_bytes()
        except OSError:  # another server has just removed it, or the shared folder does not answer: nothing to judge
            raise DataError(
                f"Expected the uploaded data {key[:8]}, got no answer from their folder: try again."
            ) from None
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            if hashlib.sha256(raw).hexdigest() == manifest["arrays_sha256"]:
                return _table(arrays, manifest)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            pass
        self._put_away(key)
        raise DataError(
            f"Expected the uploaded data {key[:8]} as they were stored, got damaged ones: upload the file again."
        )

    def manifest(self, key: str) -> dict[str, Any]:
        """What is known about an upload without reading it.

        Returns:
            File name, mapping, counts, notes and task.

        Raises:
            DataError: no fingerprint, or not held here.
        """
        if not FINGERPRINT.fullmatch(key):
            raise DataError(
                "Expected the 32 digits of uploaded data, got "
                f"{quoted(key) if key else 'none'}: choose a file on the Data page."
            )
        try:
            found = json.loads((self.folder / key / _MANIFEST).read_text(encoding="utf-8"))
            os.utime(self.folder / key)
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or found.get("version") not in READABLE:
            raise DataError(
                f"This link is about uploaded data {key}, which this server does not hold (it was uploaded elsewhere, "
                "or was removed to make room): upload the same file again on the Data page."
            )
        return found

    def _is_whole(self, key: str) -> bool:
        return all((self.folder / key / name).is_file() for name in (_ARRAYS, _MANIFEST))

    def _write(self, key: str, upload: Upload) -> None:
        part = Path(tempfile.mkdtemp(prefix=_PART, dir=self.folder))  # mkdtemp makes it private
        try:
            with (part / _ARRAYS).open("wb") as file:
                np.savez(file, **_arrays(upload))  # type: ignore[arg-type]
            with (part / _ARRAYS).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            text = json.dumps(_manifest(upload) | {"arrays_sha256": digest}, indent=1)
            (part / _MANIFEST).write_text(text, encoding="utf-8")
            try:
                part.rename(self.folder / key)
            except OSError:
                if not self._is_whole(key):  # otherwise another session or server has just written the same content
                    self._put_away(key)
                    part.rename(self.folder / key)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _put_away(self, key: str) -> None:
        """Remove a folder that is not whole: renamed first, so that nobody reads half of one."""
        with suppress(OSError):
            (self.folder / key).rename(away := Path(tempfile.mkdtemp(prefix=_PART, dir=self.folder)) / key)
            shutil.rmtree(away.parent, ignore_errors=True)

    def _evict(self, kept: str) -> None:
        now, used = (self.folder / kept).stat().st_mtime, 0  # set just now, by the clock of the file server
        for age, path in sorted((_age(path, now), path) for path in self.folder.iterdir()):
            left_behind = path.name.startswith(_PART) and age > ABANDONED
            if FINGERPRINT.fullmatch(path.name):
                used += _size(path)
            if left_behind or (used > self.max_bytes and path.name != kept and FINGERPRINT.fullmatch(path.name)):
                shutil.rmtree(path, ignore_errors=True)


def upload_store() -> UploadStore:
    """The uploads of this server, in its data folder."""
    return UploadStore(data_folder() / "uploads")


def upload_fingerprint(upload: Upload) -> str:
    """Content hash of the file, the mapping and the version of the reader.

    Returns:
        32 hexadecimal digits, the same on every machine.
    """
    return fingerprint(VERSION, upload.sha256, Path(upload.name).suffix.lower(), upload.mapping)


def _arrays(upload: Upload) -> dict[str, NDArray[Any]]:
    table = upload.table
    data = table.dataset
    whole = upload.pixels or data.texts is not None  # what the features are made of says all of them
    found: dict[str, NDArray[Any] | None] = {
        "x": None if whole else data.x, "y": data.y, "ids": data.ids, "images": data.images, "hover": data.hover,
        "train": table.train, "test": table.test, "validation": table.validation,
    }  # fmt: skip
    if data.texts is not None:
        found["texts"], found["text_sizes"] = packed(data.texts)
    return {name: array for name, array in found.items() if array is not None}


def _manifest(upload: Upload) -> dict[str, Any]:
    table, data = upload.table, upload.table.dataset
    task: Task = "classification" if data.classes else "regression"
    return {
        "version": VERSION,
        "file": upload.name,
        "sha256": upload.sha256,
        "task": task,
        "mapping": asdict(upload.mapping),
        "missing_filled": upload.filled,
        "rows_in_file": upload.rows,
        "rows": len(data),
        "pixels_are_features": upload.pixels,
        "feature_names": data.feature_names,
        "class_names": data.class_names,
        "target_name": data.target_name,
        "notes": upload.notes,
        "words": None if table.words is None else asdict(table.words),
    }


def _table(arrays: dict[str, NDArray[Any]], manifest: dict[str, Any]) -> Table:
    images = arrays.get("images")
    x = (
        images.reshape(len(images), -1) / 255.0
        if manifest["pixels_are_features"] and images is not None
        else no_words(len(arrays["y"]))
        if "texts" in arrays
        else arrays["x"]
    )
    names, classes = tuple(manifest["feature_names"]), tuple(manifest["class_names"])
    dataset = Dataset(
        x, arrays["y"], arrays["ids"], names, classes, manifest["target_name"], images, arrays.get("hover"),
        unpacked(arrays["texts"], arrays["text_sizes"]) if "texts" in arrays else None,
    )  # fmt: skip
    words = WordFeatures(**manifest["words"]) if manifest.get("words") else None
    return Table(dataset, None, arrays.get("train"), arrays.get("test"), arrays.get("validation"), words)


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except OSError:  # another session has just removed it
        return 0


def _age(folder: Path, now: float) -> float:
    try:
        return now - folder.stat().st_mtime
    except OSError:
        return 0.0
