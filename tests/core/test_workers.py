"""Work in other processes: results, progress, cancel, errors and deaths come back."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from influence_core.compute import Cancelled, Task
from influence_core.compute.scheduler import Scheduler
from influence_core.compute.task import Call, WorkerError
from influence_core.compute.workers import Workers, aside, clear, local
from influence_core.data import DataError
from tests.core import made_pieces
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]


def test_it_runs_in_another_process_that_is_used_again() -> None:
    first = aside(made_pieces.process)
    assert first != os.getpid() and first == aside(made_pieces.process) and first in local().processes


def test_progress_what_is_kept_and_what_is_shown_come_back() -> None:
    told, kept, shown = list[tuple[float, float]](), list[int](), list[object]()
    task = Task(lambda done, total: told.append((done, total)), reused=kept.append, show=shown.append)
    assert aside(made_pieces.steps, 50, 1.0, task=task) == "50 steps"
    assert told == sorted(told) and len(told) > 2 and {total for _, total in told[1:]} == {50}
    np.testing.assert_array_equal(aside(made_pieces.shows, task=task), np.arange(3.0))
    assert kept == [3] and shown == ["half of it"]


def test_the_last_step_is_told_where_a_piece_ends_between_two_looks() -> None:
    told = list[tuple[float, float]]()
    aside(made_pieces.steps, 50, 0.0, task=Task(lambda *so_far: told.append(so_far)))
    assert told[-1] == (50, 50)


@pytest.mark.parametrize("work", [lambda task: aside(made_pieces.steps, 10_000, 60.0, task=task),
                                  lambda task: aside(made_pieces.deaf, 60.0, task=task)])  # fmt: skip
def test_cancel_ends_long_before_the_work_would(work, record_property: Any) -> None:
    aside(made_pieces.process)  # has started
    cancelled, task = list[float](), Task()

    def cancel() -> None:
        cancelled.append(time.monotonic())
        task.cancel.set()

    threading.Timer(0.5, cancel).start()
    with pytest.raises(Cancelled):
        work(task)
    seconds = time.monotonic() - cancelled[0]
    record_property("cancel of a worker process, seconds (two at most where nothing else runs)", round(seconds, 2))
    assert seconds < 20.0  # of sixty
    assert aside(made_pieces.steps, 1, 0.0) == "1 steps"  # the next one is not stopped


def test_a_piece_is_held_back_while_its_job_waits_for_its_turn() -> None:
    turns, told = list[float](), list[float]()

    def turn() -> None:
        if len(turns) == 3:
            before = told[-1]
            time.sleep(3.0)  # somebody else computes
            turns.append(before)
        turns.append(0.0)

    assert aside(made_pieces.steps, 300, 6.0, task=Task(lambda done, _total: told.append(done), turn=turn))
    held = turns[3]
    assert min(done for done in told if done > held) < held + 100  # without a hold it were half of them


def test_what_a_killed_process_would_have_answered_leaves_no_file() -> None:
    workers = Workers(1)
    process = workers.take()
    assert process is not None
    own, other = (workers.folder / "answers" / f"{number}-abc.npy" for number in (process.number, 7))
    own.touch()
    other.touch()
    process.end()
    assert not own.exists() and other.exists()
    workers.give(process)
    workers.close()


@pytest.mark.parametrize("full", [False, True])
def test_large_arrays_come_back_whole_and_leave_no_file(full: bool) -> None:
    workers = Workers(1)
    if full:
        (workers.folder / "answers").rmdir()  # as where nothing can be written
    one, same, small = workers.run([Call(made_pieces.large, None, (), 1)], Task())[0]
    np.testing.assert_array_equal(one, np.arange(100_000.0))
    one[0] = 7.0  # nobody else's
    assert type(one) is np.ndarray and same is one and small.tolist() == [1, 2, 3]
    assert not [*workers.folder.rglob("*.npy")]
    workers.close()


def test_errors_are_raised_here_with_their_own_sentence() -> None:
    with pytest.raises(DataError) as caught:
        aside(made_pieces.refused)
    assert str(caught.value) == "Expected numbers, got words."
    assert "made_pieces.py" in caught.value.__notes__[0]  # for the log: where it was raised
    with pytest.raises(RuntimeError, match="1 and 2"):
        aside(made_pieces.odd)
    with pytest.raises(TypeError, match="another process"):
        aside(made_pieces.unpackable)
    with pytest.raises(TypeError, match="another process"):
        aside(lambda _task: 1)


def test_a_process_that_dies_is_replaced_and_its_piece_run_once_more(tmp_path: Path) -> None:
    assert aside(made_pieces.killed_once, tmp_path / "mark") == "second time"
    with pytest.raises(WorkerError, match=r"ended twice without one \(signal 9\)"):
        aside(made_pieces.killed)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all threads of a process are equally nice")
def test_processes_of_a_job_that_stands_back_do_not() -> None:
    Scheduler()  # as every server has one
    workers, found = Workers(1), list[int]()

    def job() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        process = workers.take()
        assert process is not None
        found.append(os.getpriority(os.PRIO_PROCESS, process.number))
        process.end()

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    assert found == [os.getpriority(os.PRIO_PROCESS, 0)] and found[0] < 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all threads of a process are equally nice")
def test_every_thread_of_a_process_beside_pages_stands_back() -> None:
    asked = [Call(made_pieces.standing, None, (), 2)]
    assert Workers(1, 19).run(asked, Task()) == [{(19, os.SCHED_IDLE)}]
    assert Workers(1, 5).run(asked, Task()) == [{(5, os.SCHED_OTHER)}]


def test_what_is_large_waits_for_no_process_that_begins() -> None:
    assert aside(made_pieces.sized, bytes(2**22)) == 2**22
    before = time.monotonic()
    Workers(1).run([Call(made_pieces.process)], Task())
    begin = time.monotonic() - before
    workers, task, owner = Workers(1), Task(), bytes(2**22)  # more than a wire takes before somebody reads
    threading.Timer(0.2, task.cancel.set).start()
    before = time.monotonic()
    with pytest.raises(Cancelled):
        workers.run([Call(made_pieces.sized, owner), Call(made_pieces.sized, owner)], task)
    assert time.monotonic() - before < max(2.2, 0.7 * begin)


DRIVER = """
import threading, time
from influence_core.compute.workers import Workers, aside, local
from tests.core import made_pieces

idle = Workers(1)
threading.Thread(target=aside, args=(made_pieces.steps, 100_000, 600.0), daemon=True).start()
while not local().processes:
    time.sleep(0.01)
print(local().folder, idle.folder, flush=True)
time.sleep(600)
"""


def test_a_killed_driver_leaves_neither_processes_nor_folders() -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    busy, idle = map(Path, driver.stdout.readline().split())
    assert busy.name.startswith("influence-workers-") and busy.is_dir()
    clear()
    assert idle.is_dir() and local().folder.is_dir()  # their drivers live
    driver.kill()
    driver.wait(PATIENCE)
    until(lambda: not busy.exists(), lambda: f"{busy} is still there")
    clear()  # as the next driver does: no process was there to do it
    assert not idle.exists() and local().folder.is_dir()
