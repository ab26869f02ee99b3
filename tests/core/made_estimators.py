"""Estimators and data that several tests of scikit-learn share."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR
from torch.nn import functional

from influence_core import wrap

pytestmark = pytest.mark.filterwarnings("ignore")


N, M = 48, 6


RANDOM = np.random.default_rng(3)


X = RANDOM.normal(size=(N + M, 3)) + [0.5, -1, 0]


PLANE = X @ RANDOM.normal(size=(3, 3)) + RANDOM.normal(size=(N + M, 3)) * 2


THREE, REAL = PLANE.argmax(1), PLANE[:, 0]


TWO = (REAL.mean() < REAL).astype(int)


COUNTS = np.floor(np.exp(REAL / 3)).clip(0, 9)


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


def counts(f, y):
    return f.exp() - y * f + torch.special.xlogy(y, y) - y


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
    "one against the rest": (
        OneVsRestClassifier(LogisticRegression(C=C, solver="newton-cholesky", **TIGHT)), THREE, rest(logistic), C, 0
    ),
    "one against the rest, liblinear": (
        OneVsRestClassifier(LogisticRegression(C=C, solver="liblinear", **TIGHT)), THREE, rest(logistic), C, 1
    ),
    "one against the rest of two": (
        OneVsRestClassifier(RidgeClassifier(3.0)), TWO, binary(squares), 1 / 6, 0
    ),
    "counts": (
        PoissonRegressor(alpha=0.2, solver="newton-cholesky", **TIGHT), COUNTS, numeric(counts), 1 / (0.2 * N), 0
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


def case(name):
    made, y, *rest = {**CASES, **ROUGH}[name]
    return made.fit(X[:N], y[:N]), y, *rest


def analysed(estimator, y, **how):
    settings = {name: how.pop(name) for name in ("damping", "curvature", "quantity", "solver") if name in how}
    return wrap(estimator, **how).analyse(X[:N], y[:N], X[N:], y[N:], **settings)


def parameters(estimator):
    parts = getattr(estimator, "estimators_", [estimator])
    weight = np.vstack([np.reshape(part.coef_, (-1, 3)) for part in parts])
    bias = np.vstack([np.reshape(part.intercept_, (-1, 1)) for part in parts])
    bias = bias if getattr(estimator, "fit_intercept", True) else weight[:, :0]
    return torch.tensor(np.hstack([weight, bias]))


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


def fitted(estimator, y=TWO):
    return estimator.fit(X[:N], y[:N])
