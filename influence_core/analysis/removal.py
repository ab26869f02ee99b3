"""Did they matter?  What happens without the k most helpful training points, against k random ones: measured by refits.

A ranking that is right about the whole, and not only point by point, moves what is watched further than chance does.
Every number is a refit (for a network a training run) without that group; nothing here is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from influence_core import wording
from influence_core.analysis.answers import Analysis
from influence_core.analysis.groups import checked_group
from influence_core.analysis.rivals import ALL_RIVALS, all_rivals_of, orders, title_of
from influence_core.analysis.text_rivals import Targets
from influence_core.analysis.truth import Truth, collected, looking, within
from influence_core.compute import FloatArray, Rows, Task
from influence_core.data import DataError
from influence_core.influence.estimators import ESTIMATORS

SHARES = (0.01, 0.02, 0.035, 0.05, 0.07, 0.1)  # of the training points
DRAWS = 10  # random groups of each size
LEVEL = 0.95  # share of random groups inside the interval


@dataclass(frozen=True)
class RemovalQuestion:
    """What is measured.

    Attributes:
        tests: test points asked about; for several their mean.
        rivals: names in ``ALL_RIVALS`` or ``ESTIMATORS``, beside the estimator of the settings; None for every rival.
        shares: of the training points, ascending: sizes of the groups.
        draws: random groups of each size.
        truth: in ``Problem.truths``; empty for the one that suits the model.
    """

    tests: tuple[int, ...]
    rivals: tuple[str, ...] | None = None
    shares: tuple[float, ...] = SHARES
    draws: int = DRAWS
    truth: str = ""

    def rankings(self, analysis: Analysis) -> tuple[str, ...]:
        """Names of all that is ranked by, the estimator of the settings first."""
        rivals = all_rivals_of(analysis) if self.rivals is None else self.rivals
        return tuple(dict.fromkeys((analysis.settings.estimator, *rivals)))

    def count(self, analysis: Analysis, targets: int = 1) -> int:
        """Fits that answer it, for so many targets."""
        return len(self.shares) * (targets * len(self.rankings(analysis)) + self.draws)


@dataclass(frozen=True, eq=False)
class Removal:
    """Measured changes of the watched quantity, new minus old; NaN where no refit is yet, or none is possible.

    Attributes:
        sizes: (s,) points that leave.
        n: training points there are.
        titles: of the rankings, by name; the first is the estimator that was asked about.
        change: (s,) for each ranking.
        random: (s, draws) for random groups.
        unit: of the changes.
        groups: (largest size,) points in the order in which they leave, for each ranking.
        finished: whether every group has been tried.
        sign: −1 where a fall is what the scores of helpful points foretell (the margin), else +1.
    """

    sizes: Rows
    n: int
    titles: Mapping[str, str]
    change: Mapping[str, FloatArray]
    random: FloatArray
    unit: str
    groups: Mapping[str, Rows]
    finished: bool = False
    sign: int = 1

    @property
    def mean(self) -> FloatArray:
        """(s,) of the random groups."""
        found: FloatArray = _per_size(self.random, lambda row: float(row.mean()), 1)
        return found

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Where one more random group lies in 95 of 100 cases, (s,) each: mean ± t·s·√(1 + 1/draws), t of draws − 1."""

        def half(row: FloatArray) -> float:
            quantile = float(student.ppf((1 + LEVEL) / 2, len(row) - 1))
            return float(quantile * row.std(ddof=1) * (1 + 1 / len(row)) ** 0.5)

        reach = _per_size(self.random, half, 2)
        return self.mean - reach, self.mean + reach

    def outside(self, name: str) -> NDArray[np.bool_]:
        """(s,) whether a ranking moves what is watched further than random groups do."""
        low, high = self.interval
        found: NDArray[np.bool_] = (self.change[name] < low) | (self.change[name] > high)
        return found

    def sentence(self, number: Callable[[float], str] = "{:.3g}".format, unit: str = "") -> str:
        """What was found about the estimator.

        Args:
            number: writes a change.
            unit: of the changes as they are written; the own one by default.
        """
        name = next(iter(self.titles))
        known = np.isfinite(self.change[name]) & np.isfinite(self.interval[0])
        if not known.any():
            return "Nothing is measured yet." if not self.finished else "No group could leave: too few of a class stay."
        foretold = self.sign * (self.change[name] - self.mean) > 0
        k, outside = int(np.flatnonzero(known)[-1]), self.outside(name) & known
        beyond, against = int((outside & foretold).sum()), int((outside & ~foretold).sum())
        low, high = (number(float(end[k])) for end in self.interval)
        verdict = "They mattered" if beyond == known.sum() else "In part" if beyond else "No more than chance"
        verdict = "The other way than the scores say" if against > beyond else verdict
        other = f" At {against} sizes it goes the other way." if against else ""
        return (
            f"{verdict}: without the {self.sizes[k]:,} strongest ({self.sizes[k] / self.n:.1%}) the change is "
            f"{number(float(self.change[name][k]))} {unit or self.unit}; {LEVEL:.0%} of random groups of this size lie "
            f"between {low} and {high}. Beyond chance at {beyond} of {int(known.sum())} sizes.{other}"
        )

    def table(self) -> pd.DataFrame:
        """One row per ranking and size."""
        low, high = self.interval
        sizes = {"points": self.sizes, "share": self.sizes / self.n}
        chance = {"random_mean": self.mean, "random_low": low, "random_high": high}
        parts = []
        for name, title in self.titles.items():
            own = {"change": self.change[name], **chance, "outside": self.outside(name)}
            parts.append(pd.DataFrame({"ranking": title, **sizes, **own}))
        return pd.concat(parts, ignore_index=True)


def removal(analysis: Analysis, question: RemovalQuestion, task: Task | None = None) -> Removal:
    """Refit without the strongest of every ranking, and without random groups; with a store, refits are kept.

    Random groups are the beginnings of ``draws`` random orders, drawn from the seed of the settings, as the groups of
    a ranking are the beginnings of its order.

    Args:
        analysis: whose estimator and quantity are asked about.
        question: about which test points, against whom.
        task: progress, cancel, the store, and whom to show what is finished after every size.

    Returns:
        The changes; a question that cannot be asked is a ``DataError``.
    """
    told = task or Task()
    return removals(analysis, question, [question.tests], replace(told, show=lambda found: told.show(found[0])))[0]


def removals(analysis: Analysis, question: RemovalQuestion, targets: Targets, task: Task) -> tuple[Removal, ...]:
    """The same for several targets, whose refits without random groups are shared; shown together after every size."""
    _check(analysis, question)
    n, names = len(analysis.problem.split.train), question.rankings(analysis)
    sizes = np.unique(np.maximum(1, np.round(np.array(question.shares) * n).astype(np.int64)))
    ordered = orders(analysis, targets, names, int(sizes[-1]))
    random = np.random.default_rng([analysis.settings.seed, 17])
    drawn = [random.permutation(n)[: sizes[-1]] for _ in range(question.draws)]
    none = np.full(len(sizes), np.nan)
    first = Removal(
        sizes, n, {name: title_of(name) for name in names}, dict.fromkeys(names, none),
        np.full((len(sizes), question.draws), np.nan), analysis.unit, {},
        sign=wording.sign(analysis.settings),
    )  # fmt: skip
    found = tuple(replace(first, groups={name: ordered[name][t] for name in names}) for t in range(len(targets)))
    each = len(targets) * len(names) + question.draws
    for k, size in enumerate(sizes):
        groups = [order[:size] for own in found for order in own.groups.values()] + [order[:size] for order in drawn]
        change = _measured(analysis, question, groups, within(task, k * each, len(sizes) * each))
        asked = enumerate(zip(found, targets, strict=True))
        found = tuple(_with(one, k, change[:, list(tests)].mean(1), t * len(names)) for t, (one, tests) in asked)
        task.show(found)
    return tuple(replace(one, finished=True) for one in found)


def stored_removal(analysis: Analysis, question: RemovalQuestion) -> Removal | None:
    """What an earlier run measured and stored, or None."""
    found = collected([lambda: removal(analysis, question, looking())])
    return found[0] if found else None


def truth_of(analysis: Analysis, question: RemovalQuestion) -> Truth:
    """What it is measured by."""
    return analysis.problem.truths.get(question.truth, analysis.problem.truth)


def cost(analysis: Analysis, question: RemovalQuestion, targets: int = 1) -> float:
    """In floating-point operations, roughly."""
    truth, fitted = truth_of(analysis, question), analysis.problem.fitted
    n, p, outputs = len(fitted.train), fitted.size, fitted.model.loss.outputs
    steps = 4 * (n * p * p / max(outputs, 1) + 2.0 * p**3)
    return question.count(analysis, targets) * (truth.way.seeds * truth.run_cost or steps)


def _with(found: Removal, size: int, change: FloatArray, first: int) -> Removal:
    """One size more, of its rankings from ``first`` on and of random groups; what has been shown stays as it is."""
    random, changes = found.random.copy(), {name: values.copy() for name, values in found.change.items()}
    random[size] = change[-random.shape[1] :]
    for at, values in enumerate(changes.values(), first):
        values[size] = change[at]
    return replace(found, change=changes, random=random)


def _measured(analysis: Analysis, question: RemovalQuestion, groups: Sequence[Rows], task: Task) -> FloatArray:
    """Changes (g, m) without each group; the same points by two rankings leave once, and NaN where too little stays."""
    settings, keys, possible = analysis.settings, list[bytes](), dict[bytes, Rows]()
    for rows in groups:
        keys.append(np.sort(rows).tobytes())
        with suppress(DataError):
            possible.setdefault(keys[-1], checked_group(rows, analysis.problem.split.train))
    change = np.full((len(groups), len(analysis.problem.test)), np.nan)
    if possible:
        truth, told = truth_of(analysis, question), _scaled(task, len(groups) / len(possible))
        found = truth.groups(list(possible.values()), settings.quantity, settings.target, told)
        by_key = dict(zip(possible, found, strict=True))
        for row, key in zip(change, keys, strict=True):
            row[:] = by_key.get(key, np.nan)
    return change


def _scaled(task: Task, factor: float) -> Task:
    return replace(task, report=lambda done, total: task.report(factor * done, factor * total))


def _check(analysis: Analysis, question: RemovalQuestion) -> None:
    m = len(analysis.problem.split.test)
    if not question.tests or not all(0 <= j < m for j in question.tests):
        raise DataError(f"Test points: expected some from 0 to {m - 1}, got {list(question.tests)[:5]}.")
    if wrong := [name for name in question.rivals or () if name not in {*ALL_RIVALS, *ESTIMATORS}]:
        raise DataError(f"Rival: expected one of {', '.join([*ALL_RIVALS, *ESTIMATORS])}, got {wrong[0][:40]!r}.")
    if not question.shares or not all(0 < share < 1 for share in question.shares):
        raise DataError("Shares of the training points: expected numbers between 0 and 1.")
    if question.draws < 2:
        raise DataError(f"Random groups of each size: expected at least 2, got {question.draws}.")


def _per_size(random: FloatArray, of: Callable[[FloatArray], float], least: int) -> FloatArray:
    rows = [row[np.isfinite(row)] for row in random]
    return np.array([of(row) if len(row) >= least else np.nan for row in rows])
