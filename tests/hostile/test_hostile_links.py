"""Every hostile link, file and browser event: a few sentences, quickly; no exception, no traceback, no server path."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from pages.components.browser.bridge import is_index
from pages.components.browser.map import clicked_point
from pages.components.session.door import opened
from pages.components.session.links import LARGEST_FILE, SHOWN, known, read, write
from tests.hostile.links import EVENTS, FILES, INDICES, LINKS, Link, SettingsFile
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SECONDS = 5.0
LEAKS = re.compile(r"Traceback|File \"|site-packages|\.py\b|line \d+, in|" + re.escape(str(ROOT)))


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    opened()  # paid once per server, like the first fit
    page("3_Explore").run()


def page(name: str) -> AppTest:
    return AppTest.from_file(str(ROOT / ("app.py" if name == "app" else f"pages/{name}.py")), default_timeout=PATIENCE)


def sentences(app: AppTest) -> list[str]:
    return [part.value for part in (*app.warning, *app.error)]


def plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def assert_calm(app: AppTest) -> None:
    """Words instead of an exception, and none that tells about the server or that Markdown would act on."""
    assert not app.exception, app.exception[0].value
    for text in sentences(app):
        assert "nobody foresaw" not in text, text
        assert not LEAKS.search(text), text
        assert not re.search(r"(?<!\\)[<\[]", text), f"not escaped: {text}"
        assert len(text) < 600, text
        assert text.isprintable() or "\n" in text, text


@pytest.mark.parametrize("case", LINKS, ids=lambda case: case.name)
def test_a_hostile_link_gets_words(case: Link) -> None:
    app = page(case.page)
    for name, value in case.query.items():
        app.query_params[name] = value
    start, work = time.perf_counter(), time.process_time()
    app.run()
    # Beside other work the clock says little: then the processor time counts, of two cores.
    assert min(time.perf_counter() - start, (time.process_time() - work) / 2) < SECONDS
    assert_calm(app)
    said = [*sentences(app), *(part.value for part in app.info)]
    assert len(said) <= SHOWN + 2, said
    assert case.silent or any(case.word in plain(text) for text in said), said
    assert not (case.silent and said)


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
def test_a_hostile_settings_file_gets_words(case: SettingsFile) -> None:
    app = page("app").run()
    before = app.session_state.settings
    app.file_uploader(key="settings-file").set_value(("settings.json", case.raw, "application/json")).run()
    assert_calm(app)
    said = sentences(app)
    assert len(said) <= SHOWN + 1
    assert any(case.word in plain(text) for text in said), said
    assert app.session_state.settings == before


def test_the_largest_file_is_still_read() -> None:
    raw = b'{"v": 1, "seed": 3}' + b" " * (LARGEST_FILE - 19)
    app = page("app").run()
    app.file_uploader(key="settings-file").set_value(("settings.json", raw, "application/json")).run()
    assert not sentences(app)
    assert app.session_state.settings.seed == 3


def sent(app: AppTest, kind: str, key: str, **value: object) -> AppTest:
    """A run in which the browser reports a value for a widget, whatever the widget offers."""
    found = next(part for part in app.get(kind) if part.key == key)
    state = WidgetState(id=found.proto.id, **value)
    states = app._tree.get_widget_states()
    kept = [other for other in states.widgets if other.id != state.id]
    del states.widgets[:]
    states.widgets.extend([*kept, state])
    return app._run(states)


@pytest.mark.parametrize(
    ("name", "kind", "key", "value"),
    [
        ("1_Data", "selectbox", "data.name", {"string_value": "<script>"}),
        ("1_Data", "selectbox", "histogram", {"string_value": "no such feature"}),
        ("1_Data", "number_input", "data.seed", {"int_value": -5}),
        ("1_Data", "slider", "data.test_fraction", {"double_array_value": {"data": [1e12]}}),
        ("1_Data", "slider", "data.flip_fraction", {"double_array_value": {"data": []}}),
        ("1_Data", "number_input", "data.blobs.n", {"int_value": 2**60}),
        ("2_Model", "selectbox", "model.name", {"string_value": "ridge"}),
        ("2_Model", "selectbox", "model.fit", {"string_value": "magic"}),
        ("2_Model", "number_input", "model.l2", {"double_value": float("inf")}),
        ("3_Explore", "selectbox", "quantity", {"string_value": "\0"}),
        ("3_Explore", "selectbox", "estimator", {"string_value": "x" * 100_000}),
        ("3_Explore", "number_input", "test-box", {"int_value": 10**9}),
        ("3_Explore", "select_slider", "damping", {"string_array_value": {"data": ["1e999"]}}),
        ("5_Solvers", "selectbox", "solver.name", {"string_value": "quantum"}),
        ("5_Solvers", "number_input", "solvers.test", {"int_value": -1}),
        ("5_Solvers", "select_slider", "solvers.damping", {"string_array_value": {"data": ["nan", "0"]}}),
    ],
)
def test_a_widget_value_that_was_not_offered_leaves_choices_that_a_link_can_hold(
    name: str, kind: str, key: str, value: dict
) -> None:
    app = page(name)
    app.query_params["data.name"], app.query_params["data.n"], app.query_params["model.l2"] = "blobs", "60", "0.1"
    app.run()
    sent(app, kind, key, **value)
    assert_calm(app)
    settings, view = app.session_state.settings, app.session_state.view
    again = read({name: [text] for name, text in write(settings, view).items()})
    assert known(again.settings) == (settings, ())
    assert (again.view, again.problems) == (view, ())


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_no_index_but_a_whole_number_in_range(index: object) -> None:
    assert not is_index(index, 5)
    scene = SimpleNamespace(fingerprint="f", train_xy=[0] * 5, test_xy=[0] * 5)
    assert clicked_point(scene, {"fingerprint": "f", "side": "train", "index": index}) is None
    assert clicked_point(scene, {"fingerprint": "other", "side": "train", "index": 0}) is None


@pytest.fixture(scope="module")
def explored() -> AppTest:
    app = page("3_Explore")
    app.query_params["data.name"], app.query_params["model.l2"] = "digits", "0.1"
    return app.run()


def clicked(app: AppTest, key: str, event: object) -> AppTest:
    """A run in which a browser component reports a click."""
    element = next(part for part in app.get("bidi_component") if part.proto.id.endswith(f"-{key}"))
    report = json.dumps([{"event": "clicked", "value": event}])
    states = app._tree.get_widget_states()
    states.widgets.append(WidgetState(id=_make_trigger_id(element.proto.id, "events"), json_trigger_value=report))
    return app._run(states)


@pytest.mark.parametrize("event", [*EVENTS, *({"index": i, "side": "train"} for i in INDICES)], ids=repr)
@pytest.mark.parametrize("key", ["map", "gallery", "strips"])
def test_a_hostile_click_selects_nothing(explored: AppTest, key: str, event: object) -> None:
    if key != "map" and isinstance(event, dict) and type(event.get("index")) is int and event["index"] == 0:
        event = {**event, "index": "0"}  # these two have one side only, and look at the index alone
    view = explored.session_state.view
    clicked(explored, key, event)
    assert_calm(explored)
    assert explored.session_state.view == view


def test_a_good_click_selects(explored: AppTest) -> None:
    assert clicked(explored, "gallery", {"index": 3, "nonce": 1}).session_state.view.test == 3
