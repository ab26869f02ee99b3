"""Did they matter, on the page: asked, measured, kept, and in a link; axes of the map; one icon for a chart's files."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from influence_core.analysis import RemovalQuestion, analyse, removal
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.explore.listing import written
from pages.components.problem.asked import Shown
from pages.components.problem.scene import scene
from pages.components.session.view import View
from pages.components.widgets.job_panel import jobs
from tests.pages.test_explore_page import explore, in_link, operate, words
from tests.waiting import until

SETTINGS = Settings(DataSettings("blobs", (("n", 130),), test_fraction=0.2), ModelSettings("logistic", 0.01))
TITLE = "Did they matter?"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def answer(test):
    return removal.removal(analyse(SETTINGS), RemovalQuestion((test,)))


def test_the_panel_opens_measures_and_stands_in_the_link():
    app = explore(SETTINGS, test="3")
    assert "removal" not in app.query_params
    operate(app, next(box for box in app.expander if box.label.startswith(TITLE)), bool_value=True)
    assert in_link(app, "removal") == "True"
    key = f"removal {app.session_state.settings.key()} 3"
    until(lambda: jobs().get(key) is not None and not jobs().get(key).active)
    app.run()
    assert not app.exception
    found = answer(3)
    assert found.sentence().split(":")[0] in words(app)
    assert f"Beyond chance at {int(found.outside('influence').sum())} of 6 sizes" in words(app)
    other = explore(SETTINGS, test="3", removal="True")
    assert "Every mark is a refit without that group" in words(other)


def test_the_reverse_question_is_told_what_to_ask():
    assert "This is asked about test points" in words(explore(SETTINGS, removal="True", ask="train", train="3"))


def test_chosen_axes_are_drawn_kept_in_the_link_and_replaced_where_they_do_not_exist():
    settings = Settings(DataSettings("iris"), ModelSettings("logistic", 0.1))
    app = explore(settings, axes="2,output")
    assert app.selectbox(key="axis0").value == "2"
    app.selectbox(key="axis0").set_value("1").run()
    assert in_link(app, "axes") == "1,output"
    app.selectbox(key="axis0").set_value("axis1").run()
    app.selectbox(key="axis1").set_value("axis2").run()
    assert "axes" not in app.query_params
    wrong = explore(settings, axes="2,nothing")
    assert not wrong.exception
    assert "The usual axes are drawn" in words(wrong)
    assert "axes" not in wrong.query_params
    analysis = analyse(settings)
    x = analysis.problem.split.scaling.invert(analysis.problem.split.train.x)
    np.testing.assert_allclose(scene(settings, "2,output").train_xy[:, 0], x[:, 2])


def test_the_strongest_stand_below_the_asked_row_with_the_columns_that_decide():
    settings = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1))
    app = explore(settings, test="4")
    listed = app.dataframe[0].value
    analysis = analyse(settings)
    shown = Shown(analysis, settings, View(test=4), np.array([4]), analysis.scores([4])[:, 0], None, scene(settings))
    names = [column.name for column in shown.columns[:8]]
    assert list(listed)[3:] == names
    raw = analysis.problem.split.scaling.invert(analysis.problem.split.test.x)[4]
    place = analysis.problem.split.train.feature_names.index(names[0])
    assert listed["id"].iloc[0] == f"★ {analysis.problem.split.test.ids[4]}"
    assert listed[names[0]].iloc[0] == pytest.approx(raw[place])
    assert len(listed) == 13


def test_the_file_says_what_it_was_made_of_and_has_every_column():
    settings = replace(SETTINGS, estimator="newton")
    analysis = analyse(settings)
    scores = analysis.scores([2])[:, 0]
    shown = Shown(analysis, settings, View(test=2), np.array([2]), scores, analysis.problem.loo(), scene(settings))
    rows = list(csv.DictReader(io.StringIO(written(shown, [5, 1]).decode())))
    assert [int(row["row"]) for row in rows] == [5, 1]
    for row in rows:
        assert row["made of: l2"] == "0.01"
        assert row["made of: estimator"] == "One-step Newton"
        assert row["made of: asked about"].startswith("test point 2")
        assert "r =" in row["made of: agreement"]
    raw = analysis.problem.split.scaling.invert(analysis.problem.split.train.x)
    for k, name in enumerate(analysis.problem.split.train.feature_names):
        assert float(rows[0][name]) == pytest.approx(raw[5, k])


def test_the_other_way_round_the_training_row_stands_above_the_test_rows():
    settings = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1))
    listed = explore(settings, test="4", ask="train", train="7").dataframe[0].value
    split = analyse(settings).problem.split
    assert listed["id"].iloc[0] == f"★ {split.train.ids[7]}"
    assert set(listed["id"].iloc[1:]) <= set(split.test.ids)
