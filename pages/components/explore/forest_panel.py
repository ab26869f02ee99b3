"""What a random forest on the same rows leans on: weights of training points, and trees grown again without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.problem.asked import Shown
from pages.components.problem.listed import with_cells
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import FORESTS
from pages.components.session.words import plain_markdown
from pages.components.widgets import chart_frame, controls, job_panel
from pages.components.widgets.linked_table import linked_table

if TYPE_CHECKING:
    from influence_core.analysis.forest import Forest, Leaning

PANEL = "forest-panel"
UNASKED = 2.0  # seconds up to which a forest grows when the panel is open
TITLES = {name: "{} trees, at least {} training points in a leaf".format(*name.split("x")) for name in FORESTS}


def forest_panel(shown: Shown) -> None:
    """Grow one, and show what its prediction at the star leans on; only drawn where it is open."""
    st.session_state[PANEL] = bool(shown.view.forest)
    title, other = "What would a random forest lean on?", None if shown.view.forest else FORESTS[0]
    box = st.expander(title, key=PANEL, on_change=safely(lambda: state.look(forest=other)))
    if not box.open:
        return
    with box:
        if shown.single is None:
            st.caption("This is asked about one test point: choose one above.")
        elif sentence := core.forest.why_not(shown.analysis.problem.split.train):
            st.info(plain_markdown(sentence), icon=":material/info:")
        else:
            _asked(shown)


def _asked(shown: Shown) -> None:
    """The forest, what its prediction leans on, and the truth; or the way to each."""
    split, seed, chosen = shown.analysis.problem.split, shown.settings.seed, shown.view.forest or FORESTS[0]
    controls.choice("Forest", FORESTS, chosen, "forest", lambda name: state.look(forest=name), titles=TITLES)
    trees, leaf = map(int, chosen.split("x"))
    key, seconds = f"{shown.settings.key('data', 'seed')} {chosen}", core.forest.seconds(split.train, trees)
    grow = job_panel.Work(
        f"forest {key}", "Growing trees", "trees",
        lambda task: core.forest.grown(split.train, trees, leaf, seed, task), seconds,
        f"It grows on the same training points, in about {job_panel.duration(max(seconds, 1))}.", "Grow the forest",
    )  # fmt: skip
    if seconds <= UNASKED:
        job_panel.start(grow)
    forest: Forest | None = job_panel.result(grow.key)
    if forest is None:
        job_panel.panel(grow)
        return
    found = forest.leanings(split.test, [shown.view.point])[0]
    seconds *= 1.3 * len(found.rows)  # twice, and about 63 of 100 samples have a point
    again = job_panel.Work(
        f"regrown {key} {found.test}", "Growing trees again", "trees",
        lambda task: forest.regrown(split.test, found, task), seconds,
        "**Measure the truth.** Once a point is another one, trees choose other splits: grow every tree again that has "
        f"it in its sample.  \n:small[About {job_panel.duration(max(seconds, 1))}.]",
        f"Regrow without each of the {len(found.rows)}",
    )  # fmt: skip
    truth: Leaning | None = job_panel.result(again.key)
    _draw(shown, found, truth)
    if truth is None:
        job_panel.panel(again)


def _draw(shown: Shown, found: Leaning, truth: Leaning | None) -> None:
    """Both predictions, the rows as a table and a file, and how far the truth lies from what was predicted."""
    problem, test = shown.analysis.problem, shown.analysis.problem.split.test
    k = int(test.y[found.test]) if test.classes else 0
    what = f"probability of {test.class_names[k]}" if test.classes else f"prediction of {test.target_name}"
    said, model = f"Forest: {what} {found.value:.3g}", problem.predictions[found.test]
    said += f"; model: {model[k]:.3g}." if len(model) == max(test.classes, 1) else "."
    table = found.table(problem.split.train, truth)
    chart_frame.headed(f"**{plain_markdown(said)}**", table, f"forest-test-{found.test}", None, shown.made_of)
    rows = with_cells(table, shown, problem.split.train.take(found.rows), shown.columns[:6])
    linked_table(rows, shown.view.train, state.choose_train, "forest-table", map(str, table.columns[4:]))
    sign = core.wording.meaning(f"forest's {what}", -1 if test.classes else 0)
    st.caption(plain_markdown(f"The forest's {what} is the labels' mean by these weights. {sign} {core.forest.KEPT}"))
    if truth is not None:
        st.markdown(plain_markdown(f"Trees that grow again, against these: {found.against(truth)}."))
