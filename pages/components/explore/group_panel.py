"""A group of training points leaves together: predicted by first order and Newton, measured by the real refit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from influence_core.settings import Settings, SettingsError
from pages.components.problem.asked import Shown
from pages.components.problem.groups import Rows, titles, train_groups
from pages.components.problem.loo_panel import RATE
from pages.components.problem.scene import boundary_after
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import group_text, rows_of
from pages.components.session.words import plain_markdown, signed
from pages.components.widgets import controls, job_panel

if TYPE_CHECKING:
    from influence_core.analysis import GroupEffect, GroupRefit

NONE, NUMBERS, STRONGEST = "none", "numbers", 10
PANEL = "group-panel"
QUICK = 2_000  # parameters up to which H without a group is factored unasked, in well under a second


@dataclass(frozen=True, eq=False)
class Group:
    """What is known about a group that leaves.

    Attributes:
        rows: its training points.
        effect: predicted; None where it is refused, and ``why`` says why.
        refit: measured; None until it was asked for.
        why: a sentence, or empty.
    """

    rows: Rows
    effect: GroupEffect | None = None
    refit: GroupRefit | None = None
    why: str = ""

    def boundary(self, shown: Shown) -> list[np.ndarray] | None:
        """Where the boundary of a two-dimensional problem lies after the refit; None before it and elsewhere."""
        return None if self.refit is None or shown.view.axes else boundary_after(shown.settings, self.refit.theta)


def group_of(shown: Shown) -> Group | None:
    """The selected group with what is predicted and, after a refit, measured; None without a training point."""
    rows = shown.group
    if not len(rows):
        return None
    refit = job_panel.result(_key("refit", shown.settings, rows))
    if dear(shown, rows):
        return Group(rows, job_panel.result(_key("effect", shown.settings, rows)), refit)
    try:
        effect = _effect(shown.settings.key(), group_text(rows), shown.settings)
    except core.EXPECTED_ERRORS as error:
        return Group(rows, why=str(error))
    return Group(rows, effect, refit)


def dear(shown: Shown, rows: Rows) -> bool:
    """Whether the Newton step needs seconds: a large group of a large model, for which H is factored anew."""
    fitted = shown.analysis.problem.fitted
    return bool(fitted.size > QUICK and len(rows) * fitted.model.loss.outputs > QUICK // 10)


@st.cache_resource(max_entries=32, show_spinner=False)
def _effect(key: str, group: str, _settings: Settings) -> GroupEffect:
    analysis = cached.analysis(_settings)
    found: GroupEffect = analysis.group(rows_of(group, len(analysis.problem.split.train), {}))
    return found


def _key(kind: str, settings: Settings, rows: Rows) -> str:
    parts = ("data", "model", "quantity", "target", "seed") if kind == "refit" else ()
    return f"group {kind} {settings.key(*parts)} {group_text(rows)}"


def group_panel(shown: Shown, group: Group | None) -> None:
    """Choose a group, see three numbers, and run the refit; only drawn where it is open."""
    opened = shown.view.group_open
    st.session_state[PANEL] = group is not None if opened is None else opened
    box = st.expander("What if several training points left together?", key=PANEL, on_change=safely(_toggled))
    if not box.open:
        return
    with box:
        _choose(shown)
        if group is None:
            st.caption(
                "Draw a lasso around training points on the map, or choose a group here. Single changes do not simply "
                "add up: points that say the same support each other."
            )
        else:
            _effects(shown, group)


def _toggled() -> None:
    opened = st.session_state[PANEL]
    state.look(group_open=None if opened == bool(state.view().group) else opened)


def _effects(shown: Shown, group: Group) -> None:
    """Predicted, and measured or the way to it."""
    if group.effect is None and not group.why:
        job_panel.panel(_prediction(shown, group.rows))
        return
    if group.effect is None:
        st.info(plain_markdown(group.why), icon=":material/info:")
        return
    _numbers(shown, group)
    if group.refit is None:
        job_panel.panel(_refit(shown, group.rows))


def _choose(shown: Shown) -> None:
    groups, train = train_groups(shown.analysis.problem), shown.analysis.problem.split.train
    words = {NONE: "None", "harmful": f"The {STRONGEST} most harmful", "helpful": f"The {STRONGEST} most helpful"}
    words |= {"flipped": "Labels flipped on purpose"}
    words |= titles(train) | {NUMBERS: "Numbers or lasso"}
    ranked = ["harmful", "helpful"] if shown.side == "train" else []
    offered = [NONE, *ranked, *(name for name, rows in groups.items() if len(rows)), NUMBERS]
    now = shown.view.group
    rule, numbers, clear = st.columns([2.2, 5.6, 1.2], vertical_alignment="bottom")
    with rule:
        current = now if now in groups else NUMBERS if now else NONE
        controls.choice(
            "Group that leaves", offered, current, "group-rule", lambda name: _take(name, shown), titles=words
        )
    with numbers:
        st.session_state["group-numbers"] = group_text(shown.group)
        st.text_input(
            "Training points, numbers and ranges",
            key="group-numbers",
            placeholder="for example 3-9,12",
            on_change=safely(lambda: _take_numbers(len(train))),
        )
    clear.button("Clear", disabled=not now, width="stretch", on_click=safely(lambda: _put("")), key="group-clear")


def _put(text: str) -> None:
    state.choose_group(text, keep_open=True)


def _take(name: str, shown: Shown) -> None:
    if name in {"harmful", "helpful"}:
        order = np.argsort(shown.helpfulness if name == "harmful" else -shown.helpfulness, kind="stable")
        _put(group_text(order[:STRONGEST]))
    elif name == NUMBERS:
        _put(group_text(shown.group) or str(shown.view.train or 0))
    else:
        _put("" if name == NONE else name)


def _take_numbers(n: int) -> None:
    text = st.session_state["group-numbers"].strip()
    try:
        rows_of(text, n, {})
    except SettingsError as error:
        st.toast(plain_markdown(str(error)), icon=":material/warning:")
        return
    _put(text)


def _numbers(shown: Shown, group: Group) -> None:
    """First order, Newton and refit at the question asked, each as one number with its sign in words."""
    effect, refit = group.effect, group.refit
    assert effect is not None
    at = (
        f"test point {shown.view.point}"
        if shown.view.ask == "test"
        else f"the mean of {len(shown.tests):,} test points"
    )
    st.markdown(
        f"**{len(group.rows):,} of {len(shown.analysis.problem.split.train):,} training points leave**: "
        f"change of the {shown.analysis.quantity.title}, {shown.own_unit}, at {at}"
    )
    way = shown.analysis.problem.truth.way
    cells = [
        ("First order (a sum)", effect.first_order, ""),
        ("One-step Newton", effect.newton, effect.why or "with the refit"),
        (f"Refit: {way.short}" if way.noisy else "Real refit", None if refit is None else refit.change, "not run yet"),
    ]
    columns = st.columns(4)
    for column, (name, change, absent) in zip(columns, cells, strict=False):
        value = np.nan if change is None else float(np.mean(change[shown.tests]))
        known = np.isfinite(value)
        column.metric(name, signed(value) if known else "–", help=None if known else absent or "no certified minimum")
        column.caption(_word(shown, value) if known else absent or "no certified minimum")
    if refit is not None and refit.accuracy_before is not None:
        columns[3].metric("Test accuracy after", f"{refit.accuracy_after:.1%}")
        columns[3].caption(f"before: {refit.accuracy_before:.1%}")


def _word(shown: Shown, value: float) -> str:
    word = shown.ends[1 if value > 0 else 0] if value else "no change"
    return f"the group is {word}" if shown.orientation and value else f"removal {word}" if value else word


def _prediction(shown: Shown, rows: Rows) -> job_panel.Work:
    return job_panel.Work(
        _key("effect", shown.settings, rows),
        "Predict what the group does",
        "steps",
        lambda _task: shown.analysis.group(rows),
        shown.analysis.problem.fitted.size**3 / RATE,
        button=f"Predict what these {len(rows):,} points do together",
    )


def _refit(shown: Shown, rows: Rows) -> job_panel.Work:
    problem, settings = shown.analysis.problem, shown.settings
    return job_panel.Work(
        _key("refit", settings, rows),
        "Refit without the group",
        "groups",
        lambda task: problem.group_refit(rows, settings.quantity, settings.target, task),
        problem.truth.cost / RATE / max(len(problem.fitted.train), 1),
        button=f"Refit without these {len(rows):,} points",
    )
