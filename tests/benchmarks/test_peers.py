"""Ratios to the packages people use, in one run on one machine: set PEERS_PYTHON to a Python that has them.

python -m venv peers && peers/bin/pip install torch==2.13.0 pydvl==0.10.0 dattri==0.3.0 kronfluence==1.0.1
PEERS_PYTHON=peers/bin/python python -m pytest tests/benchmarks/test_peers.py -s
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peers import right
from perceptron import WIDTHS, trained

from influence_core.analysis import Problem
from influence_core.compute import numpy
from influence_core.curvature import Curvature, exact_hessian, network_curvature
from influence_core.data import DATASETS
from influence_core.influence.estimators import dots, loss_change
from influence_core.influence.watched import Influence, watch
from influence_core.models import Batch, FittedModel
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings
from influence_core.solvers import factor
from influence_core.solvers.kronecker import Kronecker

PEERS = os.environ.get("PEERS_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not DATASETS["mnist_large"].present, reason="mnist_32k.npz is not in the data folder"),
    pytest.mark.skipif(not PEERS, reason="PEERS_PYTHON names no Python with the other packages"),
]
DAMPING = 0.01
DEFINITE = 0.05  # the Hessian of the perceptron goes down to −0.037


@pytest.fixture
def peer(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run another package on the same arrays; its own time, without start and import."""

    def run(work: str, **arrays: Any) -> dict[str, Any]:
        np.savez(tmp_path / "in.npz", **arrays)
        command = [PEERS, str(Path(__file__).parent / "peers.py"), work, str(tmp_path / "in.npz")]
        done = subprocess.run([*command, str(tmp_path / "out.npz")], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        with np.load(tmp_path / "out.npz") as stored:
            return json.loads(done.stdout.strip().splitlines()[-1]) | dict(stored)

    return run


@pytest.mark.parametrize("package", ["pydvl", "dattri"])
def test_lissa_to_r_099_and_slope_1(package: str, peer: Any, capsys: Any) -> None:
    """n = 7,099, p = 785, one test point; ours at its automatic settings, theirs at the quickest of many."""
    problem = Problem(Settings(DataSettings("mnist_large", (("held_out", 0),)), ModelSettings("logistic", 1000 / 7099)))
    plain = replace(problem.fitted.model, l2=0.0)  # the whole system is H + δI, intercept too, in every package
    fitted = FittedModel(plain, problem.fitted.train, problem.fitted.fit)
    damping, watched = 1000 / 7099, watch(fitted, problem.test)
    truth = numpy(loss_change(Influence(fitted, SolverSettings("cholesky", damping)), watched))[:, 0]
    times = []
    for seed in range(5):
        a = exact_hessian(fitted, damping)
        start = time.perf_counter()
        made = factor(SolverSettings("lissa", damping, (("draw", seed), ("tolerance", 2e-2))), a)
        value = made(watched.gradient).value
        times.append(time.perf_counter() - start)
        r, slope, good = right(truth, numpy(dots(Influence(fitted, SolverSettings()), value))[:, 0])
        assert good, (r, slope)
    x = numpy(fitted.train.x)
    theirs = peer(
        f"{package}_lissa", x=x, y=numpy(fitted.train.y), theta=numpy(fitted.theta), q=numpy(watched.gradient)[:, 0],
        damping=np.asarray(damping), scores=truth, residuals=numpy(fitted.residuals)[:, 0],
        largest=numpy(a.samples.norms()).max(), top=np.asarray(np.linalg.eigvalsh(numpy(a.dense()))[-1]),
    )  # fmt: skip
    ours = float(np.median(times))
    with capsys.disabled():
        print(f"\nLiSSA ours {ours:.3f} s (slope {slope:.3f}), {package} {theirs}", end="")
        print(f": {theirs['seconds'] / ours:.0f} × (≥ 10)")


@pytest.fixture(scope="module")
def perceptron() -> tuple[FittedModel, Batch]:
    """784-128-64-10 with ReLU on 5,000 MNIST digits, and 100 test digits."""
    return trained(5_000, 100)


def arrays(fitted: FittedModel, test: Batch) -> dict[str, Any]:
    """In single precision, in which both sides compute."""
    given = {"x": fitted.train.x, "y": fitted.train.y, "x_test": test.x, "y_test": test.y, "theta": fitted.theta}
    single = {name: value.detach().numpy().astype(np.float32) for name, value in given.items()}
    return single | {"widths": np.asarray(WIDTHS), "damping": np.asarray(DAMPING)}


def test_ekfac_factor_and_100_times_5000_scores(perceptron: Any, peer: Any, capsys: Any) -> None:
    fitted, test = perceptron
    times = []
    for _ in range(3):
        start = time.perf_counter()
        made = Kronecker(network_curvature(fitted, "gauss_newton", DAMPING), True)
        _ = made.parts
        factored = time.perf_counter() - start
        watched = watch(fitted, test)
        scores = numpy(dots(Influence(fitted, SolverSettings()), made.apply(watched.gradient)))
        times.append(time.perf_counter() - start)
    theirs = peer("kronfluence_ekfac", **arrays(fitted, test))
    agree = np.corrcoef(scores.ravel(), theirs["scores"].ravel())[0, 1]
    ours = float(np.median(times))
    with capsys.disabled():
        print(
            f"\nEK-FAC ours {ours:.2f} s (factor {factored:.2f}), kronfluence {theirs['seconds']:.2f} s (factor "
            f"{theirs['factor']:.2f}), r between them {agree:.4f}: {theirs['seconds'] / ours:.1f} × (≥ 5)"
        )


ABOVE = """
import sys
sys.path.insert(0, sys.argv[1])
from perceptron import trained
from influence_core.curvature import network_curvature
from influence_core.estimators import dots
from influence_core.influence import Influence, watch
from influence_core.settings import SolverSettings
from influence_core.solvers.kronecker import Kronecker

def status(name):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines[name].split()[0]) / 2**20

fitted, test = trained(5_000, 100)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
made = Kronecker(network_curvature(fitted, "gauss_newton", 0.01), True)
dots(Influence(fitted, SolverSettings()), made.apply(watch(fitted, test).gradient))
print(status("VmHWM") - before)
"""


def test_ekfac_memory_above_the_data(capsys: Any) -> None:
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", ABOVE, folder], capture_output=True, text=True, check=True)
    with capsys.disabled():
        print(f"\nEK-FAC, peak above the data and the network: {float(done.stdout):.2f} GB (≤ 0.6)")


@pytest.mark.parametrize("columns", [10, 100])
def test_block_cg_to_1e_5(columns: int, perceptron: Any, peer: Any, capsys: Any) -> None:
    """PyDVL on the Hessian with a damping that makes it definite; ours on that, and on Gauss–Newton at two dampings.

    Our times hold what a preconditioner needs once, and a last product that shows the residual.
    """
    fitted, test = perceptron[0], perceptron[1].take(slice(0, columns))
    q = watch(fitted, test).gradient
    hessian = network_curvature(fitted, "exact", DEFINITE)
    found = {
        f"{kind}, damping {damping}, {name}": solved(network_curvature(fitted, kind, damping), name, q)
        for kind, damping in (("exact", DEFINITE), ("gauss_newton", DEFINITE), ("gauss_newton", DAMPING))
        for name in ("none", "leading", "ekfac")
    }
    given = arrays(fitted, test) | {"q": q.numpy(), "tolerance": np.asarray(1e-5), "damping": np.asarray(DEFINITE)}
    theirs = peer("pydvl_block_cg", **given)
    value = torch.as_tensor(theirs["value"])
    residual = float(((hessian.matvec(value) - q).norm(dim=0) / q.norm(dim=0)).max())
    with capsys.disabled():
        print(f"\nblock CG, {columns} columns, pyDVL {theirs['seconds']:.1f} s (residual {residual:.1e})")
        for name, (seconds, products, worst) in found.items():
            ratio = theirs["seconds"] / seconds
            print(
                f"  {name}: {seconds:.1f} s, {products / columns:.1f} products each, {worst:.1e}: {ratio:.1f} × (≥ 2)"
            )


def solved(a: Curvature, preconditioner: str, q: torch.Tensor) -> tuple[float, int, float]:
    """Seconds, products and the largest relative residual."""
    start = time.perf_counter()
    options = (("preconditioner", preconditioner), ("tolerance", 1e-5))
    solution = factor(SolverSettings("cg", a.damping, options), a)(q)
    return time.perf_counter() - start, solution.products, float(solution.residual.max())
