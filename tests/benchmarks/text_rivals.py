"""Does influence find the training texts that matter better than a search engine does?  Both bundled sets of texts.

    python tests/benchmarks/text_rivals.py [--data spam_assassin] [--tests 20] [--draws 10] [--shares 0.01 0.05]

Test texts are drawn at random; every number is a mean over them with its 95 % interval (t).  r, ρ: agreement of each
ranking with exact leave-one-out.  Removal: what a certified refit without the strongest k changes, minus the mean
change without k random ones; and at how many test texts it lies beyond 95 % of random groups.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.analysis import RemovalQuestion, Task, analyse, removal  # noqa: E402
from influence_core.analysis.rivals import ALL_RIVALS, RIVALS, TEXT_RIVALS  # noqa: E402
from influence_core.compute.store import ResultStore  # noqa: E402
from influence_core.settings import DataSettings, ModelSettings, Settings  # noqa: E402

RANKINGS = ("newton", "influence", "gradient_dot", *TEXT_RIVALS, *RIVALS)
L2 = 1e-3


def interval(values: list[float]) -> str:
    """Mean and half of its 95 % interval."""
    found = np.array([value for value in values if np.isfinite(value)])
    if len(found) < 2:
        return "–"
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / len(found) ** 0.5
    return f"{found.mean():.3g} ± {half:.2g}"


def strength(analysis, name: str, j: int) -> np.ndarray:
    """(n,) of one ranking for one test text."""
    if name in ALL_RIVALS:
        return ALL_RIVALS[name].strength(analysis, [(j,)])[:, 0]
    asked = Settings(analysis.settings.data, analysis.settings.model, estimator=name, seed=analysis.settings.seed)
    return analyse(asked).scores((j,))[:, 0] if name != analysis.settings.estimator else analysis.scores((j,))[:, 0]


def measured(data: str, given: argparse.Namespace, folder: str) -> list[str]:
    """Lines of a Markdown table."""
    chosen = DataSettings(data, (("words", given.words),), test_fraction=0.2)
    analysis = analyse(Settings(chosen, ModelSettings("logistic", L2), estimator="newton", seed=given.seed))
    problem, begun = analysis.problem, time.perf_counter()
    n, m = len(problem.split.train), len(problem.split.test)
    loo, seconds = problem.loo().change, time.perf_counter() - begun
    tests = np.random.default_rng(given.seed).permutation(m)[: given.tests].tolist()
    task, titles, rows = Task(store=ResultStore(Path(folder))), {}, {name: [[], []] for name in RANKINGS}
    gained = {name: [[] for _ in given.shares] for name in RANKINGS}
    beyond = {name: np.zeros(len(given.shares), int) for name in RANKINGS}
    for done, j in enumerate(tests):
        for name in RANKINGS:
            found = strength(analysis, name, j)
            rows[name][0].append(stats.pearsonr(found, loo[:, j])[0] if found.std() else np.nan)
            rows[name][1].append(stats.spearmanr(found, loo[:, j])[0] if found.std() else np.nan)
        curves = removal.removal(analysis, RemovalQuestion((j,), RANKINGS[1:], tuple(given.shares), given.draws), task)
        titles |= curves.titles
        for name in RANKINGS:
            for k, change in enumerate(curves.change[name] - curves.mean):
                gained[name][k].append(float(change))
            beyond[name] += curves.outside(name) & (curves.change[name] > curves.mean)
        print(f"{data}: {done + 1} of {len(tests)}, {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    sizes = [f"{size} leave" for size in curves.sizes]
    head = ["ranking", "r with LOO", "ρ with LOO", *(f"{size}: change − random, nats · beyond" for size in sizes)]
    lines = [
        f"{data}: n = {n:,}, {len(tests)} of {m} test texts, {given.words:,} words, logistic, l2 = {L2:g}, seed "
        f"{given.seed}, {given.draws} draws; all leave-one-out fits {seconds:.0f} s\n",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]
    for name in RANKINGS:
        moved = [f"{interval(one)} · {beyond[name][k]}/{len(tests)}" for k, one in enumerate(gained[name])]
        lines.append(f"| {' | '.join([titles[name], interval(rows[name][0]), interval(rows[name][1]), *moved])} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["spam_assassin", "state_of_the_union"])
    parser.add_argument("--tests", type=int, default=20)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--words", type=int, default=2_000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.05])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for data in given.data:
            print("\n".join(measured(data, given, folder)), flush=True)


if __name__ == "__main__":
    main()
