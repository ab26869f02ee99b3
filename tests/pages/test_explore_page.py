"""Home and Explore without a browser: states, errors, links, and that the numbers on screen are the core's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from influence_core.analysis import analyse
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings, to_query
from pages.components.frame.presets import PRESETS
from pages.components.problem.asked import Shown
from pages.components.problem.listed import VALUE, exported, table
from pages.components.session.view import View
from tests.waiting import PATIENCE, until

APP = str(Path(__file__).parents[2] / "app.py")


def explore(settings: Settings | None = None, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    for name, value in ((to_query(settings) if settings else {}) | query).items():
        app.query_params[name] = value
    app.run()
    return app.switch_page("pages/3_Explore.py").run()


def in_link(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def operate(app: AppTest, block: Any, **value: Any) -> None:
    """What a browser sends when a tab or an expander is clicked; AppTest cannot do it yet."""
    states = app._tree.get_widget_states()
    states.widgets.append(WidgetState(id=block.proto.id, **value))
    app._run(states)


def panel(app: AppTest) -> Any:
    return next(box for box in app.expander if box.label.startswith("What if several"))


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info]
    return " ".join(part.value for part in parts)


def test_home_shows_the_question_and_every_preset() -> None:
    app = AppTest.from_file(APP, default_timeout=PATIENCE).run()
    assert not app.exception
    assert "Which training points shaped this prediction?" in words(app)
    for preset in PRESETS.values():
        assert preset.title in words(app)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_opens_with_scores_and_truth(name: str) -> None:
    preset = PRESETS[name]
    app = explore(preset.settings, **({} if preset.test is None else {"test": str(preset.test)}))
    assert not app.exception
    assert not app.error
    analysis = analyse(preset.settings)
    test = analysis.problem.start if preset.test is None else preset.test
    assert in_link(app, "test") == str(test)
    if preset.settings.estimator == "unrolled":  # another training run for each point is asked for by a press
        offered = "Train without"
        until(lambda: any(button.label.startswith(offered) for button in (*app.button, *app.run().button)))
    else:
        found = analysis.agreement(analysis.problem.loo(), test)
        assert f"r = {found.r}" in words(app)
        assert f"slope = {found.slope}" in words(app)
    assert analysis.trust(test, analysis.problem.loo()).word == "agrees"
    assert analysis.trust(test).green or analysis.trust(test).codes == ("few",)  # words outnumber texts


def test_previous_next_and_number_box_move_the_test_point() -> None:
    app = explore(PRESETS["blobs"].settings, test="4")
    next(b for b in app.button if b.label == "Next").click().run()
    assert app.session_state.view.test == 5
    next(b for b in app.button if b.label == "Previous").click().run().run()
    assert app.session_state.view.test == 4
    app.number_input(key="test-box").set_value(9).run()
    assert app.session_state.view.test == 9
    assert in_link(app, "test") == "9"


def test_next_misclassified_goes_to_one() -> None:
    settings = PRESETS["blobs"].settings
    wrong = np.flatnonzero(analyse(settings).problem.misclassified)
    app = explore(settings)
    next(b for b in app.button if b.label == "Next misclassified").click().run()
    assert app.session_state.view.test in wrong


def test_estimator_quantity_and_damping_change_the_settings_and_the_link() -> None:
    app = explore(PRESETS["blobs"].settings)
    app.selectbox(key="estimator").set_value("newton").run()
    app.selectbox(key="quantity").set_value("margin").run()
    app.select_slider(key="damping").set_value(0.1).run()
    assert not app.exception
    chosen = app.session_state.settings
    assert (chosen.estimator, chosen.quantity, chosen.solver.damping) == ("newton", "margin", 0.1)
    assert in_link(app, "solver.damping") == "0.1"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(DataSettings("mnist"), ModelSettings(l2=0.0)), "perfectly separable"),
        (Settings(DataSettings("mnist", (("digits", "11"),))), "digit"),
    ],
)
def test_impossible_settings_give_one_sentence(settings: Settings, sentence: str) -> None:
    app = explore(settings)
    assert not app.exception
    assert len(app.error) == 1
    assert sentence in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("settings", "model", "has"),
    [
        (Settings(DataSettings("iris"), ModelSettings("ridge", 0.1)), "logistic", "2 classes"),
        (Settings(DataSettings("linear_example"), ModelSettings("logistic")), "ridge", "a numeric target"),
        (Settings(DataSettings("linear_example"), quantity="probability"), "ridge", "a numeric target"),
    ],
)
def test_a_link_whose_model_does_not_fit_its_data_gets_one_that_does(settings: Settings, model: str, has: str) -> None:
    app = explore(settings, test="3")
    assert not app.exception and not app.error
    chosen = app.session_state.settings
    assert (chosen.model.name, chosen.data, chosen.quantity) == (model, settings.data, "loss")
    assert len(app.info) == 1 and f"These data have {has}" in app.info[0].value
    assert app.session_state.view.test == 3


def test_the_open_tab_of_the_details_is_in_the_link_and_comes_back_from_it() -> None:
    app = explore(PRESETS["blobs"].settings)
    assert "details" not in app.query_params
    operate(app, app.get("tab_container")[0], string_value="Table and CSV")
    assert in_link(app, "details") == "table"
    other = explore(PRESETS["blobs"].settings, details="table")
    assert any(column.startswith("predicted change") for frame in other.dataframe for column in frame.value.columns)
    assert "Strongest first; picking a row" in words(other)
    operate(other, other.get("tab_container")[0], string_value="What if a feature changed?")
    assert "details" not in other.query_params


def test_the_group_panel_is_open_where_a_link_says_so_and_follows_the_group() -> None:
    app = explore(PRESETS["blobs"].settings)
    assert not any(box.key == "group-rule" for box in app.selectbox)
    operate(app, panel(app), bool_value=True)
    assert any(box.key == "group-rule" for box in app.selectbox)
    assert in_link(app, "group_open") == "True"
    other = explore(PRESETS["blobs"].settings, group_open="True")
    assert any(box.key == "group-rule" for box in other.selectbox)
    other.selectbox(key="group-rule").set_value("helpful").run()
    assert "group_open" not in other.query_params  # a group opens it
    other.button(key="group-clear").click().run()
    assert in_link(other, "group_open") == "True"  # it was cleared in the panel, which stays
    operate(other, panel(other), bool_value=False)
    assert "group_open" not in other.query_params


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(DataSettings("iris"), ModelSettings("hinge", 0.1), quantity="probability"), "does not define prob"),
    ],
)
def test_what_this_problem_does_not_have_is_named_and_replaced(settings: Settings, sentence: str) -> None:
    app = explore(settings)
    assert not app.exception
    assert not app.error
    assert sentence in words(app).replace("\\", "")
    assert app.session_state.settings.quantity == "loss"


def test_a_test_point_that_does_not_exist_is_named() -> None:
    app = explore(PRESETS["blobs"].settings, test="99999")
    assert "expected 0 to 119" in words(app)
    assert app.session_state.view.test == analyse(PRESETS["blobs"].settings).problem.start


def test_refits_that_take_long_are_offered_as_a_job() -> None:
    big = Settings(DataSettings("mnist", (("digits", "0,1,2"), ("size", 1500))), ModelSettings("softmax", 1.0))
    app = explore(big)
    assert not app.exception
    assert any(b.label == "Run exact leave-one-out" for b in app.button)
    assert "Refit the model without each of the 1,350 training points" in words(app)


def test_a_fit_that_did_not_converge_does_not_refit_unasked() -> None:
    preset = PRESETS["blobs"].settings
    app = explore(replace(preset, model=replace(preset.model, fit="adamw")))
    assert not app.exception
    assert "influence assumes one. Fit by Newton" in words(app).replace("\\", "")
    assert "all measured changes share the distance" in words(app)
    assert any(b.label == "Run exact leave-one-out" for b in app.button)


@pytest.mark.parametrize(
    ("quantity", "ends"), [("loss", "> 0 helpful, < 0 harmful"), ("margin", "> 0 harmful, < 0 help")]
)
def test_exported_columns_say_quantity_unit_and_sign(quantity: str, ends: str) -> None:
    analysis = analyse(replace(PRESETS["blobs"].settings, quantity=quantity))
    scores = analysis.scores([0])[:, 0]
    shown = Shown(analysis, analysis.settings, View(), np.array([0]), scores, None, None)  # type: ignore[arg-type]
    frame = exported(table(shown), shown)
    (column,) = [name for name in frame if name.startswith("predicted change")]
    (everywhere,) = [name for name in frame if name.startswith(VALUE)]
    assert analysis.quantity.title in column
    assert shown.own_unit in column
    assert ends in column
    assert everywhere.startswith(VALUE) and analysis.quantity.title in everywhere and shown.own_unit in everywhere
    assert ends in everywhere


def test_the_line_names_and_takes_what_mends_it() -> None:
    app = explore(Settings(DataSettings("blobs"), solver=SolverSettings(damping=300.0)))
    assert any("**misleads**" in line.value for line in app.markdown)
    button = app.button(key="trust.newton")
    assert button.label == "Use one-step Newton and damping 0"
    button.click().run()
    assert (app.session_state.settings.estimator, app.session_state.settings.solver.damping) == ("newton", 0.0)
    assert any("**agrees**" in line.value for line in app.markdown)
