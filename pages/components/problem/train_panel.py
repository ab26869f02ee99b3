"""Training that takes a while: a job with Cancel in place of everything that needs the trained network."""

from __future__ import annotations

import streamlit as st

from influence_core.settings import Settings
from pages.components.problem.loo_panel import RATE
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.widgets import job_panel

SLOW = 10.0  # seconds of training from which a page does not just wait
UNASKED = 3.0  # seconds of training other networks that a choice of scores starts by itself


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
