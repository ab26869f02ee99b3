"""Linear datamodelling score of every estimator for a network on MNIST, against both truths, as a table; resumable.

    .venv/bin/python tests/benchmarks/lds.py [--full] [--smooth] [--seeds 5] [--tests 500] [--models 50] [--truth seeds]

The setting of published figures (MNIST MLP of 0.11 M parameters, 5,000 training and 500 test points, SGD with momentum
0.9, 50 epochs, half-size random subsets: CG influence 0.258, projection scores with 50 networks 0.447) as published:
hidden layers of 128 and 64, dropout of 0.1 behind each, learning rate 0.01 throughout, one normalisation of all pixels.
``--full`` is its size; without it a smaller one.  ``--smooth`` has tanh in place of ReLU and drops nothing, so that the
run has a derivative to unroll.  ``--tests``: score only the first so many test points.  "This run" repeats the very run
of the network without what leaves; "over seeds" takes means of runs from several seeds.  Mean over test points ±
standard error (± half the 95 % interval over subsets).  Every finished block lies in the result store of the data
folder, so that a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from influence_core import wrap
from influence_core.agreement import linear_datamodelling
from influence_core.analysis import Analysis, Draw, Halves, Task, load, result_store
from influence_core.influence.estimators import applicable_estimators
from influence_core.settings import DataSettings, SolverSettings

FULL = {"size": 5_500, "test": 500, "epochs": 50, "subsets": 50, "seeds": 5, "models": 50}
SMALL = {"size": 1_100, "test": 100, "epochs": 15, "subsets": 50, "seeds": 2, "models": 10}
WIDTHS, DROPOUT = (128, 64), 0.1
MEAN, DEVIATION = 0.1307, 0.3081  # of all pixels of MNIST
BLOCK, DRAWN = 100, 200  # test points at a time; times that subsets are drawn again
LOOSE = (("tolerance", 1e-2),)
DAMPINGS = (1.0, 0.1, 0.01, 0.001, 1e-5)  # the published figure is the best of seven
ROWS: dict[str, tuple[str, SolverSettings]] = {
    "gradient dot": ("gradient_dot", SolverSettings()),
    "projection scores": ("projection", SolverSettings()),
    "TracIn over checkpoints": ("tracin", SolverSettings()),
    "EK-FAC influence, automatic damping": ("influence", SolverSettings("ekfac")),
    **{
        f"CG influence, Gauss–Newton + {damping:g}": (
            "influence",
            SolverSettings("cg", damping, (("tolerance", 1e-2),)),
        )
        for damping in (1.0, 0.1, 0.01, 0.001, 1e-5)  # the published figure is the best of seven
    },
}


def analysis_of(plan: dict[str, int], smooth: bool, task: Task) -> Analysis:
    """The network of one setting."""
    source = "mnist" if plan["size"] <= 5_000 else "mnist_large"
    data = DataSettings(
        source,
        (("digits", "all"), ("size", plan["size"])),
        standardise=False,
        test_fraction=plan["test"] / plan["size"],
    )
    split = load(data, 0)
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for before, after in pairwise((784, *WIDTHS)):
        parts += [nn.Linear(before, after), *([nn.Tanh()] if smooth else [nn.ReLU(), nn.Dropout(DROPOUT)])]
    made = wrap(
        nn.Sequential(*parts, nn.Linear(WIDTHS[-1], 10)),
        nn.CrossEntropyLoss(),
        fit="sgd",
        epochs=plan["epochs"],
        learning_rate=0.01,
        schedule="constant",
        batch_size=64,
        momentum=0.9,
    )
    x, x_test = ((part.x - MEAN) / DEVIATION for part in (split.train, split.test))
    found = made.analyse(x, split.train.y.astype(np.int64), x_test, split.test.y.astype(np.int64))
    return replace(found, task=task)


def scored(analysis: Analysis, name: str, models: int, tests: int) -> np.ndarray:
    """(n, m) scores of one row of the table at the first test points, in blocks."""
    estimator, solver = ROWS[name]
    options = tuple(sorted((dict(analysis.settings.model.options) | {"models": models}).items()))
    model = replace(analysis.settings.model, options=options)
    settings = replace(analysis.settings, estimator=estimator, solver=solver, model=model)
    here = Analysis(settings, replace(analysis.problem, settings=settings), analysis.task)
    size = tests if estimator in {"projection", "unrolled"} else BLOCK
    return np.concatenate([here.scores(range(k, min(k + size, tests))) for k in range(0, tests, size)], 1)


def judged(halves: Halves, scores: np.ndarray) -> list[float]:
    """The score, its standard error over test points, and half its 95 % interval over subsets drawn again."""
    values, random, again = halves.values[:, : scores.shape[1]], np.random.default_rng(0), []
    found = linear_datamodelling(values, scores, halves.members)
    for _ in range(DRAWN):
        rows = random.integers(len(values), size=len(values))
        one = linear_datamodelling(values[rows], scores, halves.members[rows])
        again.append(float(one.mean.value or 0.0))
    # Ranks of subsets that are drawn twice are tied, which lowers every draw alike: the spread is what is meant.
    return [float(found.mean.value or 0.0), float(found.error or 0.0), 1.96 * float(np.std(again, ddof=1))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--smooth", action="store_true")
    parser.add_argument("--dropped", type=float, default=0.5)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--tests", type=int)
    parser.add_argument("--models", type=int)
    parser.add_argument("--truth", choices=("run", "seeds"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    plan = dict(FULL if arguments.full else SMALL)
    plan |= {name: given for name in ("seeds", "models") if (given := getattr(arguments, name))}
    tests = arguments.tests or plan["test"]
    bar = tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}", file=sys.stderr, disable=None)

    def report(done: float, total: float) -> None:
        bar.n = done / total
        bar.refresh()

    task = Task(report, store=result_store())
    analysis = analysis_of(plan, arguments.smooth, task)
    fitted, truths = analysis.problem.fitted, dict(analysis.problem.truths)
    truths = {name: truths[name] for name in truths if arguments.truth in {None, name}}
    smooth = analysis.problem.smoothness(task)
    titles = {"run": "this run", "seeds": f"over seeds ({plan['seeds']})"}
    print(
        f"n = {len(fitted.train):,}, m = {tests}, p = {fitted.size:,}, {plan}, "
        f"{arguments.dropped:.0%} leave, metasmoothness {smooth:.3f}\n\n"
        f"| scores | {' | '.join(titles[name] for name in truths)} | time |\n{'|---' * (len(truths) + 2)}|",
        flush=True,
    )
    draw = Draw(plan["subsets"], plan["seeds"], arguments.dropped)
    halves = {name: truth.halves(task=task, draw=draw) for name, truth in truths.items()}
    rows: dict[str, Any] = {}
    offered = applicable_estimators(fitted)
    for name in (name for name, (estimator, _) in ROWS.items() if estimator in offered):
        for models in sorted({1, plan["models"]}) if name == "projection scores" else [1]:
            start = time.perf_counter()
            scores = scored(analysis, name, models, tests)
            spent = time.perf_counter() - start
            title = f"{name}, {models} network{'s' * (models > 1)}" if name == "projection scores" else name
            rows[title] = {truth: judged(found, scores) for truth, found in halves.items()} | {"seconds": spent}
            cells = (
                "{:.3f} ± {:.3f} (± {:.3f})".format(*rows[title][truth])  # noqa: UP032
                for truth in truths
            )
            print(f"| {title} | {' | '.join(cells)} | {spent:.0f} s |", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"plan": plan, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
