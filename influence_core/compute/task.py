"""What a long function is given: whom it tells how far it is, who may stop it, and who gets a turn in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from influence_core.compute.store import ResultStore


class Cancelled(Exception):  # noqa: N818 - no error: the user asked for it
    """The user cancelled; finished blocks are kept."""


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
    """

    report: Callable[[float, float], None] = lambda _done, _total: None
    cancel: threading.Event = field(default_factory=threading.Event)
    store: ResultStore | None = None
    reused: Callable[[int], None] = lambda _count: None
    turn: Callable[[], None] = lambda: None
    show: Callable[[Any], None] = lambda _found: None

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
