"""What a job says about itself: place, progress, time left, what was kept, and why it failed."""

import re
import threading

import pytest

from influence_core.analysis import Job, Scheduler, SingularRefitError
from influence_core.compute import ResultStore
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import duration, reason, resumed, words
from tests.waiting import PATIENCE, until


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (40, "40 s"), (99, "99 s"), (720, "12 min"), (12_600, "3.5 h")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_words_while_it_waits_starts_and_runs(monkeypatch, tmp_path):
    go, more, seen, now = threading.Event(), threading.Event(), [], [0.0]
    queue = Scheduler(lambda: ResultStore(tmp_path), lambda: now[0])
    monkeypatch.setattr(job_panel, "jobs", lambda: queue)

    def work(task):
        seen.append(1)
        go.wait(PATIENCE)
        task.reused(412)
        task.tick(412, 2250)
        now[0] += 3.0
        task.tick(1000, 2250)
        seen.append(2)
        more.wait(PATIENCE)

    job = queue.submit("words", work, cost=100.0)
    until(lambda: seen == [1])
    others = [queue.submit(f"words {k}", lambda _task: None, cost=100.0) for k in range(3)]
    assert words(job, "refits") == "starting"
    assert words(others[0], "refits") == "waiting for its turn"
    assert words(others[2], "refits") == "waiting, 3 jobs before this one"
    for other in others:
        queue.stop(other)
    go.set()
    until(lambda: len(seen) == 2)
    # The 412 from the store took no time: 588 in 3 s, and 1,250 are left.
    assert words(job, "refits") == "1,000 of 2,250 refits · 196 per second · 6 s left"
    more.set()
    until(lambda: job.state == "done")


def test_what_was_kept_and_megabytes():
    assert resumed(Job("k", total=2250, kept=412), "refits") == (
        "Resumed after the server stopped: 412 of 2,250 refits were kept."
    )
    assert resumed(Job("k", total=2250), "refits") == "Started again after the server stopped."
    assert words(Job("k", state="running", done=3.25, total=15.4), "MB") == "3.2 of 15.4 MB"
    assert words(Job("k", state="running", done=182.4, total=205), "refits") == "182 of 205 refits"


def test_only_expected_errors_are_shown():
    assert reason(Job("k", error=SingularRefitError("choose a larger l2"))) == "choose a larger l2"
    assert "more memory" in reason(Job("k", error=MemoryError()))
    said = reason(Job("k", error=OSError("/srv/secret")))
    assert "/srv/secret" not in said and re.search(r"log has it as [0-9a-f]{8}\.$", said)
