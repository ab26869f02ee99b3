"""Figure H: how many wrong labels are found after checking a share of the training data, by signal."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from influence_core import mislabels
from influence_core.analysis import checking_curve, mean_and_error
from influence_core.compute import Task
from influence_core.mislabels import Curve
from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

SIGNALS = ("self_influence", "confident_learning")  # loss and random are always among the curves
SHARES = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
DATA = ("mnist", "digits")


def flipped_settings(data: str) -> Settings:
    """Two classes of digits with 10 % of the training labels flipped."""
    return Settings(DataSettings(data, flip_fraction=0.1, test_fraction=0.3), ModelSettings("logistic", 0.1))


def flipped_labels(chosen: Chosen, task: Task) -> Figure:
    """10 % of the training labels are flipped, ranked by each signal, and put right in that order; over many seeds.

    Returns:
        Tables ``curves`` (share checked; share of flips found and test accuracy after fixing, mean ± s.e.) and
        ``auc`` (one row per signal and seed).
    """
    seeds = tuple(range(int(chosen["seeds"])))
    shown = replace(task, show=lambda curve: task.show(_figure(curve)))
    return _figure(checking_curve(flipped_settings(str(chosen["data"])), SIGNALS, seeds, SHARES, shown))


def _figure(found: Curve) -> Figure:
    rows, areas = [], []
    for name in found.found:
        share, share_error = mean_and_error(found.found[name])
        accuracy, accuracy_error = mean_and_error(found.accuracy[name])
        rows.append(
            pd.DataFrame(
                {
                    "signal": name,
                    "checked": found.fractions,
                    "found": share,
                    "found_se": share_error,
                    "accuracy": accuracy,
                    "accuracy_se": accuracy_error,
                }
            )
        )
        areas.append(pd.DataFrame({"signal": name, "seed": found.seeds, "auc": found.auc[name]}))
    tables = {"curves": pd.concat(rows, ignore_index=True), "auc": pd.concat(areas, ignore_index=True)}
    return Figure(tables, tuple(_numbers(tables)))


def _numbers(tables: dict[str, pd.DataFrame]) -> list[Number]:
    numbers = []
    for name, rows in tables["auc"].groupby("signal", sort=False):
        numbers.append(Number(f"mean AUC, {mislabels.SIGNALS[str(name)].title}", float(rows.auc.mean())))
    for name, rows in tables["curves"].groupby("signal", sort=False):
        at = rows[rows.checked == 0.1].iloc[0]
        numbers.append(
            Number(f"share of flips found after checking 10 %, {mislabels.SIGNALS[str(name)].title}", float(at.found))
        )
    return numbers


FLIPPED_LABELS = FigureEntry(
    title="Checking the most suspicious tenth finds most flipped labels",
    source="[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730), section 5.4; "
    "announced in the reproduction paper but not done there",
    run=flipped_labels,
    options=(Option("seeds", 5, "Seeds", 2, 50), Option("data", DATA[0], "Data", choices=DATA)),
    settings=flipped_settings(DATA[0]),
)
