"""The Model page in AppTest: every applicable model, convergence in words, penalties and their equivalents."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant
from statsmodels.stats.outliers_influence import OLSInfluence
from streamlit.testing.v1 import AppTest

from influence_core.data import load
from influence_core.models import LINEAR, MODELS, applicable_models
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session.view import View
from tests.waiting import PATIENCE

PAGE = str(Path(__file__).parents[2] / "pages" / "2_Model.py")
KINDS = {
    "binary": DataSettings("blobs", (("n", 200),)),
    "multiclass": DataSettings("iris", (("classes", "3"),), test_fraction=0.2),
    "regression": DataSettings("diabetes"),
}
CASES = [
    (data, name)
    for data in KINDS.values()
    for name in applicable_models(load(data, 0).train)
    if MODELS[name].kind is LINEAR
]
NETWORKS = [
    (KINDS["binary"], ModelSettings("mlp", 0.001, options=(("epochs", 5), ("width", 8)))),
    (KINDS["regression"], ModelSettings("mlp", 0.001, fit="adamw", options=(("epochs", 5), ("layers", 1)))),
    (DataSettings("digits"), ModelSettings("cnn", 0.001, options=(("channels", 2), ("epochs", 1)))),
]


def opened(settings):
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = settings, View()
    return app.run()


def assert_fine(app):
    assert not app.exception
    assert not app.error, [error.value for error in app.error]


@pytest.mark.parametrize(("data", "name"), CASES, ids=[f"{data.name}-{name}" for data, name in CASES])
def test_every_applicable_model_fits_and_says_that_it_converged(data, name):
    app = opened(Settings(data=data, model=ModelSettings(name, 0.1)))
    assert_fine(app)
    assert "Converged" in app.success[0].value
    labels = [metric.label for metric in app.metric]
    assert any("Test accuracy" in label or "Test R²" in label for label in labels)
    plane = data.name == "blobs"
    assert len(app.get("plotly_chart")) == 3 + plane + (name == "linear")


@pytest.mark.parametrize(("data", "model"), NETWORKS, ids=["sgd", "adamw", "cnn"])
def test_networks_say_how_far_training_came(data, model):
    app = opened(Settings(data=replace(data, validation_fraction=0.1), model=model))
    assert_fine(app)
    epochs = dict(model.options)["epochs"]
    assert any(f"Trained for {epochs} epochs" in box.value for box in [*app.info, *app.success])
    assert not [box for box in app.checkbox if box.key == "model.intercept"]
    assert len(app.get("plotly_chart")) == 2 + (data.name == "blobs")


def test_long_training_waits_for_a_click():
    data = DataSettings("moons")
    app = opened(Settings(data=data, model=ModelSettings("mlp", 0.001, options=(("epochs", 2000), ("width", 512)))))
    assert_fine(app)
    assert any(button.label == "Train the network" for button in app.button)
    assert not app.get("plotly_chart")


def test_a_network_starts_with_its_usual_penalty_and_way_of_fitting():
    app = opened(Settings(data=KINDS["binary"], model=ModelSettings("logistic", 0.1, fit="newton")))
    app.selectbox(key="model.name").set_value("mlp").run()
    assert_fine(app)
    assert (app.session_state.settings.model.l2, app.session_state.settings.model.fit) == (0.001, "auto")
    app.number_input(key="model.mlp.width").set_value(4).run()
    assert dict(app.session_state.settings.model.options)["width"] == 4
    assert_fine(app)


def test_adamw_is_amber_with_the_reason_and_shows_its_options():
    data = DataSettings("blobs", (("n", 200),), validation_fraction=0.2)
    app = opened(Settings(data=data, model=ModelSettings("logistic", 0.1, fit="adamw", options=(("epochs", 5),))))
    assert_fine(app)
    assert not app.success
    assert "decoupled decay" in app.warning[0].value
    app.number_input(key="model.logistic.epochs").set_value(7).run()
    assert_fine(app)
    assert dict(app.session_state.settings.model.options)["epochs"] == 7


def test_separable_data_without_penalty_are_the_named_sentence():
    data = DataSettings("blobs", (("mean2_x", 9.0), ("n", 200), ("sigma", 0.3)))
    app = opened(Settings(data=data, model=ModelSettings("logistic", 0.0)))
    assert not app.exception
    assert "perfectly separable" in app.error[0].value
    assert app.selectbox(key="model.name").value == "logistic"


def test_penalty_buttons_and_equivalents():
    app = opened(Settings(data=KINDS["regression"], model=ModelSettings("ridge", 0.1)))
    n = len(load(KINDS["regression"], 0).train)
    assert any(f"alpha = n·l2/2 = {n * 0.1 / 2:.4g}" in caption.value for caption in app.caption)
    app.button(key="l2.up").click().run()
    assert app.session_state.settings.model.l2 == 1.0
    app.button(key="l2.down").click().run()
    app.button(key="l2.down").click().run()
    assert app.session_state.settings.model.l2 == 0.01
    app.number_input(key="model.l2").set_value(0.25).run()
    assert app.session_state.settings.model.l2 == 0.25
    assert_fine(app)


def test_switches_and_model_choice_change_the_settings():
    app = opened(Settings(data=KINDS["binary"], model=ModelSettings("hinge", 0.1, options=(("t", 0.2),))))
    app.checkbox(key="model.intercept").uncheck().run()
    app.checkbox(key="model.fold_penalty").check().run()
    app.selectbox(key="model.name").set_value("logistic").run()
    assert_fine(app)
    model = app.session_state.settings.model
    assert (model.name, model.intercept, model.fold_penalty, model.options) == ("logistic", False, True, ())


def test_a_model_for_other_data_is_replaced_with_a_sentence():
    app = opened(Settings(data=KINDS["regression"], model=ModelSettings("softmax")))
    assert_fine(app)
    assert app.session_state.settings.model.name == "ridge"
    assert "Ridge regression" in app.info[0].value


def deletion(app):
    """The table behind the chart of deletion diagnostics, where there is one."""
    return next((frame.value for frame in app.dataframe if "Cook's distance" in frame.value.columns), None)


def test_least_squares_has_the_deletion_diagnostics_of_statsmodels():
    data = DataSettings("linear_example")
    app = opened(Settings(data=data, model=ModelSettings("linear")))
    assert_fine(app)
    table, train = deletion(app), load(data, 0).train
    expected = OLSInfluence(OLS(train.y, add_constant(train.x, prepend=False)).fit())
    near = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(table["leverage"], expected.hat_matrix_diag, **near)
    np.testing.assert_allclose(table["studentised residual"], expected.resid_studentized_external, **near)
    np.testing.assert_allclose(table["Cook's distance"], expected.cooks_distance[0], **near)
    np.testing.assert_allclose(table["DFFITS"], expected.dffits[0], **near)
    names = [f"DFBETAS {name}" for name in (*train.feature_names, "intercept")]
    np.testing.assert_allclose(table[names], expected.dfbetas, **near)
    top = expected.cooks_distance[0].argmax()
    said = next(caption.value for caption in app.caption if "Cook's distance" in caption.value)
    assert f"{expected.cooks_distance[0][top]:.3g} ({train.ids[top]})" in said.replace("\\", "")


def test_deletion_diagnostics_need_least_squares_without_a_penalty():
    for model in (ModelSettings("ridge", 0.1), ModelSettings("linear", fit="adamw")):
        app = opened(Settings(data=DataSettings("linear_example"), model=model))
        assert_fine(app)
        assert deletion(app) is None
    app.selectbox(key="model.fit").set_value("newton").run()
    assert deletion(app) is not None
