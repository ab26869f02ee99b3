"""Drawing without a browser: presets, links, the way from other data, and what a stroke does to settings and view."""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from influence_core.analysis import DATASETS, analyse, drawn, load
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.browser.board import Event
from pages.components.browser.map import MapView
from pages.components.problem import draw_panel
from pages.components.problem.draw_colours import colours_of
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.view import View
from tests.pages.test_explore_page import explore, in_link, words
from tests.waiting import PATIENCE

FEW = "a-100_0.a-200_100.a-120_-90.b100_0.b200_-100.b90_110.A-50_20.B60_-10"
BASE = Settings(data=DataSettings("drawn", (("points", FEW),)), model=ModelSettings("logistic", 0.01))


def with_points(points: str) -> Settings:
    return replace(BASE, data=replace(BASE.data, options=(("points", points),)))


def board_of(app: AppTest) -> bool:
    return any("influence_board" in str(item.proto) for item in app.get("bidi_component"))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict:
    """A session state without a server; results are kept for good, as no session ends here."""
    fake: dict = {}

    class State(dict):
        __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__

    fake = State(settings=BASE, view=View(test=1, train=2, tests="all", lock=True))
    monkeypatch.setattr(st, "session_state", fake)
    problems = {}
    monkeypatch.setattr(
        cached, "problem", lambda s: problems.setdefault(s.key("data", "model", "seed"), core.Problem(s))
    )
    return fake


def test_a_point_that_moves_keeps_every_selection(session: dict) -> None:
    moved = FEW.replace("a-100_0", "a-90_5")
    draw_panel._edited(Event(1, moved, asked=7, selected=2, live=True))
    draw_panel._edited(Event(2, moved, asked=7, selected=2))
    assert state.settings() == with_points(moved)
    assert state.view() == View(test=1, train=2, tests="all", lock=True)


def test_a_point_that_goes_leaves_the_selections_on_their_points(session: dict) -> None:
    fewer = FEW.replace("a-100_0.", "")
    draw_panel._edited(Event(1, fewer, asked=6, selected=1))
    assert (state.view().test, state.view().train) == (1, 1)
    assert state.view().tests == View().tests  # rows of groups have other names now
    draw_panel._edited(Event(2, fewer, asked=5, selected=1))
    assert (state.view().test, state.view().train) == (0, 1)  # the training point stays for another question


def test_one_stroke_is_one_step_back_and_the_history_is_bounded(session: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_panel, "STEPS", 3)
    for seq in range(1, 9):
        draw_panel._edited(Event(2 * seq, FEW.replace("a-100_0", f"a-10_{seq}"), 6, None, live=True))
        draw_panel._edited(Event(2 * seq + 1, FEW.replace("a-100_0", f"a-20_{seq}"), 6, None))
    assert st.session_state[draw_panel.EASEL].past == tuple(FEW.replace("a-100_0", f"a-20_{seq}") for seq in (5, 6, 7))
    draw_panel._edited(Event(30))
    assert draw_panel.current() == FEW.replace("a-100_0", "a-20_7")
    draw_panel._edited(Event(31, FEW, 6, None, live=True))
    draw_panel._edited(Event(32))  # the stroke in hand
    assert draw_panel.current() == FEW.replace("a-100_0", "a-20_7")
    for seq in range(33, 40):
        draw_panel._edited(Event(seq))
    assert draw_panel.current() == FEW.replace("a-100_0", "a-20_5")
    state.put(with_points(drawn.DEFAULT))  # drawn elsewhere: there is nothing to go back to
    draw_panel._edited(Event(50))
    assert draw_panel.current() == drawn.DEFAULT


@pytest.mark.parametrize("points", ["a1_2;b3_4", "a1_99999", ".".join(["a1_2"] * 301), "<b>a1_2</b>"])
def test_a_hostile_stroke_changes_nothing_and_is_answered(session: dict, points: str) -> None:
    draw_panel._edited(Event(5, points, 0, 0))
    easel = st.session_state[draw_panel.EASEL]
    assert state.settings() == BASE and easel.seq == 5 and easel.refusal.startswith("Point")


def test_selections_that_do_not_exist_are_none(session: dict) -> None:
    draw_panel._edited(Event(1, FEW.replace("a-100_0", "a-90_5"), asked=299, selected=7))
    assert (state.view().test, state.view().train) == (0, None)


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_colours_stand_at_the_points_that_they_belong_to(session: dict, validation: float) -> None:
    settings = Settings(
        data=DataSettings("drawn", validation_fraction=validation, flip_fraction=0.1),
        model=ModelSettings("logistic", 0.01),
    )
    analysis = analyse(settings)
    session["settings"] = settings
    scores = analysis.scores([2])[:, 0]
    colours = colours_of(analysis.problem, scores, MapView(), 4.0)
    points = drawn.parse(drawn.DEFAULT)
    split = analysis.problem.split
    assert np.isfinite(colours.scores).sum() == len(split.train)
    for row, name in enumerate(split.train.ids):
        at = int(name[-5:])
        assert colours.scores[at] == scores[row] and not points[at].test
        np.testing.assert_allclose(split.train.x[row] * 100, points[at][2:])
        assert (colours.labels[at] != "ab".index(points[at].letter)) == split.flipped[row] == (at in colours.flipped)


def test_a_drawing_in_the_link_opens_with_board_truth_and_trust() -> None:
    app = explore(BASE, test="1")
    assert not app.exception and not app.error
    assert board_of(app)
    assert "slope =" in words(app)
    assert "drawn-00007" in words(app)


@pytest.mark.parametrize("points", ["nonsense", "a1_2.<script>", "a9999_0", ".".join(["a1_2"] * 400)])
def test_hostile_points_in_the_link_give_a_sentence_and_the_usual_drawing(points: str) -> None:
    app = explore(with_points(points))
    assert not app.exception and not app.error
    assert "The usual drawing is shown." in app.warning[0].value and app.warning[0].value.startswith("Point")
    assert board_of(app)
    assert "data.points" not in app.query_params


@pytest.mark.parametrize(
    ("settings", "trouble"),
    [
        (with_points("a0_0.a1_1.b2_2.A5_5"), "got 1 of class b"),
        (with_points(""), "test point"),
        (replace(BASE, model=ModelSettings("logistic", 0.0)), "no minimum"),
    ],
)
def test_a_drawing_without_an_analysis_is_shown_on_a_board_alone(settings: Settings, trouble: str) -> None:
    app = explore(settings)
    assert not app.exception and not app.error
    assert board_of(app)
    assert trouble in str([item.proto for item in app.get("bidi_component")])
    assert "slope =" not in words(app)


def test_edit_by_hand_turns_blobs_into_a_drawing_with_the_same_question() -> None:
    data = DataSettings("blobs", (("n", 120),), test_fraction=0.2, flip_fraction=0.05)
    settings = Settings(data=data, model=ModelSettings("logistic", 0.01))
    app = explore(settings, test="3", train="4")
    app.button(key="draw.edit").click().run()
    assert not app.exception and not app.error
    assert board_of(app)
    new = app.session_state.settings
    assert new.data.name == "drawn" and in_link(app, "test") == "3" and in_link(app, "train") == "4"
    before, after = load(data, 0), load(new.data, 0)
    assert np.abs(before.scaling.invert(before.train.x) - after.train.x).max() <= 0.005 + 1e-9
    assert np.array_equal(before.flipped, after.flipped) and np.array_equal(before.train.y, after.train.y)


def test_edit_by_hand_says_why_it_cannot_and_keeps_away_from_other_data() -> None:
    button = explore(Settings(data=DataSettings("blobs"), model=ModelSettings("logistic", 0.01))).button(
        key="draw.edit"
    )
    assert button.disabled and "At most 300 points" in button.help
    with pytest.raises(KeyError):
        explore(Settings(data=DataSettings("iris"))).button(key="draw.edit")


def test_data_page_opens_explore_and_takes_a_text() -> None:
    app = AppTest.from_file("../../app.py", default_timeout=PATIENCE)
    app.query_params["data.name"] = "drawn"
    app.query_params["model.l2"] = "0.01"
    app.run()
    app.switch_page("pages/1_Data.py").run()
    assert not app.exception and not app.error
    assert DATASETS["drawn"].summary.split(":")[0] in words(app).replace("\\", "")
    box = app.text_area(key="draw.text")
    assert box.value == drawn.DEFAULT
    app = box.set_value("a1;b2").run()
    assert app.warning and app.session_state.settings.data.options == ()
    app = app.text_area(key="draw.text").set_value(FEW.replace(".", ".\n")).run()
    assert not app.warning and dict(app.session_state.settings.data.options) == {"points": FEW}
