"""What the prediction at the one test point is, and what it becomes without a training point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from influence_core.settings import Settings
from pages.components.problem.asked import Shown

CERTAIN = 1e-6  # largest |change| below which nothing that leaves is seen


@dataclass(frozen=True)
class Standing:
    """The watched value at one test point, and what else its change says.

    Attributes:
        name: of the watched value.
        value: at the fit.
        chance: probability of the true class at the fit, where the value is its −log; else None.
        truth: the true class in words.
    """

    name: str
    value: float
    chance: float | None = None
    truth: str = ""

    def after(self, change: float) -> str:
        """The value and the probability before and after a change."""
        value = self.value + change
        text = f"{self.name} {short(self.value)} → {short(value)}"
        if self.chance is not None and value >= 0:
            text += f", p({self.truth}) {self.chance:.1%} → {math.exp(-value):.1%}"
        return text


def standing(shown: Shown) -> Standing | None:
    """The one test point that is asked about; None for a group, for the reverse question and for a ranking."""
    if shown.single is None or not shown.sized:
        return None
    problem, settings = shown.analysis.problem, shown.settings
    test, loss = problem.split.test, problem.fitted.model.loss
    value = shown.analysis.value(shown.single)
    log = settings.quantity == "loss" and loss.unit == "nats" and problem.predictions.shape[1] > 1
    if not log or settings.model.fold_penalty:
        return Standing(shown.watched, value)
    label = int(test.y[shown.single])
    return Standing(shown.watched, value, float(problem.predictions[shown.single, label]), test.class_names[label])


def extremes(shown: Shown) -> str:
    """What the prediction becomes without the most helpful point, and without the most harmful one."""
    found, scores = standing(shown), shown.helpfulness
    known = np.flatnonzero(np.isfinite(scores))
    if found is None or not len(known):
        return ""
    ends = {"most": known[scores[known].argmax()], "least": known[scores[known].argmin()]}
    words = ("most helpful", "most harmful") if shown.orientation else ("strongest upwards", "strongest downwards")
    parts = [
        f"without the {word} ({shown.data.ids[row]}) {found.after(float(shown.scores[row]))}"
        for word, row in zip(words, ends.values(), strict=True)
        if scores[row]
    ]
    return f"Predicted: {'; '.join(parts)}." if parts else ""


def certain(shown: Shown) -> str:
    """A sentence where every change of a log loss or a probability is too small to be seen."""
    settings: Settings = shown.settings
    if settings.quantity not in {"loss", "probability"} or shown.own_unit not in {"nats", "probability"}:
        return ""
    largest = float(np.abs(shown.scores[np.isfinite(shown.scores)]).max(initial=0.0))
    if not shown.sized or largest >= CERTAIN or not shown.analysis.problem.split.test.classes:
        return ""
    return (
        f"This prediction is certain: no training point changes it by more than {largest:.0e} {shown.own_unit}. Watch "
        "the margin, or choose another test point."
    )


def short(value: float) -> str:
    """Three digits, and none behind those."""
    if abs(value) >= 1e3:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 or not value else f"{value:.1e}"
