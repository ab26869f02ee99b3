"""A network that takes a while is trained in another process, to the same parameters digit by digit."""

import os

import numpy as np
import pytest

from influence_core.analysis import Problem
from influence_core.compute import Task
from influence_core.compute.workers import local
from influence_core.models import registry
from influence_core.settings import DataSettings, ModelSettings, Settings

TRAINED = Settings(
    DataSettings("blobs", (("n", 200),)),
    ModelSettings("mlp", 0.001, options=(("epochs", 4), ("layers", 1), ("width", 8))),
)


@pytest.fixture
def seen(monkeypatch):
    """Training runs of this process."""
    found, train = [], registry.train_now
    monkeypatch.setattr(registry, "train_now", lambda *given: (found.append(os.getpid()), train(*given))[1])
    return found


def fitted(folder, monkeypatch, task):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(folder))  # nothing is found on disk
    return Problem(TRAINED).fit(task)


def test_a_dear_training_run_leaves_this_process_and_comes_back_the_same(tmp_path, monkeypatch, seen):
    monkeypatch.setattr(registry, "FAR", 0.0)
    told, far = [], Task(lambda done, total: told.append((done, total)), workers=local())
    there = fitted(tmp_path / "there", monkeypatch, far)
    assert not seen
    here = fitted(tmp_path / "here", monkeypatch, Task())
    assert seen == [os.getpid()]
    np.testing.assert_array_equal(there.theta.numpy(), here.theta.numpy())
    assert there.fit.epochs == here.fit.epochs == 4
    assert all(done <= total for done, total in told)


def test_a_cheap_one_stays_and_one_from_disk_is_not_trained_again(tmp_path, monkeypatch, seen):
    monkeypatch.setattr(registry, "FAR", 0.0)
    fitted(tmp_path, monkeypatch, Task(workers=local()))
    fitted(tmp_path, monkeypatch, Task())
    assert not seen
    monkeypatch.setattr(registry, "FAR", 1e12)
    fitted(tmp_path / "other", monkeypatch, Task(workers=local()))
    assert seen == [os.getpid()]
