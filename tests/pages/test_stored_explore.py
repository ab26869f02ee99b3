"""Explore on a stored set without a browser: small sets are fitted unasked, and what is not offered is said."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data.stored import add
from influence_core.settings import DataSettings, ModelSettings, Settings
from tests.pages.test_explore_page import explore, words
from tests.waiting import until


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (700, 3, 4), dtype=np.uint8), np.arange(700) % 3
    np.savez(tmp_path / "a.npz", x_train=x[:450], y_train=y[:450], x_test=x[450:], y_test=y[450:])
    return add(tmp_path / "a.npz", "tiny")


def settings(**options):
    data = DataSettings("stored", tuple(sorted({"set": "tiny", "rows": 100, "tests": 20, **options}.items())))
    return Settings(data=data, model=ModelSettings("softmax", 0.1))


def complete(app: AppTest) -> AppTest:
    def done() -> bool:
        app.run()
        return bool(app.success)

    until(done, lambda: words(app))
    assert not app.exception
    return app


def test_a_small_set_is_fitted_unasked_and_its_answer_completed(pictures):
    app = complete(explore(settings(), test="249", train="7"))
    assert "all 450 training rows were looked at" in app.success[0].value
    assert "Row **7**" in words(app)
    assert "labelled" in words(app)
    assert [table.value.shape[0] for table in app.dataframe] == [100]
    assert list(app.dataframe[0].value["rank"]) == list(range(1, 101))
    pages = next(box for box in app.number_input if box.label == "Page")
    pages.set_value(5).run()
    assert list(app.dataframe[0].value["rank"]) == list(range(401, 451))
    window = next(box for box in app.number_input if box.label == "Window")
    assert window.value == 2
    window.set_value(1).run()
    assert not app.exception


def test_what_is_not_offered_for_all_rows_is_said(pictures):
    app = explore(settings(), test="400", estimator="gradient_dot", quantity="margin")
    assert "Test point 400 does not exist: expected 0 to 249. Another one is shown." in words(app).replace("\\", "")
    assert "is not offered for all rows of a stored set" in words(app)
    complete(app)
    assert "change = margin of the true class without" in words(app)


def test_the_sample_in_memory_is_still_there(pictures):
    app = explore(settings(explore="the sample"), test="3")
    assert not app.exception
    assert not app.success
    assert "fitted on all of them" not in words(app)
