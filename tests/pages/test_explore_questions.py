"""Explore: the three kinds of question, the selected training point, and groups that leave; numbers are the core's."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import analyse
from influence_core.settings import Settings
from pages.components.frame.presets import PRESETS
from pages.components.session.words import form_of, signed
from tests.pages.test_explore_page import explore, in_link, words

BLOBS = PRESETS["blobs"].settings


def metric(app: AppTest, label: str) -> str:
    (found,) = [m.value for m in app.metric if m.label.startswith(label)]
    return found


def ask(app: AppTest, name: str) -> AppTest:
    return app.button_group(key="ask").set_value(name).run()


def test_the_reverse_question_shows_what_one_removal_does_to_every_test_point() -> None:
    app = ask(explore(BLOBS, train="7"), "train")
    assert not app.exception
    assert app.session_state.view.ask == "train"
    assert app.session_state.view.train == 7
    analysis = analyse(BLOBS)
    refits = analysis.problem.loo()
    r = np.corrcoef(refits.change[7], analysis.scores()[7])[0, 1]
    assert f"r = {r:.3f}" in words(app)
    assert f"n = {len(analysis.problem.split.test)}" in words(app)
    assert "without the selected training point" in words(app)
    assert "against exact LOO" not in words(app)  # that compares training points, not the test points shown here
    next(b for b in app.button if b.label == "Next").click().run()
    assert app.session_state.view.train == 8
    assert in_link(app, "ask") == "train"


def test_a_group_of_test_points_is_watched_as_a_mean() -> None:
    app = explore(BLOBS, ask="tests", tests="2-5")
    assert not app.exception
    analysis = analyse(BLOBS)
    rows = np.arange(2, 6)
    measured = analysis.problem.loo().change[:, rows].mean(1)
    predicted = analysis.scores()[:, rows].mean(1)
    assert f"r = {np.corrcoef(measured, predicted)[0, 1]:.3f}" in words(app)
    slope = np.polyfit(predicted, measured, 1)[0]
    assert f"slope = {slope:.3f}" in words(app)
    assert "4 of 120 test points" in words(app)
    assert "mean test loss of 4 test points" in words(app)


def test_groups_of_test_points_by_name_and_by_numbers() -> None:
    app = explore(BLOBS, ask="tests", tests="all")
    app.selectbox(key="tests-rule").set_value("class 1").run()
    assert app.session_state.view.tests == "class 1"
    y = analyse(BLOBS).problem.split.test.y
    assert f"{(y == 1).sum()} of 120 test points" in words(app)
    app.text_input(key="tests-numbers").set_value("3-5, 9").run()
    assert app.session_state.view.tests == "3-5, 9"
    app.text_input(key="tests-numbers").set_value("5000").run()
    assert "expected rows from 0 to 119" in app.toast[0].value.replace("\\", "")
    assert app.session_state.view.tests == "3-5, 9"
    assert not app.exception


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"ask": "tests", "tests": "999"}, "expected rows from 0 to 119"),
        ({"ask": "tests", "tests": "<b>"}, "All test points are asked about"),
        ({"ask": "tests", "tests": ""}, "no members"),
        ({"ask": "train", "train": "99999"}, "expected 0 to 479"),
        ({"group": "7-3"}, "lower end first"),
    ],
)
def test_a_question_that_does_not_exist_here_gives_one_sentence(query: dict[str, str], sentence: str) -> None:
    app = explore(BLOBS, **query)
    assert not app.exception
    assert not app.error
    assert sentence in words(app).replace("\\", "")


def test_the_selected_training_point_has_its_numbers_and_actions() -> None:
    app = explore(BLOBS, test="3", train="5")
    analysis = analyse(BLOBS)
    scores, truth = analysis.scores([3])[:, 0], analysis.problem.loo().change[:, 3]
    form = form_of(np.concatenate([scores, truth]), "nats")
    assert f"predicted {form.text(scores[5])} {form.scaled_unit}" in words(app)
    assert f"measured {form.text(truth[5])} {form.scaled_unit}" in words(app)
    loss = analysis.value(3)
    before, after = (f"{math.exp(-value):.1%}" for value in (loss, loss + scores[5]))
    assert f"{loss:.3g} → {loss + scores[5]:.3g}" in words(app) and f"{before} → {after}" in words(app)
    next(b for b in app.button if b.label == "Add to group").click().run()
    assert app.session_state.view.group == "5"
    next(b for b in app.button if b.label == "Ask about it").click().run()
    assert (app.session_state.view.ask, app.session_state.view.train) == ("train", 5)
    assert not app.exception


def refitted(app: AppTest) -> AppTest:
    next(b for b in app.button if b.label.startswith("Refit without these")).click().run()
    for _ in range(100):
        if any(m.label == "Real refit" and m.value != "–" for m in app.metric):
            break
        app.run()
    return app


@pytest.mark.parametrize("name", ["blobs", "regression"])
def test_a_group_that_leaves_has_three_numbers(name: str) -> None:
    preset = PRESETS[name]
    app = explore(preset.settings, test="3", group="3-12")
    analysis, rows = analyse(preset.settings), np.arange(3, 13)
    effect = analysis.group(rows)
    assert (
        metric(app, "First order") == signed(analysis.scores([3])[rows].sum()) or preset.settings.estimator == "newton"
    )
    assert effect.newton is not None
    assert metric(app, "One-step Newton") == signed(effect.newton[3])
    assert metric(app, "Real refit") == "–"
    app = refitted(app)
    assert not app.exception
    truth = float(metric(app, "Real refit").replace("−", "-"))
    assert truth == pytest.approx(reference(preset.settings, rows, 3), rel=2e-3)


def reference(settings: Settings, rows: Any, test: int) -> float:
    """The change by scikit-learn's own fit without the rows."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    split = analyse(settings).problem.split
    keep = np.delete(np.arange(len(split.train)), rows)
    x, y, at = split.train.x, split.train.y, split.test
    if not split.train.classes:
        fits = [LinearRegression(fit_intercept=settings.model.intercept).fit(x[r], y[r]) for r in (slice(None), keep)]
        before, after = ((fit.predict(at.x[[test]])[0] - at.y[test]) ** 2 for fit in fits)
        return float(after - before)
    losses = []
    for chosen in (slice(None), keep):
        c = 1 / (len(y) * settings.model.l2)
        fit = LogisticRegression(C=c, tol=1e-12, max_iter=10_000).fit(x[chosen], y[chosen])
        losses.append(-np.log(fit.predict_proba(at.x[[test]])[0, int(at.y[test])]))
    return float(losses[1] - losses[0])


def test_groups_are_chosen_by_rank_and_cleared() -> None:
    app = explore(BLOBS, test="3", group="1")
    app.selectbox(key="group-rule").set_value("harmful").run()
    strongest = np.argsort(analyse(BLOBS).scores([3])[:, 0], kind="stable")[:10]
    assert len(app.session_state.view.group.split(",")) <= 10
    assert "10 of 480 training points leave" in words(app)
    assert str(strongest[0]) in app.session_state.view.group
    next(b for b in app.button if b.label == "Clear").click().run()
    assert app.session_state.view.group == ""
    assert not app.exception
    assert not app.metric


def test_a_group_without_which_nothing_is_left_to_fit_is_refused_in_words() -> None:
    app = explore(BLOBS, group="0-479")
    assert not app.exception
    assert not app.error
    assert app.info
    assert not [m for m in app.metric if m.label == "Real refit"]


def test_softmax_groups_wait_for_newton_where_it_is_dear() -> None:
    digits = replace(PRESETS["digits"].settings, data=replace(PRESETS["digits"].settings.data))
    app = explore(digits, test="2", group="0-4")
    assert not app.exception
    assert metric(app, "First order") != "–"
