"""The Data page in AppTest: every source renders, widgets change the settings, missing files are offered."""

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data import DATASETS, DataError, external
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.view import View

PAGE = str(Path(__file__).parents[2] / "pages" / "1_Data.py")
PRESENT = [name for name, source in DATASETS.items() if source.present]


def opened(settings=None):
    app = AppTest.from_file(PAGE, default_timeout=60)
    if settings is not None:
        app.session_state.settings, app.session_state.view = settings, View()
    return app.run()


def assert_fine(app):
    assert not app.exception
    assert not app.error, [error.value for error in app.error]


def settings_of(app) -> Settings:
    return app.session_state.settings


@pytest.mark.parametrize("name", PRESENT)
def test_every_source_renders_with_its_size(name):
    app = opened(Settings(data=DataSettings(name)))
    assert_fine(app)
    assert app.title[0].value == "Data"
    assert app.selectbox(key="data.name").value == name
    assert int(app.metric[0].value.replace(",", "")) > 0
    assert len(app.get("plotly_chart")) == 3


def test_another_task_takes_another_model_and_says_so():
    app = opened()
    app.selectbox(key="data.name").set_value("diabetes").run()
    assert_fine(app)
    assert settings_of(app).model.name == "ridge"
    assert settings_of(app).model.l2 == 0.01
    assert "Ridge regression" in app.info[0].value


def test_more_classes_drop_the_options_that_the_new_model_does_not_know():
    app = opened(Settings(data=DataSettings("digits"), model=ModelSettings("hinge", options=(("t", 0.2),))))
    app.text_input(key="data.digits.digits").set_value("all").run()
    assert_fine(app)
    assert settings_of(app).model.name == "softmax"
    assert settings_of(app).model.options == ()


def test_flip_slider_flips_exactly_that_share():
    app = opened(Settings(data=DataSettings("blobs")))
    app.slider(key="data.flip_fraction").set_value(10).run()
    assert_fine(app)
    n = int(app.metric[0].value)
    assert settings_of(app).data.flip_fraction == 0.1
    assert int(app.metric[5].value) == round(0.1 * n)


def test_regression_cannot_be_flipped():
    app = opened(Settings(data=DataSettings("blobs", flip_fraction=0.1)))
    app.selectbox(key="data.name").set_value("diabetes").run()
    assert_fine(app)
    assert settings_of(app).data.flip_fraction == 0
    assert app.slider(key="data.flip_fraction").disabled


def test_option_seed_fraction_and_scaling_change_the_settings():
    app = opened(Settings(data=DataSettings("blobs")))
    app.number_input(key="data.blobs.n").set_value(200).run()
    app.number_input(key="data.seed").set_value(3).run()
    app.slider(key="data.test_fraction").set_value(25).run()
    app.checkbox(key="data.standardise").uncheck().run()
    assert_fine(app)
    expected = DataSettings("blobs", (("n", 200),), standardise=False, test_fraction=0.25)
    assert settings_of(app).data == expected
    assert settings_of(app).seed == 3
    assert [metric.value for metric in app.metric][:3] == ["150", "0", "50"]


def test_bad_data_are_a_sentence_and_the_widgets_stay():
    app = opened(Settings(data=DataSettings("digits", (("digits", "5"),))))
    assert not app.exception
    assert len(app.error) == 1
    assert "nobody foresaw" not in app.error[0].value
    assert app.selectbox(key="data.name").value == "digits"


def test_missing_file_is_offered_and_its_error_shown(monkeypatch, tmp_path):
    def refuse():
        raise OSError("no network")

    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(external, "openml_fires", refuse)
    app = opened(replace(Settings(data=DataSettings("forest_fires")), seed=987_654))
    assert_fine(app)
    assert "forestfires.csv" in app.info[0].value
    assert not app.metric
    app.button(key="data.fetch").click().run()
    assert not app.exception
    assert "no network" in app.error[0].value
    with pytest.raises(DataError):
        external.FOREST_FIRES.make({"encoding": "ordinal", "held_out": -1}, 0)
