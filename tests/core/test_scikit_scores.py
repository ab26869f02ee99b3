"""Linear estimators of scikit-learn against their documented objective, and against its refits."""

import numpy as np
import pytest
import torch
from made_estimators import CASES, ROUGH, THREE, TIGHT, TWO, M, N, X, analysed, balanced, case, parameters
from oracles import error
from sklearn.linear_model import (
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.svm import SVC

everything = pytest.mark.parametrize("name", [*CASES, *ROUGH])


class Dense:
    """C Σ loss + ½‖w‖² as scikit-learn documents it, differentiated by autograd alone."""

    def __init__(self, loss, c, bias, y, bias_is=True):
        self.loss, self.c, self.bias, self.y, self.bias_is = loss, c, bias, torch.as_tensor(y), bias_is

    def f(self, theta, rows):
        x = torch.as_tensor(X[rows])
        return x @ theta[:, :3].T + (theta[:, 3] if self.bias_is else 0)

    def losses(self, theta, rows):
        return self.loss(self.f(theta, rows), self.y[rows])

    def total(self, theta):
        penalty = (theta[:, :3] ** 2).sum() + (self.bias * (theta[:, 3] ** 2).sum() if self.bias_is else 0)
        return self.losses(theta, slice(N)).sum() + penalty / 2 / self.c

    def gradients(self, theta, rows):
        return torch.autograd.functional.jacobian(lambda v: self.losses(v, rows), theta).flatten(1)

    def scores(self, theta):
        size = theta.numel()
        h = torch.autograd.functional.hessian(self.total, theta).reshape(size, size).numpy()
        if theta.shape[0] > 1 and self.loss is not None and np.linalg.matrix_rank(h, 1e-12) < size:
            shift = np.zeros(theta.shape)
            shift[:, -1] = 1  # equal intercepts change no probability
            h = h + np.outer(shift, shift)
        g, q = (self.gradients(theta, rows).numpy() for rows in (slice(N), slice(N, N + M)))
        return g @ np.linalg.solve(h, q.T)


def dense(name):
    estimator, y, loss, c, bias = case(name)
    return Dense(loss, c, bias, y, getattr(estimator, "fit_intercept", True))


@everything
def test_scores_against_the_documented_objective(name):
    estimator, y, *_ = case(name)
    oracle, theta = dense(name), parameters(estimator)
    analysis = analysed(estimator, y)
    fitted = analysis.problem.fitted
    np.testing.assert_array_equal(fitted.theta.numpy(), theta.reshape(-1).numpy())
    np.testing.assert_allclose(
        fitted.model.losses(fitted.theta, analysis.problem.test), oracle.losses(theta, slice(N, N + M))
    )
    slope = torch.autograd.functional.jacobian(oracle.total, theta).norm() / N
    np.testing.assert_allclose(fitted.fit.gradient_norm, slope, rtol=1e-6, atol=1e-14)
    assert error(analysis.scores(), oracle.scores(theta)) < 1e-7


@everything
def test_what_it_predicts_is_what_scikit_learn_predicts(name):
    estimator, y, *_ = case(name)
    problem = analysed(estimator, y).problem
    if len(np.unique(y)) > 3:
        found = problem.predictions[:, 0]
        np.testing.assert_allclose(np.exp(found) if name == "counts" else found, estimator.predict(X[N:]))
        return
    np.testing.assert_array_equal(problem.misclassified, estimator.predict(X[N:]) != y[N:])
    loss = problem.fitted.model.loss
    if loss.probabilities(torch.zeros(1, loss.outputs)) is not None:
        np.testing.assert_allclose(problem.predictions, estimator.predict_proba(X[N:]), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in CASES if "three labels" not in name])
def test_exact_leave_one_out_against_refits_by_scikit_learn(name):
    estimator, y, *_ = case(name)
    oracle = dense(name)
    refits = analysed(estimator, y, fit="newton").problem.loo()
    assert refits.certified.all()
    before = oracle.losses(parameters(estimator), slice(N, N + M))
    again = {
        **estimator.get_params(deep=False),
        **({"class_weight": dict(enumerate(balanced(THREE[:N], 3)))} if "balanced" in name else {}),
        **({"alpha": 0.2 * N / (N - 1)} if name == "counts" else {}),  # its alpha goes with a mean of losses
    }
    for i in range(0, N, 6):
        kept = np.delete(np.arange(N), i)
        new = type(estimator)(**again).fit(X[kept], y[kept])
        after = oracle.losses(parameters(new), slice(N, N + M))
        np.testing.assert_allclose(refits.change[i], after - before, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("name", ["sgd, logistic", "sgd, squares", "sgd, squares of labels"])
def test_leave_one_out_of_sgd_is_that_of_the_estimator_with_the_same_minimum(name):
    twin = {
        "sgd, logistic": LogisticRegression(C=1 / (0.1 * N), solver="newton-cholesky", **TIGHT),
        "sgd, squares": Ridge(0.1 * N),
        "sgd, squares of labels": RidgeClassifier(0.1 * N),
    }[name]
    estimator, y, *_ = case(name)
    refits = analysed(estimator, y, fit="newton").problem.loo()
    expected = analysed(twin.fit(X[:N], y[:N]), y, fit="newton").problem.loo()
    assert error(refits.change, expected.change) < 1e-6


def test_exact_leave_one_out_of_the_smoothed_hinge_follows_that_of_the_hinge():
    estimator = SVC(C=0.05, kernel="linear", tol=1e-10).fit(X[:N], TWO[:N])
    refits = analysed(estimator, TWO, fit="newton", t=0.01, quantity="prediction").problem.loo("prediction")
    changes = []
    for i in range(N):
        kept = np.delete(np.arange(N), i)
        new = SVC(C=0.05, kernel="linear", tol=1e-10).fit(X[kept], TWO[kept])
        changes.append(new.decision_function(X[N:]) - estimator.decision_function(X[N:]))
    r = np.corrcoef(refits.change.ravel(), np.ravel(changes))[0, 1]
    assert r > 0.97


def test_what_has_not_converged_says_how_far_and_is_polished_when_asked():
    rough = LogisticRegression(C=10, max_iter=3).fit(X[:N], TWO[:N])
    exact = LogisticRegression(C=10, solver="newton-cholesky", **TIGHT).fit(X[:N], TWO[:N])
    analysis = analysed(rough, TWO)
    assert not analysis.problem.fitted.fit.converged
    (said,) = [c.sentence for c in analysis.trust(0).caveats if c.code == "fit"]
    g = dense("logistic").gradients(parameters(rough), slice(N)).square().sum(1).mean().sqrt() / N
    assert f"{analysis.problem.fitted.fit.gradient_norm / g:.2g} times" in said
    assert "fit='newton'" in said
    polished = analysed(rough, TWO, fit="newton")
    assert polished.problem.fitted.fit.converged
    np.testing.assert_allclose(polished.problem.fitted.theta, parameters(exact).reshape(-1), rtol=1e-7)
    assert any("Newton's method went on" in note for note in polished.problem.fitted.model.notes)
    assert not [c for c in analysed(exact, TWO).trust(0).caveats if c.code == "fit"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("logistic", ["C = 0.7 is l2 = 1/(n·C)"]),
        ("liblinear", ["penalises the intercept, divided by intercept_scaling² = 4"]),
        ("ridge", ["alpha = 3 is l2 = 2·alpha/n = 0.125"]),
        ("linear kernel", ["smoothed", "t = 0.1"]),
        ("sgd, squares", ["2·alpha = 0.2"]),
        ("multinomial, weighted", ["2, 0.5, 1.5", "test points too"]),
    ],
)
def test_what_was_taken_over_stands_on_the_trust_line(name, words):
    estimator, y, *_ = case(name)
    analysis = analysed(estimator, y)
    line = analysis.trust(0).line
    assert [word for word in words if word not in line] == []
    assert all(note in line for note in analysis.problem.fitted.model.notes)
