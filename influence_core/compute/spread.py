"""Independent pieces of one long computation on all cores; its job keeps its turn, its progress and its cancel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TypeVar

import torch

from influence_core.compute.task import Task

LOOK = 0.1  # seconds between two looks at the turn, progress and cancel
T = TypeVar("T")
_ALLOWED: ContextVar[int | None] = ContextVar("cores", default=None)


@contextmanager
def allowed(count: int) -> Generator[None]:
    """A piece that runs beside others may use so many threads.

    Yields:
        Nothing.
    """
    token = _ALLOWED.set(count)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def cores() -> int:
    """Threads that may compute at a time: those this process may use, four at most.

    Returns:
        At least 1.
    """
    if (given := _ALLOWED.get()) is not None:
        return given
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def spread(pieces: Sequence[Callable[[Task], T]], task: Task, total: float, workers: int) -> list[T]:
    """Run the pieces in threads; torch keeps to one thread in each, so that this is all the parallelism there is.

    Each piece gets a task of its own: what it reports are items done of its own, and where the job waits for its turn
    so do the pieces, at their next tick.

    Args:
        pieces: independent; each calls ``tick`` of the task it is given.
        task: of the job.
        total: items of all pieces together.
        workers: threads.

    Returns:
        Their results, in order.
    """
    go, stop, done = threading.Event(), threading.Event(), [0.0] * len(pieces)
    go.set()

    def start(k: int) -> T:
        torch.get_num_threads()  # a new thread would otherwise open a pool of its own

        def report(items: float, _all: float) -> None:
            done[k] = items

        return pieces[k](replace(task, report=report, cancel=stop, turn=lambda: (go.wait(), None)[1]))

    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(start, k) for k in range(len(pieces))]
        try:
            left = set(running)
            while left:
                finished, left = wait(left, LOOK, FIRST_COMPLETED)
                for future in finished:
                    future.result()
                go.clear()
                task.tick(sum(done), total)
                go.set()
        finally:
            stop.set()
            go.set()
            for future in running:
                future.cancel()
    return [future.result() for future in running]
