"""The Data page in AppTest: every source renders, widgets change the settings, missing files are offered."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data import DATASETS, external, stored
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session.view import View
from pages.components.widgets.job_panel import jobs
from tests.waiting import PATIENCE, until

PAGE = str(Path(__file__).parents[2] / "pages" / "1_Data.py")
PRESENT = [name for name, source in DATASETS.items() if source.present]


def opened(settings=None):
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
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


def test_missing_file_is_offered_fetched_as_a_job_and_its_error_shown(monkeypatch, tmp_path):
    answers, asked = [OSError("no network"), b"X,Y", digits_file()], threading.Event()

    def download(task):
        asked.wait(PATIENCE)
        task.tick(0.5, 2.0)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(external, "openml_mnist", download)
    app = opened(replace(Settings(data=DataSettings("mnist_large")), seed=987_654))
    assert_fine(app)
    assert "mnist_32k.npz" in app.info[0].value
    assert not app.metric
    labelled(app, "Fetch it now").click().run()
    assert labelled(app, "Cancel")
    asked.set()
    for words in ("no network", "is damaged"):
        ended(app, "failed")
        assert not app.exception
        assert words in app.error[0].value.replace("\\", "")
        assert "as mnist_32k.npz into the data folder" in app.error[0].value.replace("\\", "")
        assert str(tmp_path) not in app.error[0].value
        labelled(app, "Try again").click().run()
    ended(app, "done")
    assert_fine(app)
    assert app.metric[0].label == "Training points n"


def digits_file():
    """Sixty pictures in the form of the larger MNIST."""
    random, buffer = np.random.default_rng(0), io.BytesIO()
    x, y = random.integers(0, 256, (60, 784), np.uint8), np.tile(np.array([1, 7], np.uint8), 30)
    np.savez_compressed(buffer, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return buffer.getvalue()


def labelled(app, words):
    return next(button for button in app.button if button.label == words)


def ended(app, state):
    """The job has ended and the page has seen it."""
    until(lambda: jobs().get("fetch:mnist_large").state == state)
    app.run()


def test_a_stored_set_is_offered_as_a_sample_that_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    settings = Settings(data=DataSettings("stored", (("rows", 60),)))
    app = opened(settings)
    assert_fine(app)
    assert "influence_core data add FILE --name NAME" in app.info[0].value.replace("\\", "")
    random = np.random.default_rng(0)
    for name in ("first", "second"):
        np.savez(tmp_path / "a.npz", X=random.normal(size=(300, 3)), y=np.arange(300) % 2)
        stored.add(tmp_path / "a.npz", name)
    app = opened(settings)
    assert_fine(app)
    assert app.selectbox(key="data.stored.set").options == ["first", "second"]
    assert any("A random sample of 60 of" in caption.value for caption in app.caption)
    app.selectbox(key="data.stored.set").set_value("second").run()
    assert_fine(app)
    assert app.metric[0].value == "60"


def test_an_empty_field_stands_for_nothing_chosen():
    app = opened(Settings(data=DataSettings("forest_fires"), model=ModelSettings("ridge", 0.1)))
    field = app.number_input(key="data.forest_fires.held_out")
    assert field.value is None
    assert field.placeholder == "random split"
    field.set_value(3).run()
    assert_fine(app)
    assert dict(settings_of(app).data.options)["held_out"] == 3
    app.number_input(key="data.forest_fires.held_out").set_value(None).run()
    assert_fine(app)
    assert dict(settings_of(app).data.options).get("held_out", -1) == -1
