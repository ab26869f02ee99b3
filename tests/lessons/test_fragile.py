"""The experiments behind the lesson about fragile predictions, against refits by scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core import teaching
from influence_core.analysis import FlipQuestion, analyse, fragility
from influence_core.settings import DataSettings, ModelSettings, Settings


@pytest.fixture(scope="module")
def blobs():
    return analyse(Settings(DataSettings("blobs", (("n", 60),), test_fraction=0.2), ModelSettings("logistic", 0.05)))


def output(analysis, test, gone=()):
    split = analysis.problem.split
    left = np.setdiff1d(np.arange(len(split.train)), gone)
    fit = LogisticRegression(C=1 / (0.05 * len(split.train)), solver="newton-cholesky", tol=1e-12)
    fit.fit(split.train.x[left], split.train.y[left])
    return float(fit.decision_function(split.test.x[[test]])[0])


@pytest.mark.parametrize("test", [0, 3, 7])
def test_the_lead_is_that_of_refits_and_first_order_its_tangent(blobs, test):
    table = teaching.lead_without(blobs, test, (0, 1, 4, 9))
    whole = output(blobs, test)
    assert table["measured"][0] == table["first_order"][0] == pytest.approx(abs(whole), rel=1e-6)
    for row in table.iloc[1:].itertuples():
        gone = _strongest(blobs, test, row.size)
        assert row.measured == pytest.approx(np.sign(whole) * output(blobs, test, gone), rel=1e-6, abs=1e-8)
    assert (np.diff(table["first_order"]) < 0).all()
    assert table["first_order"][1] == pytest.approx(table["measured"][1], rel=0.1)


def _strongest(analysis, test, count):
    """Those whose single changes lower the lead most, by a central difference of weighted fits."""
    split, step = analysis.problem.split, 1e-3
    slopes, whole = [], np.sign(output(analysis, test))
    for i in range(len(split.train)):
        ends = []
        for sign in (1, -1):
            weights = np.ones(len(split.train))
            weights[i] += sign * step
            fit = LogisticRegression(C=1 / (0.05 * len(split.train)), solver="newton-cholesky", tol=1e-12)
            fit.fit(split.train.x, split.train.y, weights)
            ends.append(whole * float(fit.decision_function(split.test.x[[test]])[0]))
        slopes.append((ends[0] - ends[1]) / (2 * step))
    return np.argsort(-np.array(slopes), kind="stable")[:count]


def test_the_curve_ends_before_a_class_is_gone(blobs):
    n = len(blobs.problem.split.train)
    assert teaching.lead_without(blobs, 0, (0, 5, n - 1))["size"].tolist() == [0, 5]


def test_every_test_point_has_its_smallest_set(blobs):
    table = teaching.fragile(blobs)
    assert table["id"].tolist() == blobs.problem.split.test.ids.tolist()
    for test in (0, 5):
        want = fragility.wants(blobs.problem, test)[0]
        turned = fragility.fragility(blobs.problem, FlipQuestion(test, want)).turned
        assert table["lead"][test] == pytest.approx(abs(output(blobs, test)), rel=1e-6)
        assert (table["points"][test] == len(turned.rows)) or (np.isnan(table["points"][test]) and not turned.found)
