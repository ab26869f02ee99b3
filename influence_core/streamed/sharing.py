"""A pass in pieces of a few blocks, which other processes take where a job has some; and the largest it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, Task, blocks
from influence_core.compute.pieces import Found, Piece, gathered
from influence_core.streamed.passes import Passes

BLOCKS = 8  # of a piece: so many are read again when its process dies
HELD = 3  # pieces for each process whose results are in memory at a time


def each(
    function: Callable[..., Found], owner: Any, args: tuple[Any, ...], passes: Passes, task: Task
) -> Iterator[tuple[slice, Found]]:
    """One pass: ``function(owner, rows, *args, task)`` a block at a time, or a piece where the job has processes.

    Yields:
        Rows, which begin where blocks do, so that the numbers are the same; and what was found of them.
    """
    if task.workers is not None:
        parts = list(blocks(len(passes), 1, BLOCKS * passes.together))
        pieces = [Piece(function, owner, (part, *args), items=part.stop - part.start) for part in parts]
        yield from zip(parts, taken(pieces, task), strict=True)
        return
    for part in blocks(len(passes), 1, passes.together):
        yield part, function(owner, part, *args, Task())
        task.tick(part.stop, len(passes))


def taken(pieces: Sequence[Piece], task: Task) -> Iterator[Found]:
    """What pieces find, in order, a few at a time, so that what they found need not be in memory at once."""
    done, total = 0, sum(piece.items for piece in pieces)
    for part in blocks(len(pieces), 1, HELD * (task.workers.width if task.workers else 1)):

        def told(some: float, _all: float, before: int = done) -> None:
            task.report(before + some, total)

        yield from gathered(pieces[part], replace(task, report=told))
        done += sum(piece.items for piece in pieces[part])


def leading(chunks: Iterable[tuple[NDArray[np.int64], FloatArray]], m: int, count: int) -> tuple[Any, FloatArray]:
    """The ``count`` rows of largest |value| in each of m columns, and these values, both (m, count).

    Args:
        chunks: numbers of rows, (b,) or (m, b), and their values (m, b).
        m: columns.
        count: of rows that are kept.
    """
    rows, values = np.zeros((m, 0), dtype=np.int64), np.zeros((m, 0))
    for here, found in chunks:
        rows = np.hstack([rows, np.broadcast_to(here, found.shape)])
        values = np.hstack([values, found])
        size = np.where(np.isnan(values), -1.0, np.abs(values))
        order = np.stack([_largest(one, count) for one in size])
        rows, values = np.take_along_axis(rows, order, 1), np.take_along_axis(values, order, 1)
    return rows, values


def _largest(sizes: FloatArray, count: int) -> NDArray[np.int64]:
    """Places of the largest, the first of equal ones first; to sort them all would cost more than a pass."""
    kept = np.arange(len(sizes))
    if len(sizes) > 2 * count:
        kept = np.flatnonzero(sizes >= np.partition(sizes, len(sizes) - count)[len(sizes) - count])
    return kept[np.argsort(-sizes[kept], kind="stable")[:count]]
