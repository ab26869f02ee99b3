"""Curves on data with known flips: fraction checked -> flips found, and test accuracy after fixing what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from influence_core.analysis.answers import Analysis
from influence_core.analysis.folds import GOAL
from influence_core.analysis.problem import Problem
from influence_core.analysis.review import Review
from influence_core.compute import FloatArray, Rows, Task
from influence_core.compute.pieces import Found, Piece, gathered
from influence_core.data import Corrections, DataError
from influence_core.mislabels import SIGNALS, Curve, auc, detection
from influence_core.models.fitting import goal_of, newton
from influence_core.settings import Settings

FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
ALWAYS = ("loss", "random")  # loss is as good as influence on some tasks, and chance is what both must beat


def checking_curve(
    settings: Settings,
    signals: Sequence[str] = ("self_influence",),
    seeds: Sequence[int] = tuple(range(10)),
    fractions: Sequence[float] = FRACTIONS,
    task: Task | None = None,
) -> Curve:
    """Check the most suspicious shares of the training data, give the flips found their labels back, refit, test.

    Every seed draws its own split and flips.  Loss and random are always among the signals.  With a store in ``task``
    finished seeds are kept and resumed, and shown as they come.

    Args:
        settings: with a flipped share above 0.
        signals: names of ``SIGNALS``.
        seeds: one run each.
        fractions: shares checked.
        task: progress in seeds × signals, cancel, store.

    Returns:
        One curve per signal.

    Raises:
        DataError: no flips, no seeds, or shares outside [0, 1].
    """
    if settings.data.flip_fraction <= 0:
        raise DataError("This curve needs labels that were flipped on purpose: set the flipped share above 0.")
    shares = np.unique(np.asarray(fractions, dtype=np.float64))
    if not len(seeds) or not len(shares) or shares.min() < 0 or shares.max() > 1:
        raise DataError("Expected at least one seed, and shares from 0 to 1.")
    wanted = set(signals) | set(ALWAYS)
    names = [name for name in SIGNALS if name in wanted] + [name for name in signals if name not in SIGNALS]
    job = task or Task()
    runs = dict[int, Found]()

    def ended(k: int, found: Found) -> None:
        runs[k] = found
        ready = next(count for count in range(len(runs) + 1) if count not in runs)  # those before the first gap
        if ready:
            job.show(_curve([runs[j] for j in range(ready)], names, shares, seeds[:ready]))

    found = gathered([_piece(replace(settings, seed=seed), names, shares) for seed in seeds], job, ended=ended)
    return _curve(found, names, shares, seeds)


def _curve(runs: list[dict[str, FloatArray]], names: list[str], shares: FloatArray, seeds: Sequence[int]) -> Curve:
    found = {name: np.stack([run[f"found_{name}"] for run in runs]) for name in names}
    accuracy = {name: np.stack([run[f"accuracy_{name}"] for run in runs]) for name in names}
    areas = {name: np.array([float(run[f"auc_{name}"]) for run in runs]) for name in names}
    clean = np.array([float(run["clean"]) for run in runs])
    return Curve(shares, tuple(seeds), found, accuracy, clean, areas)


def _piece(settings: Settings, names: list[str], shares: FloatArray) -> Piece:
    key = settings.key("data", "model", "solver", "seed")
    name = f"checking:{key}:{','.join(names)}:{','.join(f'{share:g}' for share in shares)}"
    return Piece(one_seed, settings, (names, shares), name)


def one_seed(settings: Settings, names: list[str], shares: FloatArray, task: Task) -> Found:
    """Everything the curves need of one seed."""
    problem = Problem(settings)
    review = Review(Analysis(settings, problem, replace(task, report=lambda _done, _total: None)))
    flipped, result = problem.split.flipped, dict[str, FloatArray]()
    reached: dict[bytes, float] = {}
    for name, suspicion in review.suspicions(names).items():
        found = detection(suspicion, flipped, review.ties, shares.tolist())
        queue = review.ranked(name)
        accuracies = [_accuracy_fixed(problem, queue[:count], reached, task) for count in found.checked]
        result[f"found_{name}"] = np.asarray(found.recall)
        result[f"accuracy_{name}"] = np.array(accuracies)
        area = auc(suspicion, flipped).value
        result[f"auc_{name}"] = np.array(np.nan if area is None else area)
    result["clean"] = np.array(_accuracy_fixed(problem, np.arange(len(flipped)), reached, task))
    return result


def _accuracy_fixed(problem: Problem, checked: Rows, reached: dict[bytes, float], task: Task) -> float:
    """Test accuracy after the flips among ``checked`` have got their labels back; equal sets are fitted once."""
    task.tick()
    rows = np.sort(checked[problem.split.flipped[checked]])
    key = rows.tobytes()
    if key not in reached:
        reached[key] = _refitted(problem, rows)
    return reached[key]


def _refitted(problem: Problem, rows: Rows) -> float:
    """Test accuracy with the original labels at ``rows``; Newton starts at θ̂, which changes nothing but the time."""
    labels, fitted = problem.split.original_y[rows].astype(np.int64), problem.fitted
    if not fitted.unique:
        fixed = replace(problem, corrections=Corrections(rows, labels, np.zeros(len(rows), dtype=bool)))
        return 1 - float(fixed.misclassified.mean())
    y = fitted.train.y.clone()
    y[torch.as_tensor(rows, device=y.device)] = torch.as_tensor(labels, device=y.device).to(y.dtype)
    goal = goal_of(fitted.linear, fitted.train, tolerance=GOAL)
    theta = newton(fitted.linear, replace(fitted.train, y=y), None, fitted.theta, goal).theta
    return float(problem.accuracy(theta) or 0.0)
