"""How few must leave: the panel on Explore without a browser, shown with the core's numbers and sentences."""

import csv
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import FlipQuestion, Problem, analyse, fragility
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.explore import flip_panel
from pages.components.explore.listing import written
from pages.components.frame.presets import PRESETS
from pages.components.problem.asked import Shown
from pages.components.problem.scene import scene
from pages.components.session.view import View, group_text
from pages.components.session.words import plain_markdown
from pages.components.widgets.job_panel import jobs
from tests.pages.test_explore_page import explore, in_link, operate, words
from tests.waiting import until

BLOBS = PRESETS["blobs"].settings
SHORT = "Find the fewest that must leave"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))
    for key in [key for key in jobs()._jobs if key.startswith("flip ")]:
        jobs().forget(key)


def box(app: AppTest) -> Any:
    return next(one for one in app.expander if one.label.startswith("How few must leave"))


def finished(app: AppTest) -> AppTest:
    """After the search has ended."""
    until(lambda: not any(job.active for key, job in jobs()._jobs.items() if key.startswith("flip ")))
    return app.run()


def answer(settings: Settings, test: int, **more: Any) -> fragility.Fragility:
    problem = Problem(settings)
    return fragility.fragility(problem, FlipQuestion(test, more.pop("want", fragility.wants(problem, test)[0]), **more))


def nearest(settings: Settings) -> int:
    return int(np.argmin(np.abs(Problem(settings).predictions[:, 1] - 0.5)))


def test_closed_it_costs_nothing_and_opened_it_is_in_the_link() -> None:
    right = int(np.flatnonzero(~Problem(BLOBS).misclassified)[0])
    app = explore(BLOBS, test=str(right))
    assert not any(key.startswith("flip ") for key in jobs()._jobs)
    operate(app, box(app), bool_value=True)
    assert in_link(app, "flip") == "flip"
    assert any(key.startswith("flip ") for key in jobs()._jobs)


def test_the_answer_is_the_cores() -> None:
    test = nearest(BLOBS)
    app = finished(explore(BLOBS, flip="flip", test=str(test)))
    assert not app.exception
    found = answer(BLOBS, test)
    assert plain_markdown(found.sentence) in words(app)
    assert plain_markdown(found.first_order) in words(app)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Smallest set found"] == str(len(found.turned.rows))
    assert "minimal" not in words(app)


def test_the_set_becomes_the_group_that_leaves() -> None:
    test = nearest(BLOBS)
    app = finished(explore(BLOBS, flip="flip", test=str(test)))
    app.button(key="flip-group").click().run()
    rows = answer(BLOBS, test).turned.rows
    assert app.session_state.view.group == group_text(rows)
    assert app.button(key="flip-group").disabled
    assert f"**{len(rows)} of 480 training points leave**" in words(app)


def test_the_file_has_every_member() -> None:
    test = nearest(BLOBS)
    rows = answer(BLOBS, test).turned.rows
    analysis = analyse(BLOBS)
    scores = analysis.scores([test])[:, 0]
    shown = Shown(analysis, BLOBS, View(test=test), np.array([test]), scores, None, scene(BLOBS))
    text = list(csv.reader(io.StringIO(written(shown, rows).decode("utf-8-sig"))))
    assert [int(line[0]) for line in text[1:]] == rows.tolist()
    assert [line[1] for line in text[1:]] == analysis.problem.split.train.ids[rows].tolist()


@pytest.mark.parametrize("ask", ["tests", "train"])
def test_it_is_asked_about_one_test_point(ask: str) -> None:
    app = explore(BLOBS, flip="flip", ask=ask, train="3")
    assert not app.exception
    assert "This is asked about one test point" in words(app)


def test_a_network_is_told_why_not() -> None:
    network = replace(BLOBS, model=ModelSettings("mlp", 0.001, options=(("epochs", 2), ("width", 4))))
    app = explore(network, flip="flip")
    assert not app.exception
    assert "a network trained again" in words(app)


def test_a_numeric_target_crosses_a_threshold_of_ones_own() -> None:
    ridge = Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1))
    app = finished(explore(ridge, flip="cross", test="0"))
    assert plain_markdown(answer(ridge, 0).sentence) in words(app)
    app.number_input(key="flip-threshold").set_value(140.0).run()
    assert in_link(app, "threshold") == "140.0"
    app = finished(app)
    assert plain_markdown(answer(ridge, 0, threshold=140.0).sentence) in words(app)


def test_another_want_is_offered_where_there_are_two() -> None:
    iris = Settings(DataSettings("iris", (("classes", "3"),), test_fraction=0.5), ModelSettings("softmax", 0.1))
    wrong = int(np.flatnonzero(Problem(iris).misclassified)[0])
    app = finished(explore(iris, flip="flip", test=str(wrong)))
    app.selectbox(key="flip-want").set_value("right").run()
    app = finished(app)
    assert in_link(app, "flip") == "right"
    assert plain_markdown(answer(iris, wrong, want="right").sentence) in words(app)


def test_a_want_of_a_link_that_does_not_fit_is_replaced() -> None:
    app = finished(explore(BLOBS, flip="cross", test=str(nearest(BLOBS))))
    assert not app.exception
    assert plain_markdown(answer(BLOBS, nearest(BLOBS)).sentence) in words(app)


def test_long_searches_wait_to_be_asked_for_and_cancel_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flip_panel, "UNASKED", 0.0)
    app = explore(BLOBS, flip="flip", test=str(nearest(BLOBS)))
    assert not any(key.startswith("flip ") for key in jobs()._jobs)
    next(one for one in app.button if one.label == SHORT).click().run()
    app = finished(app)
    assert plain_markdown(answer(BLOBS, nearest(BLOBS)).sentence) in words(app)
