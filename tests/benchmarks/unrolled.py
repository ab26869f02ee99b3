"""The unrolled training run on MNIST: time and memory against one run, and how far refits of the same run bear it out.

    .venv/bin/python tests/benchmarks/unrolled.py [--epochs 15] [--rate 0.01] [--refits 200] [--halves 50] [--compare]

An MLP of 0.11 M parameters with tanh on 5,000 digits, SGD with momentum 0.9 and batches of 64.  Ratios are to one
training run of the same program, by the clock (both with all cores they can use; on an idle machine) and in processor
time of all threads (on any).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from influence_core.agreement import agreement, linear_datamodelling
from influence_core.analysis import Analysis, Task, analyse
from influence_core.analysis.networks import sampled
from influence_core.analysis.rivals import RIVALS
from influence_core.compute import FloatArray
from influence_core.influence.estimators import scores
from influence_core.influence.unrolled import announced
from influence_core.influence.watched import Influence
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings

TESTS, DRAWN = 20, 200
SHARES = (0.01, 0.1, 0.5)
ESTIMATED = {
    "EK-FAC influence, automatic damping": ("influence", SolverSettings("ekfac")),
    "CG influence, Gauss–Newton + 0.01": ("influence", SolverSettings("cg", 0.01, (("tolerance", 1e-2),))),
    "projection scores, 1 network": ("projection", SolverSettings()),
    "TracIn over checkpoints": ("tracin", SolverSettings()),
    "gradient dot": ("gradient_dot", SolverSettings()),
}


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The network and its data."""
    options = {
        "activation": arguments.activation,
        "width": arguments.width,
        "epochs": arguments.epochs,
        "learning_rate": arguments.rate,
        "schedule": arguments.schedule,
        "batch_size": arguments.batch,
        "models": 1,
    }
    model = ModelSettings("mlp", arguments.l2, fit=arguments.fit, options=tuple(sorted(options.items())))
    data = DataSettings(
        "mnist" if arguments.size <= 5_000 else "mnist_large",
        (("digits", "all"), ("size", arguments.size)),
        standardise=not arguments.raw,
        test_fraction=0.1,
    )
    return Settings(data, model, estimator="unrolled")


def timed(work: Callable[[], object]) -> FloatArray:
    """Seconds by the clock and of the processor."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def speed(analysis: Analysis) -> None:
    """One and a hundred test points against one run, and the memory beside what was announced."""
    fitted = analysis.problem.fitted
    program, start = fitted.program, fitted.start[None]
    assert program is not None
    program = replace(program, task=Task())
    once = np.min([timed(lambda: program.run(start, None, fitted.fit.epochs)) for _ in range(5)], 0)
    print(f"one run: {once[0]:.2f} s by the clock, {once[1]:.2f} s of the processor", flush=True)
    for columns in (1, 100):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock, processor = timed(lambda columns=columns: scored(analysis, range(columns))) / once
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said = announced(fitted, columns)
        print(
            f"{columns} test points: {clock:.1f} × one run by the clock, {processor:.1f} × of the processor (announced "
            f"{said.runs:.1f} ×), peak {peak / 1e6:.2f} GB, {(peak - before) / 1e6:.2f} above before (announced "
            f"{said.gigabytes:.2f})",
            flush=True,
        )


def scored(analysis: Analysis, tests: range) -> FloatArray:
    """Scores at some test points, computed now."""
    influence = Influence(analysis.problem.fitted, analysis.settings.solver)
    return scores(influence, analysis.watched(tests), "unrolled")


def single_points(analysis: Analysis, count: int) -> None:
    """Leave-one-out of the same run at ``TESTS`` test points."""
    fitted, test = analysis.problem.fitted, analysis.problem.test.take(slice(0, TESTS))
    rows = sampled(len(fitted.train), 0, count)
    measured = Repeated(fitted, Task()).without(Question(test), [rows[k : k + 1] for k in range(len(rows))]).change
    predicted = scored(analysis, range(TESTS))[rows]
    found = [agreement(measured[:, j], predicted[:, j]) for j in range(TESTS)]
    r, slope = (np.array([getattr(one, name).value for one in found]) for name in ("r", "slope"))
    print(
        f"leave-one-out of the same run, {len(rows)} points x {TESTS} test points: r {r.mean():.3f} "
        f"({r.min():.3f} to {r.max():.3f}), median slope {np.median(slope):.3f}",
        flush=True,
    )


def others(analysis: Analysis, tests: range) -> dict[str, FloatArray]:
    """Scores (n, m) of every estimator and rival that the unrolled run is compared with."""
    found = {}
    for title, (estimator, solver) in ESTIMATED.items():
        here = replace(analysis, settings=replace(analysis.settings, estimator=estimator, solver=solver))
        start = time.process_time()
        found[title] = here.scores(tests)
        print(f"{title}: {time.process_time() - start:.1f} s of processor time", flush=True)
    targets = [(j,) for j in tests]
    return found | {entry.title: entry.strength(analysis, targets) for entry in RIVALS.values()}


def subsets(analysis: Analysis, count: int, compare: bool) -> None:
    """Linear datamodelling score of the same run, for shares that leave, with half its interval over subsets."""
    fitted, test = analysis.problem.fitted, analysis.problem.test.take(slice(0, 100))
    n, columns = len(fitted.train), {}
    for share in SHARES:
        random, members = np.random.default_rng(5), np.ones((count, n), dtype=bool)
        for row in members:
            row[random.choice(n, round(share * n), replace=False)] = False
        groups = [np.flatnonzero(~row) for row in members]
        columns[share] = Repeated(fitted, Task()).without(Question(test), groups).change, members
        print(f"{share:.0%} leave: measured", flush=True)
    rows = {"unrolled run": scored(analysis, range(100))} | (others(analysis, range(100)) if compare else {})
    print("\n| LDS of the same run | " + " | ".join(f"{share:.0%} leave" for share in SHARES) + " |")
    print("|---" * (len(SHARES) + 1) + "|")
    for title, predicted in rows.items():
        cells = []
        for values, members in columns.values():
            found, again = linear_datamodelling(values, predicted, members), np.random.default_rng(0)
            drawn = (again.integers(count, size=count) for _ in range(DRAWN))
            means = [linear_datamodelling(values[d], predicted, members[d]).mean.value or 0.0 for d in drawn]
            cells.append(f"{found.mean.value:.3f} ± {found.error:.3f} (± {1.96 * np.std(means, ddof=1):.3f})")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print what the table in the README says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=5_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--l2", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--fit", default="sgd")
    parser.add_argument("--schedule", default="cosine")
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--untimed", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--refits", type=int, default=0)
    parser.add_argument("--halves", type=int, default=0)
    arguments = parser.parse_args()
    analysis = analyse(settings_of(arguments))
    fitted = analysis.problem.fitted
    print(
        f"n = {len(fitted.train):,}, p = {fitted.size:,}, accuracy {analysis.problem.accuracy(fitted.theta):.3f}, "
        f"training loss {fitted.fit.history[-1]:.3g}",
        flush=True,
    )
    if not arguments.untimed:
        speed(analysis)
    if arguments.refits:
        single_points(analysis, arguments.refits)
    if arguments.halves:
        subsets(analysis, arguments.halves, arguments.compare)


if __name__ == "__main__":
    main()
