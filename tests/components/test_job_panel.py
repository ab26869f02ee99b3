"""What a job says about itself: place, progress, time left, what was kept, and why it failed."""

import re
import threading
import time

import pytest

from influence_core.analysis import Job, SingularRefitError
from pages.components.widgets.job_panel import duration, jobs, reason, resumed, words


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (40, "40 s"), (99, "99 s"), (720, "12 min"), (12_600, "3.5 h")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_words_while_it_waits_starts_and_runs():
    go, seen = threading.Event(), []

    def work(task):
        seen.append(1)
        go.wait(20)
        task.reused(412)
        task.tick(412, 2250)
        time.sleep(0.1)
        task.tick(1000, 2250)
        seen.append(2)
        go.clear()
        go.wait(20)

    job = jobs().submit("words", work, cost=100.0)
    others = [jobs().submit(f"words {k}", lambda _task: go.wait(20), cost=100.0) for k in range(3)]
    until(lambda: seen == [1])
    assert words(job, "refits") == "starting"
    assert words(others[0], "refits") == "waiting for its turn"
    assert words(others[2], "refits") == "waiting, 3 jobs before this one"
    for other in others:
        jobs().stop(other)
    go.set()
    until(lambda: len(seen) == 2)
    said = words(job, "refits")
    assert said.startswith("1,000 of 2,250 refits · ")
    assert said.endswith(" s left")
    rate = float(said.split(" · ")[1].split()[0].replace(",", ""))
    assert rate < 588 / 0.1  # the 412 from the store are not counted
    jobs().stop(job)
    go.set()


def test_what_was_kept_and_megabytes():
    assert resumed(Job("k", total=2250, kept=412), "refits") == (
        "Resumed after the server stopped: 412 of 2,250 refits were kept."
    )
    assert resumed(Job("k", total=2250), "refits") == "Started again after the server stopped."
    assert words(Job("k", state="running", done=3.25, total=15.4), "MB") == "3.2 of 15.4 MB"


def test_only_expected_errors_are_shown():
    assert reason(Job("k", error=SingularRefitError("choose a larger l2"))) == "choose a larger l2"
    assert "more memory" in reason(Job("k", error=MemoryError()))
    said = reason(Job("k", error=OSError("/srv/secret")))
    assert "/srv/secret" not in said and re.search(r"log has it as [0-9a-f]{8}\.$", said)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
