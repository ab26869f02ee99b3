"""The fair queue, on a clock that only the jobs move: who goes first is decided, not measured."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from influence_core.compute import ResultStore, turns
from influence_core.compute.scheduler import KEPT, SHORT, STARTED, STARTED_LONG, Scheduler
from influence_core.compute.store import STALE_SECONDS, evict
from influence_core.compute.turns import OVERDUE, PAUSE, SLICE, Gate, Turns, Worker
from influence_core.compute.wanted import Wanted, alive, present
from tests.waiting import PATIENCE, until

STEP = SLICE / 3


class Clock:
    """Seconds that pass only where a job spends them."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Bench:
    """A queue whose jobs count their ticks and note the order of their steps and ends."""

    def __init__(self, tmp_path):
        self.clock, self.steps, self.ends = Clock(), [], []
        self.queue = Scheduler(lambda: ResultStore(tmp_path), self.clock)
        self.go, self.runs = threading.Event(), []

    def held(self, _task=None):
        self.go.wait(PATIENCE)

    def work(self, name, steps, first=lambda: None):
        def run(task):
            self.runs.append(name)
            first()
            for step in range(steps):
                self.clock.now += STEP
                self.steps.append(name)
                task.tick(step + 1, steps)
            self.ends.append(name)
            return name

        return run

    def submit(self, name, steps, owner="", cost=1.0, first=lambda: None):
        return self.queue.submit(name, self.work(name, steps, first), owner=owner, cost=cost)

    def all_at_once(self, *jobs):
        """The first job holds the turn until all are submitted."""
        first, *rest = jobs
        started = [self.submit(*first, first=self.held)]
        until(lambda: self.runs)
        started += [self.submit(*job) for job in rest]
        until(lambda: len(self.queue._turns._ready) == len(rest))
        self.go.set()
        for job in started:
            until(lambda job=job: not job.active)
        return started


@pytest.fixture
def bench(tmp_path):
    found = Bench(tmp_path)
    yield found
    found.go.set()


def test_a_result_comes_back_with_its_progress(bench):
    job = bench.submit("a", 3)
    until(lambda: job.state == "done")
    assert (job.result, job.done, job.total, job.error) == ("a", 3, 3, None)
    assert bench.queue.get("a") is job
    assert bench.queue.get("b") is None


def test_a_short_job_submitted_after_a_long_one_ends_before_it(bench):
    bench.all_at_once(("long", 300, "ann", 100.0), ("short", 6, "bob"))
    assert bench.ends == ["short", "long"]
    assert bench.steps.index("short") <= 4  # at the first tick after the slice
    last = max(i for i, name in enumerate(bench.steps) if name == "short")
    assert last < 20  # every other slice, and not at the end of the 300 steps


def test_owners_get_equal_shares_however_many_jobs_they_have(bench):
    bench.all_at_once(*((f"ann{i}", 90, "ann") for i in range(3)), ("bob", 90, "bob"))
    part = bench.steps[: max(i for i, name in enumerate(bench.steps) if name == "bob") + 1]
    share = sum(name == "bob" for name in part) / len(part)
    assert 0.45 < share < 0.55
    counts = [part.count(f"ann{i}") for i in range(3)]
    assert max(counts) - min(counts) <= 4  # and an owner's jobs share among themselves


def test_nobody_catches_up_on_time_when_he_was_not_there(bench):
    late = []

    def at_step(step):
        if step == 200:
            late.append(bench.submit("late", 60, "bob"))
            until(lambda: bench.queue._turns._ready)

    def long(task):
        for step in range(400):
            bench.clock.now += STEP
            bench.steps.append("early")
            at_step(step)
            task.tick()
        bench.ends.append("early")

    early = bench.queue.submit("early", long, owner="ann")
    until(lambda: late and not early.active and not late[0].active)
    after = bench.steps[200 : max(i for i, name in enumerate(bench.steps) if name == "late")]
    assert 0.4 < after.count("late") / len(after) < 0.6


def test_identical_requests_share_one_run(bench):
    first = bench.submit("same", 5, first=bench.held)
    assert bench.submit("same", 5) is first
    bench.go.set()
    until(lambda: first.state == "done")
    assert bench.submit("same", 5) is first
    assert bench.runs == ["same"]


def test_started_jobs_are_bounded_and_short_ones_start_at_once(bench):
    def hold(task):
        while not bench.go.is_set():
            bench.clock.now += STEP
            task.tick()
            time.sleep(0.001)

    long = [bench.queue.submit(f"long{i}", hold, owner=str(i), cost=SHORT + 1) for i in range(STARTED_LONG + 2)]
    until(lambda: sum(job.state == "running" for job in long) == STARTED_LONG)
    assert [bench.queue.before(job) for job in long[STARTED_LONG:]] == [STARTED_LONG, STARTED_LONG + 1]
    assert bench.queue.before(long[0]) == 0
    short = bench.submit("short", 4, "new")
    until(lambda: short.state == "done")
    assert [job.state for job in long[STARTED_LONG:]] == ["waiting"] * 2
    many = [bench.queue.submit(f"short{i}", hold, cost=SHORT) for i in range(STARTED)]
    until(lambda: len(bench.queue._started) == STARTED)
    bench.go.set()
    until(lambda: all(job.state == "done" for job in long + many))


def test_cancel_while_waiting_and_while_running(bench):
    running = bench.submit("running", 10**6, first=bench.held)
    until(lambda: bench.runs)
    ready = bench.submit("ready", 5)  # has a thread, waits for the turn
    others = [bench.submit(f"long{i}", 5, cost=100.0) for i in range(STARTED_LONG + 1)]  # the last one has none
    for job in (ready, *others):
        bench.queue.stop(job)
        assert job.state == "cancelled"
    until(lambda: bench.queue._started == [running])
    bench.queue.stop(running)
    assert running.state == "cancelled"  # seen at once, though its thread has not ticked yet
    bench.go.set()
    until(lambda: not bench.queue._started)
    assert bench.runs == ["running"]
    assert bench.ends == []
    again = bench.submit("running", 2)
    assert again is not running
    until(lambda: again.state == "done")


def test_a_job_that_ends_after_its_cancel_stays_cancelled(bench):
    job = bench.queue.submit("deaf", bench.held)
    until(lambda: job.state == "running")
    bench.queue.stop(job)
    bench.go.set()
    until(lambda: not bench.queue._started)
    assert (job.state, job.result) == ("cancelled", None)


def test_a_failure_is_kept_frees_the_turn_and_can_be_tried_again(bench):
    def broken(task):
        task.tick(1, 2)
        raise ValueError("no minimum")

    job = bench.queue.submit("x", broken)
    until(lambda: job.state == "failed")
    assert str(job.error) == "no minimum"
    again = bench.submit("x", 2)
    until(lambda: again.state == "done")
    assert again is not job


def test_a_job_that_does_not_tick_loses_its_turn(bench):
    deaf = bench.queue.submit("deaf", bench.held)
    until(lambda: deaf.state == "running")
    other = bench.submit("other", 1)
    until(lambda: bench.queue._turns._ready)
    bench.clock.now += 0.9 * OVERDUE
    assert not bench.queue._turns._is_next(other.worker)
    bench.clock.now += 0.2 * OVERDUE
    until(lambda: other.state == "done")
    assert deaf.state == "running"
    bench.go.set()
    until(lambda: deaf.state == "done")


def test_work_that_only_waits_needs_no_turn(bench):
    holder = bench.submit("holder", 3, first=bench.held)
    until(lambda: bench.runs)
    fetch = bench.queue.submit("fetch", lambda task: task.tick(1, 1) or "here", computes=False)
    until(lambda: fetch.state == "done")
    assert holder.state == "running"


def test_only_some_ended_jobs_are_remembered(bench):
    jobs = [bench.submit(f"job{i}", 1) for i in range(KEPT + 9)]
    until(lambda: all(not job.active for job in jobs))
    bench.queue.keep("stored", 7)
    assert bench.queue.get("stored").result == 7
    assert sum(bench.queue.get(f"job{i}") is not None for i in range(KEPT + 9)) == KEPT - 1


def test_the_rate_leaves_out_what_was_in_the_store(bench):
    def work(task):
        task.reused(400)
        task.tick(400, 1000)
        bench.clock.now += 10.0
        task.tick(600, 1000)
        bench.held()

    job = bench.queue.submit("loo", work)
    until(lambda: job.done == 600)
    assert bench.queue.rate(job) == pytest.approx(20.0)
    bench.go.set()


# --- the gate


class Pauses(Gate):
    """A gate whose pauses move the clock and take no time; ``held`` has their lengths."""

    def __init__(self, clock):
        super().__init__(clock)
        self.held, self._free.wait_for = [], self._pass

    def _pass(self, _free, longest):
        self.held.append(longest)
        self._clock.now += longest


def test_clicks_hold_jobs_back_but_not_for_ever():
    clock = Clock()
    gate = Pauses(clock)
    assert not gate.wait()
    clock.now += 0.1
    with gate():
        assert gate.wait()  # nobody leaves: the pause is as long as the work before it
        assert gate.wait()  # no work since: no pause
        clock.now += 100 * PAUSE
        assert gate.wait()
    assert not gate.wait()
    assert gate.held == pytest.approx([0.1, 0.0, PAUSE])


def test_a_held_job_goes_on_as_soon_as_the_click_is_answered(monkeypatch):
    monkeypatch.setattr(turns, "PAUSE", PATIENCE)
    clock, entered, waits, answered = Clock(), threading.Event(), threading.Event(), []
    gate = Gate(clock)
    clock.now += 2 * PATIENCE
    held = gate._free.wait_for
    monkeypatch.setattr(gate._free, "wait_for", lambda free, longest: (waits.set(), held(free, longest)))

    def click():
        with gate():
            entered.set()
            waits.wait(PATIENCE)
            answered.append(time.monotonic())

    thread = threading.Thread(target=click)
    thread.start()
    entered.wait(PATIENCE)
    assert gate.wait()
    assert time.monotonic() - answered[0] < PATIENCE / 2  # and not the whole pause
    thread.join()


def test_a_job_in_turns_pauses_for_clicks_and_is_not_charged_for_it():
    clock, worker = Clock(), Worker()
    gate = Pauses(clock)
    queue = Turns(clock, gate)
    queue.join(worker)
    with gate():
        for _ in range(4):
            queue.tick(worker)
            clock.now += 0.1
    assert gate.held == pytest.approx([0, 0.1, 0.1, 0.1])
    queue.leave(worker)
    assert worker.used == pytest.approx(0.4)
    assert clock.now == pytest.approx(0.7)


# --- what outlives a server


def test_wanted_runs_are_noted_until_they_end(bench, tmp_path):
    job = bench.submit("loo:x", 3, first=bench.held)
    until(lambda: bench.runs)
    assert len(list((tmp_path / "wanted").glob("*.json"))) == 1
    assert not bench.queue.was_interrupted("loo:x")
    bench.go.set()
    until(lambda: job.state == "done")
    assert not list((tmp_path / "wanted").iterdir())
    bench.go.clear()
    cancelled = bench.submit("loo:y", 3, first=bench.held)
    bench.queue.stop(cancelled)
    bench.go.set()
    failed = bench.queue.submit("loo:z", lambda _task: 1 / 0)
    until(lambda: failed.state == "failed")
    assert not list((tmp_path / "wanted").iterdir())


@pytest.mark.slow
def test_the_next_server_finds_what_a_killed_one_was_asked_for(bench, tmp_path):
    code = (
        "import sys, os, signal, pathlib\n"
        "from influence_core.compute import ResultStore\n"
        "from influence_core.compute.scheduler import Scheduler\n"
        "queue = Scheduler(lambda: ResultStore(pathlib.Path(sys.argv[1])))\n"
        "queue.submit('loo:x', lambda task: os.kill(os.getpid(), signal.SIGKILL))\n"
        "signal.pause()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=PATIENCE)
    assert ended.returncode == -9
    assert bench.queue.was_interrupted("loo:x")
    assert not bench.queue.was_interrupted("loo:y")
    job = bench.submit("loo:x", 3)
    assert job.resumed
    assert not bench.queue.was_interrupted("loo:x")
    until(lambda: job.state == "done")
    assert not list((tmp_path / "wanted").iterdir())


def test_a_server_that_is_stopped_leaves_its_runs_to_the_next_one(bench, tmp_path):
    jobs = [bench.submit(f"loo:{i}", 10**7, cost=100.0) for i in range(STARTED_LONG + 1)]  # the last one waits
    until(lambda: jobs[0].done)
    bench.queue.close(PATIENCE)
    assert not bench.queue._started
    assert not bench.ends
    after = Scheduler(lambda: ResultStore(tmp_path))
    assert all(after.was_interrupted(job.key) for job in jobs)


OTHER = (
    "import sys, pathlib\n"
    "from influence_core.compute.wanted import Wanted, present\n"
    "folder = pathlib.Path(sys.argv[1])\n"
    "name = present(folder)\n"
    "Wanted(folder, name).add('loo:x')\n"
    "print(name, flush=True)\n"
    "input()\n"
)


@pytest.fixture
def other(tmp_path):
    """Another server on the same folder, and its name."""
    code = [sys.executable, "-c", OTHER, str(tmp_path / "wanted")]
    process = subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_a_run_of_another_living_server_is_left_to_it(tmp_path, other):
    process, name = other
    mine = Wanted(tmp_path / "wanted", present(tmp_path / "wanted"))
    assert not mine.orphaned("loo:x")
    assert alive(tmp_path / "wanted", name)
    process.kill()
    process.wait(PATIENCE)
    assert mine.orphaned("loo:x")
    assert not list((tmp_path / "servers").glob(f"{name}*"))  # what a dead server leaves is cleared away


@pytest.mark.slow
def test_both_may_run_it_and_the_end_of_one_takes_no_note_of_the_other(tmp_path, other):
    process, _ = other
    mine = Wanted(tmp_path / "wanted", present(tmp_path / "wanted"))
    mine.add("loo:x")
    mine.remove("loo:x")
    process.kill()
    process.wait(PATIENCE)
    assert mine.orphaned("loo:x")
    mine.add("loo:x")
    mine.remove("loo:x")
    assert not mine.orphaned("loo:x")
    assert not list((tmp_path / "wanted").iterdir())


def test_a_server_is_known_by_its_lock_whatever_the_number_of_its_process(tmp_path):
    folder = tmp_path / "wanted"
    here = present(folder)
    assert here == present(folder) and str(os.getpid()) in here
    gone = f"elsewhere-{os.getpid()}-00000000"  # a process of another machine with the number of this one
    Wanted(folder, gone).add("loo:x")
    assert Wanted(folder, here).orphaned("loo:x")
    assert Wanted(folder, "third").orphaned("loo:x")
    Wanted(folder, here).add("loo:y")
    assert not Wanted(folder, "third").orphaned("loo:y")


def test_old_parts_are_told_by_the_clock_of_the_folder(tmp_path):
    ResultStore(tmp_path).save("a", x=np.zeros(1))
    (saved,), part = tmp_path.glob("*.npz"), tmp_path / "x.part"
    part.touch()
    for ahead in (-(10**6), 10**6):  # the clock of the file server is days off, and its files agree with one another
        then = time.time() + ahead
        os.utime(saved, (then, then))
        os.utime(part, (then - 10, then - 10))
        evict(tmp_path, "*.npz", 10**9)
        assert part.exists()
    os.utime(part, (then - 2 * STALE_SECONDS, then - 2 * STALE_SECONDS))
    evict(tmp_path, "*.npz", 10**9)
    assert not part.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": "loo:x"}', b'{"key": "loo:x", "server": "me"}', b"\xff"])
def test_a_damaged_note_is_like_none(tmp_path, content):
    wanted = Wanted(tmp_path / "wanted", "one")
    wanted.add("loo:x")
    (path,) = (tmp_path / "wanted").iterdir()
    path.write_bytes(content)
    assert not wanted.orphaned("loo:x")
