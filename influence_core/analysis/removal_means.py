"""Did they matter, for several test points, each without its own most helpful training points: means and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import t as student

from influence_core.analysis.answers import Analysis
from influence_core.analysis.removal import LEVEL, Removal, RemovalQuestion, removals
from influence_core.compute import FloatArray, Task


@dataclass(frozen=True, eq=False)
class RemovalMeans:
    """The answers at several test points.

    Attributes:
        each: one for every test point.
    """

    each: tuple[Removal, ...]

    @property
    def finished(self) -> bool:
        """Whether every group of every test point has been tried."""
        return all(one.finished for one in self.each)

    def gains(self, name: str) -> FloatArray:
        """(t, s) how much further than the mean of random groups a ranking moves what is watched, as it foretells."""
        first = self.each[0]
        return np.stack([first.sign * (one.change[name] - one.mean) for one in self.each])

    def table(self) -> pd.DataFrame:
        """One row per ranking and size: means over the test points that were measured, with their interval."""
        first, parts = self.each[0], []
        for name, title in first.titles.items():
            gains, change = self.gains(name), np.stack([one.change[name] for one in self.each])
            mean, reach = _mean(gains)
            beyond = np.stack([one.outside(name) for one in self.each]) & (gains > 0)
            own = {
                "change": _mean(change)[0],
                "random": _mean(np.stack([one.mean for one in self.each]))[0],
                "gain": mean,
                "gain_low": mean - reach,
                "gain_high": mean + reach,
                "beyond_random": np.where(np.isfinite(mean), beyond.mean(0), np.nan),
                "test_points": np.isfinite(gains).sum(0),
            }
            sizes = {"points": first.sizes, "share": first.sizes / first.n}
            parts.append(pd.DataFrame({"ranking": title, **sizes, **own}))
        return pd.concat(parts, ignore_index=True)

    def sentence(self, number: Callable[[float], str] = "{:.3g}".format, unit: str = "") -> str:
        """Which ranking moves most at the largest size that was measured, and where the asked one stands."""
        table, unit = self.table(), unit or self.each[0].unit
        known = table[table["gain_low"].notna()]
        if known.empty:
            return "Nothing is measured yet." if not self.finished else "No group could leave: too few of a class stay."
        last = known[known["points"] == known["points"].max()].sort_values("gain", ascending=False)
        asked = self.each[0].titles[next(iter(self.each[0].titles))]
        own = last[last["ranking"] == asked]
        if own.empty:
            return "Nothing is measured yet."
        row, place = own.iloc[0], int((last["ranking"].to_numpy() == asked).argmax()) + 1
        low, high = number(float(row["gain_low"])), number(float(row["gain_high"]))
        order = "the furthest" if place == 1 else f"number {place}, after {last.iloc[0]['ranking']},"
        return (
            f"Without the {row['points']:,} strongest ({row['share']:.1%}) {asked} moves {order} of {len(last)} "
            f"rankings: {number(float(row['gain']))} {unit} beyond random groups, {LEVEL:.0%} interval {low} to {high} "
            f"over {row['test_points']} test points; beyond chance at {row['beyond_random']:.0%} of them."
        )


def removal_means(analysis: Analysis, question: RemovalQuestion, task: Task | None = None) -> RemovalMeans:
    """Every test point of the question without its own strongest; refits without random groups serve all of them.

    Returns:
        The answers; what is finished is shown after every size.
    """
    told = task or Task()
    shown = replace(told, show=lambda found: told.show(RemovalMeans(found)))
    return RemovalMeans(removals(analysis, question, [(j,) for j in question.tests], shown))


def _mean(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over test points (t, s), and half its interval: t·s/√t over those that are known; NaN below two of them."""
    mean, reach = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for k, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        if len(known):
            mean[k] = known.mean()
        if len(known) > 1:
            quantile = float(student.ppf((1 + LEVEL) / 2, len(known) - 1))
            reach[k] = quantile * known.std(ddof=1) / len(known) ** 0.5
    return mean, reach
