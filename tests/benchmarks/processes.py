"""Worker processes against one process: leave-one-out, training on halves, and what a killed worker costs.

    .venv/bin/python tests/benchmarks/processes.py [loo] [killed] [halves] [--cluster local:2] [--rounds 3]

``loo`` takes turns: all 7,099 refits (MNIST 1 versus 7, n·l2 = 1000) in this process on two threads, and in pieces on
the cluster, whose processes have begun.  ``killed`` does it again, kills a worker in the middle and counts the pieces
that were run twice.  ``halves`` trains a multilayer perceptron on 50 random halves from 5 seeds on ``local:1`` and on
``local:2``.  All of them compare the numbers.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.analysis import Draw, Problem, Settings, Task
from influence_core.compute.executor import executor
from influence_core.compute.serving import Process
from influence_core.compute.task import Elsewhere
from influence_core.compute.workers import Workers
from influence_core.retraining import LeaveOneOut, Question
from influence_core.settings import DataSettings, ModelSettings

LOO = Settings(DataSettings("mnist_large", (("held_out", 0),)), ModelSettings("logistic", 1000 / 7_099))
OPTIONS = (("epochs", 10), ("layers", 1), ("width", 64))
DIGITS = DataSettings("mnist", (("digits", "all"), ("size", 2_000)))
HALVES = Settings(DIGITS, ModelSettings("mlp", 1e-3, options=OPTIONS))


class Counting(Workers):
    """Counts the pieces that were begun, and may kill the process of one of them."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.begun, self.victim = 0, -1

    def take(self) -> Process | None:
        process = super().take()
        self.begun += process is not None
        if process is not None and self.begun == self.victim:
            threading.Timer(0.2, os.kill, (process.number, signal.SIGKILL)).start()
        return process


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def processor(workers: Workers) -> float:
    """Seconds that its processes have computed: what else the machine does is in none of them."""
    stats = [Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split() for number in workers.processes]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def loo(workers: Elsewhere, rounds: int) -> None:
    problem = Problem(LOO)
    question, n = Question(problem.test), len(problem.split.train)
    alone, there = LeaveOneOut(problem.fitted), Task(workers=workers)
    alone.run(question), LeaveOneOut(problem.fitted, there).run(question)  # processes have begun, steps are made
    pairs = []
    for _ in range(rounds):
        first, one = timed(lambda: alone.run(question))
        second, two = timed(lambda: LeaveOneOut(problem.fitted, there).run(question))
        pairs.append((first, second))
        gap = np.abs(one.change - two.change).max() / np.abs(one.change).max()
        print(
            f"n = {n:,}: one process {first:.2f} s, cluster {second:.2f} s, largest gap {gap:.1e} of the largest change"
        )
    print(f"ratio of medians {statistics.median(b for _, b in pairs) / statistics.median(a for a, _ in pairs):.2f}")


def killed() -> None:
    problem, workers = Problem(LOO), Counting(2)
    question = Question(problem.test)
    whole = LeaveOneOut(problem.fitted, Task(workers=workers)).run(question)
    pieces, workers.begun, workers.victim = workers.begun, 0, 4
    seconds, again = timed(lambda: LeaveOneOut(problem.fitted, Task(workers=workers)).run(question))
    same = np.abs(whole.change - again.change).max() / np.abs(whole.change).max()
    lost = workers.begun - pieces
    print(f"killed one of {pieces} pieces: {lost} run again, {seconds:.1f} s, largest gap {same:.1e}")


def halves(rounds: int) -> None:
    truth, draw = Problem(HALVES).truths["seeds"], Draw(50, 5)
    one, two = executor("local:1"), executor("local:2")
    for workers in (one, two):
        truth.halves(task=Task(workers=workers), draw=Draw(4, 1))  # processes have begun
    assert isinstance(one, Workers) and isinstance(two, Workers)
    ratios = []
    for _ in range(rounds):
        before = processor(one), processor(two)
        first, a = timed(lambda: truth.halves(task=Task(workers=one), draw=draw))
        second, b = timed(lambda: truth.halves(task=Task(workers=two), draw=draw))
        used, ratio = (processor(one) - before[0], processor(two) - before[1]), first / second
        ratios.append(ratio)
        print(
            f"50 halves × 5 seeds: local:1 {first:.1f} s ({used[0]:.1f} s of processor), local:2 {second:.1f} s "
            f"({used[1]:.1f} s), {ratio:.2f} × faster, numbers the same: {np.array_equal(a.values, b.values)}",
            flush=True,
        )
    print(f"median {statistics.median(ratios):.2f} × faster")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["loo", "killed", "halves"])
    parser.add_argument("--cluster", default="local:2")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    workers = executor(arguments.cluster)
    assert workers is not None
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in arguments.what:
        {"loo": lambda: loo(workers, arguments.rounds), "killed": killed, "halves": lambda: halves(arguments.rounds)}[
            name
        ]()


if __name__ == "__main__":
    main()
