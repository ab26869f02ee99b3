"""Errors as words with a way out, an id for the log, Back to an older link, settings as a file, starting over."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import quality
from influence_core.settings import Settings, SettingsError
from pages.components.explore import pictures
from pages.components.session import state
from pages.components.session.errors import report
from pages.components.session.links import write_file
from pages.components.session.view import View
from pages.components.solvers import benches
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
APP = str(ROOT / "app.py")
SECRET = "/srv/secret/path.py says 42"


def opened(page: str | None = None, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    app.run()
    return app.switch_page(f"pages/{page}.py").run() if page else app


def raises(*_args: object, **_more: object) -> None:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    ("page", "module", "name"),
    [
        ("3_Explore", pictures, "draw_map"),
        ("2_Model", quality, "quality"),
        ("5_Solvers", benches, "bench"),
        ("2_Model", state, "mirror"),
    ],
)
def test_an_unforeseen_error_shows_an_id_and_the_log_has_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, page: str, module: object, name: str
) -> None:
    app = opened(data__name="blobs", data__n="60", model__l2="0.1")
    monkeypatch.setattr(module, name, raises)
    with caplog.at_level(logging.ERROR, "influence_explorer"):
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    (shown,) = [error.value for error in app.error]
    (number,) = re.findall(r"\b[0-9a-f]{8}\b", shown)
    assert SECRET not in shown and "RuntimeError" not in shown and ".py" not in shown
    (record,) = [entry for entry in caplog.records if number in entry.getMessage()]
    assert record.exc_info is not None and SECRET in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("page", "name", "act"),
    [
        ("3_Explore", "look", lambda app: next(b for b in app.button if b.label == "Next").click()),
        ("3_Explore", "look", lambda app: app.checkbox(key="symlog").check()),
        ("2_Model", "change", lambda app: app.number_input(key="model.l2").set_value(0.7)),
        ("1_Data", "change", lambda app: app.slider(key="data.test_fraction").set_value(30)),
    ],
)
def test_an_unforeseen_error_in_a_callback_leaves_the_page_and_has_an_id_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, page: str, name: str, act: Any
) -> None:
    app = opened(page, data__name="blobs", data__n="60", model__l2="0.1")
    before, title = app.session_state.settings, app.title[0].value
    monkeypatch.setattr(state, name, raises)
    with caplog.at_level(logging.ERROR, "influence_explorer"):
        act(app).run()
    assert not app.exception and not app.error
    assert app.title[0].value == title and app.session_state.settings == before
    (said,) = [toast.value for toast in app.toast]
    (number,) = re.findall(r"\b[0-9a-f]{8}\b", said)
    assert SECRET not in said
    assert [entry for entry in caplog.records if number in entry.getMessage() and entry.exc_info]


def test_a_refusal_in_a_callback_is_its_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("3_Explore", data__name="blobs", data__n="60", model__l2="0.1")

    def refuses(*_args: object, **_more: object) -> None:
        raise SettingsError("Expected something else.")

    monkeypatch.setattr(state, "look", refuses)
    next(b for b in app.button if b.label == "Next").click().run()
    assert [toast.value for toast in app.toast] == ["Expected something else."]


def test_one_error_has_one_number_however_often_it_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    error = RuntimeError(SECRET)
    with caplog.at_level(logging.ERROR, "influence_explorer"):
        assert report(error) == report(error)
    assert len(caplog.records) == 1


def ways_out(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link") if link.proto.label.startswith("Choose")]


@pytest.mark.parametrize(
    ("query", "way"),
    [
        ({"data__digits": "7"}, "Choose other data"),
        ({"model__l2": "0"}, "Choose another model or penalty"),
    ],
)
def test_an_error_says_where_to_go_and_start_over_leaves_it(query: dict[str, str], way: str) -> None:
    app = opened("3_Explore", **query)
    assert len(app.error) == 1
    assert any(text.startswith(way) for text in ways_out(app))
    app.button(key="error-start-over").click().run()
    assert not app.error
    assert app.session_state.settings == Settings()


def test_a_quantity_that_the_model_lacks_is_left_by_one_click() -> None:
    app = opened("5_Solvers", data__name="blobs", data__n="60", model__name="hinge", quantity="probability")
    assert len(app.error) == 1
    next(button for button in app.button if button.label == "Watch the loss instead").click().run()
    assert not app.error
    assert app.session_state.settings.quantity == "loss"


def test_back_to_an_older_link_restores_its_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("3_Explore", data__name="blobs", data__n="60", model__l2="0.1", test="2")
    app.number_input(key="test-box").set_value(4).run()
    app.run()
    address = dict(app.query_params)
    monkeypatch.setattr(state, "IN_FLIGHT", 3600.0)
    app.query_params["test"] = "2"
    app.run()  # within the time in which a click may still carry the older address
    assert app.session_state.view.test == 4
    assert dict(app.query_params) == address
    monkeypatch.setattr(state, "IN_FLIGHT", 0.0)
    app.query_params["test"] = "2"
    app.run()
    assert app.session_state.view.test == 2
    assert app.session_state.settings.data.name == "blobs"


def test_a_click_that_carries_an_older_address_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "IN_FLIGHT", 0.0)
    app = opened("2_Model", data__name="blobs", data__n="60", model__l2="0.1", test="2")
    app.query_params["test"] = "1"
    app.number_input(key="model.l2").set_value(0.7).run()
    assert app.session_state.settings.model.l2 == 0.7
    assert app.session_state.view.test == 2


def test_a_settings_file_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings(seed=8, estimator="newton")
    app = opened()
    raw = write_file(chosen, View(test=3, symlog=True)).encode()
    app.file_uploader(key="settings-file").set_value(("settings.json", raw, "application/json")).run()
    assert not app.warning
    assert (app.session_state.settings, app.session_state.view) == (chosen, View(test=3, symlog=True))
    assert app.query_params["seed"] in ("8", ["8"])


def test_starting_over_asks_first() -> None:
    app = opened(test="3")
    assert app.session_state.view.test == 3
    app.button(key="start-over").click().run()
    assert app.session_state.view == View() and app.session_state.settings == Settings()


def test_a_sentence_about_the_link_outlives_the_change_of_model_that_the_data_need() -> None:
    app = AppTest.from_file(str(ROOT / "pages" / "2_Model.py"), default_timeout=PATIENCE)
    for name, value in {"data.name": "iris", "data.classes": "3", "seed": "x"}.items():
        app.query_params[name] = value
    app.run()
    assert any("seed" in warning.value for warning in app.warning)
    assert "Softmax" in app.info[0].value


def test_other_data_say_which_selections_they_end_and_say_it_once() -> None:
    app = opened("1_Data", data__name="blobs", data__n="60", model__l2="0.1", test="7", train="3", group="1-4")
    app.slider(key="data.test_fraction").set_value(40).run()
    (said,) = [info.value for info in app.info]
    assert "test point 7, training point 3 and the group of training points are no longer selected" in said
    app.slider(key="data.test_fraction").set_value(30).run()
    assert not app.info
