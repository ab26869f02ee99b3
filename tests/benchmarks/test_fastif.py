"""What FastIF saves against our own fastest full scoring: recall@10 against time for growing n, its parts apart."""

from __future__ import annotations

from typing import Any

import pytest
from perceptron import trained

from influence_core.analysis import Problem
from influence_core.data import DATASETS
from influence_core.influence.search import FastPlan, FastReport, measure
from influence_core.influence.watched import Influence, watch
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings

pytestmark = pytest.mark.skipif(
    not DATASETS["mnist_large"].present, reason="mnist_32k.npz is not in the data folder (INFLUENCE_DATA_DIR)"
)


def sizes(n: int) -> tuple[int, ...]:
    return (*[k for k in (10, 30, 100, 300, 1000, 3000, 10_000) if k < n], n)


def told(name: str, n: int, p: int, found: FastReport) -> None:
    """One line per candidate set, then the three contributions."""
    print(f"\n{name}, n = {n:,}, p = {p:,}: full scoring {1e3 * found.full:.2f} ms per test point", end="")
    print(f" ({1e3 * found.together:.2f} ms with ten in one pass)")
    for one in found.sizes:
        ratio = found.full / one.seconds
        print(f"  k = {one.k:6,}: recall@{found.top} {one.recall:.2f}, {1e3 * one.seconds:.2f} ms, {ratio:.1f} ×")
    short, long = found.rounds
    print(f"  settings: {short} of {long} rounds at ρ {found.rho:.3f}, {found.long / found.short:.1f} ×; ", end="")
    print(f"repeats side by side {found.apart / found.short:.1f} ×")


@pytest.mark.parametrize("n", [1_000, 5_000, 10_000, 20_000])
def test_softmax_regression(n: int, capsys: Any) -> None:
    data = DataSettings("mnist_large", (("digits", "all"), ("size", round(n / 0.98))), test_fraction=0.02)
    problem = Problem(Settings(data, ModelSettings("softmax", 0.1)))
    settings = SolverSettings("cg", options=(("tolerance", 1e-6),))
    watched = watch(problem.fitted, problem.test.take(slice(0, 10)))
    found = measure(
        Influence(problem.fitted, settings), watched, FastPlan(sizes(len(problem.fitted.train)), rounds=(1, 2, 4, 8))
    )
    with capsys.disabled():
        told("softmax regression", len(problem.fitted.train), problem.fitted.size, found)
    assert found.sizes[-1].recall == 1


@pytest.mark.parametrize("n", [1_000, 5_000, 20_000])
def test_perceptron(n: int, capsys: Any) -> None:
    fitted, test = trained(n, 10)
    influence = Influence(fitted, SolverSettings("ekfac", 0.01))
    found = measure(influence, watch(fitted, test), FastPlan(sizes(n), rounds=(1, 2)))
    with capsys.disabled():
        told("perceptron", n, fitted.size, found)
    assert found.sizes[-1].recall == 1
