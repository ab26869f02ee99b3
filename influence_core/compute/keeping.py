"""What a server keeps in memory between questions, bounded in bytes: what was used last stays, and idle memory goes.

An entry grows while steps of it are computed when first asked for, so that everything kept is weighed again whenever
something is added, and now and then.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

MANY = 1_000  # texts in a list that are not looked at one by one
TEXT = 64  # bytes of a small Python object, such as a name in an array of objects
OURS = ("influence_core", "pages", "scipy.sparse", "cleanlab")  # modules whose objects are looked into


def weight(*roots: object) -> int:
    """Bytes of the arrays, tensors, tables and long lists of texts within some objects; shared ones count once."""
    stack, seen, total = list(roots), set[int](), 0
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (np.ndarray, Tensor)):
            at, size = _array(one)
            total += 0 if at in seen else size
            seen.add(at)
        elif isinstance(one, pd.DataFrame | pd.Series | pd.Index):
            total += int(np.sum(one.memory_usage()))
        elif isinstance(one, bytes | bytearray):
            total += len(one)
        elif isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list | tuple) and len(one) > MANY and type(one[0]) is type(one[-1]) is str:
            total += len(one) * (TEXT + len(one[0]))  # a name for every row: looking at each takes the interpreter
        elif isinstance(one, list | tuple | set | frozenset | deque):
            stack.extend(one)
        elif type(one).__module__.startswith(OURS):
            stack.extend(getattr(one, "__dict__", {}).values())
            stack.extend(getattr(one, name, None) for name in getattr(type(one), "__slots__", ()))
    return total


def _array(one: np.ndarray[Any, Any] | Tensor) -> tuple[int, int]:
    """Where the memory behind an array begins, and how much it is: a view keeps all of it."""
    if isinstance(one, Tensor):
        with suppress(RuntimeError):  # sparse ones and those of a transformed function have no storage to look at
            storage = one.untyped_storage()
            return storage.data_ptr(), storage.nbytes()
        values = one._nnz() if one.layout != torch.strided else one.numel()  # sparse: with two indices of eight bytes
        return -id(one), values * (one.element_size() + (16 if one.layout != torch.strided else 0))
    while isinstance(one.base, np.ndarray):
        one = one.base
    per = TEXT if one.dtype.hasobject else one.itemsize
    return one.__array_interface__["data"][0], per * one.size


class Kept:
    """Results by key for several threads; each is made once, and the least recently used go beyond a bound in bytes.

    Nobody waits for a weighing but who has made something: it looks at all that is kept, outside the lock.

    Args:
        room: bytes of everything that is kept; the newest stays whatever it takes.
        idle: bytes that stay when nobody is here.
        clock: seconds.
        pause: seconds from one weighing to the next that an addition asks for.
    """

    def __init__(
        self, room: float, idle: float, clock: Callable[[], float] = time.monotonic, pause: float = 0.0
    ) -> None:
        self.room, self.idle, self.clock, self.pause = room, idle, clock, pause
        self._weighed = -math.inf
        self._lock, self._found = threading.RLock(), dict[object, tuple[Any, float]]()
        self._making = dict[object, threading.Lock]()

    def get(self, key: object, make: Callable[[], Any]) -> Any:
        """What ``make`` returned for ``key``, made once however many ask."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                with self._lock:
                    if key in self._found:
                        value, _ = self._found.pop(key)
                        self._found[key] = value, self.clock()
                        return value
                value = make()
                with self._lock:
                    self._found[key] = value, self.clock()
        finally:
            with self._lock:
                self._making.pop(key, None)
        if self.clock() - self._weighed >= self.pause:
            self.fit(self.room)
            self._weighed = self.clock()
        return value

    def fit(self, room: float, unused: float = 0.0) -> int:
        """Let the least recently used go until the rest takes ``room`` at most, but nothing used in ``unused`` seconds.

        Returns:
            How many went.
        """
        went = 0
        while kept := self._items():
            key, (_, used) = oldest = kept[0]
            alone = len(kept) == 1 and room >= self.room
            if alone or self.clock() - used < unused or _bytes(kept) <= room:
                break
            with self._lock:
                if self._found.get(key) is oldest[1]:  # nobody has used it meanwhile
                    del self._found[key]
                    went += 1
        return went

    @property
    def bytes(self) -> int:
        """What everything that is kept takes."""
        return _bytes(self._items())

    def _items(self) -> list[tuple[object, tuple[Any, float]]]:
        with self._lock:
            return [*self._found.items()]

    def __len__(self) -> int:
        return len(self._found)


def _bytes(kept: list[tuple[object, tuple[Any, float]]]) -> int:
    return weight(*(value for _, (value, _) in kept))


@cache
def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    with suppress(OSError, AttributeError):
        found: Callable[[int], int] = ctypes.CDLL("libc.so.6").malloc_trim
        return found
    return None


def give_back() -> None:
    """Memory that is free inside this process goes back to the operating system, where the C library can do that."""
    pa.default_memory_pool().release_unused()  # tables of uploads lie there
    trim = _trim()
    if trim is not None:
        trim(0)


def physical() -> float:
    """Bytes of memory of this machine; 8 GiB where it does not say."""
    with suppress(OSError, ValueError, AttributeError):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return 8.0 * 2**30
