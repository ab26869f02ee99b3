"""Exact means exact: refits free of the fit's own error, with a unique minimum, and with an error that is known."""

import numpy as np
import pytest
from oracles import Reference
from problems import CLASSIFIERS, fitted_on, problem
from scipy.special import logsumexp
from sklearn.datasets import load_wine

from influence_core.data import Dataset
from influence_core.models import fitting
from influence_core.retraining import Question, leave_one_out


def table(name, x, y, **settings):
    """A fitted model on these rows."""
    n, classes = len(y), tuple(str(k) for k in range(int(y.max()) + 1)) if y.dtype.kind == "i" else ()
    data = Dataset(x, y, np.array([f"row-{i}" for i in range(n)]), tuple(f"x{k}" for k in range(x.shape[1])), classes)
    return fitted_on(name, data, **settings)


def log_odds(theta, x, y):
    """f_y − log Σ exp f_k over the other classes."""
    f = x @ theta.reshape(-1, x.shape[1]).T
    rows = np.arange(len(y))
    own = f[rows, y].copy()
    f[rows, y] = -np.inf
    return own - logsumexp(f, axis=1)


@pytest.mark.parametrize(("steps", "least", "most"), [(fitting.POLISH, 0.0, 1e-3), (0, 3e-2, np.inf)])
def test_a_fit_goes_on_to_rounding_because_refits_measure_differences_from_it(steps, least, most, monkeypatch):
    """At ‖∇J‖ = 1e-10 and l2 = 1e-8 θ̂ is still on its way, and every change would carry what is missing."""
    monkeypatch.setattr(fitting, "POLISH", steps)
    x, y = load_wine(return_X_y=True)
    fitted = table("softmax", (x - x.mean(0)) / x.std(0), y, l2=1e-8)
    hard = np.argsort(-np.abs(fitted.residuals.numpy()).max(1))[8:40:4]
    found = leave_one_out(fitted, Question(fitted.train, "margin"), hard)
    reference = Reference("softmax", fitted.train.x.numpy(), y, 1e-8, outputs=3)
    whole = reference.minimise(np.ones(len(y)), fitted.theta.numpy())
    worst = 0.0
    for row, i in enumerate(hard):
        weights = np.ones(len(y))
        weights[i] = 0
        truth = log_odds(reference.minimise(weights, whole), reference.x, y) - log_odds(whole, reference.x, y)
        worst = max(worst, np.abs(found.change[row] - truth).max() / np.abs(truth).max())
    assert found.certified.all() and least <= worst <= most


def test_a_point_that_alone_holds_a_direction_has_no_refit():
    """A category with one member has leverage 1: without it J has no unique minimum, and no number is the answer."""
    random = np.random.default_rng(0)
    x = np.column_stack([random.normal(size=(30, 2)), np.eye(30)[7]])
    fitted = table("linear", x, x[:, 0] + random.normal(size=30), l2=0.0)
    found = leave_one_out(fitted, Question(fitted.train))
    assert not found.certified[7] and np.isinf(found.certificate[7]) and np.isnan(found.change[7]).all()
    others = np.delete(np.arange(30), 7)
    assert found.certified[others].all()
    for i in others[:5]:
        left = np.delete(np.arange(30), i)
        a, b = (np.linalg.lstsq(fitted.train.x.numpy()[rows], fitted.train.y.numpy()[rows], rcond=None)[0]
                for rows in (left, np.arange(30)))  # fmt: skip
        losses = [(fitted.train.x.numpy() @ theta - fitted.train.y.numpy()) ** 2 for theta in (a, b)]
        np.testing.assert_allclose(found.change[i], losses[0] - losses[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_last_member_of_a_class_has_no_refit(name):
    """Without it the intercept goes to −∞ whatever the penalty."""
    random, y = np.random.default_rng(1), np.zeros(25, np.int64)
    y[3] = 1
    fitted = table(name, random.normal(size=(25, 2)) + y[:, None], y, l2=0.1)
    found = leave_one_out(fitted, Question(fitted.train))
    assert np.isinf(found.certificate[3]) and not found.certified[3]
    assert found.certified.sum() == 24


def test_no_certificate_of_a_certified_refit_is_large():
    """Points that the fit passes exactly have no gradient to compare with; they stay below the promise all the same."""
    y = np.arange(60) % 2
    fitted = table("logistic", np.random.default_rng(2).normal(size=(60, 2)) + 9.0 * y[:, None], y, l2=1e-4)
    found = leave_one_out(fitted, Question(fitted.train))
    assert found.certified.all() and found.certificate.max() <= 1e-6 * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_error_bounds_how_far_a_change_is_from_that_of_the_exact_refit(seed):
    """A nearly kinked hinge is flat: a small gradient leaves θ free, which only the error of the change says."""
    example = problem("hinge", total=40, n=40, t=1e-3, seed=seed)
    found = leave_one_out(example.fitted, Question(example.test))
    off = np.abs(found.change - example.truth).max(1)
    largest = np.abs(example.truth).max(1)
    kept = found.certified
    assert kept.mean() > 0.2
    assert (off[kept] <= 0.01 * largest[kept] + 1e-9).all()
