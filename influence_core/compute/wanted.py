"""Notes about runs that somebody waits for, in a folder that several servers of several machines may share.

Which server lives is seen by a lock that it holds and the operating system frees when it dies, on NFS too: numbers of
processes mean nothing on another machine and come again on this one, and clocks differ.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import re
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from influence_core.compute.store import listed, remove_unused
from influence_core.files import write_whole

NOTES = 500
_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_HELD: dict[tuple[Path, int], tuple[str, IO[bytes]]] = {}  # open while this process lives
_GUARD = threading.Lock()


@dataclass(frozen=True)
class Wanted:
    """Notes on disk about runs that were asked for and have not ended: they outlive a killed server.

    Attributes:
        folder: one JSON file per run and server that runs it.
        server: the name of that which runs them; see :func:`present`.
    """

    folder: Path
    server: str

    def add(self, key: str) -> None:
        """Note that the run ``key`` is wanted, in the place of what dead servers noted."""
        for owner in self._owners(key):
            if owner != self.server and not alive(self.folder, owner):
                self._drop(key, owner)
        write_whole(self._path(key, self.server), json.dumps({"key": key, "server": self.server}).encode())
        for changed, _, path in sorted(listed(self.folder, "*.json"), reverse=True)[NOTES:]:
            remove_unused(path, changed)

    def remove(self, key: str) -> None:
        """The run ended here: finished, cancelled or failed; another server that runs it too keeps its own note."""
        self._drop(key, self.server)

    def orphaned(self, key: str) -> bool:
        """Whether the run was wanted from a server that lives no longer, or from this one.

        Returns:
            False also where another living server runs it, on whatever machine.
        """
        owners = self._owners(key)
        return bool(owners) and not any(owner != self.server and alive(self.folder, owner) for owner in owners)

    def _owners(self, key: str) -> list[str]:
        found = []
        for path in self.folder.glob(f"{_name(key)}.*.json"):
            with suppress(OSError, ValueError, TypeError, KeyError):
                note = json.loads(path.read_text(encoding="utf-8"))
                if note["key"] == key and path == self._path(key, str(note["server"])):
                    found.append(str(note["server"]))
        return found

    def _drop(self, key: str, owner: str) -> None:
        with suppress(OSError):
            self._path(key, owner).unlink(missing_ok=True)

    def _path(self, key: str, owner: str) -> Path:
        return self.folder / f"{_name(key)}.{owner}.json"


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def present(folder: Path) -> str:
    """The name of this process among the servers that share ``folder``: host, process, and a number of its own.

    The first call makes a file beside the folder that is locked until the process ends.
    """
    at = (folder, os.getpid())
    with _GUARD:
        if at not in _HELD:
            host = re.sub(r"[^\w-]", "-", platform.node() or "unnamed")[:40]
            name = f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
            _HELD[at] = name, _locked_file(_lock(folder, name))
        return _HELD[at][0]


def alive(folder: Path, owner: str) -> bool:
    """Whether the server of this name lives; the file of a dead one is removed."""
    path = _lock(folder, owner)
    try:
        with path.open("r+b") as file:
            if not _take(file):
                return True
            with suppress(OSError):
                path.unlink()
            return False
    except FileNotFoundError:
        return False
    except OSError:  # a folder that cannot be locked or read now: nobody takes a run over on a guess
        return True


def _lock(folder: Path, owner: str) -> Path:
    return folder.with_name("servers") / f"{owner}.lock"


def _locked_file(path: Path) -> IO[bytes]:
    """A new file that appears under its name with the lock on it, so that nobody finds it without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    file = os.fdopen(handle, "r+b")
    with suppress(OSError):  # a file system without locks: others take this server for living
        _take(file)
    Path(temporary).replace(path)
    return file


def _take(file: IO[bytes]) -> bool:
    """Whether the file was not locked; it is now."""
    if _fcntl is None:  # nothing tells: whoever runs several servers runs them on POSIX
        raise OSError("no file locks here")
    try:
        _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
