"""What a long function is given: whom it tells how far it is, who may stop it, and who gets a turn in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from influence_core.compute.store import ResultStore


class WorkerError(RuntimeError):
    """Another process could not do its part; the message says why and what helps."""


class Cancelled(Exception):  # noqa: N818 - no error: the user asked for it
    """The user cancelled; finished blocks are kept."""


Ended = Callable[[int, Any], None]


def unheard(_number: int, _found: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Call:
    """One piece of work for another process: ``function(owner, *args, task)``.

    Attributes:
        function: found there by the name of its module and its own.
        owner: what many pieces share, and is sent once; None: there is none, and the function is given ``args``.
        args: plain values, arrays and objects of this package.
        threads: that may compute it.
        items: counted when it ends; 0: what it has reported.
        store: where it keeps what it finishes on the way.
    """

    function: Callable[..., Any]
    owner: Any = None
    args: tuple[Any, ...] = ()
    threads: int = 1
    items: float = 0
    store: ResultStore | None = None


class Elsewhere(Protocol):
    """Other processes that take pieces of work."""

    @property
    def width(self) -> int:
        """Pieces of one job that run at a time."""
        ...

    def run(self, calls: Sequence[Call], task: Task, total: float = 0, ended: Ended = unheard) -> list[Any]:
        """Run pieces and come back with what they returned, in order.

        Args:
            calls: the pieces; what cannot be packed is an ``UnpackableError``, before any of them has begun.
            task: told how far they are, and asked whether to go on.
            total: items of all pieces together; 0: as the only piece says.
            ended: told each piece's number and result as it ends.
        """
        ...


@dataclass(frozen=True)
class Task:
    """Progress, cancel and store of one long function; every default does nothing.

    Attributes:
        report: told finished items and their total.
        cancel: set to stop the function at its next tick.
        store: keeps finished blocks; None for no keeping.
        reused: told how many of the finished items were taken from the store.
        turn: called at every tick; waits where other work goes first.
        show: told what is finished so far, in the form of the result, where that can be looked at.
        workers: other processes, here or on other machines, that take pieces of it; None: it runs where it is called.
    """

    report: Callable[[float, float], None] = lambda _done, _total: None
    cancel: threading.Event = field(default_factory=threading.Event)
    store: ResultStore | None = None
    reused: Callable[[int], None] = lambda _count: None
    turn: Callable[[], None] = lambda: None
    show: Callable[[Any], None] = lambda _found: None
    workers: Elsewhere | None = None

    def tick(self, done: float = 0, total: float = 0) -> None:
        """Report ``done`` of ``total`` and let others go first; without a total, inside a block, only the latter.

        Raises:
            Cancelled: the user asked to stop.
        """
        if self.cancel.is_set():
            raise Cancelled
        if total:
            self.report(done, total)
        self.turn()
        if self.cancel.is_set():
            raise Cancelled

    def kept(self, name: str, make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """A finished part from the store, or made now and stored.

        Args:
            name: of the part and of everything it depends on.
            make: the part, as arrays.
        """
        if self.store is not None and (found := self.store.load(name)) is not None:
            self.reused(1)
            return found
        made = make()
        if self.store is not None:
            with suppress(OSError):  # a full disk costs the resume, not the result
                self.store.save(name, **made)
        return made
