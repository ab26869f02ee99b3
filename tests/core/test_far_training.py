"""A fit that takes a while is made in another process, to the same parameters digit by digit."""

import os

import numpy as np
import pytest

from influence_core.analysis import Problem
from influence_core.analysis.trials import relative_error
from influence_core.compute import Task
from influence_core.compute.executor import beside
from influence_core.compute.workers import local
from influence_core.data import load
from influence_core.models import MODELS, NoMinimumError, apart, fitting
from influence_core.settings import DataSettings, ModelSettings, Settings

TRAINED = Settings(
    DataSettings("blobs", (("n", 200),)),
    ModelSettings("mlp", 0.001, options=(("epochs", 4), ("layers", 1), ("width", 8))),
)


@pytest.fixture
def seen(monkeypatch):
    """Training runs of this process."""
    found, train = [], apart.train_now
    monkeypatch.setattr(apart, "train_now", lambda *given: (found.append(os.getpid()), train(*given))[1])
    return found


def fitted(folder, monkeypatch, task):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(folder))  # nothing is found on disk
    return Problem(TRAINED).fit(task)


def test_a_dear_training_run_leaves_this_process_and_comes_back_the_same(tmp_path, monkeypatch, seen):
    monkeypatch.setattr(apart, "FAR", 0.0)
    told, far = [], Task(lambda done, total: told.append((done, total)), workers=local())
    there = fitted(tmp_path / "there", monkeypatch, far)
    assert not seen
    here = fitted(tmp_path / "here", monkeypatch, Task())
    assert seen == [os.getpid()]
    np.testing.assert_array_equal(there.theta.numpy(), here.theta.numpy())
    assert there.fit.epochs == here.fit.epochs == 4
    assert all(done <= total for done, total in told)


def test_a_cheap_one_stays_and_one_from_disk_is_not_trained_again(tmp_path, monkeypatch, seen):
    monkeypatch.setattr(apart, "FAR", 0.0)
    fitted(tmp_path, monkeypatch, Task(workers=local()))
    fitted(tmp_path, monkeypatch, Task())
    assert not seen
    monkeypatch.setattr(apart, "FAR", 1e12)
    fitted(tmp_path / "other", monkeypatch, Task(workers=local()))
    assert seen == [os.getpid()]


@pytest.fixture
def minimised(monkeypatch):
    """Newton fits of this process."""
    found, newton = [], fitting.newton
    monkeypatch.setattr(apart, "newton", lambda *given: (found.append(os.getpid()), newton(*given))[1])
    return found


def suited(name):
    """Small data that a model is for."""
    found = (data for data in ("breast_cancer", "diabetes") if MODELS[name].applies(load(DataSettings(data), 0).train))
    return Settings(DataSettings(next(found)), ModelSettings(name, MODELS[name].l2 if MODELS[name].penalty else 0.0))


LINEAR = [suited(name) for name, entry in MODELS.items() if "newton" in entry.fits]
SPARSE = Settings(DataSettings("spam_assassin"), ModelSettings("logistic", 1e-3))
SEVERAL = Settings(DataSettings("digits"), ModelSettings("softmax", 0.1))


@pytest.mark.parametrize("settings", [*LINEAR, SPARSE, SEVERAL], ids=lambda one: f"{one.data.name}-{one.model.name}")
def test_a_dear_fit_to_the_minimum_leaves_this_process_and_comes_back_the_same(settings, monkeypatch, minimised):
    monkeypatch.setattr(apart, "MANY", 0.0)
    there = Problem(settings).fit(Task(workers=local()))
    assert not minimised
    here = Problem(settings).fit(Task())
    assert minimised == [os.getpid()]
    assert relative_error(there.theta.numpy(), here.theta.numpy()) < 1e-9  # by as many threads as the process has
    assert there.fit.converged and here.fit.converged
    monkeypatch.setattr(apart, "MANY", 1e18)
    Problem(settings).fit(Task(workers=local()))
    assert len(minimised) == 2


def test_what_has_no_minimum_says_so_from_there(monkeypatch):
    monkeypatch.setattr(apart, "MANY", 0.0)
    apart_by_far = DataSettings("blobs", (("n", 60), ("mean2_x", 9.0), ("sigma", 0.1)))
    with pytest.raises(NoMinimumError, match="perfectly separable"):
        Problem(Settings(apart_by_far, ModelSettings("logistic", 0.0))).fit(Task(workers=local()))


@pytest.mark.parametrize(("name", "there"), [("threads", False), ("", True), ("local:2", True)])
def test_a_server_that_is_to_compute_by_itself_does(name, there, monkeypatch):
    monkeypatch.setenv("INFLUENCE_SCHEDULER", name)
    assert beside() is (local() if there else None)
