"""Explore with a network: every estimator, training runs without a point with their noise band, and random halves."""

import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import ESTIMATORS, analyse
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings, to_query
from pages.components import cached, network_truth
from pages.components.asked import Shown
from pages.components.view import View

APP = str(Path(__file__).parents[2] / "app.py")
OPTIONS = (("epochs", 8), ("layers", 1), ("width", 4), ("models", 2))
MOONS = Settings(DataSettings("moons", (("n", 60),), test_fraction=0.2), ModelSettings("mlp", 0.001, options=OPTIONS))


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))


def explore(settings, **query):
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in (to_query(settings) | query).items():
        app.query_params[name] = value
    app.run()
    return app.switch_page("pages/3_Explore.py").run()


def words(app):
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info]
    return " ".join(part.value for part in parts)


def changed(settings, **values):
    return Settings(**{name: getattr(settings, name) for name in ("data", "model")} | values)


@pytest.mark.parametrize("estimator", [name for name, entry in ESTIMATORS.items() if entry.needs != "linear"])
def test_every_estimator_of_a_network_opens(estimator):
    app = explore(changed(MOONS, estimator=estimator))
    assert not app.exception
    assert not app.error, words(app)
    if ESTIMATORS[estimator].curvature:
        assert "of the mean eigenvalue of the Gauss–Newton matrix" in words(app)


def test_one_step_newton_in_a_link_becomes_first_order_with_a_sentence():
    app = explore(changed(MOONS, estimator="newton"))
    assert not app.exception
    assert "One-step Newton is not for this model" in words(app)
    assert app.session_state.settings.estimator == "influence"


def test_curvature_of_a_link_is_used():
    exact = changed(MOONS, solver=SolverSettings("cholesky", 1.0, curvature="exact"))
    gauss = changed(MOONS, solver=SolverSettings("cholesky", 1.0))
    assert np.abs(analyse(exact).scores([0]) - analyse(gauss).scores([0])).max() > 0


def test_training_without_each_point_shows_the_noise_and_offers_halves():
    app = explore(MOONS)
    assert "Train the network again without each of the 48 training points" in words(app)
    next(button for button in app.button if button.label == "Train without each point").click().run()
    for _ in range(200):
        if "Grey band" in words(app):
            break
        time.sleep(0.1)
        app.run()
    assert not app.exception
    assert "Grey band: ±2σ" in words(app)
    next(button for button in app.button if button.label.startswith("Train on 50 random halves")).click().run()
    for _ in range(200):
        if "**LDS = " in words(app):
            break
        time.sleep(0.1)
        app.run()
    assert "**LDS = " in words(app)


def test_the_band_is_two_standard_deviations_of_other_seeds():
    analysis = analyse(MOONS)
    refits = analysis.problem.loo()
    shown = Shown(analysis, MOONS, View(test=2), np.array([2]), analysis.scores([2])[:, 0], refits, None)
    values = refits.noise[:, 2]
    assert shown.look().band == pytest.approx(2 * values.std(ddof=1))
    inside = np.mean(np.abs(refits.change[:, 2]) <= 2 * values.std(ddof=1))
    assert f"{inside:.0%} of the measured changes lie inside" in network_truth.words(shown)
    assert ("means nothing here" in network_truth.words(shown)) == (inside >= network_truth.MOSTLY)
    assert len(refits.change) <= cached.core().LEFT_OUT
