"""Pipelines, wrappers, labels and settings of estimators: what is read of them, and what is refused."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from made_estimators import COLUMNS, FRAME, PIPELINES, REAL, THREE, TIGHT, TWO, C, M, N, X, analysed, fitted
from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    Ridge,
    SGDClassifier,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR

from influence_core import wrap
from influence_core.settings import SettingsError


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
    "several": (lambda: fitted(OneVsRestClassifier(tree.DecisionTreeClassifier()), THREE), "one of its estimators_"),
    "clusters": (lambda: KMeans(2).fit(X), "without labels"),
    "Huber": (lambda: fitted(linear_model.HuberRegressor(), REAL), r"wrap\(loss, theta\)"),
    "Tweedie": (lambda: fitted(linear_model.TweedieRegressor(), np.abs(REAL)), r"wrap\(loss, theta\)"),
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
