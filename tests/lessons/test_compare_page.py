"""Two models compared, and Explore with parts left out by a lesson link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core import teaching
from influence_core.analysis import analyse
from influence_core.settings import DataSettings, ModelSettings, Settings, to_query
from pages.components.lessons import compare
from pages.components.session import links, view
from pages.components.session.view import HIDABLE, View
from tests.waiting import PATIENCE

PAGES = Path(__file__).parents[2] / "pages"
BLOBS = Settings(DataSettings("blobs", (("n", 60),)), ModelSettings("logistic", 0.05))


def opened(page: str, settings: Settings, **query: str) -> AppTest:
    app = AppTest.from_file(str(PAGES / page), default_timeout=PATIENCE)
    for name, value in (to_query(settings) | query).items():
        app.query_params[name] = value
    return app.run()


@pytest.mark.parametrize(
    ("settings", "second"),
    [
        (BLOBS, "hinge"),
        (Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax", 0.05)), "softmax"),
        (Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.05)), "linear"),
        (Settings(DataSettings("digits"), ModelSettings("logistic", 0.1)), "hinge"),
        (Settings(DataSettings("moons", (("n", 60),)), ModelSettings("mlp", 0.001)), "logistic"),
    ],
    ids=["logistic-hinge", "softmax-itself", "ridge-linear", "images", "network-linear"],
)
def test_two_models_are_drawn_and_stay_in_the_link(settings: Settings, second: str) -> None:
    app = opened("6_Lessons.py", settings, lesson="compare", tune=f"second:{second},l2:0.2", test="0")
    assert not app.exception and not app.error
    amber = [warning.value for warning in app.warning]
    assert len(amber) == ("mlp" in {settings.model.name, second}) and all("no exact minimum" in one for one in amber)
    assert len(app.get("plotly_chart")) == 2
    assert app.query_params["tune"] == f"second:{second},l2:0.2"
    assert any("Rank correlation" in text.value for text in app.markdown)
    app.number_input(key="compare.test").set_value(1).run()
    assert not app.exception and app.session_state.view.test == 1


def test_a_model_that_does_not_fit_is_one_sentence() -> None:
    app = opened("6_Lessons.py", BLOBS, lesson="compare", tune="second:ridge", test="0")
    assert not app.exception and not app.error
    (sentence,) = [warning.value for warning in app.warning]
    assert "expected one of logistic" in sentence


@pytest.fixture(scope="module")
def joined():
    second = teaching.second_settings(BLOBS, "hinge")
    return teaching.joined(analyse(BLOBS), analyse(second), 2)


def test_lines_join_the_same_point(joined) -> None:
    picture = compare.lines(joined, ("1: a", "2: b"))
    ends = [np.asarray(picture.figure.data[0][axis], float).reshape(-1, 3) for axis in "xy"]
    for k, which in enumerate(("first", "second")):
        np.testing.assert_array_equal(ends[0][:, k], joined.table[f"place_{which}"])
        scores = joined.table[which]  # nats and hinge units: each on a scale of its own
        np.testing.assert_array_equal(ends[1][:, k], scores / scores.abs().max())
        np.testing.assert_array_equal(picture.figure.data[1 + k].y, ends[1][:, k])
        np.testing.assert_array_equal(picture.figure.data[1 + k].customdata, scores)
    assert np.isnan(ends[0][:, 2]).all()


def test_colours_share_a_scale_only_where_units_agree(joined) -> None:
    first, second = compare.limits(joined)
    assert (first == second) == (joined.units[0] == joined.units[1])
    itself = teaching.joined(analyse(BLOBS), analyse(BLOBS), 2)
    assert len(set(compare.limits(itself))) == 1
    assert itself.agreed.rho.value == pytest.approx(1)
    assert compare.lines(itself, ("1: a", "2: b")).figure.data[1].y == pytest.approx(itself.table["first"])


def test_disagreement_is_counted(joined) -> None:
    picture = compare.scatter(joined, ("1: a", "2: b"))
    signs = np.sign(joined.table["first"]) == np.sign(joined.table["second"])
    assert len(picture.figure.data[2].x) == int((~signs).sum())
    assert sum(len(trace.x) for trace in picture.figure.data) == len(joined.table)


def drawn(app: AppTest) -> set[str]:
    """Keys and words of what is on Explore, enough to tell which parts are there."""
    keys = {one.proto.id.rsplit("-", 1)[-1] for one in app.get("bidi_component")}
    labels = {one.label for one in (*app.button, *app.selectbox, *app.number_input, *app.multiselect)}
    words = {text.value.split(" ")[0] for text in (*app.markdown, *app.caption, *app.subheader)}
    return keys | labels | words | {one.label for one in app.expander} | {tab.label for tab in app.tabs}


@pytest.fixture(scope="module")
def everything() -> set[str]:
    return drawn(opened("3_Explore.py", BLOBS))


GONE = {
    "settings": "Save, load, start over",
    "question": "Next",
    "measure": "Watch the",
    "truth": "**r",
    "examples": "The",
    "selection": "Training point",
    "why": "**Why",
}


@pytest.mark.parametrize("name", HIDABLE)
def test_what_a_lesson_link_hides_is_absent(everything: set[str], name: str) -> None:
    app = opened("3_Explore.py", BLOBS, hide=name)
    assert not app.exception and not app.error and not app.warning
    shown = drawn(app)
    assert "Show everything" in shown and "Make this a lesson link" not in shown
    if name in GONE:
        assert GONE[name] in everything and GONE[name] not in shown
    if name in {"group", "details"}:
        assert everything - shown
    [button] = [one for one in app.button if one.label == "Show everything"]
    button.click().run()
    assert drawn(app) >= everything


def test_a_lesson_link_round_trips_and_can_be_tried() -> None:
    app = opened("3_Explore.py", BLOBS, test="3")
    app.multiselect(key="lesson-link.hide").set_value(["question", "group"]).run()
    [see] = [one for one in app.button if one.label == "See it here"]
    see.click().run()
    assert not app.exception and app.session_state.view == View(test=3, hide="question,group")
    assert app.query_params["hide"] == "question,group"
    query = {name: [value] for name, value in view.to_query(app.session_state.view).items()}
    assert links.read(query).view == app.session_state.view
