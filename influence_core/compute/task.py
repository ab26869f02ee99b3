"""What a long function is given: whom it tells how far it is, who may stop it, and who gets a turn in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

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
    """

    report: Callable[[float, float], None] = lambda _done, _total: None
    cancel: threading.Event = field(default_factory=threading.Event)
    store: ResultStore | None = None
    reused: Callable[[int], None] = lambda _count: None
    turn: Callable[[], None] = lambda: None

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
