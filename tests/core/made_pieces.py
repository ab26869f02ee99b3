"""Work for other processes: functions at the top level of a module, as they are found there by name.

What only one of them needs is imported there, so that the processes of most tests begin quickly.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from influence_core.compute import Task, cluster
from influence_core.compute.pieces import Piece, gathered
from influence_core.version import versions

if TYPE_CHECKING:
    from influence_core.analysis import Problem


class OddError(Exception):
    """Takes other arguments than it keeps, so that no pickle of it can be read."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def process(_task: Task) -> int:
    return os.getpid()


def steps(count: int, seconds: float, task: Task) -> str:
    for k in range(count):
        time.sleep(seconds / count)
        task.tick(k + 1, count)
    return f"{count} steps"


def standing(_task: Task) -> set[tuple[int, int]]:
    """Niceness and policy of every thread here, those of BLAS among them, after a product that all of them do."""
    (np.ones((1500, 1500)) @ np.ones((1500, 1500))).sum()
    threads = map(int, os.listdir("/proc/self/task"))
    return {(os.getpriority(os.PRIO_PROCESS, thread), os.sched_getscheduler(thread)) for thread in threads}


def sized(content: bytes, _task: Task) -> int:
    return len(content)


def deaf(seconds: float, _task: Task) -> None:
    time.sleep(seconds)


def shows(task: Task) -> np.ndarray:
    task.reused(3)
    task.show("half of it")
    return np.arange(3.0)


def large(_task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = np.arange(100_000.0)
    return found, found, np.array([1, 2, 3])


def refused(_task: Task) -> None:
    from influence_core.data import DataError

    raise DataError("Expected numbers, got words.")


def odd(_task: Task) -> None:
    raise OddError(1, 2)


def killed_once(mark: Path, _task: Task) -> str:
    """Dies the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "second time"


def killed(_task: Task) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unpackable(_task: Task) -> object:
    return lambda: None


def reads(path: Path, _task: Task) -> bytes:
    return path.read_bytes()


def aged(version: str) -> None:
    """On a worker: pretends that another version of the program is installed, or no longer."""
    cluster.versions = lambda: versions() | ({"influence-explorer": version} if version else {})


def without_groups(problem: Problem, groups: list[np.ndarray], task: Task) -> np.ndarray:
    from influence_core.retraining import Question, leave_groups_out

    return leave_groups_out(problem.fitted, Question(problem.test), groups, task, "test").change


def where(task: Task) -> list[int]:
    """The processes that pieces of a job ran in."""
    pieces = [Piece(here, None, (), items=1) for _ in range(3)]
    return [int(found["process"]) for found in gathered(pieces, task)]


def here(*_nothing: object) -> dict[str, np.ndarray]:
    return {"process": np.array(os.getpid())}
