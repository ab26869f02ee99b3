"""Ratios to plain NumPy/SciPy.  Needs the MNIST of the data folder; run `python -m pytest tests/benchmarks`."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import joblib
import numpy as np
import pytest
import scipy.linalg
import torch
from conftest import softened
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import Problem
from influence_core.compute import numpy
from influence_core.curvature import exact_hessian
from influence_core.data import DATASETS
from influence_core.influence.estimators import loss_change
from influence_core.influence.watched import Influence, watch
from influence_core.models import FittedModel
from influence_core.retraining import LeaveOneOut, Question
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings
from influence_core.solvers import cholesky

needs_mnist = pytest.mark.skipif(
    not DATASETS["mnist_large"].present, reason="mnist_32k.npz is not in the data folder (INFLUENCE_DATA_DIR)"
)
pytestmark = needs_mnist


@pytest.fixture(scope="module")
def ones_and_sevens() -> Problem:
    """All 7,100 ones and sevens, one held out: n = 7,099, n·l2 = 1000."""
    data = DataSettings("mnist_large", (("held_out", 0),))
    problem = Problem(Settings(data, ModelSettings("logistic", 1000 / 7099)))
    assert len(problem.split.train) == 7099
    return problem


@pytest.fixture(scope="module")
def ten_digits() -> Problem:
    """n = 10,000, p = 7,850."""
    data = DataSettings("mnist_large", (("digits", "all"), ("size", 10_101)), test_fraction=0.01)
    problem = Problem(Settings(data, ModelSettings("softmax", 0.1)))
    assert problem.split.train.x.shape == (10_000, 784)
    return problem


def _reference(fitted: FittedModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, w = numpy(fitted.train.x), numpy(fitted.curvatures)[:, :, 0] / len(fitted.train)
    penalty = numpy(fitted.model.l2 * fitted.model.penalised(fitted.train.x))
    return x, w, penalty


def test_logistic_build_and_factor(versus, ones_and_sevens) -> None:
    fitted = ones_and_sevens.fitted
    x, w, penalty = _reference(fitted)

    def reference() -> None:
        h = x.T @ (w * x)
        h[np.diag_indices(len(h))] += penalty
        np.linalg.cholesky(h)

    versus(lambda: cholesky(exact_hessian(fitted)), reference, "≤ 1.3", rounds=15)


def test_first_order_100_test_points(versus, ones_and_sevens) -> None:
    fitted = ones_and_sevens.fitted
    x, _, _ = _reference(fitted)
    influence = Influence(fitted, SolverSettings("cholesky"))
    inverse = numpy(influence.solve.inverse())
    batch = fitted.train.take(slice(0, 100))
    watched = watch(fitted, batch)
    q = numpy(watched.gradient)
    versus(lambda: loss_change(influence, watched), lambda: x @ (inverse @ q), "≤ 1.3", rounds=31)


def test_softmax_factor(versus, ten_digits) -> None:
    fitted = ten_digits.fitted
    x, n = numpy(fitted.train.x), len(fitted.train)
    p = softened(numpy(fitted.outputs))

    def reference() -> None:
        width = x.shape[1]
        h = np.empty((10, width, 10, width))
        for a in range(10):
            for b in range(a + 1):
                weights = p[:, a] * ((a == b) - p[:, b]) / n
                h[a, :, b] = h[b, :, a] = x.T @ (weights[:, None] * x)
        h = h.reshape(10 * width, -1)
        h[np.diag_indices(len(h))] += fitted.model.l2
        scipy.linalg.cholesky(h, lower=True, overwrite_a=True)

    versus(lambda: cholesky(exact_hessian(fitted)), reference, "≤ 1.5", rounds=2)


def test_softmax_click(benchmark, ten_digits) -> None:
    """One test point, everything factored: ≤ 80 ms."""
    fitted = ten_digits.fitted
    influence = Influence(fitted, SolverSettings("cholesky"))
    _ = influence.solve
    batch = ten_digits.test.take(slice(3, 4))
    benchmark.pedantic(lambda: loss_change(influence, watch(fitted, batch)), rounds=15, warmup_rounds=2)


def test_loo_all_7099(versus, ones_and_sevens) -> None:
    fitted = ones_and_sevens.fitted
    x, y = numpy(fitted.train.x), numpy(fitted.train.y)[:, None]
    theta = np.random.default_rng(0).normal(0, 0.01, (x.shape[1], len(x)))

    def ours() -> None:
        refits = LeaveOneOut(fitted).run(Question(ones_and_sevens.test))
        assert refits.certified.all()

    versus(ours, lambda: x.T @ (expit(x @ theta) - y), "≤ 3.5", rounds=3)


def test_loo_against_sklearn(ones_and_sevens, capsys) -> None:
    """20 refits by L-BFGS on two jobs, extrapolated to 7,099: at least 80 times ours."""
    fitted = ones_and_sevens.fitted
    x, y = ones_and_sevens.split.train.x, ones_and_sevens.split.train.y
    start = time.perf_counter()
    LeaveOneOut(fitted).run(Question(ones_and_sevens.test))
    ours = time.perf_counter() - start

    def refit(i: int) -> None:
        keep = np.arange(len(x)) != i
        LogisticRegression(C=1 / 1000, tol=1e-6, max_iter=10_000).fit(x[keep], y[keep])

    joblib.Parallel(2)(joblib.delayed(refit)(i) for i in range(2))
    start = time.perf_counter()
    joblib.Parallel(2)(joblib.delayed(refit)(i) for i in range(20))
    theirs = (time.perf_counter() - start) / 20 * len(x)
    with capsys.disabled():
        print(f"\nLOO ours {ours:.1f} s, scikit-learn L-BFGS on 2 jobs ≈ {theirs:.0f} s: {theirs / ours:.0f} × (≥ 80)")


def test_loo_of_the_bundled_default(benchmark) -> None:
    """n = 900 × 784: < 0.3 s, so that Explore shows it unasked."""
    problem = Problem(Settings())
    _ = problem.fitted, problem.test
    benchmark.pedantic(problem.loo, rounds=7, warmup_rounds=1)


def test_damping_by_eigendecomposition(versus, ones_and_sevens) -> None:
    """Another damping costs two products with Q."""
    fitted = ones_and_sevens.fitted
    factor = ones_and_sevens.spectrum
    q = torch.randn(fitted.size, 100, dtype=torch.float64)
    vectors, array = numpy(factor.vectors), q.numpy()
    versus(
        lambda: replace(factor, curvature=exact_hessian(fitted, 0.5))(q),
        lambda: vectors @ (vectors.T @ array),
        "reported, residual check included",
        rounds=15,
    )


SOFTMAX = """
data = DataSettings("mnist_large", (("digits", "all"), ("size", 10_101)), test_fraction=0.01)
problem = Problem(Settings(data, ModelSettings("softmax", 0.1)))
factor = cholesky(exact_hessian(problem.fitted))
"""
LOO = """
problem = Problem(Settings(DataSettings("mnist_large", (("held_out", 0),)), ModelSettings("logistic", 1000 / 7099)))
problem.loo()
"""


@pytest.mark.parametrize("work", [SOFTMAX, LOO], ids=["softmax factor", "LOO"])
def test_peak_memory(work: str, capsys, request) -> None:
    """Of a process of its own: imports, data, fit and the work; < 2 GB."""
    imports = """
from pathlib import Path
from influence_core.analysis import Problem
from influence_core.curvature import exact_hessian
from influence_core.settings import DataSettings, ModelSettings, Settings
from influence_core.solvers import cholesky
"""
    # VmHWM and not ru_maxrss: the latter starts at the size of the process that forked this one.
    tail = """
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", imports + work + tail], capture_output=True, text=True, check=True)
    with capsys.disabled():
        print(f"\npeak memory, {request.node.callspec.id}: {float(done.stdout):.2f} GB (< 2)")
