"""The chosen penalty against scikit-learn fitted without every point, and what it refuses to try."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from influence_core.analysis import MODELS, chosen_penalty, penalty
from influence_core.compute import Task
from influence_core.compute.workers import local
from influence_core.data import load
from influence_core.models import usual_estimator
from influence_core.settings import DataSettings, ModelSettings


def left_out(x, y, l2, classes):
    """Mean loss of every point by a fit without it, total penalty n·l2."""
    n, found = len(x), []
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        if classes:
            fit = LogisticRegression(C=1 / (n * l2), tol=1e-10, max_iter=2000).fit(x[rest], y[rest])
            found.append(-fit.predict_log_proba(x[i : i + 1])[0, int(y[i])])
        else:
            fit = Ridge(alpha=n * l2 / 2).fit(x[rest], y[rest])
            found.append((fit.predict(x[i : i + 1])[0] - y[i]) ** 2)
    return np.mean(found)


@pytest.mark.parametrize(("data", "model", "close"), [("diabetes", "ridge", 1e-9), ("blobs", "logistic", 2e-3)])
def test_the_losses_are_those_of_fits_without_every_point(data, model, close):
    split = load(DataSettings(data, test_fraction=0.7), 0)
    found = chosen_penalty(ModelSettings(model), split)
    for l2 in (0.01, 0.1, 1.0):
        expected = left_out(split.train.x, split.train.y, l2, split.train.classes)
        assert found.losses[l2] == pytest.approx(expected, rel=close)
    assert found.losses[found.best] == min(found.losses.values())
    assert found.points == len(split.train)


def test_many_points_are_tried_in_another_process_with_the_same_losses(monkeypatch):
    split, model = load(DataSettings("breast_cancer"), 0), ModelSettings("logistic")
    here = chosen_penalty(model, split, Task(workers=local()))  # too few points to leave
    monkeypatch.setattr(penalty, "LARGE", 0.0)
    monkeypatch.setattr(penalty, "_left_out", None)  # of this process
    told = []
    there = chosen_penalty(model, split, Task(lambda *so_far: told.append(so_far), workers=local()))
    assert there.best == here.best and there.points == here.points
    assert there.losses == pytest.approx(here.losses, rel=1e-9)
    assert told[-1][1] == len(penalty.GRID)


def test_one_as_penalty_is_far_from_the_best():
    """l2 = 1 is scikit-learn's C = 1/n, a model nobody would fit."""
    found = chosen_penalty(ModelSettings("logistic"), load(DataSettings("breast_cancer"), 0))
    assert found.best < 0.05
    assert found.losses[found.best] < 0.5 * found.losses[1.0]


def test_what_is_not_tried():
    split = load(DataSettings("blobs"), 0)
    assert chosen_penalty(ModelSettings("mlp"), split) is None
    assert chosen_penalty(ModelSettings("linear"), load(DataSettings("diabetes"), 0)) is None
    assert chosen_penalty(ModelSettings("logistic"), load(DataSettings("mnist"), 0)) is None  # 785 parameters


def test_squared_loss_is_predicted_by_newton():
    assert {name for name, entry in MODELS.items() if entry.estimator == "newton"} == {"ridge", "linear"}
    assert usual_estimator("influence", "ridge") == "newton"
    assert usual_estimator("newton", "logistic") == "influence"
    assert usual_estimator("gradient_cosine", "ridge") == "gradient_cosine"  # a choice of its own stays
