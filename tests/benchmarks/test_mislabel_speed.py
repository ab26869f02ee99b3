"""Self-influence against triangular solves, cheap signals of 100,000 rows, a card; `pytest tests/benchmarks`."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg.blas import dtrsm

from influence_core.analysis import SIGNALS, Analysis, Problem, Review, cases
from influence_core.analysis.problem import Given
from influence_core.compute import numpy
from influence_core.curvature import exact_hessian
from influence_core.data import DATASETS
from influence_core.settings import DataSettings, ModelSettings, Settings, to_json

needs_mnist = pytest.mark.skipif(
    not DATASETS["mnist_large"].present, reason="mnist_32k.npz is not in the data folder (INFLUENCE_DATA_DIR)"
)
TEN = Settings(
    DataSettings(
        "mnist_large",
        (("digits", "all"), ("size", 11_111)),
        validation_fraction=0.09,
        test_fraction=0.01,
        flip_fraction=0.1,
    ),
    ModelSettings("softmax", 0.1),
)
BATCH = 16


@pytest.fixture(scope="module")
def ten_digits() -> Problem:
    """n = 10,000, p = 7,850, and 1,000 validation images."""
    problem = Problem(TEN)
    assert problem.split.train.x.shape == (10_000, 784)
    return problem


@pytest.fixture(scope="module")
def upper(ten_digits: Problem) -> np.ndarray:
    """A Cholesky factor of the same matrix, for the reference."""
    return np.asfortranarray(np.linalg.cholesky(numpy(exact_hessian(ten_digits.fitted).dense())).T)


def _fresh(problem: Problem) -> Review:
    """A review whose factor is made and nothing else."""
    review = Review(Analysis(problem.settings, problem))
    _ = review.analysis.influence.solve
    return review


def _against(versus, problem: Problem, name: str, reference, target: str) -> float:
    factor = _fresh(problem).analysis.influence.solve

    def ours() -> None:
        again = Review(Analysis(problem.settings, problem))
        again.analysis.influence.__dict__["solve"] = factor
        again.suspicion(name)

    return versus(ours, reference, target, rounds=3)


@needs_mnist
def test_first_order_self_influence(versus, ten_digits, upper) -> None:
    """All 10,000 points against one triangular solve with n right-hand sides."""
    right = np.asfortranarray(np.random.default_rng(0).normal(size=(len(upper), 10_000)))
    ratio = _against(versus, ten_digits, "self_influence", lambda: dtrsm(1.0, upper, right, trans_a=1), "≤ 1.5")
    assert ratio <= 1.5


@needs_mnist
def test_newton_self_influence(versus, ten_digits, upper) -> None:
    """All 10,000 points, inverse included, against a triangular solve with n·c right-hand sides, a tenth timed."""
    right = np.asfortranarray(np.random.default_rng(0).normal(size=(len(upper), 10_000)))
    tenth = _against(versus, ten_digits, "newton_self_influence", lambda: dtrsm(1.0, upper, right, trans_a=1), "≤ 15")
    assert tenth <= 15  # the reference solved n columns, a tenth of n·c


@needs_mnist
def test_a_card(ten_digits, capsys) -> None:
    """One of 16 next cards: ≤ 150 ms, everything that is shared at hand."""
    review = _fresh(ten_digits)
    names = [name for name in review.signals if SIGNALS[name].cheap and name != "self_influence"]
    queue = review.ranked("loss")
    cases(review, queue[:BATCH], names)
    times = []
    for start in range(BATCH, 6 * BATCH, BATCH):
        begun = time.perf_counter()
        cases(review, queue[start : start + BATCH], names)
        times.append((time.perf_counter() - begun) / BATCH)
    with capsys.disabled():
        print(f"\none card of {BATCH}: {1e3 * float(np.median(times)):.0f} ms (≤ 150)")


def test_cheap_signals_of_100000_rows(versus, benchmark) -> None:
    """Logistic, d = 100, every cheap signal and its queue from a fitted model, Hessian and factor included: < 3 s.

    Measured against four products of that size, the fewest that loss, self-influence, harm and their Hessian take.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(112_500, 100))
    y = (x @ random.normal(size=100) + 3 * random.normal(size=len(x)) > 0).astype(np.int64)
    blobs = Problem(Settings(DataSettings("blobs", (("n", 400),), validation_fraction=0.1, flip_fraction=0.1)))
    settings = replace(blobs.settings, model=ModelSettings("logistic", 0.01))
    problem = Problem(settings, given=Given(_grown(blobs.split, x, y)))
    _ = problem.fitted
    square = random.normal(size=(100, 100))

    def ours() -> None:
        review = Review(Analysis(problem.settings, problem))
        for name in review.signals:
            if SIGNALS[name].cheap or name == "newton_self_influence":
                review.ranked(name)

    def reference() -> None:
        for _ in range(4):
            (x[:100_000] @ square)

    versus(ours, reference, "< 3 s", rounds=7)
    assert benchmark.stats.stats.min < 3  # of the rounds: other work on the machine only adds


def _grown(split, x, y):
    """The parts of a split with other rows: 100,000 to train, the rest to validate and test."""
    ids = np.array([f"row-{number:06d}" for number in range(len(x))])
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    whole = replace(split.train, x=x, y=y, ids=ids, feature_names=names)
    parts = [whole.take(rows) for rows in np.split(np.arange(len(x)), [100_000, 110_000])]
    none = np.zeros(100_000, dtype=bool)
    return replace(split, train=parts[0], validation=parts[1], test=parts[2], flipped=none, original_y=parts[0].y)


@needs_mnist
@pytest.mark.parametrize("name", ["self_influence", "newton_self_influence"])
def test_peak_memory(name: str, capsys) -> None:
    """Of a process of its own: imports, data, fit, factor and the signal; < 2 GB."""
    work = f"""
from pathlib import Path
from influence_core.analysis import Problem, Review, analyse
from influence_core.settings import from_json
review = Review(analyse(from_json('''{to_json(TEN)}''')))
review.suspicion({name!r})
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    with capsys.disabled():
        print(f"\npeak memory, {name}: {float(done.stdout):.2f} GB (< 2)")
    assert float(done.stdout) < 2
