"""What goes from one process of this program to another: functions by name, plain values, arrays.

Pickles are made and read here only, and only between processes that one driver has started or was told to trust: no
file is unpickled.  Large arrays are named by their content and go once.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute.lazy import fingerprint, once
from influence_core.compute.task import Task

LARGE = 2**16  # bytes of an array that goes once; what a wire takes before the other end reads, or a cancel waits
PROTOCOL = 5


class Arrays:
    """Large arrays and byte strings of one job, by the hash of their content.

    Args:
        keep: told each of them once.
        start: of every name.
    """

    def __init__(self, keep: Callable[[str, NDArray[Any]], None], start: str = "") -> None:
        self._start, self._keep, self._known = start, keep, dict[object, tuple[str, Any]]()
        self.names = set[str]()

    def name(self, value: Any) -> tuple[str, bool] | None:
        """Name, and whether it is bytes; None for everything that is written in place."""
        text = type(value) is bytes
        if text and len(value) >= LARGE:
            value = np.frombuffer(value, np.uint8)
        elif type(value) is not np.ndarray or value.nbytes < LARGE or value.dtype.hasobject:
            return None
        where = value.__array_interface__["data"][0], value.shape, value.strides, value.dtype.str
        if where not in self._known:  # the second entry keeps the memory from being used again
            self._known[where] = self._start + fingerprint(value), value
            self._keep(self._known[where][0], value)
        self.names.add(self._known[where][0])
        return self._known[where][0], text


class Packer(pickle.Pickler):
    """Writes values; locks and lazily computed steps stay behind, a task becomes that of the process that reads.

    Args:
        file: is written to.
        arrays: takes large arrays; None where they go with the rest.
    """

    def __init__(self, file: io.BytesIO, arrays: Arrays | None = None) -> None:
        super().__init__(file, PROTOCOL)
        self.arrays = arrays

    def persistent_id(self, value: Any) -> tuple[str, bool] | None:
        """The name of a large array; None for everything that is written in place."""
        return None if self.arrays is None else self.arrays.name(value)

    def reducer_override(self, value: Any) -> Any:
        """How tensors, columns of texts, tasks and objects with lazy steps are written."""
        if type(value) is Tensor and value.device.type == "cpu" and value.layout == torch.strided:
            return (torch.from_numpy, (value.detach().numpy(),)) if _plain(value) else NotImplemented
        if isinstance(value, pa.Buffer) and value.size >= LARGE:  # what a table of texts is made of
            return pa.py_buffer, (np.frombuffer(value, np.uint8),)
        if type(value) is Task:
            return leashed, ()
        if type(value) is threading.local:
            return threading.local, ()
        lazy = _lazy(value)
        if lazy:
            state = {name: there for name, there in value.__dict__.items() if name not in lazy}
            return copyreg.__newobj__, (type(value),), state  # type: ignore[attr-defined]
        return NotImplemented


class UnpackableError(TypeError):
    """What was to go to another process belongs to this one, such as a function made while the program ran."""


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, find: Callable[[str], NDArray[Any]]) -> None:
        super().__init__(file)
        self.find = find

    def persistent_load(self, name: tuple[str, bool]) -> Any:
        found = self.find(name[0])
        return found.tobytes() if name[1] else found


class _Here:
    """What a task becomes in another process: it obeys the piece that this thread runs, or else the newest."""

    def __init__(self) -> None:
        self.pieces = list[tuple[int, Task]]()

    @property
    def task(self) -> Task | None:
        own = [task for thread, task in self.pieces if thread == threading.get_ident()]
        found = own or [task for _, task in self.pieces]
        return found[-1] if found else None

    def report(self, done: float, total: float) -> None:
        if self.task is not None:
            self.task.report(done, total)

    def turn(self) -> None:
        if self.task is not None:
            self.task.tick()


_here = _Here()


@contextmanager
def obeyed(task: Task) -> Generator[None]:
    """While a piece runs in this thread, tasks that came with its objects are its own.

    Yields:
        Nothing.
    """
    entry = threading.get_ident(), task
    _here.pieces.append(entry)
    try:
        yield
    finally:
        _here.pieces.remove(entry)


def leashed() -> Task:
    """The task of the piece that this process runs."""
    return Task(_here.report, turn=_here.turn)


def packed(value: Any, arrays: Arrays | None = None) -> bytes:
    """A value as bytes for another process of this program.

    Raises:
        UnpackableError: it holds what belongs to this process.
    """
    file = io.BytesIO()
    try:
        Packer(file, arrays).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UnpackableError(f"Expected what another process can be given, got something else: {error}.") from error
    return file.getvalue()


def unpacked(content: bytes, find: Callable[[str], NDArray[Any]] = np.load) -> Any:
    """What :func:`packed` wrote; large arrays are found by name."""
    return _Reader(io.BytesIO(content), find).load()


def _plain(value: Tensor) -> bool:
    return not value.requires_grad and not value.is_conj() and value.dtype not in {torch.bfloat16}


def _lazy(value: Any) -> set[str]:
    """Names in an object's dict that are locks of lazy steps, or what those have computed."""
    names = getattr(value, "__dict__", None)
    if not names or isinstance(value, type):
        return set()
    found = {name for name in names if isinstance(getattr(type(value), name, None), once)}
    return found | {name for name in names if name.startswith("_lock_")}
