"""A lesson borrows the screen: one's own problem is there again afterwards, with all that was selected in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lessons import LESSONS, PATH, number_of
from pages.components.lessons.parts.kinds import Lesson
from pages.components.lessons.topics.removing import REMOVING
from pages.components.session import links, state
from pages.components.session.view import View
from tests.waiting import PATIENCE

APP = str(Path(__file__).parents[2] / "app.py")
OWN = Settings(DataSettings("iris", test_fraction=0.4), ModelSettings("logistic", 0.1))
LOOK = View(test=3, train=5, symlog=True)


def at(page: str, settings: Settings = OWN, view: View = LOOK, **query: str) -> AppTest:
    """A page of the whole app in a session that has chosen something."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = settings, view
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def press(app: AppTest, key_or_label: str) -> AppTest:
    [found] = [one for one in app.button if key_or_label in (one.key, one.label)]
    app = found.click().run()
    assert not app.exception and not app.error
    return app


def shown(app: AppTest) -> tuple[Settings, View]:
    return app.session_state.settings, app.session_state.view


@pytest.mark.parametrize("page", ["2_Model", "1_Data", "3_Explore"])
def test_another_page_shows_ones_own_problem_after_a_lesson(page: str) -> None:
    app = press(at("6_Lessons"), "open-remove")
    assert app.session_state.settings == REMOVING.own and app.session_state.view.lesson == "remove"
    assert [one.label for one in app.button if one.key == "own-problem"] == ["Back to your problem: Iris"]
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    assert shown(app) == (OWN, LOOK)
    assert "lesson" not in app.query_params


def test_the_list_shows_ones_own_problem_and_a_second_lesson_keeps_it() -> None:
    app = press(press(at("6_Lessons"), "open-remove"), "All lessons")
    assert shown(app) == (OWN, LOOK)
    app = press(app, "open-leverage")
    assert app.session_state.settings == LESSONS["leverage"].own
    app.switch_page("pages/2_Model.py").run()
    assert shown(app) == (OWN, LOOK)


def test_a_lesson_is_taken_along_on_purpose_only_and_the_way_back_is_one_press() -> None:
    app = press(at("6_Lessons"), "open-remove")
    for _ in REMOVING.steps[1:]:
        app = press(app, "Next")
    app = press(app, "Explore it")
    app.switch_page("pages/3_Explore.py").run()
    assert app.session_state.settings == REMOVING.own and app.session_state.view.lesson == ""
    app.switch_page("pages/2_Model.py").run()
    assert app.session_state.settings == REMOVING.own
    press(app, "own-problem")
    assert shown(app) == (OWN, LOOK)


def test_a_presentation_goes_on_from_lesson_to_lesson_and_has_no_sidebar() -> None:
    app = press(press(at("6_Lessons"), "open-remove"), "Present")
    assert not app.sidebar.button and app.session_state.view.present
    app = press(app, "All lessons")
    assert app.session_state.view == replace(LOOK, present=True) and app.session_state.settings == OWN
    app = press(app, "Leave the presentation")
    assert app.sidebar.markdown and shown(app) == (OWN, LOOK)


def test_a_figure_opened_in_explore_has_a_way_back_too() -> None:
    app = press(at("6_Lessons"), "open-figure-a")
    assert app.session_state.settings == OWN
    app = press(app, "Open this problem in Explore")
    app.switch_page("pages/2_Model.py").run()
    assert app.session_state.settings.data.name == "linear_example"
    press(app, "own-problem")
    assert shown(app) == (OWN, LOOK)


def test_other_data_chosen_while_the_problem_of_a_lesson_is_taken_along_become_ones_own() -> None:
    app = press(press(at("6_Lessons"), "open-figure-a"), "Open this problem in Explore")
    app.switch_page("pages/1_Data.py").run()
    app.selectbox(key="data.name").set_value("moons").run()
    assert app.session_state.settings.data.name == "moons"
    assert not [one for one in app.button if one.key == "own-problem"]


def test_what_the_comparison_changes_stays_there() -> None:
    app = press(at("6_Lessons"), "open-compare")
    app.selectbox(key="compare.first").set_value("hinge").run()
    assert not app.exception and app.session_state.settings.model.name == "hinge"
    app.switch_page("pages/2_Model.py").run()
    assert shown(app) == (OWN, LOOK)


@pytest.mark.parametrize("query", [{"lesson": "leverage", "step": "2"}, {"lesson": "remove", "v": "1"}])
def test_a_lesson_that_a_link_opens_is_not_ones_own_problem(query: dict[str, str]) -> None:
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    app.switch_page("pages/6_Lessons.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception and app.session_state.view.lesson == query["lesson"]
    app.query_params.clear()
    app.switch_page("pages/2_Model.py").run()
    assert shown(app) == (Settings(), View())


def test_the_path_is_the_lessons_in_their_order_with_minutes_and_pictures() -> None:
    path = [name for chapter in PATH.values() for name in chapter]
    lessons = [name for name, entry in LESSONS.items() if isinstance(entry, Lesson)]
    assert path == lessons and [number_of(name) for name in path] == list(range(1, len(path) + 1))
    for name in path:
        assert 2 <= LESSONS[name].text.minutes <= 10


def test_opening_by_click_leaves_no_lead_above_a_lesson() -> None:
    app = at("6_Lessons")
    lead = "How influence works, step by step"
    assert any(one.value.startswith(lead) for one in app.markdown)
    app = press(app, "open-remove")
    assert not any(one.value.startswith(lead) for one in app.markdown)


def test_the_browsers_back_into_a_lesson_keeps_ones_own_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "IN_FLIGHT", 0.0)
    app = at("2_Model")
    address = links.write(REMOVING.own, View(test=REMOVING.test, lesson="remove", step=2))
    app.switch_page("pages/6_Lessons.py")
    app.query_params.clear()
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception and shown(app) == (REMOVING.own, View(test=REMOVING.test, lesson="remove", step=2))
    app.switch_page("pages/2_Model.py").run()
    assert shown(app) == (OWN, LOOK)


def test_back_to_an_older_address_of_the_problem_taken_along_keeps_the_way_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "IN_FLIGHT", 0.0)
    app = press(press(at("6_Lessons"), "open-figure-a"), "Open this problem in Explore")
    app.switch_page("pages/2_Model.py").run()
    app.query_params["test"] = "0"
    app.run()
    assert app.session_state.settings.data.name == "linear_example"
    press(app, "own-problem")
    assert shown(app) == (OWN, LOOK)
