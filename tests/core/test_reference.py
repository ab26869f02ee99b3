"""Least squares without a penalty on any table: what other columns determine is held at zero, and no answer changes."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from problems import fitted_on
from scipy.optimize import linprog
from statsmodels.stats.outliers_influence import OLSInfluence

from influence_core.data import Dataset
from influence_core.data.encoding import encode
from influence_core.influence.diagnostics import deletion_diagnostics
from influence_core.influence.estimators import ESTIMATORS, scores
from influence_core.influence.watched import Influence, watch
from influence_core.models import NoMinimumError, fit
from influence_core.models.reference import held_columns
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import ModelSettings, SolverSettings

N = 80


def table(**more):
    random = np.random.default_rng(0)
    a = random.normal(size=N)
    month = random.choice(["apr", "aug", "dec", "feb"], N)
    columns = {"a": a, "month": month, "open": random.random(N) > 0.5, **more}
    return pd.DataFrame(columns | {"y": a + (month == "dec") + random.normal(size=N)})


TABLES = {
    "texts and true/false": (table(), {"month=apr", "open=False"}),
    "a constant text": (table(country="pt"), {"month=apr", "open=False", "country=pt"}),
    "a constant number": (table(year=1987.0), {"month=apr", "open=False", "year"}),
    "a repeated column": (table(b=2 * table()["a"] + 3), {"month=apr", "open=False", "b"}),
    "two texts that say the same": (
        table(name=table()["month"].str.upper()),
        {"month=apr", "open=False", "name=APR", "name=AUG", "name=DEC", "name=FEB"},
    ),
    "numbers alone": (table().drop(columns=["month", "open"]).assign(c=np.arange(N) ** 2 / 9), set()),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_the_fit_and_the_diagnostics_of_statsmodels(name):
    """The formula of statsmodels leaves out the first value of a text, too; so do we."""
    frame, held = TABLES[name]
    data = encode(frame, "y")
    fitted = fitted_on("linear", data)
    assert {data.feature_names[k] for k in fitted.model.held} == held
    assert fitted.fit.converged
    kept = np.delete(np.arange(data.x.shape[1]), fitted.model.held)
    expected = sm.OLS(data.y, np.column_stack([data.x[:, kept], np.ones(N)])).fit()
    theta = fitted.theta.numpy()
    np.testing.assert_allclose(theta[[*kept, -1]], expected.params, rtol=1e-8, atol=1e-10)
    assert not theta[list(fitted.model.held)].any()
    found, theirs = deletion_diagnostics(Influence(fitted, SolverSettings())), OLSInfluence(expected)
    np.testing.assert_allclose(found.cooks_distance, theirs.cooks_distance[0], rtol=1e-8)
    np.testing.assert_allclose(found.dffits, theirs.dffits[0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.dfbetas[:, [*kept, -1]], theirs.dfbetas, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    "estimator", [name for name, entry in ESTIMATORS.items() if entry.curvature and entry.predicts]
)
def test_scores_and_refits_do_not_depend_on_which_column_is_left_out(estimator):
    """Of the smallest θ of all that fit equally well, by NumPy on every column."""
    data = encode(TABLES["a constant number"][0], "y")
    fitted = fitted_on("linear", data)
    found = scores(Influence(fitted, SolverSettings()), watch(fitted, fitted.train), estimator)
    x, y = np.column_stack([data.x, np.ones(N)]), data.y
    pinv = np.linalg.pinv(x)
    e, hat = y - x @ pinv @ y, x @ pinv
    moved = -hat * e if estimator == "influence" else -hat * (e / (1 - np.diag(hat)))  # of prediction j without i
    expected = (-2 * moved * e[:, None] if estimator == "influence" else (e[:, None] - moved) ** 2 - e[:, None] ** 2).T
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    refits = leave_one_out(fitted, Question(fitted.train))
    assert refits.certified.all()
    exact = ((e[:, None] + hat * (e / (1 - np.diag(hat)))) ** 2 - e[:, None] ** 2).T
    np.testing.assert_allclose(refits.change, exact, rtol=1e-7, atol=1e-9)


def test_without_an_intercept_every_value_of_one_text_stays():
    data = encode(table(), "y")
    held = held_columns(data.x, data.feature_names, intercept=False)
    assert [data.feature_names[k] for k in held] == ["open=False"]


def test_a_penalty_needs_no_reference():
    data = encode(table(), "y")
    assert fitted_on("ridge", data, l2=0.1).model.held == ()


def separable(x, y):
    """Whether some direction separates the classes, perhaps with points on it, by linear programming."""
    signed = (2 * y - 1)[:, None] * np.column_stack([x, np.ones(len(y))])
    found = linprog(-signed.sum(0), A_ub=np.vstack([-signed, signed]), b_ub=np.r_[np.zeros(len(y)), np.ones(len(y))],
                    bounds=(None, None))  # fmt: skip
    return -found.fun > 1e-7


def classes(kind, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(N) % 2
    x = random.normal(size=(N, 2)) + y[:, None]
    extra = np.zeros((N, 1))
    if kind == "a value that is always right":
        extra[np.flatnonzero(y)[:8]] = 1
    elif kind == "one member, right":
        extra[1] = 1
    elif kind == "a value that is right but once":
        extra[np.flatnonzero(y)[:8]], extra[0] = 1, 1
    elif kind == "one point far off":
        extra[:, 0] = 0.01 * random.normal(size=N)
        extra[0] = 50
    elif kind == "complete":
        x += 20 * y[:, None]
    return np.hstack([x, extra]) if kind != "plain" else x, y


KINDS = (
    "plain",
    "a value that is always right",
    "one member, right",
    "a value that is right but once",
    "one point far off",
    "complete",
)


@pytest.mark.parametrize("name", ["logistic", "softmax"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_linear_programming_separates_has_no_minimum_without_a_penalty(name, kind):
    x, y = classes(kind)
    data = Dataset(
        x, y, np.array([f"row-{i}" for i in range(N)]), tuple(f"x{k}" for k in range(x.shape[1])), ("a", "b")
    )
    if separable(x, y):
        with pytest.raises(NoMinimumError, match="separa.*l2"):
            fitted_on(name, data, l2=0.0)
    else:
        assert fitted_on(name, data, l2=0.0).fit.converged
    assert fitted_on(name, data, l2=1e-3).fit.converged


@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge"])
@pytest.mark.parametrize("method", ["newton", "adamw"])
def test_a_class_without_training_points_is_named(name, method):
    """Whatever the penalty: the intercept has none."""
    x, y = classes("plain")
    data = Dataset(x, np.zeros(N, np.int64), np.array([f"row-{i}" for i in range(N)]), ("p", "q"), ("cat", "dog"))
    split = type("Split", (), {"train": data, "validation": data})()
    with pytest.raises(NoMinimumError, match="Class dog has no training point.*Leave the class out"):
        fit(ModelSettings(name, 0.1, fit=method), split, device="cpu")
    weights = torch.as_tensor(y == 0, dtype=torch.float64)
    from influence_core.models.fitting import newton

    whole = fitted_on(name, Dataset(x, y, data.ids, data.feature_names, data.class_names), l2=0.1)
    with pytest.raises(NoMinimumError, match="Class number 1 has no training point"):
        newton(whole.model, whole.train, weights)
