"""Where and how numbers are computed: device and precision, matrix products, progress and cancel, the result store."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]
BLOCK_BYTES = 64 * 2**20
STORE_BYTES = 2 * 2**30

T = TypeVar("T")

if "OMP_NUM_THREADS" not in os.environ:
    # On the CPU products go to NumPy's BLAS, torch does the small steps between them.  A second pool of threads for
    # those costs far more in wake-ups and stolen cores than it saves: a softmax fit took 4.1 s with it, 0.3 s without.
    torch.set_num_threads(1)


class Cancelled(Exception):  # noqa: N818 - no error: the user asked for it
    """The user cancelled; finished blocks are kept."""


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is cuda where present, else cpu; mps has no float64, which convex models need.

    Returns:
        The device.

    Raises:
        ValueError: a device was named that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"Device {name!r} was asked for, but this machine has no CUDA device: use 'auto' or 'cpu'.")
    return torch.device(name)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product a @ b of two-dimensional tensors.

    On the CPU it goes through NumPy without copying: NumPy's OpenBLAS measured 1.3 to 1.5 times faster in float64
    than the MKL inside torch on AMD processors, and level on others.

    Returns:
        a @ b on the device of ``a``.
    """
    if a.device.type != "cpu":
        return a @ b
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


def gram(a: Tensor) -> Tensor:
    """AᵀA; on the CPU NumPy recognises the symmetry and does half the work.

    Returns:
        (k, k) for ``a`` of shape (n, k).
    """
    if a.device.type != "cpu":
        return a.T @ a
    array = a.numpy()
    return torch.from_numpy(np.dot(array.T, array))


def blocks(total: int, bytes_per_item: float, budget: int = BLOCK_BYTES) -> Iterator[slice]:
    """Slices of range(total) whose items together need at most ``budget`` bytes (at least one item each).

    Yields:
        Consecutive slices.
    """
    size = max(1, int(budget // max(bytes_per_item, 1)))
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


@dataclass(frozen=True)
class Task:
    """What a long function is given: it reports finished items, asks whether to stop, and may keep finished blocks."""

    report: Callable[[int, int], None] = lambda _done, _total: None
    cancel: threading.Event = field(default_factory=threading.Event)
    store: ResultStore | None = None

    def tick(self, done: int, total: int) -> None:
        """Report ``done`` of ``total``.

        Raises:
            Cancelled: the user asked to stop.
        """
        if self.cancel.is_set():
            raise Cancelled
        self.report(done, total)


class ResultStore:
    """Finished arrays on disk, content-addressed, written atomically, size-bounded (least recently used goes first)."""

    def __init__(self, folder: Path, max_bytes: int = STORE_BYTES) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Arrays stored under ``key``.

        Returns:
            The arrays, or None where nothing (or something unreadable) is stored.
        """
        path = self._path(key)
        try:
            raw = path.read_bytes()
            with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            os.utime(path)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        return arrays

    def save(self, key: str, **arrays: NDArray[Any]) -> None:
        """Store arrays under ``key``; a reader sees either all of them or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path(key))
        finally:
            Path(temporary).unlink(missing_ok=True)
        self._evict()

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def _evict(self) -> None:
        entries = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in self.folder.glob("*.npz")), reverse=True)
        used = 0
        for _, size, path in entries:
            used += size
            if used > self.max_bytes:
                path.unlink(missing_ok=True)


def data_folder() -> Path:
    """Folder of larger data sets and stored results: ``INFLUENCE_DATA_DIR`` or a per-user cache folder.

    Returns:
        The path; it may not exist yet.
    """
    chosen = os.environ.get("INFLUENCE_DATA_DIR")
    return Path(chosen) if chosen else Path.home() / ".cache" / "influence-explorer"


def result_store() -> ResultStore:
    """Finished blocks of long jobs, in the data folder of this user.

    Returns:
        The store, size-bounded.
    """
    return ResultStore(data_folder() / "results")


def fingerprint(*parts: Any) -> str:
    """Content hash of arrays and plain values.

    Returns:
        32 hexadecimal digits, the same on every machine.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


class once(Generic[T]):  # noqa: N801 - used like functools.cached_property
    """Like ``functools.cached_property``, but several threads asking at the same time compute it once."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function, self.__doc__ = function, function.__doc__
        self.guard = threading.Lock()

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, _owner: type) -> once[T]: ...
    @overload
    def __get__(self, instance: object, _owner: type) -> T: ...
    def __get__(self, instance: object | None, _owner: type) -> once[T] | T:
        if instance is None:
            return self
        with self.guard:
            lock = instance.__dict__.setdefault(f"_lock_{self.name}", threading.RLock())
        with lock:
            if self.name not in instance.__dict__:
                instance.__dict__[self.name] = self.function(instance)
        value: T = instance.__dict__[self.name]
        return value


class Recent(Generic[T]):
    """The last few results by key, for several threads; one that is asked for twice at the same time is made twice."""

    def __init__(self, size: int) -> None:
        self.size, self.kept, self.guard = size, dict[object, T](), threading.Lock()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` returned for ``key`` last time, where that is still kept.

        Returns:
            The result.
        """
        with self.guard:
            if key in self.kept:
                value = self.kept[key] = self.kept.pop(key)  # the youngest again
                return value
        value = make()
        with self.guard:
            self.kept[key] = value
            while len(self.kept) > self.size:
                del self.kept[next(iter(self.kept))]
        return value


def numpy(tensor: Tensor) -> FloatArray:
    """Results leave as NumPy.

    Returns:
        The values on the CPU.
    """
    array: FloatArray = tensor.detach().cpu().numpy()
    return array
