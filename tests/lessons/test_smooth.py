"""Smooth runs: the lesson's table against runs and scores put together by hand, and presets that are smooth."""

import numpy as np
import pytest

from influence_core import teaching
from influence_core.analysis import NoMinimumError, analyse
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, Settings
from pages.components.frame.presets import PRESETS

MOONS = Settings(DataSettings("moons", (("n", 60),), test_fraction=0.2))
SOME = 40  # training points that a preset is trained again without


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))


def correlations(analysis, rows):
    """r at every test point of the scores with the same run without each of some training points."""
    groups = [rows[k : k + 1] for k in range(len(rows))]
    measured = Repeated(analysis.problem.fitted).without(Question(analysis.problem.test), groups).change
    scores = analysis.scores()[rows]
    return np.array([np.corrcoef(measured[:, j], scores[:, j])[0, 1] for j in range(scores.shape[1])])


def test_a_row_of_the_table_is_that_run():
    table = teaching.smooth.smooth_runs(MOONS, "tanh", (0.1, 3.0))
    assert table["learning_rate"].tolist() == [0.1, 3.0]
    analysis = analyse(teaching.smooth.smooth_settings(MOONS, "tanh", 0.1))
    n = len(analysis.problem.split.train)
    assert table["r"][0] == pytest.approx(np.median(correlations(analysis, np.arange(n))), abs=1e-3)
    assert table["metasmoothness"][0] == pytest.approx(analysis.problem.smoothness())
    assert table["r"][0] > 0.9 > table["influence_r"][0]
    assert table["r"][1] < 0.6 and table["metasmoothness"][1] < 0.5 < table["metasmoothness"][0]


def test_a_run_that_leaves_all_numbers_is_a_gap(monkeypatch):
    def lost(_settings):
        raise NoMinimumError("left finite numbers")

    monkeypatch.setattr(teaching.smooth, "analyse", lost)
    table = teaching.smooth.smooth_runs(MOONS, "relu", (10.0,))
    assert table["learning_rate"][0] == 10.0 and table.iloc[0, 1:].isna().all()


@pytest.mark.parametrize("name", ["run", "mnist_run"])
def test_a_preset_s_run_is_smooth_and_its_derivative_what_happens(name):
    analysis = analyse(PRESETS[name].settings)
    problem = analysis.problem
    assert problem.accuracy(problem.fitted.theta) > 0.9
    assert problem.smoothness() > 0.95
    rows = np.random.default_rng(0).choice(len(problem.split.train), SOME, replace=False)
    assert np.median(correlations(analysis, rows)) > 0.95
