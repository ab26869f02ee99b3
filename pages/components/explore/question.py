"""The question on the Explore page: about which test point, group of them, or training point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from influence_core.settings import SettingsError
from pages.components.problem.groups import test_groups, titles, train_groups
from pages.components.problem.scene import pair_of
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import group_text, rows_of
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Problem

ASKS = {"test": "One test point", "tests": "A group of test points", "train": "One training point"}
CLICKED = "explore.clicked"
HINT = " · :small[Click an outlined point: :blue[**blue**] training points helped it, :orange[**orange**] ones hurt.]"
NUMBERS = "numbers"


def clamp(analysis: Analysis) -> None:
    """A link, or a change of model, may ask for what this problem does not have: say so and use a sensible default."""
    settings, problem = state.settings(), analysis.problem
    offered = quantities(analysis)
    if settings.quantity not in offered:
        name = settings.quantity[:40]
        _instead(f"This model does not define {name}: expected one of {', '.join(offered)}. The loss is shown.")
        state.change(quantity="loss", target=-1)
    if settings.estimator not in core.ESTIMATORS:
        _instead(f"Unknown estimator {settings.estimator[:40]}: expected one of {', '.join(core.ESTIMATORS)}.")
        state.change(estimator="influence")
    elif settings.estimator not in core.estimators.applicable_estimators(problem.fitted):
        _instead(f"{core.ESTIMATORS[settings.estimator].title} is not for this model. First-order influence is shown.")
        state.change(estimator="influence")
    if settings.target >= max(problem.split.test.classes, 0):
        state.change(target=-1)
    if state.view().ask == "train" and state.view().train is None:
        state.look(train=0)
    _clamp_groups(problem)
    _clamp_axes(problem)


def _clamp_axes(problem: Problem) -> None:
    view = state.view()
    try:
        if view.axes:
            core.axes.placed(problem, pair_of(view.axes))
    except core.DataError as error:
        _instead(f"{error} The usual axes are drawn.")
        state.look(axes="")


def _clamp_groups(problem: Problem) -> None:
    view, n, m = state.view(), len(problem.split.train), len(problem.split.test)
    try:
        asked = rows_of(view.tests, m, test_groups(problem))
        if view.ask == "tests" and not len(asked):
            _instead("The group of test points has no members here: all test points are asked about instead.")
            state.look(tests="all")
    except SettingsError as error:
        _instead(f"{error} All test points are asked about instead.")
        state.look(tests="all")
    try:
        rows_of(view.group, n, train_groups(problem))
    except SettingsError as error:
        _instead(f"{error} No group is selected.")
        state.look(group="")


def _instead(sentence: str) -> None:
    st.warning(plain_markdown(sentence), icon=":material/link_off:")


def quantities(analysis: Analysis) -> list[str]:
    """Names in ``QUANTITIES`` of what this model defines."""
    loss = analysis.problem.fitted.model.loss
    return [name for name, entry in core.QUANTITIES.items() if entry.applies(loss)]


def question(analysis: Analysis) -> None:
    """What is asked about, in one row; one line says what the asked point is and what the model makes of it."""
    problem, ask = analysis.problem, state.view().ask
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="steps"):
        st.session_state["ask"] = ask
        st.segmented_control(
            "Ask about",
            list(ASKS),
            key="ask",
            format_func=lambda name: ASKS[name],
            on_change=safely(_ask),
            args=(analysis,),
            label_visibility="collapsed",
            required=True,
            width="content",
        )
        {"test": _one_test, "tests": _some_tests, "train": _one_train}[ask](problem)
    good = core.wording.orientation(state.settings())  # of a plain prediction no change is helpful
    new = not st.session_state.get(CLICKED) and ask == "test" and state.view().train is None and good
    st.markdown({"test": _verdict, "tests": _group, "train": _leaves}[ask](problem) + (HINT if new else ""))


def clicked() -> None:
    """Somebody knows what a click does: the sentence about it goes."""
    st.session_state[CLICKED] = True


def _ask(analysis: Analysis) -> None:
    """Another kind of question; the reverse one needs a training point: the strongest, where none is selected."""
    ask, view = st.session_state["ask"], state.view()
    train = view.train
    if ask == "train" and train is None:
        train = int(np.argmax(np.nan_to_num(np.abs(analysis.scores([view.point])[:, 0]))))
    state.look(ask=ask, train=train)


def _one_test(problem: Problem) -> None:
    m = len(problem.split.test)
    wrong = np.flatnonzero(problem.misclassified)
    now = state.test()
    _number("Test point", "test-box", now, m, state.choose_test)
    _step("Previous", ":material/chevron_left:", (now - 1) % m, state.choose_test)
    _step("Next", ":material/chevron_right:", (now + 1) % m, state.choose_test)
    _step("Random", ":material/casino:", int(np.random.default_rng().integers(m)), state.choose_test)
    if problem.split.test.classes:
        later = wrong[wrong > now]
        target = int((later if len(later) else wrong)[0]) if len(wrong) else None
        _step("Next misclassified", ":material/error:", target, state.choose_test)


def _one_train(problem: Problem) -> None:
    n, now = len(problem.split.train), int(state.view().train or 0)
    flipped = np.flatnonzero(problem.split.flipped)
    _number("Training point", "train-box", now, n, state.choose_train)
    _step("Previous", ":material/chevron_left:", (now - 1) % n, state.choose_train)
    _step("Next", ":material/chevron_right:", (now + 1) % n, state.choose_train)
    _step("Random", ":material/casino:", int(np.random.default_rng().integers(n)), state.choose_train)
    if len(flipped):
        later = flipped[flipped > now]
        target = int((later if len(later) else flipped)[0])
        _step("Next flipped label", ":material/swap_horiz:", target, state.choose_train)


def _leaves(problem: Problem) -> str:
    """What the reverse question is, in one line."""
    name = plain_markdown(str(problem.split.train.ids[int(state.view().train or 0)]))
    return f"**{name}** leaves the training set: what happens to the prediction at every test point?"


def _some_tests(problem: Problem) -> None:
    """A named group, or numbers and ranges; a lasso on the map writes numbers here."""
    view, groups, test = state.view(), test_groups(problem), problem.split.test
    words = {"all": "All test points", "wrong": "All misclassified"}
    words |= titles(test) | {NUMBERS: "Numbers or lasso"}
    offered = [name for name, rows in groups.items() if len(rows)] + [NUMBERS]
    current = view.tests if view.tests in groups else NUMBERS
    narrow: dict[str, Any] = {"titles": words, "label_visibility": "collapsed", "width": 200}
    controls.choice("Group", offered, current, "tests-rule", _take_rule, **narrow)
    st.session_state["tests-numbers"] = group_text(rows_of(view.tests, len(test), groups))
    st.text_input(
        "Test points, numbers and ranges", key="tests-numbers", on_change=safely(lambda: _take_numbers(len(test))),
        label_visibility="collapsed", width=260,
    )  # fmt: skip


def _group(problem: Problem) -> str:
    """Who is asked about, in one line."""
    test = problem.split.test
    asked = rows_of(state.view().tests, len(test), test_groups(problem))
    wrong = int(problem.misclassified[asked].sum())
    share = f", {wrong:,} of them misclassified" if test.classes else ""
    return f"**{len(asked):,} of {len(test):,} test points**{share}: the mean over them is watched."


def _take_rule(name: str) -> None:
    if name != NUMBERS:
        state.look(tests=name)
    elif not state.view().tests[:1].isdecimal():
        state.look(tests=str(state.test()))


def _take_numbers(m: int) -> None:
    text = st.session_state["tests-numbers"]
    try:
        if not len(rows_of(text, m, {})):
            raise SettingsError("Group: expected at least one test point, such as 3-9,12.")
    except SettingsError as error:
        st.toast(plain_markdown(str(error)), icon=":material/warning:")
        return
    state.look(tests=text)


def _number(label: str, key: str, now: int, count: int, take: Any) -> None:
    st.session_state[key] = now
    st.number_input(
        label, 0, count - 1, key=key, on_change=safely(lambda: take(st.session_state[key])), width=130,
        label_visibility="collapsed", help=f"{label}, from 0 to {count - 1:,}.",
    )  # fmt: skip


def _step(label: str, icon: str, target: int | None, take: Any) -> None:
    why = label if target is not None else "The model gets every test point right."
    st.button(label, icon=icon, disabled=target is None, on_click=safely(take), args=(target,), help=why)


def _verdict(problem: Problem) -> str:
    """What the test point is and what the model says, in one line."""
    split, j = problem.split, state.test()
    names, prediction = split.test.class_names, problem.predictions[j]
    name = plain_markdown(str(split.test.ids[j]))
    if not names:
        return f"**{name}** · true {split.test.y[j]:.4g} · predicted {prediction[0]:.4g}"
    true = plain_markdown(names[int(split.test.y[j])])
    verdict = "✗ misclassified" if problem.misclassified[j] else "✓"
    if len(prediction) == 1:
        guess = plain_markdown(names[int(prediction[0] > 0)])
        return f"**{name}** · labelled **{true}** · model says **{guess}**, f = {prediction[0]:.2f} {verdict}"
    best = int(prediction.argmax())
    return (
        f"**{name}** · labelled **{true}** · model says **{plain_markdown(names[best])}** "
        f"with p = {prediction[best]:.3f} {verdict}"
    )
