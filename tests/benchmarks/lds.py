"""Linear datamodelling score of every estimator for a network on MNIST, as a table; resumable.

    .venv/bin/python tests/benchmarks/lds.py [--full] [--out lds.json]

The setting of published figures (MNIST MLP of 0.11 M parameters, 5,000 training and 500 test points, SGD with momentum
0.9, 50 epochs, half-size random subsets): CG influence 0.258, projection scores with 50 networks 0.447.  ``--full`` is
that setting; without it a smaller one, which the printed line names.  A damping of 1e-5 was the best of 1e-3, 1e-4,
1e-5 and 1e-6 for EK-FAC by this very score; conjugate gradients were not run to
the end at the automatic one.  Every finished block of networks lies in the result store of the data folder, so that a
run that was killed goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from influence_core.agreement import linear_datamodelling
from influence_core.analysis import Analysis, Draw, Task, analyse, result_store
from influence_core.analysis.problem import Given
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings

FULL = {"size": 5_500, "test": 500, "epochs": 50, "subsets": 50, "seeds": 5, "models": 50, "width": 128}
SMALL = {"size": 1_100, "test": 100, "epochs": 15, "subsets": 50, "seeds": 2, "models": 10, "width": 64}
BLOCK = 100  # test points at a time
ROWS: dict[str, tuple[str, SolverSettings]] = {
    "gradient dot": ("gradient_dot", SolverSettings()),
    "CG influence, Gauss–Newton + 1e-5": ("influence", SolverSettings("cg", 1e-5, (("tolerance", 1e-2),))),
    "EK-FAC influence, automatic damping": ("influence", SolverSettings("ekfac")),
    "EK-FAC influence, damping 1e-5": ("influence", SolverSettings("ekfac", 1e-5)),
    "TracIn over checkpoints": ("tracin", SolverSettings()),
    "random projections": ("projection", SolverSettings()),
}


def settings_of(plan: dict[str, int]) -> Settings:
    """The problem of one setting."""
    source = "mnist" if plan["size"] <= 5_000 else "mnist_large"
    data = DataSettings(source, (("digits", "all"), ("size", plan["size"])), test_fraction=plan["test"] / plan["size"])
    options = {name: plan[name] for name in ("epochs", "models", "width")}
    model = ModelSettings("mlp", 0.0, options=tuple(sorted(options.items())))
    return Settings(data, model)


def scored(analysis: Analysis, name: str, models: int) -> np.ndarray:
    """(n, m) scores of one row of the table, test points in blocks."""
    estimator, solver = ROWS[name]
    settings = replace(analysis.settings, estimator=estimator, solver=solver)
    settings = replace(settings, model=with_models(settings.model, models))
    given = Given(analysis.problem.split, analysis.problem.fitted)
    problem = replace(analysis.problem, settings=settings, given=given)
    here, m = Analysis(settings, problem, analysis.task), len(analysis.problem.split.test)
    if estimator == "projection":
        return here.scores()
    return np.concatenate([here.scores(range(k, min(k + BLOCK, m))) for k in range(0, m, BLOCK)], 1)


def with_models(model: ModelSettings, models: int) -> ModelSettings:
    """The same model with another number of networks for projection scores."""
    return replace(model, options=tuple(sorted((dict(model.options) | {"models": models}).items())))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    plan = FULL if arguments.full else SMALL
    bar = tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}", file=sys.stderr)

    def report(done: float, total: float) -> None:
        bar.n = done / total
        bar.refresh()

    task = Task(report, store=result_store())
    analysis = replace(analyse(settings_of(plan)), task=task)
    analysis.problem.fit(task)
    fitted = analysis.problem.fitted
    print(f"n = {len(fitted.train):,}, m = {len(analysis.problem.test)}, p = {fitted.size:,}, {plan}", flush=True)
    halves = analysis.problem.truth.halves(task=task, draw=Draw(plan["subsets"], plan["seeds"]))
    rows: dict[str, Any] = {}
    counts = sorted({1, plan["models"]})
    for name in ROWS:
        for models in counts if name == "random projections" else [1]:
            start = time.perf_counter()
            found = linear_datamodelling(halves.values, scored(analysis, name, models), halves.members)
            title = f"{name}, {models} networks" if name == "random projections" else name
            rows[title] = [found.mean.value, found.error, time.perf_counter() - start]
            print(f"| {title} | {found.mean.value:.3f} ± {found.error:.3f} | {rows[title][2]:.0f} s |", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"plan": plan, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
