"""The result store: finished arrays on disk."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.files import write_whole

STORE_BYTES = 2 * 2**30
STALE_SECONDS = 3600.0  # a file still being written is touched far more often


class NotStored(Exception):  # noqa: N818 - no error: it is how a look into the store ends
    """A block that was only looked up has not been computed yet."""


class ResultStore:
    """Finished arrays on disk, content-addressed, written atomically, size-bounded (least recently used goes first).

    Several processes may share the folder: files appear whole under their name and a reader holds its file open, so
    that neither a writer nor eviction elsewhere takes it away.

    Attributes:
        finished: for a run that shall compute nothing: a missing block raises ``NotStored``.
    """

    def __init__(self, folder: Path, max_bytes: int = STORE_BYTES, finished: bool = False) -> None:
        self.folder, self.max_bytes, self.finished = folder, max_bytes, finished

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Arrays stored under ``key``.

        Returns:
            The arrays, or None where nothing (or something unreadable) is stored.

        Raises:
            NotStored: instead of None, for a run that shall compute nothing.
        """
        found = self._read(self._path(key))
        if found is None and self.finished:
            raise NotStored(key)
        return found

    def holds(self, key: str) -> bool:
        """Whether something is stored under ``key``."""
        return self._path(key).is_file()

    @staticmethod
    def _read(path: Path) -> dict[str, NDArray[Any]] | None:
        try:
            raw = path.read_bytes()
            with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        with suppress(OSError):  # evicted meanwhile, or a folder that may only be read: the arrays are here
            os.utime(path)
        return arrays

    def save(self, key: str, **arrays: NDArray[Any]) -> None:
        """Store arrays under ``key``; a reader sees either all of them or nothing."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_whole(self._path(key), buffer.getbuffer())
        evict(self.folder, "*.npz", self.max_bytes)

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def evict(folder: Path, pattern: str, max_bytes: int) -> None:
    """Remove the least recently used files beyond the bound, and leftovers of writers that were killed.

    What is old is told by the newest file, whose time was set by the same file server: its clock and ours may differ.
    """
    used, files = 0, sorted(listed(folder, pattern), reverse=True)
    for changed, size, path in files:
        used += size
        if used > max_bytes:
            remove_unused(path, changed)
    now = files[0][0] if files else 0.0
    for changed, _, path in listed(folder, "*.part"):
        if now - changed > STALE_SECONDS:
            remove_unused(path, changed)


def listed(folder: Path, pattern: str) -> list[tuple[float, int, Path]]:
    """Time of change, size and path; files that vanish meanwhile, in another process, are left out."""
    found = []
    for path in folder.glob(pattern):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def remove_unused(path: Path, changed: float) -> None:
    """Delete unless somebody has used it since it was listed."""
    with suppress(OSError):
        if path.stat().st_mtime <= changed:
            path.unlink()


def data_folder() -> Path:
    """Folder of larger data sets and stored results: ``INFLUENCE_DATA_DIR`` or a per-user cache folder.

    Returns:
        The path; it may not exist yet.
    """
    chosen = os.environ.get("INFLUENCE_DATA_DIR")
    return Path(chosen) if chosen else Path.home() / ".cache" / "influence-explorer"


def result_store(finished: bool = False) -> ResultStore:
    """Finished blocks of long jobs, in the data folder of this user.

    Args:
        finished: for a run that shall find everything there and compute nothing.

    Returns:
        The store, size-bounded.
    """
    return ResultStore(data_folder() / "results", finished=finished)
