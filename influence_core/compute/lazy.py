"""Steps that happen once, when first asked for, and the names of what they make."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def fingerprint(*parts: Any) -> str:
    """Content hash of arrays and plain values.

    Returns:
        32 hexadecimal digits, the same on every machine.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            flat = np.ascontiguousarray(part).reshape(-1)
            plain = flat.dtype.itemsize > 0 and not flat.dtype.hasobject
            digest.update(flat.view(np.uint8) if plain else flat.tobytes())  # type: ignore[arg-type]
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def single(make: Callable[P, R]) -> Callable[P, R]:
    """Like ``functools.cache``, but threads that ask at the same moment get the same thing, made once."""
    lock, kept = threading.RLock(), cache(make)

    @wraps(make)
    def get(*args: P.args, **more: P.kwargs) -> R:
        with lock:
            return kept(*args, **more)  # type: ignore[arg-type]

    return get


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


def known(instance: object, name: str) -> bool:
    """Whether a step has been computed already."""
    return name in instance.__dict__


class Recent(Generic[T]):
    """The last few results by key, for several threads; one that is asked for twice at the same time is made twice.

    Args:
        size: how many are kept, those first that were used last.
        room: for what ``takes`` says of all that are kept; the newest stays whatever it takes.
        takes: of one result.
    """

    def __init__(self, size: int, room: float = math.inf, takes: Callable[[T], float] = lambda _: 0) -> None:
        self.size, self.room, self.takes = size, room, takes
        self.kept, self.guard = dict[object, T](), threading.Lock()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` returned for ``key`` last time, where that is still kept.

        Returns:
            The result, which is never None.
        """
        found = self.find(key)
        return self.put(key, make()) if found is None else found

    def find(self, key: object) -> T | None:
        """What is kept for ``key``, which is the youngest again.

        Returns:
            None where nothing is kept.
        """
        with self.guard:
            if key in self.kept:
                self.kept[key] = self.kept.pop(key)
            return self.kept.get(key)

    def put(self, key: object, value: T) -> T:
        """Keep a result; others may have to go."""
        with self.guard:
            self.kept.pop(key, None)
            self.kept[key] = value
            while len(self.kept) > 1 and (
                len(self.kept) > self.size or sum(map(self.takes, self.kept.values())) > self.room
            ):
                del self.kept[next(iter(self.kept))]
        return value

    def clear(self) -> None:
        """Keep nothing any more."""
        with self.guard:
            self.kept.clear()
