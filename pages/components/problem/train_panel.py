"""Training that takes a while: a job with Cancel in place of everything that needs the trained network."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings
from pages.components.problem.groups import asked_tests
from pages.components.problem.loo_panel import RATE
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs
from pages.components.widgets.waiting import waiting

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Task, Unrolling

SLOW = 10.0  # seconds of training from which a page does not just wait
LONG = 1.0  # seconds of a solve that leaves this process
UNASKED = 6.0  # seconds of training other networks, or of walking back, that a choice of scores starts by itself
AT_ONCE = 30.0  # seconds in which the run is walked back for all test points, whichever is asked about


def wait(settings: Settings) -> None:
    """Go on at once where the model is fitted or soon will be; else offer the training and end the page here."""
    problem = cached.problem(settings)
    seconds = problem.fit_cost / RATE
    if seconds < SLOW:
        return
    job_panel.panel(
        job_panel.Work(
            f"fit:{settings.key('data', 'model', 'seed')}",
            "Training",
            "epochs",
            problem.fit,
            seconds,
            f"**This network is not trained yet.** About {job_panel.duration(seconds)} on two cores, once.",
            "Train the network",
            "Cancelled. The next run starts from the beginning.",
        )
    )
    st.stop()


def wait_for_members(settings: Settings) -> None:
    """Scores that average over networks of several seeds need those: a job, unless they are there; ends the page."""
    problem = cached.problem(settings)
    if not core.ESTIMATORS[settings.estimator].seeds or problem.members_are_ready:
        return
    count = problem.other_seeds
    seconds = count * problem.truth.run_cost / RATE
    work = job_panel.Work(
        f"members:{settings.key('data', 'model', 'seed')}",
        "Training from other seeds",
        "networks",
        problem.members,
        seconds,
        f"**These scores average over {count + 1} networks**: the one that is explained and {count} from other seeds, "
        f"each on a random half, to be trained once.  \n:small[About {job_panel.duration(seconds)} on two cores; "
        "*Training* on the Model page sets how many.]",
        "Train the other networks",
        "Cancelled. Networks that are trained are kept; the next run continues with the others.",
    )
    if seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)
    st.stop()


def solve(analysis: Analysis) -> None:
    """A network's answer where it takes a while: found in another process, with a bar, before anything asks for it."""
    view = state.view()
    with _solving(analysis, "this answer") as task:
        if task is not None and view.ask == "train":
            analysis.influence.solved_row(int(view.train or 0), task)
        elif task is not None:
            analysis.asked(asked_tests(analysis.problem, view), task)


def solve_row(analysis: Analysis, row: int) -> None:
    """The same for what is said about one training point."""
    with _solving(analysis, "this training point") as task:
        if task is not None:
            analysis.influence.solved_row(row, task)


@contextmanager
def _solving(analysis: Analysis, whom: str) -> Generator[Task | None]:
    seconds = core.solve_seconds(analysis)
    if seconds < LONG:
        yield None
        return
    with waiting(f"Solving for {whom}, about {job_panel.duration(seconds)}") as task:
        yield task


def unrolled(analysis: Analysis) -> bool:
    """Whether the scores on screen are there; scores through the training run are made by a job, offered here."""
    if not analysis.estimator.unrolls:
        return True
    problem, view = analysis.problem, state.view()
    every = core.Unrolling(analysis, range(len(problem.test)))
    if view.ask == "train" or view.lock or _seconds(every) <= AT_ONCE:  # one colour scale needs all of them
        return _offered(analysis, every, "all test points", "all")
    tests = asked_tests(problem, view)
    one = core.Unrolling(analysis, tests, len(tests) > 1)
    whose = "this test point" if len(tests) == 1 else "these test points"
    if _offered(analysis, one, whose, ",".join(map(str, tests))):
        return True
    _offered(analysis, every, "all test points", "all")
    return False


def _seconds(asked: Unrolling) -> float:
    return float(asked.cost.runs * asked.analysis.problem.truth.run_cost / RATE)


def _offered(analysis: Analysis, asked: Unrolling, whose: str, name: str) -> bool:
    """Whether it is there; else the job that makes it."""
    key = f"unrolled:{analysis.settings.key('data', 'model', 'quantity', 'target', 'seed')}:{name}"
    job, seconds, cost = jobs().get(key), _seconds(asked), asked.cost
    if job is not None and job.state == "done":
        return True
    if asked.ready:
        jobs().keep(key, True)  # noqa: FBT003 - what the job returned
        return True
    work = job_panel.Work(
        key,
        f"Going back through the training run for {whose}",
        "test points",
        asked.run,
        seconds,
        f"**Back through this training run, for {whose}.** Its steps are taken again and then differentiated, last to "
        f"first.  \n:small[About {job_panel.duration(seconds)} on two cores ({cost.runs:.0f} training runs), "
        f"{max(cost.gigabytes, 0.1):.1f} GB at most; once, the result is kept.]",
        f"Go back for {whose}",
        "Cancelled. Test points that are finished are kept; the next run continues with the others.",
    )
    if seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)
    return False
