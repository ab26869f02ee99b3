"""How small the sets are that turn a prediction, how long they take to find, and what first order would have said.

    python tests/benchmarks/flip_sets.py [--problem NAME] [--tests K]

Asks about the K test points (default: those of the table) that lie closest to the line; seed 0.  Prints a Markdown row
per problem: median (least to most) over those where a set was found; seconds of CPU for sets of at most a fifth.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.analysis import FlipQuestion, Fragility, Problem, Settings, fragility  # noqa: E402
from influence_core.settings import DataSettings, ModelSettings  # noqa: E402

PROBLEMS = {
    "blobs, n = 540, l2 = 0.01": (DataSettings("blobs", (("n", 600),)), ModelSettings("logistic", 0.01), 60),
    "MNIST 1 versus 7, n = 900, l2 = 1": (DataSettings("mnist"), ModelSettings("logistic", 1.0), 14),
    "… l2 = 0.1": (DataSettings("mnist"), ModelSettings("logistic", 0.1), 14),
    "… l2 = 0.01": (DataSettings("mnist"), ModelSettings("logistic", 0.01), 14),
    "iris softmax, two classes, n = 90, l2 = 0.01": (DataSettings("iris"), ModelSettings("softmax", 0.01), 10),
    "iris softmax, three classes, n = 135, l2 = 0.01": (
        DataSettings("iris", (("classes", "3"),)),
        ModelSettings("softmax", 0.01),
        15,
    ),
    "diabetes, ridge across the mean, n = 398, l2 = 0.1": (DataSettings("diabetes"), ModelSettings("ridge", 0.1), 44),
}
SMALL = 0.2  # share of the training points: what must be certified


def nearest(problem: Problem, count: int) -> list[int]:
    """Test points in the order in which they lie from the line, or from the mean of the targets."""
    f, model = problem.fitted.model.outputs(problem.fitted.theta, problem.test.x).cpu().numpy(), problem.fitted.model
    if model.loss.outputs > 1:
        best = np.sort(f, 1)
        distance = best[:, -1] - best[:, -2]
    else:
        middle = 0.0 if problem.split.test.classes else problem.split.train.y.mean()
        distance = np.abs(f[:, 0] - middle)
    return [int(j) for j in np.argsort(distance, kind="stable")[:count]]


def row(name: str, answers: list[Fragility], seconds: list[float]) -> str:
    """Of the table."""
    n, found = answers[0].n, [answer.turned for answer in answers if answer.turned.found]
    sizes, small = np.array([len(one.rows) for one in found]), [one for one in found if len(one.rows) <= SMALL * n]
    held, named = sum(one.held for one in small), [one for one in found if len(one.first)]
    ratios = np.array([len(one.first) / len(one.rows) for one in named])
    turned = sum(one.first_turns for one in named)
    first = f"{len(named)} of {len(found)}"
    first += f", {np.median(ratios):.2g} × (to {ratios.max():.2g} ×), {turned} turn" if len(named) else ""
    size = f"{np.median(sizes):g} = {np.median(sizes) / n:.1%} ({sizes.min()}–{sizes.max()})"
    worst = max((abs(one.certificate) for one in found), default=np.nan)
    times = [second for answer, second in zip(answers, seconds, strict=True) if len(answer.turned.rows) <= SMALL * n]
    spent = f"{np.median(times):.2g} / {max(times):.2g} s"
    counts = f"{len(answers)} | {len(found)} | {held} of {len(small)}"
    return f"| {name} | {counts} | {size} | {first} | {worst:.0e} | {spent} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", choices=list(PROBLEMS))
    parser.add_argument("--tests", type=int)
    given = parser.parse_args()
    print(
        "| problem | asked | found | certified, of those ≤ 20 % | points | first order names | certificate "
        "| CPU, median / most |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, (data, model, count) in PROBLEMS.items():
        if given.problem not in {None, name}:
            continue
        problem, answers, seconds = Problem(Settings(data, model)), [], []
        for test in nearest(problem, given.tests or count):
            begun = time.process_time()
            answers.append(fragility.fragility(problem, FlipQuestion(test, fragility.wants(problem, test)[0])))
            seconds.append(time.process_time() - begun)
        print(row(name, answers, seconds), flush=True)


if __name__ == "__main__":
    main()
