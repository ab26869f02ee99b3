"""The reverse question and groups, against scores, refits on deleted rows and scikit-learn."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from oracles import error, slope
from problems import ESTIMATES, LINEAR
from sklearn.linear_model import LogisticRegression, Ridge

from influence_core.analysis import EXPECTED_ERRORS, QUANTITIES, analyse
from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.data import DataError
from influence_core.influence.effects import group_change
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings

BLOBS = Settings(data=DataSettings("blobs", (("n", 120),), test_fraction=0.2), model=ModelSettings(l2=0.05))
DATA = {
    "logistic": BLOBS.data,
    "hinge": BLOBS.data,
    "softmax": DataSettings("iris", (("classes", "3"),), test_fraction=0.2),
    "ridge": DataSettings("diabetes"),
    "linear": DataSettings("linear_example"),
}


def of(name, **settings):
    """A small problem for every model."""
    model = ModelSettings(name, 0.05, intercept=name != "linear", options=(("t", 0.5),) if name == "hinge" else ())
    return analyse(replace(Settings(DATA[name], model), **settings))


# --- the reverse question


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("estimator", ESTIMATES)
@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
def test_removal_is_a_row_of_the_scores(name, estimator, fold):
    found = of(name, estimator=estimator)
    found = analyse(replace(found.settings, model=replace(found.settings.model, fold_penalty=fold)))
    for train in (0, 17, 63):
        assert found.removal(train).shape == (len(found.problem.test),)
        assert error(found.removal(train), found.scores()[train]) < 1e-9


@pytest.mark.parametrize("quantity", ["margin", "prediction", "probability"])
@pytest.mark.parametrize("estimator", ["influence", "newton"])
def test_removal_of_other_quantities(quantity, estimator):
    found = of("logistic", quantity=quantity, estimator=estimator)
    assert QUANTITIES[quantity].applies(found.problem.fitted.model.loss)
    assert error(found.removal(5), found.scores()[5]) < 1e-9


@pytest.mark.parametrize("name", LINEAR)
def test_removal_against_refits(name):
    found = of(name, estimator="newton")
    refits = found.problem.loo()
    rows = np.argsort(-np.abs(refits.change).max(1))[:5]
    for train in rows:
        assert 0.85 < slope(refits.change[train], found.removal(int(train))) < 1.15
        assert error(found.removal(int(train)), refits.change[train]) < 0.2


def test_removal_solves_once(monkeypatch):
    found = of("logistic")
    found.removal(0)
    calls, solve = [], found.influence.solve
    monkeypatch.setitem(found.influence.__dict__, "solve", lambda b: (calls.append(b.shape), solve(b))[1])
    found.removal(3)
    assert calls == [(3, 1)]


@pytest.mark.parametrize("train", [-1, 96, 10**9])
def test_removal_of_a_point_that_does_not_exist(train):
    with pytest.raises(DataError, match=f"from 0 to 95, got {train}"):
        of("logistic").removal(train)


# --- groups


def sklearn_refit(problem, rows):
    """θ of scikit-learn on what stays, with the total penalty of all n."""
    train, total = problem.split.train, problem.settings.model.l2 * len(problem.split.train)
    x, y = np.delete(train.x, rows, 0), np.delete(train.y, rows)
    if problem.settings.model.name == "ridge":
        fit = Ridge(alpha=total / 2, tol=1e-12, solver="cholesky").fit(x, y)
    else:
        fit = LogisticRegression(C=1 / total, tol=1e-12, solver="newton-cholesky", max_iter=500).fit(x, y)
    return np.append(np.ravel(fit.coef_), fit.intercept_)


@pytest.mark.parametrize("name", ["logistic", "ridge"])
@pytest.mark.parametrize("rows", [[4], [3, 9, 21], range(10, 40)])
def test_a_group_against_scikit_learn(name, rows):
    found = of(name)
    effect, refit = found.group(rows), found.problem.group_refit(rows)
    theta = sklearn_refit(found.problem, list(rows))
    start = found.problem.fitted.theta.numpy()
    assert refit.certified
    np.testing.assert_allclose(refit.theta, theta, rtol=1e-6, atol=1e-8)
    assert error(effect.theta_newton - start, theta - start) < (1e-6 if name == "ridge" else 0.25)
    assert error(effect.theta_first - start, theta - start) < 0.5
    assert 0.85 < slope(refit.change, effect.newton) < 1.15
    assert error(effect.newton, refit.change) < 0.2
    assert error(effect.newton, refit.change) <= error(effect.first_order, refit.change) + 1e-12


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
def test_a_group_is_what_the_effects_say(name, fold):
    found = of(name)
    found = analyse(replace(found.settings, model=replace(found.settings.model, fold_penalty=fold)))
    rows = np.array([2, 5, 8, 30])
    effect = found.group(rows[::-1])
    np.testing.assert_array_equal(effect.rows, rows)
    watched = found.watched()
    assert error(effect.first_order, group_change(found.influence, watched, [rows])[0]) < 1e-9
    assert error(effect.newton, group_change(found.influence, watched, [rows], newton=True)[0]) < 1e-9
    assert error(effect.first_order, found.scores()[rows].sum(0)) < 1e-9


def test_a_group_of_one_is_a_removal():
    first, newton = of("softmax"), of("softmax", estimator="newton")
    assert error(first.group([7]).first_order, first.removal(7)) < 1e-9
    assert error(first.group([7]).newton, newton.removal(7)) < 1e-9
    refits = first.problem.loo()
    assert error(first.problem.group_refit([7]).change, refits.change[7]) < 1e-4


def test_a_group_without_a_newton_step_says_why():
    """Five points cannot hold eleven parameters without a penalty."""
    found = of("linear", data=DataSettings("diabetes"))
    n = len(found.problem.split.train)
    effect = found.group(range(n - 5))
    assert effect.newton is None
    assert effect.theta_newton is None
    assert "no longer positive definite" in effect.why or "damping" in effect.why
    assert np.isfinite(effect.first_order).all()


def test_accuracy_before_and_after():
    found = of("logistic").problem
    ones = np.flatnonzero(found.split.train.y == 1)
    refit = found.group_refit(ones[:-2])
    test = found.split.test
    before = (test.x @ found.fitted.theta.numpy()[:2] + found.fitted.theta.numpy()[2] > 0) == test.y
    after = (test.x @ refit.theta[:2] + refit.theta[2] > 0) == test.y
    assert refit.accuracy_before == pytest.approx(before.mean())
    assert refit.accuracy_after == pytest.approx(after.mean())
    assert refit.accuracy_after < refit.accuracy_before - 0.1  # nearly all of a class left
    assert of("ridge").problem.group_refit([1]).accuracy_after is None


def test_a_refit_is_stored_and_found_again(tmp_path):
    problem, store = of("logistic").problem, ResultStore(tmp_path)
    first = problem.group_refit([1, 2], task=Task(store=store))
    assert len(list(tmp_path.glob("*.npz"))) == 1
    again = problem.group_refit([2, 1], "margin", task=Task(store=store))
    assert len(list(tmp_path.glob("*.npz"))) == 1  # θ does not depend on what is watched
    np.testing.assert_array_equal(first.theta, again.theta)
    assert not np.allclose(first.change, again.change)
    other = analyse(replace(problem.settings, seed=1)).problem
    other.group_refit([1, 2], task=Task(store=store))
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_refit_can_be_cancelled():
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        of("logistic").problem.group_refit([1, 2], task=Task(cancel=cancel))


def test_outputs_at_another_theta():
    problem = of("softmax").problem
    x = problem.split.scaling.invert(problem.split.test.x)
    theta = np.arange(problem.fitted.size) / 10.0
    f, chances = problem.outputs_at(x, theta)
    expected = np.column_stack([problem.split.test.x, np.ones(len(x))]) @ theta.reshape(3, -1).T
    np.testing.assert_allclose(f, expected, rtol=1e-9)
    np.testing.assert_allclose(chances, np.exp(expected) / np.exp(expected).sum(1, keepdims=True), rtol=1e-9)
    here = problem.outputs_at(x, problem.fitted.theta.numpy())
    np.testing.assert_allclose(here[0], problem.outputs_at(x)[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("logistic", [], "at least one training point, got none"),
        ("logistic", [0, 96], "from 0 to 95, got 0 to 96"),
        ("logistic", [-1], "from 0 to 95"),
        ("logistic", range(96), "leaves 0 of"),
        ("logistic", "all but one of class 1", "leaves 1 of 'class 2': select fewer"),
        ("ridge", range(397), "at least 2 training points, it leaves 1"),
    ],
)
def test_groups_that_are_refused(name, rows, words):
    found = of(name)
    if isinstance(rows, str):
        rows = np.flatnonzero(found.problem.split.train.y == 1)[1:]
    for question in (found.group, found.problem.group_refit):
        with pytest.raises(DataError, match=words):
            question(rows)
    assert DataError in EXPECTED_ERRORS


def test_damping_reaches_groups():
    damped = of("logistic", solver=SolverSettings("cholesky", 1e3))
    assert (
        np.abs(damped.group([3, 4]).first_order).max() < 1e-2 * np.abs(of("logistic").group([3, 4]).first_order).max()
    )
