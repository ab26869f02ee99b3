"""The next queue: by which signal, how many cards, controls and answers per card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review import opening
from pages.components.review.desk import Desk
from pages.components.session import cached, state
from pages.components.session.door import annotating, core, reviewing
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.annotations import Plan
    from influence_core.reviewing import Recipe

KEY = "review.plan"


def administration(desk: Desk, recipe: Recipe) -> None:
    """Versions there are, and the form of the next one."""
    st.subheader("Queues", anchor=False)
    versions = opening.versions()
    st.dataframe(
        {
            "version": [queue.version for queue in versions],
            "strategy": [title(queue.strategy) for queue in versions],
            "cards": [queue.size for queue in versions],
            "answers per card": [queue.overlap for queue in versions],
            "controls": [f"{queue.control_fraction:.0%}" for queue in versions],
            "blind": [queue.blind for queue in versions],
            "by": [queue.created_by for queue in versions],
        },
        hide_index=True,
    )
    _assign(desk)
    with st.expander("Make the next version", icon=":material/playlist_add:"):
        plan, extra = form()
        chosen = reviewing.offered((*cheap(), *extra, plan.strategy))
        given = reviewing.Recipe(state.settings(), None, chosen)
        st.caption("With the labels as given. To score with the decisions applied, use *Retrain* under *Progress*.")
        opening.make(desk.person, plan, given, "Make the next version")


def _assign(desk: Desk) -> None:
    """Whose queue this is; it stands first in their list."""
    known = annotating.everybody(cached.store())
    one = next(
        (one for one in annotating.overviews(cached.store(), desk.person.name) if one.queue.id == desk.queue.id), None
    )
    now = list(one.assigned) if one else []
    with st.form("review-assign", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        chosen = left.multiselect(
            f"Assigned to queue {desk.queue.version}",
            sorted({*known, *now}),
            now,
            accept_new_options=True,
            key=f"review.assigned-{desk.queue.id}",
        )
        if right.form_submit_button("Assign", icon=":material/group_add:", width="stretch"):
            annotating.assign(cached.store(), desk.queue.id, chosen, desk.person.name)
            st.rerun()


def form() -> tuple[Plan, list[str]]:
    """Choices of a queue.

    Returns:
        The plan, and signals that take longer.
    """
    offered = opening.applicable()
    one, two, three = st.columns(3)
    with one:
        controls.choice(
            "Order by",
            offered,
            _strategy(offered),
            f"{KEY}.strategy",
            lambda name: state.look(strategy=name),
            titles={name: title(name) for name in offered},
        )
        blind = st.checkbox(
            "Blind first answer",
            key=f"{KEY}.blind",
            help="Suggestion and evidence are hidden until a first answer; both answers are kept.",
        )
    with two:
        overlap = st.number_input("Answers per card, by different people", 1, 20, 1, key=f"{KEY}.overlap")
        again = st.checkbox("Ask settled rows again", key=f"{KEY}.again")
    with three:
        limit = st.number_input("Cards at most, 0 for all", 0, 10_000_000, 0, key=f"{KEY}.limit")
        share = st.slider("Random controls, %", 5, 10, 8, key=f"{KEY}.controls")
    dear = [name for name in offered if core.SIGNALS[name].fits]
    extra = st.multiselect("Signals that take longer", dear, format_func=title, key=f"{KEY}.extra")
    plan = annotating.Plan(
        strategy=_strategy(offered),
        limit=int(limit) or None,
        control_fraction=share / 100,
        overlap=int(overlap),
        blind=blind,
        seed=state.settings().seed,
        again=again,
    )
    return plan, extra


def _strategy(offered: list[str]) -> str:
    chosen = state.view().strategy
    return chosen if chosen in offered else opening.best(offered)


def cheap() -> list[str]:
    """Signals that the fitted model has at once."""
    return [name for name, signal in core.SIGNALS.items() if signal.cheap]


def title(name: str) -> str:
    """A signal's name for people.

    Returns:
        Its title, or the name of a signal that this version does not have.
    """
    signal = core.SIGNALS.get(name)
    return signal.title if signal else name
