"""Closing the loop: refit with the decisions applied, before and after with a band of noise, and the next queue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.review import opening, shelf
from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating, core, reviewing
from pages.components.session.words import plain_markdown
from pages.components.widgets import job_panel
from pages.components.widgets.chart_frame import twin

if TYPE_CHECKING:
    from influence_core.analysis import BeforeAfter, Corrections, Outcome
    from influence_core.annotations import Resolved
    from influence_core.compute import Task
    from influence_core.reviewing import Recipe

UNITS = {"accuracy": " points", "loss": ""}
ENDS = {"accuracy": "higher is better", "loss": "lower is better"}


def retrain(desk: Desk, recipe: Recipe) -> None:
    """The refit as a job, and what it changed on the held-out test points."""
    st.subheader("Retrain", anchor=False)
    corrections = corrections_of(annotating.resolve(annotating.answers(cached.store(), desk.queue.dataset)))
    if corrections is None:
        st.caption("Nothing is decided yet: answer some cards, then see what the decisions do to the model.")
        return
    before, after = replace(recipe, corrections=None), replace(recipe, corrections=corrections)
    work = _work(desk, before, after)
    found = job_panel.result(work.key)
    if found is None:
        job_panel.panel(work)
        return
    draw(found)
    if desk.person.lead:
        st.markdown(
            "**Next queue.** New scores from the corrected labels order what is left; this queue stays as it is."
        )
        plan = opening.usual_plan()
        plan = replace(plan, strategy=desk.queue.strategy, overlap=desk.queue.overlap, blind=desk.queue.blind)
        opening.make(desk.person, plan, after, f"Make queue {len(opening.versions()) + 1} from the new scores")


def corrections_of(found: Resolved) -> Corrections | None:
    """The decisions as the core takes them.

    Returns:
        None where nothing is decided.
    """
    rows = np.flatnonzero(found.action != "")
    if not len(rows):
        return None
    excluded = found.action[rows] == "exclude"
    return core.Corrections(rows, found.label[rows].astype(np.int64), excluded)


def _work(desk: Desk, before: Recipe, after: Recipe) -> job_panel.Work:
    store, corrections = cached.store(), after.corrections
    assert corrections is not None
    count = len(corrections.rows)
    scorers, problem = [shelf.scorer(before), shelf.scorer(after)], cached.problem(before.settings)

    def start(task: Task) -> Outcome:
        old, new = (score(task) for score in scorers)
        with old.leash.held(task), new.leash.held(task):
            found = reviewing.closed(old, new, corrections)
        annotating.record(store, "retrain", desk.person.name, record(found), desk.queue.dataset)
        return found

    return job_panel.Work(
        f"retrain:{store.engine.url}:{after.key}",
        "Refit with the decisions",
        "steps",
        start,
        seconds=reviewing.seconds(before, problem) + reviewing.seconds(after, problem),
        lead=f"**{count:,} decisions** of all versions of the queue are applied: relabelled, excluded or confirmed.",
        button="Retrain",
        cancelled="Cancelled: nothing was changed.",
    )


def record(found: Outcome) -> dict[str, float]:
    """What the log keeps of a refit.

    Returns:
        JSON-ready.
    """
    return {
        "accuracy before": round(found.accuracy.before, 5),
        "accuracy after": round(found.accuracy.after, 5),
        "loss before": round(found.loss.before, 5),
        "loss after": round(found.loss.after, 5),
        "relabelled": found.relabelled,
        "excluded": found.excluded,
        "kept": found.kept,
    }


def draw(found: Outcome) -> None:
    """Before, after, the difference with its band, and what the decisions were."""
    left, right = st.columns(2)
    with left:
        _metric("Held-out accuracy", found.accuracy, "{:.1%}", "accuracy")
    with right:
        _metric("Held-out loss, nats", found.loss, "{:.4f}", "loss")
    st.markdown(
        f"{found.relabelled:,} relabelled, {found.excluded:,} excluded, {found.kept:,} kept; "
        f"**{found.differed:,}** of the labels decided differ from what the model predicted."
    )
    st.caption(plain_markdown(found.how))
    twin(outcome_table(found), "retrain")


def _metric(title: str, found: BeforeAfter, form: str, name: str) -> None:
    better: Literal["inverse", "normal"] = "inverse" if name == "loss" else "normal"
    st.metric(
        title,
        form.format(found.after),
        change(name, found.difference) + UNITS[name],  # a hyphen: only that makes it a fall
        delta_color=better if found.clear else "off",
        delta_arrow="auto" if found.clear else "off",
        help=ENDS[name],
    )
    said = "clear of the noise" if found.clear else "within the noise"
    low, high = change(name, found.low), change(name, found.high)
    words = f"before {form.format(found.before)}; difference {low} to {high}{UNITS[name]}: {said}"
    st.caption(words.replace("-", "−"))


def change(name: str, value: float) -> str:
    """A difference with its sign: percentage points of an accuracy, nats of a loss.

    Returns:
        For example ``+1.5``; zero has no sign.
    """
    text = f"{100 * value:+.1f}" if name == "accuracy" else f"{value:+.4f}"
    return text.lstrip("+-") if not float(text) else text


def outcome_table(found: Outcome) -> pd.DataFrame:
    """The numbers of the refit.

    Returns:
        One row per measure.
    """
    return pd.DataFrame(
        [
            {"measure": name, "before": one.before, "after": one.after, "low": one.low, "high": one.high}
            for name, one in (("accuracy", found.accuracy), ("loss", found.loss))
        ]
    )
