"""The result store: finished arrays on disk, and notes about runs that somebody waits for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.files import write_whole

STORE_BYTES = 2 * 2**30
STALE_SECONDS = 3600.0  # a file still being written is touched far more often
NOTES = 500


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


@dataclass(frozen=True)
class Wanted:
    """Notes on disk about runs that were asked for and have not ended: they outlive a killed server.

    Attributes:
        folder: one JSON file per run.
        server: number of the process that runs them.
    """

    folder: Path
    server: int

    def add(self, key: str) -> None:
        """Note that the run ``key`` is wanted."""
        write_whole(self._path(key), json.dumps({"key": key, "server": self.server}).encode())
        for changed, _, path in sorted(_files(self.folder, "*.json"), reverse=True)[NOTES:]:
            _remove(path, changed)

    def remove(self, key: str) -> None:
        """The run ended: finished, cancelled or failed."""
        with suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def orphaned(self, key: str) -> bool:
        """Whether the run was wanted from a server that lives no longer.

        Returns:
            False also where another living process runs it.
        """
        try:
            note = json.loads(self._path(key).read_text(encoding="utf-8"))
            server = int(note["server"]) if note["key"] == key else -1
        except (OSError, ValueError, TypeError, KeyError):
            return False
        return server > 0 and (server == self.server or not _alive(server))

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def evict(folder: Path, pattern: str, max_bytes: int) -> None:
    """Remove the least recently used files beyond the bound, and leftovers of writers that were killed."""
    used = 0
    for changed, size, path in sorted(_files(folder, pattern), reverse=True):
        used += size
        if used > max_bytes:
            _remove(path, changed)
    for changed, _, path in _files(folder, "*.part"):
        if time.time() - changed > STALE_SECONDS:
            _remove(path, changed)


def _files(folder: Path, pattern: str) -> list[tuple[float, int, Path]]:
    """Time of change, size and path; files that vanish meanwhile, in another process, are left out."""
    found = []
    for path in folder.glob(pattern):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def _remove(path: Path, changed: float) -> None:
    """Delete unless somebody has used it since it was listed."""
    with suppress(OSError):
        if path.stat().st_mtime <= changed:
            path.unlink()


def _alive(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 would end the process
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
