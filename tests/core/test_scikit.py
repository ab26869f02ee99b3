"""Fitted estimators of scikit-learn, each against its documented objective by plain autograd, and its own refits."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from oracles import error
from scipy import sparse
from sklearn import ensemble, linear_model, naive_bayes, neighbors, preprocessing, svm, tree
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR
from torch.nn import functional

from influence_core import wrap
from influence_core.settings import SettingsError

pytestmark = pytest.mark.filterwarnings("ignore")
N, M = 48, 6
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(N + M, 3)) + [0.5, -1, 0]
PLANE = X @ RANDOM.normal(size=(3, 3)) + RANDOM.normal(size=(N + M, 3)) * 2
THREE, REAL = PLANE.argmax(1), PLANE[:, 0]
TWO = (REAL.mean() < REAL).astype(int)
TIGHT = {"tol": 1e-12, "max_iter": 1_000_000}
WEIGHTS = {0: 2.0, 1: 0.5, 2: 1.5}


def hinge(f, s, t=0.1):
    return t * functional.softplus((1 - s * f) / t)


def squared_hinge(f, s):
    return functional.relu(1 - s * f) ** 2


def modified_huber(f, s):
    z = s * f
    return torch.where(z < -1, -4 * z, functional.relu(1 - z) ** 2)


def squares(f, y):
    return (f - y) ** 2


def huber(f, y):
    return functional.huber_loss(f, y, reduction="none", delta=0.7)


def insensitive(f, y):
    return functional.relu((f - y).abs() - 0.2) ** 2


def entropy(f, y):
    return functional.cross_entropy(f, y, reduction="none")


def logistic(f, s):
    return functional.softplus(-s * f)


def binary(loss):
    return lambda f, y: loss(f[:, 0], 2.0 * y - 1)


def numeric(loss):
    return lambda f, y: loss(f[:, 0], y)


def rest(loss, own=(1.0, 1.0, 1.0)):
    """One problem per class, whose positive examples have a weight of their own."""
    weight = torch.tensor(own, dtype=torch.float64)
    return lambda f, y: sum(
        loss(f[:, c], torch.where(y == c, 1.0, -1.0)) * torch.where(y == c, weight[c], 1.0) for c in range(3)
    )


def pairs(loss):
    def value(f, y):
        total = torch.zeros(len(f), dtype=f.dtype)
        for k, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
            sign = (y == a).double() - (y == b).double()
            total = total + loss(f[:, k], sign) * sign.abs()
        return total

    return value


def weighted(loss, weights):
    table = torch.tensor(weights, dtype=torch.float64)
    return lambda f, y: loss(f, y) * table[y]


def balanced(y, classes):
    return [len(y) / (classes * count) for count in np.bincount(y)]


C = 0.7
CASES = {
    # name: estimator, y, loss, sum of losses per unit of ½‖w‖², penalty on the squared intercept
    "logistic": (LogisticRegression(C=C, **TIGHT), TWO, binary(logistic), C, 0),
    "logistic, no intercept": (LogisticRegression(C=C, fit_intercept=False, **TIGHT), TWO, binary(logistic), C, 0),
    "liblinear": (
        LogisticRegression(C=C, solver="liblinear", intercept_scaling=2.0, **TIGHT), TWO, binary(logistic), C, 1 / 4
    ),
    "liblinear, dual": (
        LogisticRegression(C=C, solver="liblinear", dual=True, **TIGHT), TWO, binary(logistic), C, 1
    ),
    "no penalty": (
        LogisticRegression(C=np.inf, solver="newton-cholesky", **TIGHT), TWO, binary(logistic), np.inf, 0
    ),
    "multinomial": (LogisticRegression(C=C, solver="newton-cholesky", **TIGHT), THREE, entropy, C, 0),
    "multinomial, weighted": (
        LogisticRegression(C=C, class_weight=WEIGHTS, solver="newton-cholesky", **TIGHT),
        THREE, weighted(entropy, [2.0, 0.5, 1.5]), C, 0,
    ),
    "logistic, balanced": (
        LogisticRegression(C=C, class_weight="balanced", solver="newton-cholesky", **TIGHT),
        THREE, weighted(entropy, balanced(THREE[:N], 3)), C, 0,
    ),
    "cross-validated C": (
        LogisticRegressionCV(Cs=[C], solver="newton-cholesky", **TIGHT), TWO, binary(logistic), C, 0
    ),
    "ridge": (Ridge(3.0), REAL, numeric(squares), 1 / 6, 0),
    "ridge, found alpha": (RidgeCV([3.0]), REAL, numeric(squares), 1 / 6, 0),
    "least squares": (LinearRegression(), REAL, numeric(squares), np.inf, 0),
    "ridge on labels": (RidgeClassifier(3.0), TWO, binary(squares), 1 / 6, 0),
    "ridge on three labels": (
        RidgeClassifier(3.0, class_weight=WEIGHTS), THREE, weighted(rest(squares), [2.0, 0.5, 1.5]), 1 / 6, 0
    ),
    "ridge on labels, found alpha": (RidgeClassifierCV([3.0]), THREE, rest(squares), 1 / 6, 0),
    "squared hinge": (LinearSVC(C=C, **TIGHT), TWO, binary(squared_hinge), C, 1),
    "squared hinge, no intercept": (LinearSVC(C=C, fit_intercept=False, **TIGHT), TWO, binary(squared_hinge), C, 0),
    "squared hinge, three classes": (
        LinearSVC(C=C, class_weight=WEIGHTS, **TIGHT), THREE, rest(squared_hinge, (2.0, 0.5, 1.5)), C, 1
    ),
    "squared insensitive": (
        LinearSVR(C=C, epsilon=0.2, loss="squared_epsilon_insensitive", **TIGHT), REAL, numeric(insensitive), C, 1
    ),
}  # fmt: skip
ROUGH = {
    # the same, where the optimiser of scikit-learn does not come to the minimum of a smooth loss
    "linear kernel": (SVC(C=C, kernel="linear", tol=1e-10), TWO, binary(hinge), C, 0),
    "linear kernel, three classes": (
        SVC(C=C, kernel="linear", class_weight=WEIGHTS), THREE, weighted(pairs(hinge), [2.0, 0.5, 1.5]), C, 0
    ),
    "hinge": (LinearSVC(C=C, loss="hinge", **TIGHT), TWO, binary(hinge), C, 1),
    "sgd, logistic": (SGDClassifier("log_loss", alpha=0.1), TWO, binary(logistic), 1 / (0.1 * N), 0),
    "sgd, three classes": (SGDClassifier("log_loss", alpha=0.1), THREE, rest(logistic), 1 / (0.1 * N), 0),
    "sgd, weighted": (
        SGDClassifier("squared_hinge", alpha=0.1, class_weight=WEIGHTS),
        THREE, rest(squared_hinge, (2.0, 0.5, 1.5)), 1 / (0.1 * N), 0,
    ),
    "sgd, two weighted": (
        SGDClassifier("modified_huber", alpha=0.1, class_weight={0: 3.0}),
        TWO, weighted(binary(modified_huber), [3.0, 1.0]), 1 / (0.1 * N), 0,
    ),
    "sgd, hinge": (SGDClassifier(alpha=0.1), TWO, binary(hinge), 1 / (0.1 * N), 0),
    "sgd, squares": (SGDRegressor(alpha=0.1), REAL, numeric(squares), 1 / (0.2 * N), 0),
    "sgd, squares of labels": (
        SGDClassifier("squared_error", alpha=0.1), TWO, binary(squares), 1 / (0.2 * N), 0
    ),
    "sgd, huber": (SGDRegressor("huber", epsilon=0.7, alpha=0.1), REAL, numeric(huber), 1 / (0.1 * N), 0),
    "sgd, insensitive": (
        SGDRegressor("squared_epsilon_insensitive", epsilon=0.2, alpha=0.1),
        REAL, numeric(insensitive), 1 / (0.1 * N), 0,
    ),
}  # fmt: skip
everything = pytest.mark.parametrize("name", [*CASES, *ROUGH])


def case(name):
    made, y, *rest = {**CASES, **ROUGH}[name]
    return made.fit(X[:N], y[:N]), y, *rest


def analysed(estimator, y, **how):
    settings = {name: how.pop(name) for name in ("damping", "curvature", "quantity", "solver") if name in how}
    return wrap(estimator, **how).analyse(X[:N], y[:N], X[N:], y[N:], **settings)


def parameters(estimator):
    weight = np.reshape(estimator.coef_, (-1, 3))
    bias = np.reshape(estimator.intercept_, (-1, 1)) if getattr(estimator, "fit_intercept", True) else weight[:, :0]
    return torch.tensor(np.hstack([weight, bias]))


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
        np.testing.assert_allclose(problem.predictions[:, 0], estimator.predict(X[N:]))
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
        **estimator.get_params(),
        **({"class_weight": dict(enumerate(balanced(THREE[:N], 3)))} if "balanced" in name else {}),
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


def mlp(estimator):
    """The network as its documentation writes it, on tensors that autograd follows."""
    free = [torch.tensor(value).requires_grad_() for value in (*estimator.coefs_, *estimator.intercepts_)]
    layers = len(estimator.coefs_)
    bend = {"tanh": torch.tanh, "relu": torch.relu, "logistic": torch.sigmoid, "identity": lambda z: z}
    order = [value for k in range(layers) for value in (free[k], free[layers + k])]

    def f(values, rows):
        h = torch.as_tensor(X[rows])
        for k in range(layers):
            h = h @ values[2 * k] + values[2 * k + 1]
            h = bend[estimator.activation](h) if k < layers - 1 else h
        return h

    return f, tuple(value.detach() for value in order)


LBFGS = {"alpha": 0.5, "solver": "lbfgs", "max_iter": 20_000, "tol": 1e-14}
MLPS = {
    "three classes": (MLPClassifier((4,), activation="tanh", **LBFGS), THREE),
    "two classes": (MLPClassifier((4, 3), activation="logistic", **LBFGS), TWO),
    "target": (MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", **LBFGS), REAL),
    "batches": (MLPClassifier((4,), activation="relu", alpha=0.5, batch_size=12, max_iter=50), THREE),
    "linear": (MLPRegressor(hidden_layer_sizes=(2,), activation="identity", alpha=0.5, max_iter=50), REAL),
}  # fmt: skip


@pytest.mark.parametrize("name", MLPS)
def test_perceptrons_against_autograd_and_their_penalty_against_their_minimum(name):
    estimator, y = MLPS[name]
    estimator = estimator.set_params(random_state=0).fit(X[:N], y[:N])
    analysis = analysed(estimator, y, curvature="exact", damping=9.0)
    f, values = mlp(estimator)
    targets = torch.as_tensor(y)
    loss = {"three classes": entropy, "batches": entropy, "two classes": binary(logistic)}.get(name, numeric(squares))
    fitted = analysis.problem.fitted
    l2 = 0.5 / (12 if name == "batches" else N) * (2 if y is REAL else 1)
    np.testing.assert_allclose(fitted.model.l2, l2)
    if "lbfgs" in estimator.solver:
        assert fitted.fit.gradient_norm < 1e-3 * (2 if y is REAL else 1)

    def unpacked(theta):
        parts = torch.split(theta, [v.numel() for v in values])
        return [part.view(v.T.shape).T if v.dim() == 2 else part for part, v in zip(parts, values, strict=True)]

    def j(theta):
        own = unpacked(theta)
        return loss(f(own, slice(N)), targets[:N]).mean() + l2 / 2 * sum((v**2).sum() for v in own[::2])

    theta = torch.cat([v.T.reshape(-1) for v in values])
    np.testing.assert_array_equal(fitted.theta, theta)
    h = torch.autograd.functional.hessian(j, theta) + 9.0 * torch.eye(len(theta), dtype=torch.float64)
    g, q = (
        torch.autograd.functional.jacobian(lambda t, rows=rows: loss(f(unpacked(t), rows), targets[rows]), theta)
        for rows in (slice(N), slice(N, N + M))
    )
    assert error(analysis.scores(), (g @ torch.linalg.solve(h, q.T) / N).numpy()) < 1e-8
    if y is REAL:
        np.testing.assert_allclose(analysis.problem.predictions[:, 0], estimator.predict(X[N:]))
    else:
        np.testing.assert_allclose(analysis.problem.predictions, estimator.predict_proba(X[N:]), rtol=1e-9)


def test_a_perceptron_can_be_trained_on_and_then_be_refitted():
    estimator = MLPClassifier((4,), max_iter=20, random_state=0).fit(X[:N], TWO[:N])
    analysis = analysed(estimator, TWO, fit="sgd", epochs=3, learning_rate=0.01)
    assert analysis.problem.fitted.program is not None
    assert analysis.problem.loo().change.shape == (N, M)
    with pytest.raises(SettingsError, match="was not trained here"):
        analysed(estimator, TWO).problem.loo()


FRAME = pd.DataFrame(
    {
        "size": X[:, 0],
        "age": np.where(np.arange(N + M) % 9, X[:, 1], np.nan),
        "town": np.array(["Bonn", "Köln", "Trier"])[np.arange(N + M) % 3],
    }
)
COLUMNS = ColumnTransformer(
    [
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["size", "age"]),
        ("c", OneHotEncoder(), ["town"]),
    ]
)
TEXTS = np.array(["the cat sat", "a dog ran far", "cat and dog", "the fish"] * 14)[: N + M]
PIPELINES = {
    "scaled": (make_pipeline(StandardScaler(), LogisticRegression(C=C, **TIGHT)), X),
    "columns": (make_pipeline(COLUMNS, LogisticRegression(C=C, **TIGHT)), FRAME),
    "columns, then components": (make_pipeline(COLUMNS, PCA(2), LinearSVC(C=C, **TIGHT)), FRAME),
    "words": (make_pipeline(TfidfVectorizer(), LogisticRegression(C=C, **TIGHT)), TEXTS),
    "kernel made linear": (make_pipeline(Nystroem(n_components=8, random_state=0), LogisticRegression(**TIGHT)), X),
    "pass through": (Pipeline([("a", "passthrough"), ("b", None), ("c", LogisticRegression(**TIGHT))]), X),
    "nested": (make_pipeline(StandardScaler(), make_pipeline(PCA(2), LogisticRegression(**TIGHT))), X),
    "sparse": (make_pipeline(preprocessing.MaxAbsScaler(), LogisticRegression(**TIGHT)), sparse.csr_matrix(X)),
}


def rows_of(x, rows):
    return x.iloc[rows] if isinstance(x, pd.DataFrame) else x[rows]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_its_estimator_on_what_its_steps_make_of_x(name):
    pipeline, x = PIPELINES[name]
    train, test = rows_of(x, slice(N)), rows_of(x, slice(N, N + M))
    pipeline.fit(train, TWO[:N])
    analysis = wrap(pipeline).analyse(train, TWO[:N], test, TWO[N:])
    last, inputs = pipeline[-1], (pipeline[:-1].transform(train), pipeline[:-1].transform(test))
    if name == "nested":
        inputs, last = tuple(last[:-1].transform(z) for z in inputs), last[-1]
    plain = wrap(last).analyse(inputs[0], TWO[:N], inputs[1], TWO[N:])
    np.testing.assert_array_equal(analysis.scores(), plain.scores())
    np.testing.assert_array_equal(analysis.problem.misclassified, pipeline.predict(test) != TWO[N:])
    if name == "columns":
        assert "c__town_Köln" in analysis.problem.split.train.feature_names
    if name != "pass through":
        assert "stays as fitted when a point leaves" in analysis.trust(0).line


def test_a_search_is_its_best_estimator_and_a_transformed_target_its_regressor():
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 5.0]}).fit(X[:N], REAL[:N])
    analysis = analysed(search, REAL)
    np.testing.assert_array_equal(analysis.scores(), analysed(search.best_estimator_, REAL).scores())
    y = np.exp(REAL / 4)
    whole = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp).fit(X[:N], y[:N])
    np.testing.assert_allclose(
        analysed(whole, y).scores(), analysed(Ridge().fit(X[:N], np.log(y[:N])), np.log(y)).scores()
    )
    assert "FunctionTransformer" in analysed(whole, y).trust(0).line


def test_what_stands_around_one_estimator_is_taken_off():
    chosen = RFE(LogisticRegression(**TIGHT), n_features_to_select=2).fit(X[:N], TWO[:N])
    inside = chosen.transform(X)
    expected = wrap(chosen.estimator_).analyse(inside[:N], TWO[:N], inside[N:], TWO[N:]).scores()
    np.testing.assert_array_equal(analysed(chosen, TWO).scores(), expected)
    plain = fitted(LogisticRegression(**TIGHT))
    expected = analysed(plain, TWO).scores()
    np.testing.assert_array_equal(analysed(FrozenEstimator(plain), TWO).scores(), expected)
    threshold = FixedThresholdClassifier(FrozenEstimator(plain), threshold=0.9).fit(X[:N], TWO[:N])
    np.testing.assert_array_equal(analysed(threshold, TWO).scores(), expected)
    assert "threshold of FixedThresholdClassifier is left aside" in analysed(threshold, TWO).trust(0).line


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"])[TWO],
        TWO * 2 - 1,
        TWO.astype(bool),
        TWO * 3.0 + 1,
        pd.Series(TWO, index=np.arange(N + M)[::-1]),
        pd.Series(pd.Categorical(np.array(["b", "a"])[TWO])),
        TWO[:, None],
    ],
)
def test_labels_of_any_kind_are_read_in_the_order_of_the_estimator(labels):
    given = labels.iloc if isinstance(labels, pd.Series) else labels
    estimator = LogisticRegression(C=C, **TIGHT).fit(X[:N], given[:N])
    analysis = wrap(estimator).analyse(X[:N], given[:N], X[N:], given[N:])
    values = np.asarray(given[:]).ravel()
    expected = np.searchsorted(np.unique(values), values)
    plain = analysed(LogisticRegression(C=C, **TIGHT).fit(X[:N], expected[:N]), expected)
    np.testing.assert_allclose(analysis.scores(), plain.scores(), rtol=1e-5, atol=1e-9)
    assert analysis.problem.split.train.class_names == tuple(str(v) for v in np.unique(values).tolist())


def test_a_second_argument_is_left_aside_and_said():
    estimator = LogisticRegression().fit(X[:N], THREE[:N])
    analysis = wrap(estimator, log_loss).analyse(X[:N], THREE[:N], X[N:], THREE[N:], damping=2.0)
    assert analysis.scores().shape == (N, M)
    assert "log_loss is left aside" in analysis.trust(0).line


def fitted(estimator, y=TWO):
    return estimator.fit(X[:N], y[:N])


REFUSED = {
    "tree": (lambda: fitted(tree.DecisionTreeClassifier()), "trees have no gradient.*LogisticRegression"),
    "forest": (lambda: fitted(ensemble.RandomForestRegressor(3), REAL), "Ridge and MLPRegressor"),
    "boosting": (lambda: fitted(ensemble.HistGradientBoostingClassifier()), "LogisticRegression and MLPClassifier"),
    "neighbours": (lambda: fitted(neighbors.KNeighborsClassifier()), "keeps its examples.*LogisticRegression"),
    "kernel": (lambda: fitted(SVC()), r"SVC\(kernel='linear'\), or Nystroem and LogisticRegression"),
    "kernel of a regression": (lambda: fitted(svm.SVR(), REAL), "Nystroem and Ridge"),
    "Gaussian process": (lambda: fitted(GaussianProcessRegressor(), REAL), "Nystroem and Ridge"),
    "lasso": (lambda: fitted(Lasso(), REAL), "L1 penalty.*Ridge"),
    "elastic net": (lambda: fitted(ElasticNet(), REAL), "L1 penalty.*Ridge"),
    "naive Bayes": (lambda: fitted(naive_bayes.GaussianNB()), "LogisticRegression"),
    "several": (lambda: fitted(OneVsRestClassifier(LogisticRegression()), THREE), "one of its estimators_"),
    "clusters": (lambda: KMeans(2).fit(X), "without labels"),
    "Huber": (lambda: fitted(linear_model.HuberRegressor(), REAL), r"wrap\(loss, theta\)"),
    "Poisson": (lambda: fitted(linear_model.PoissonRegressor(), np.abs(REAL)), r"wrap\(loss, theta\)"),
    "transformer": (lambda: StandardScaler().fit(X), "predicts nothing"),
    "empty pipeline": (lambda: Pipeline([("a", "passthrough")]), "empty"),
    "ends in a transformer": (lambda: make_pipeline(StandardScaler(), PCA(2)).fit(X), "predicts nothing"),
    "not fitted": (LogisticRegression, "not fitted"),
    "pipeline not fitted": (lambda: make_pipeline(StandardScaler(), Ridge()), "not fitted"),
    "kernel not fitted": (SVC, "not fitted"),
    "search not fitted": (lambda: GridSearchCV(Ridge(), {"alpha": [1]}), "call fit first"),
    "class": (lambda: LogisticRegression, "got the class LogisticRegression"),
    "neither": (lambda: 3, "got int"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_here_names_the_nearest(name):
    make, words = REFUSED[name]
    made = make()
    with pytest.raises(SettingsError, match=words) as caught:
        wrap(made() if name.endswith("not fitted") and isinstance(made, type) else made)
    assert "\n" not in str(caught.value)


SETTINGS = {
    "L1": (lambda: fitted(LogisticRegression(l1_ratio=1, solver="liblinear")), TWO, {}, "L1 penalty"),
    "elastic": (lambda: fitted(SGDClassifier(penalty="elasticnet")), TWO, {}, "L1 penalty"),
    "positive": (lambda: fitted(Ridge(positive=True), REAL), REAL, {}, "positive=True"),
    "crammer_singer": (lambda: fitted(LinearSVC(multi_class="crammer_singer"), THREE), THREE, {}, "crammer_singer"),
    "insensitive": (lambda: fitted(LinearSVR(), REAL), REAL, {}, "no curvature"),
    "perceptron loss": (lambda: fitted(SGDClassifier("perceptron")), TWO, {}, "'perceptron'.*expected one of"),
    "two targets": (lambda: fitted(Ridge(), np.stack([REAL, REAL**2], 1)), REAL, {}, "one target"),
    "multilabel": (lambda: fitted(MLPClassifier(max_iter=2), np.stack([TWO, 1 - TWO], 1)), TWO, {}, "one target"),
    "Poisson network": (lambda: fitted(MLPRegressor("poisson", max_iter=2), np.abs(REAL)), REAL, {}, "poisson"),
    "unknown label": (lambda: fitted(LogisticRegression()), THREE, {}, "got 2 in row"),
    "texts for numbers": (lambda: fitted(Ridge(), REAL), np.array(["a"] * (N + M)), {}, "y of numbers"),
    "gap in y": (lambda: fitted(Ridge(), REAL), np.where(np.arange(N + M) == 5, np.nan, REAL), {}, "nan in row 5"),
    "short y": (lambda: fitted(LogisticRegression()), TWO[:-3], {}, "one for each example"),
    "unknown fit": (lambda: fitted(Ridge(), REAL), REAL, {"fit": "sgd"}, "expected one of given, newton"),
    "unknown option": (lambda: fitted(Ridge(), REAL), REAL, {"epochs": 3}, "Unknown option 'epochs'"),
    "penalty": (lambda: fitted(Ridge(), REAL), REAL, {"l2": 0.1}, "its own"),
    "t": (lambda: fitted(SVC(kernel="linear")), TWO, {"t": -1.0}, "t of the smoothed hinge"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_and_labels_without_a_model_are_one_sentence(name):
    make, y, how, words = SETTINGS[name]
    with pytest.raises(SettingsError, match=words) as caught:
        analysed(make(), y, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:, :2], r"shape \(n, 3\)"),
        (np.where(np.arange(3) == 1, np.nan, X), "nan in row 0, input 1"),
        (np.array([["a", "b", "c"]] * (N + M)), "x of numbers"),
        (FRAME.set_axis(["b", "a", "c"], axis=1), "fitted on, a, b, c, got b, a, c"),
    ],
)
def test_examples_that_the_estimator_does_not_take_are_one_sentence(x, words):
    names = pd.DataFrame(X, columns=["a", "b", "c"])
    estimator = LogisticRegression().fit(names[:N], TWO[:N])
    with pytest.raises(SettingsError, match=words):
        wrap(estimator).analyse(x[:N], TWO[:N], x[N:], TWO[N:])
    pipeline = make_pipeline(COLUMNS, LogisticRegression()).fit(FRAME[:N], TWO[:N])
    with pytest.raises(SettingsError, match="does not take these examples"):
        wrap(pipeline).analyse(x[:N], TWO[:N], x[N:], TWO[N:])


def test_the_package_alone_does_not_import_scikit_learn():
    code = "import sys, influence_core; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_subclass_of_ones_own_is_read_as_what_it_is_made_of():
    class Mine(Ridge):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = analysed(fitted(Mine(), REAL), REAL).scores()
    np.testing.assert_array_equal(scores, analysed(fitted(Ridge(), REAL), REAL).scores())
