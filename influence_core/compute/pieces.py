"""Pieces of one long computation: found in the store, or made by other processes where a job has some, or here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from influence_core.compute.packing import UnpackableError
from influence_core.compute.spread import cores, spread
from influence_core.compute.task import Call, Task

Found = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Piece:
    """What is computed, and kept, at once.

    Attributes:
        function: of a module or a class, found in another process by its name: ``function(owner, *args, task)``.
        owner: what all pieces share.
        args: of this one.
        name: of the piece and of everything it depends on; empty for no storing.
        items: of it.
        fits: whether what the store has under the name is that.
    """

    function: Callable[..., Found]
    owner: Any
    args: tuple[Any, ...]
    name: str = ""
    items: int = 1
    fits: Callable[[Found], bool] = lambda _found: True

    def stored(self, task: Task) -> Found | None:
        """From the store, or None."""
        found = task.store.load(self.name) if task.store is not None and self.name else None
        return found if found is not None and self.fits(found) else None

    def store(self, found: Found, task: Task) -> None:
        """A full disk costs the resume, not the result."""
        if task.store is not None and self.name:
            with suppress(OSError):
                task.store.save(self.name, **found)

    def made(self, task: Task) -> Found:
        """Computed here, and stored."""
        found = self.function(self.owner, *self.args, task)
        self.store(found, task)
        return found


def gathered(
    pieces: Sequence[Piece],
    task: Task,
    threads: int = 1,
    least: int = 1,
    ended: Callable[[int, Found], None] = lambda _k, _found: None,
) -> list[Found]:
    """What all pieces have found, in order.

    Args:
        pieces: independent of each other; each reports items done of its own.
        task: of all of them: progress in items, cancel, store, and the processes that take them.
        threads: that run pieces where no processes do.
        least: so many missing pieces are worth the way to other processes.
        ended: told the number of each piece and what it found, those from the store first.
    """
    total, found = sum(piece.items for piece in pieces), dict[int, Found]()
    for k, piece in enumerate(pieces):
        kept = piece.stored(task)
        if kept is not None:
            found[k] = kept
            task.reused(piece.items)
            ended(k, kept)
    before = sum(pieces[k].items for k in found)
    task.tick(before, total)
    left = [k for k in range(len(pieces)) if k not in found]

    def told(place: int, made: Found) -> None:
        found[left[place]] = made
        ended(left[place], made)

    if left:
        workers = task.workers if len(left) >= least else None
        own = replace(task, report=lambda done, _all: task.report(before + done, total), workers=workers)
        _made([pieces[k] for k in left], own, threads, told)
    return [found[k] for k in range(len(pieces))]


def together(task: Task) -> int:
    """Times as many pieces as on this machine that may be given out at once; what is in a piece stays the same."""
    return 1 if task.workers is None else max(1, task.workers.width // cores())


def _made(pieces: list[Piece], task: Task, threads: int, ended: Callable[[int, Found], None]) -> None:
    items = [piece.items for piece in pieces]

    def stored(k: int, found: Found) -> None:
        pieces[k].store(found, task)
        ended(k, found)

    if task.workers is not None:
        alone = cores() if len(pieces) == 1 else 1
        with suppress(UnpackableError):  # a model that a program has brought along does not leave that program
            calls = [Call(piece.function, piece.owner, piece.args, alone, piece.items) for piece in pieces]
            task.workers.run(calls, task, sum(items), stored)
            return
    if threads > 1:
        for k, found in enumerate(spread([partial(_whole, piece) for piece in pieces], task, sum(items), threads)):
            ended(k, found)
        return
    for k, piece in enumerate(pieces):
        ended(k, piece.made(_within(task, sum(items[:k]))))
        task.tick(sum(items[: k + 1]), sum(items))


def _whole(piece: Piece, task: Task) -> Found:
    found = piece.made(task)
    task.tick(piece.items, piece.items)
    return found


def _within(task: Task, before: float) -> Task:
    return replace(task, report=lambda done, _all: task.report(before + done, 0))
