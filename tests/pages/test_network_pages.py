"""Explore with a network: every estimator, training runs without a point with their noise band, and random halves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from influence_core import analysis as core
from influence_core import wrap
from influence_core.analysis import ESTIMATORS, MODELS, Cancelled, Task, analyse, result_store
from influence_core.analysis.networks import LEFT_OUT
from influence_core.analysis.truth import FEWEST
from influence_core.compute.executor import executor
from influence_core.compute.task import Call
from influence_core.models import NETWORK
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings, to_query
from pages.components.problem import loo_panel, network_truth, train_panel
from pages.components.problem.asked import Shown
from pages.components.problem.scene import scene
from pages.components.session.view import View
from tests import waiting
from tests.core import made_pieces
from tests.waiting import PATIENCE

APP = str(Path(__file__).parents[2] / "app.py")
OPTIONS = (("epochs", 8), ("layers", 1), ("width", 4), ("models", 2))
MOONS = Settings(DataSettings("moons", (("n", 60),), test_fraction=0.2), ModelSettings("mlp", 0.001, options=OPTIONS))


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))


def explore(settings, **query):
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    for name, value in (to_query(settings) | query).items():
        app.query_params[name] = value
    app.run()
    return app.switch_page("pages/3_Explore.py").run()


def words(app):
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info]
    return " ".join(part.value for part in parts)


def changed(settings, **values):
    return Settings(**{name: getattr(settings, name) for name in ("data", "model")} | values)


def until(app, sentence):
    """Run the page again until it says so, as its polling fragments do."""
    waiting.until(lambda: sentence in words(app) or sentence in words(app.run()), lambda: words(app), pause=0.1)
    assert not app.exception


def click(app, label):
    next(button for button in app.button if button.label.startswith(label)).click().run()


def test_a_group_that_leaves_a_network_is_measured_by_this_very_run_whatever_the_scatter_shows():
    for truth in analyse(MOONS).problem.truths:
        app = explore(MOONS, group="3-5", truth=truth)
        assert [metric.label for metric in app.metric if metric.label.startswith("Refit")] == ["Refit: this very run"]


@pytest.mark.parametrize("estimator", [name for name, entry in ESTIMATORS.items() if NETWORK in entry.kinds])
def test_every_estimator_of_a_network_opens(estimator):
    app = explore(changed(MOONS, estimator=estimator))
    if ESTIMATORS[estimator].seeds or ESTIMATORS[estimator].unrolls:  # a job, which starts by itself where it is short
        until(app, "Helpful")
    assert not app.exception
    assert not app.error, words(app)
    if ESTIMATORS[estimator].curvature:
        assert "of the mean eigenvalue of the Gauss–Newton matrix" in words(app)


def test_networks_of_other_seeds_are_trained_as_a_job_that_is_offered(monkeypatch):
    monkeypatch.setattr(train_panel, "UNASKED", 0.0)
    app = explore(changed(MOONS, estimator="projection", seed=5))
    assert "These scores average over 2 networks" in words(app)
    assert "Helpful" not in words(app)  # no scores before that
    click(app, "Train the other networks")
    until(app, "Helpful")
    assert not app.error, words(app)


def test_going_back_through_the_run_is_a_job_that_is_offered(monkeypatch):
    monkeypatch.setattr(train_panel, "UNASKED", 0.0)
    monkeypatch.setattr(train_panel, "AT_ONCE", 0.0)  # as for a large network
    app = explore(changed(MOONS, estimator="unrolled", seed=6))
    assert "Back through this training run, for this test point" in words(app)
    assert "Back through this training run, for all test points" in words(app)
    assert "Helpful" not in words(app)  # no scores before that
    click(app, "Go back for this test point")
    until(app, "Helpful")
    analysis = analyse(changed(MOONS, estimator="unrolled", seed=6))
    assert core.Unrolling(analysis, [app.session_state.view.point]).ready
    assert not core.Unrolling(analysis, range(len(analysis.problem.test))).ready
    assert "is a ranking" not in words(app) and "no exact minimum" not in words(app)


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
    click(app, "Train without each point")
    until(app, "Grey band: ±2σ")
    click(app, "Train on 50 random halves")
    until(app, "**LDS = ")


def test_a_long_job_runs_in_processes_of_its_own(monkeypatch):
    monkeypatch.setattr("influence_core.compute.scheduler.SHORT", 0.0)  # as if it were one
    monkeypatch.setenv("INFLUENCE_SCHEDULER", "local:2")
    workers = executor("local:2")
    workers.run([Call(made_pieces.process)] * 2, Task())  # begun by a job, they would start as far back as it stands
    app = explore(changed(MOONS, seed=7))
    click(app, "Train without each point")
    until(app, "Grey band: ±2σ")
    assert len(workers.processes) == 2


def test_what_an_earlier_server_measured_is_shown_at_once():
    """Other options of nothing that matters: this server's queue has never heard of it, the store has."""
    settings = changed(MOONS, seed=3)
    problem, task = analyse(settings).problem, Task(store=result_store())
    assert problem.truth.stored() is problem.truth.stored_halves() is None
    assert not problem.members_are_ready
    done = problem.loo(task=task)
    problem.truth.halves(task=task)
    np.testing.assert_array_equal(problem.truth.stored().change, done.change)
    np.testing.assert_array_equal(problem.truth.stored().noise, done.noise)
    assert not problem.members_are_ready  # those that measured the noise have seen every point
    problem.members(task)
    assert analyse(settings).problem.members_are_ready
    app = explore(settings)
    assert "Grey band: ±2σ" in words(app)
    assert "**LDS = " in words(app)
    assert "against the same run without a point: r = " in words(app).replace("\\", "")
    assert not [button for button in app.button if button.label.startswith("Train")]


def test_a_cancelled_run_of_a_network_leaves_what_it_finished(monkeypatch):
    monkeypatch.setattr("influence_core.analysis.truth.PIECE", 0.0)
    problem = analyse(changed(MOONS, seed=4)).problem
    for run, look, least in (
        (problem.loo, lambda: problem.truth.stored(partial=True).certified, FEWEST),
        (problem.truth.halves, lambda: problem.truth.stored_halves(partial=True).members, FEWEST),
    ):
        task = Task(store=result_store())
        stopping = replace(task, report=lambda done, _all, task=task: task.cancel.set() if done >= 25 else None)
        with pytest.raises(Cancelled):
            run(task=stopping)
        kept = int(look().sum()) if look().ndim == 1 else len(look())
        assert least <= kept < 48
    assert problem.truth.stored() is problem.truth.stored_halves() is None


def test_the_band_is_two_standard_deviations_of_other_seeds():
    analysis = analyse(MOONS)
    refits = analysis.problem.loo()
    shown = Shown(analysis, MOONS, View(test=2), np.array([2]), analysis.scores([2])[:, 0], refits, scene(MOONS))
    values = refits.noise[:, 2]
    assert loo_panel.look(shown).band == pytest.approx(2 * values.std(ddof=1))
    inside = np.mean(np.abs(refits.change[:, 2]) <= 2 * values.std(ddof=1))
    assert f"{inside:.0%} of the measured changes lie inside" in network_truth.words(shown)
    assert ("means nothing here" in network_truth.words(shown)) == (inside >= network_truth.MOSTLY)
    assert len(refits.change) <= LEFT_OUT


def test_a_wrapped_module_is_offered_beside_the_others_and_explored(monkeypatch):
    """What an installed package registers through an entry point ends up in MODELS, like this."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    monkeypatch.setitem(MODELS, "own", wrap(net, torch.nn.CrossEntropyLoss(), fit="sgd", l2=1e-3).entry)
    app = explore(Settings(MOONS.data, ModelSettings("own", 1e-3)))
    assert "Helpful" in words(app) and "Train the network again without each of the 48" in words(app)
    assert not app.exception and not app.error
    app.switch_page("pages/2_Model.py").run()
    assert "Sequential (own model)" in app.selectbox(key="model.name").options
    assert not app.exception and not app.error
