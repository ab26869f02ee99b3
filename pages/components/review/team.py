"""For leads: agreement, consensus, the activity log, the guideline, and the next queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.review import activity, administration, guideline, people_panel, shelf
from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating
from pages.components.session.words import plain_markdown
from pages.components.widgets.chart_frame import twin

if TYPE_CHECKING:
    from influence_core.annotations import Answers, Estimate, Reliability, Resolved
    from influence_core.reviewing import Recipe

OURS = (
    "id",
    "given",
    "second pass",
    "outcome",
    "label",
    "agreement",
    "quality",
    "notes",
)  # columns beside the annotators'


def team(desk: Desk, recipe: Recipe) -> None:
    """Everything a lead needs to steer."""
    if not desk.person.lead:
        st.info("This part is for leads. Who is one is configured with INFLUENCE_LEADS.", icon=":material/lock:")
        return
    store = cached.store()
    said = annotating.answers(store, desk.queue.dataset)
    agreement(annotating.agreement_of(said))
    people_panel.people(desk, recipe, said)
    consensus(desk, recipe, said)
    administration.administration(desk, recipe)
    guideline.editor(desk)
    activity.log(desk)


def agreement(found: Reliability) -> None:
    """Percent, Cohen's κ and Krippendorff's α, each with its interval and the items it rests on."""
    st.subheader("Agreement", anchor=False)
    names = ", ".join(plain_markdown(name) for name in found.annotators) or "nobody yet"
    st.caption(f"Final answers of the first pass, all versions of the queue: {names}.")
    measures = {"Equal answers": found.percent, "Cohen's κ": found.kappa, "Krippendorff's α": found.alpha}
    for column, (name, estimate) in zip(st.columns(3), measures.items(), strict=True):
        with column:
            _measure(name, estimate)


def _measure(name: str, found: Estimate) -> None:
    if found.undefined:
        st.metric(name, "undefined", help=found.undefined)
        st.caption(plain_markdown(f"Undefined: {found.undefined}."))
        return
    percent = name.startswith("Equal")
    st.metric(name, f"{found.value:.0%}" if percent else f"{found.value:.2f}".replace("-", "−"))
    low, high = (f"{end:.0%}" if percent else f"{end:.2f}" for end in (found.low, found.high))
    counted = f"{found.n} item{'s' * (found.n != 1)} with two answers or more"
    st.caption(f"95 % interval {low} to {high}, {counted}".replace("-", "−"))


def consensus(desk: Desk, recipe: Recipe, said: Answers) -> None:
    """One outcome per row; with two answers or more also CROWDLAB's quality of rows and annotators."""
    found = annotating.resolve(said)
    st.subheader("Consensus", anchor=False)
    table = consensus_table(said, found)
    if table.empty:
        st.caption("No answers yet.")
        return
    counts = table["outcome"].value_counts()
    st.markdown(" · ".join(f"{count} {plain_markdown(str(name))}" for name, count in counts.items()))
    scored = shelf.shelf().model(recipe)
    people = pd.DataFrame()
    if scored is not None and "confident_learning" in scored.signals and scored.kept.all():
        quality, people = annotating.consensus(said, scored.probabilities())
        if len(quality):
            table["quality"] = quality["consensus_quality_score"].reindex(table.index).round(3)
    st.dataframe(table, hide_index=True, height=36 * min(len(table) + 1, 8) + 2)
    if len(people):
        st.markdown("**Annotators by CROWDLAB**")
        st.dataframe(people.reset_index(names="annotator"), hide_index=True)
    twin(table, "consensus")
    st.caption(
        "A second-pass answer decides; else what most say, excluding too; a tie is open. Quality of a consensus "
        "(CROWDLAB, cleanlab) needs two answers to one row, and a queue with confident learning."
    )


def consensus_table(said: Answers, found: Resolved) -> pd.DataFrame:
    """Rows with an answer: what everybody said, and what follows.

    Returns:
        Indexed by the row's position; one column per annotator.
    """
    names = (*said.class_names, "exclude")
    told = np.isin(np.arange(len(said.ids)), [*said.asked, *said.notes])
    rows = np.flatnonzero((found.annotations > 0) | told)
    table = pd.DataFrame({"id": said.ids[rows], "given": [names[k] for k in said.given[rows]]}, index=rows)
    for k, annotator in enumerate(said.annotators):
        column = f"{annotator} (annotator)" if annotator in OURS else annotator
        table[column] = [names[code] if code >= 0 else "" for code in said.codes[rows, k]]
    table["second pass"] = [names[code] if code >= 0 else "" for code in said.settled[rows]]
    table["outcome"] = [_outcome(said, found, k) for k in rows.tolist()]
    table["label"] = [names[k] for k in found.label[rows]]
    table["agreement"] = found.agreement[rows].round(3)
    table["notes"] = [said.notes.get(k, "") for k in rows.tolist()]
    return table


def _outcome(said: Answers, found: Resolved, row: int) -> str:
    waits = "tied" if said.tied[row] else "needs review" if row in said.asked else ""
    return str(found.action[row]) or f"open{f': {waits}' if waits else ''}"
