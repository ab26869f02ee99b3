"""SIGNALS: numbers that rise where a label looks wrong.  One direction for all: higher = more suspicious.

Which is best depends on the data: on MNIST the loss is as good as self-influence, on other tasks clearly worse, so
pages show the loss beside influence always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.mislabels.confident import label_quality
from influence_core.mislabels.ranking import percentiles

FLAGGED = 0.1  # share of the points that a signal votes for in ``agreement``
NEEDS = {
    "classes": "a classification task: choose data with classes",
    "linear": "a model with a linear predictor, whose refits are cheap: choose logistic or softmax regression",
    "probabilities": "a model with class probabilities: choose logistic or softmax regression",
    "validation": "a validation split whose labels can be trusted: set the validation fraction above 0",
}


class SignalError(ValueError):
    """A signal that is unknown or not defined for these data; the message says what to do."""


class Measured(Protocol):
    """What the signals of n training points are made of; each array is made when first asked for."""

    @property
    def offers(self) -> frozenset[str]:
        """Which of ``NEEDS`` are there."""

    @property
    def seed(self) -> int:
        """Of the random order."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) given labels."""

    @property
    def self_influence(self) -> FloatArray:
        """(n,) first-order predicted loss_change of every training point on itself."""

    @property
    def newton_self_influence(self) -> FloatArray:
        """(n,) the same by one Newton step."""

    @property
    def validation_change(self) -> FloatArray:
        """(n,) predicted loss_change of the mean validation loss; < 0: harmful."""

    @property
    def losses(self) -> FloatArray:
        """(n,) training losses at θ̂."""

    @property
    def gradient_norms(self) -> FloatArray:
        """(n,) ‖g_i‖."""

    @property
    def margins(self) -> FloatArray:
        """(n,) output of the given class minus the largest other; > 0 where the model agrees."""

    @property
    def probabilities(self) -> FloatArray:
        """(n, c) cross-validated class probabilities."""

    def suspicion(self, name: str) -> FloatArray:
        """(n,) of another signal, computed once."""


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One way to suspect labels.

    Attributes:
        title: for people.
        meaning: one sentence: what a high value says.
        suspicion: (n,) from what was measured; higher = more suspicious.
        needs: keys of ``NEEDS``.
        cheap: whether the fitted model is enough, without further fits or a p × p inverse.
        fits: what it takes beyond that, in about so many Newton fits.
        votes: whether ``agreement`` counts it.
    """

    title: str
    meaning: str
    suspicion: Callable[[Measured], FloatArray]
    needs: tuple[str, ...] = ()
    cheap: bool = True
    fits: int = 0
    votes: bool = True


def suspicion(measured: Measured, name: str) -> FloatArray:
    """One signal of every training point; higher = more suspicious.

    Returns:
        (n,).

    Raises:
        SignalError: an unknown signal, or one that these data or this model do not define.
    """
    if name not in SIGNALS:
        raise SignalError(f"Unknown signal {name[:40]!r}: expected one of {', '.join(SIGNALS)}.")
    entry = SIGNALS[name]
    for need in entry.needs:
        if need not in measured.offers:
            raise SignalError(f"{entry.title} needs {NEEDS[need]}.")
    return entry.suspicion(measured)


def applicable_signals(offers: Iterable[str]) -> list[str]:
    """Names of the signals whose needs are met.

    Returns:
        Names in registry order.
    """
    there = set(offers)
    return [name for name, entry in SIGNALS.items() if there.issuperset(entry.needs)]


def agreeing(suspicions: Mapping[str, FloatArray], share: float = FLAGGED) -> tuple[NDArray[np.int64], FloatArray]:
    """How many signals have each point in their top ``share`` (all points at the limit count), and its mean percentile.

    Returns:
        (n,) counts and (n,) mean percentiles in percent.
    """
    tops = [values >= np.quantile(values, 1 - share, method="higher") for values in suspicions.values()]
    # A signal that is equal for all points, such as a loss of 0 everywhere, singles out none of them.
    counted = [top & (np.ptp(values) > 0) for top, values in zip(tops, suspicions.values(), strict=True)]
    ranks = [percentiles(values) for values in suspicions.values()]
    return np.sum(counted, axis=0, dtype=np.int64), np.asarray(np.mean(ranks, axis=0))


def _agreement(measured: Measured) -> FloatArray:
    # The count, and the mean percentile as its decimals, so that points with the same count have an order.
    voters = [name for name in applicable_signals(measured.offers) if SIGNALS[name].votes]
    counts, mean = agreeing({name: measured.suspicion(name) for name in voters})
    return np.asarray(counts + mean / 100)


def _random(measured: Measured) -> FloatArray:
    return np.random.default_rng([measured.seed, 4]).random(len(measured.labels))


SIGNALS: dict[str, Signal] = {
    "self_influence": Signal(
        title="Self-influence",
        meaning="Without it the model would predict this point worse: it had to be learnt by itself.",
        suspicion=lambda m: m.self_influence,
    ),
    "newton_self_influence": Signal(
        title="Self-influence, one-step Newton",
        meaning="Self-influence corrected by the leverage of the point.",
        suspicion=lambda m: m.newton_self_influence,
        needs=("linear",),
        cheap=False,
        fits=1,
        votes=False,
    ),
    "validation_influence": Signal(
        title="Harm to validation",
        meaning="Removing it is predicted to lower the mean loss of the trusted validation split.",
        suspicion=lambda m: -m.validation_change,
        needs=("validation",),
    ),
    "loss": Signal(
        title="Training loss",
        meaning="The fitted model gives its label a low probability.",
        suspicion=lambda m: m.losses,
    ),
    "gradient_norm": Signal(
        title="Gradient norm", meaning="It pulls hard at the parameters.", suspicion=lambda m: m.gradient_norms
    ),
    "margin": Signal(
        title="Negative margin",
        meaning="The fitted model prefers another class.",
        suspicion=lambda m: -m.margins,
        needs=("classes",),
    ),
    "confident_learning": Signal(
        title="Confident learning",
        meaning="Models fitted without it give its label a low probability (1 − cleanlab's label score).",
        suspicion=lambda m: 1 - label_quality(m.labels, m.probabilities),
        needs=("classes", "probabilities"),
        cheap=False,
        fits=5,
    ),
    "agreement": Signal(
        title="Signals that agree",
        meaning=f"So many signals have it in their top {FLAGGED:.0%}; decimals: its mean percentile.",
        suspicion=_agreement,
        cheap=False,
        votes=False,
    ),
    "random": Signal(title="Random", meaning="Nothing: the order to compare with.", suspicion=_random, votes=False),
}
