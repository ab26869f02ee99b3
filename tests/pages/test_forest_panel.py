"""What a random forest leans on, on the page: grown, shown with the core's numbers, grown again, and in a link."""

import numpy as np
import pytest

from influence_core.analysis import Task, analyse, forest
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.explore import forest_panel
from pages.components.session.words import plain_markdown
from pages.components.widgets.job_panel import jobs
from tests.pages.test_explore_page import explore, in_link, operate, words
from tests.waiting import until

IRIS = Settings(DataSettings("iris", (("classes", "3"),), test_fraction=0.5), ModelSettings("softmax", 0.1))
DIABETES = Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1))
TITLE = "What would a random forest lean on?"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))
    for key in [key for key in jobs()._jobs if key.startswith(("forest ", "regrown "))]:
        jobs().forget(key)


def finished(app):
    until(lambda: not any(job.active for key, job in jobs()._jobs.items() if key.startswith(("forest ", "regrown "))))
    return app.run()


def answer(settings, test, trees=100, leaf=5):
    split = analyse(settings).problem.split
    made = forest.grown(split.train, trees, leaf, settings.seed, Task())
    return made, split, made.leanings(split.test, [test])[0]


def listed(app):
    return next(table.value for table in app.dataframe if "weight" in table.value and "other label" in table.value)


def test_closed_it_costs_nothing_and_opened_it_is_in_the_link():
    app = explore(IRIS, test="3")
    assert not any(key.startswith("forest ") for key in jobs()._jobs)
    operate(app, next(box for box in app.expander if box.label == TITLE), bool_value=True)
    assert in_link(app, "forest") == "100x5"
    assert any(key.startswith("forest ") for key in jobs()._jobs)


@pytest.mark.parametrize("settings", [IRIS, DIABETES], ids=["iris", "diabetes"])
def test_the_rows_are_the_cores_and_the_truth_is_grown_on_a_button(settings):
    app = finished(explore(settings, test="3", forest="100x5"))
    assert not app.exception
    made, split, found = answer(settings, 3)
    table = listed(app)
    assert table["id"].tolist() == split.train.ids[found.rows].tolist()
    np.testing.assert_allclose(table["weight"], found.weight)
    np.testing.assert_allclose(table["change removed"], found.removed)
    assert f"{found.value:.3g}" in words(app)
    next(button for button in app.button if button.label == "Regrow without each of the 20").click().run()
    app = finished(app)
    truth = made.regrown(split.test, found, Task())
    np.testing.assert_allclose(listed(app)["regrown removed"], truth.removed)
    assert plain_markdown(found.against(truth)) in words(app)


def test_another_forest_is_another_link():
    app = finished(explore(IRIS, test="3", forest="100x5"))
    app.selectbox(key="forest").set_value("100x20").run()
    app = finished(app)
    assert in_link(app, "forest") == "100x20"
    np.testing.assert_allclose(listed(app)["weight"], answer(IRIS, 3, leaf=20)[2].weight)


@pytest.mark.parametrize("ask", ["tests", "train"])
def test_it_is_asked_about_one_test_point(ask):
    app = explore(IRIS, forest="100x5", ask=ask, train="3")
    assert not app.exception
    assert "This is asked about one test point" in words(app)


def test_texts_are_told_why_not():
    app = explore(Settings(DataSettings("spam_assassin"), ModelSettings("logistic", 0.01)), forest="100x5")
    assert not app.exception
    assert "A forest is offered for tables of up to 1,000 columns, got texts" in words(app)


def test_a_forest_that_takes_long_waits_to_be_asked_for(monkeypatch):
    monkeypatch.setattr(forest_panel, "UNASKED", 0.0)
    app = explore(IRIS, test="3", forest="100x5")
    assert not any(key.startswith("forest ") for key in jobs()._jobs)
    next(button for button in app.button if button.label == "Grow the forest").click().run()
    assert len(listed(finished(app))) == 20


def test_a_forest_of_a_link_that_is_not_offered_is_replaced():
    app = explore(IRIS, test="3", forest="7x7")
    assert not app.exception
    assert "forest" not in app.query_params
