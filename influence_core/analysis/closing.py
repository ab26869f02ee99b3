"""Closing the loop: what decisions about labels did to the model on data it was not fitted on, with a noise band."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import bootstrap

from influence_core.analysis.answers import Analysis
from influence_core.analysis.problem import Problem
from influence_core.analysis.review import Review
from influence_core.compute import FloatArray, Task, numpy
from influence_core.data import Corrections, DataError, Dataset

RESAMPLES = 2_000
BATCH = 200  # samples in memory
ROUNDING = 1e-9  # of a share or in nats: fits end at a gradient of 1e-10
BOOTSTRAP = (
    "Band: 95 % of 2,000 paired bootstrap samples of the held-out points, which is the noise of a held-out set of this "
    "size."
)
UNIQUE = "The fit is a unique minimum, so another seed of the optimiser would give the same model."
SEEDED = (
    "Training again with another seed gives another model; that noise is not in the band: repeat with other seeds "
    "before trusting a small change."
)


@dataclass(frozen=True)
class BeforeAfter:
    """One held-out mean before and after, with a band for the difference.

    Attributes:
        before: with the labels as given.
        after: with the decisions applied.
        low: of the difference after − before.
        high: of the difference.
    """

    before: float
    after: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """After − before."""
        return self.after - self.before

    @property
    def clear(self) -> bool:
        """Whether the band leaves zero out, and what the same fit gives when its sums are rounded otherwise."""
        return self.low > ROUNDING or self.high < -ROUNDING


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one batch of decisions did.

    Attributes:
        accuracy: of the held-out test points.
        loss: mean held-out loss.
        kept: decisions that left the label as it was.
        relabelled: decisions for another class.
        excluded: decisions to leave the point out.
        differed: kept or relabelled points whose decided label is not what the model predicted before.
        how: how the band was made.
    """

    accuracy: BeforeAfter
    loss: BeforeAfter
    kept: int
    relabelled: int
    excluded: int
    differed: int
    how: str


def corrected_review(review: Review, corrections: Corrections, task: Task | None = None) -> Review:
    """The review after the decisions: refitted model, new scores for a new queue version; the old one stays as it is.

    Excluded points are gone, so rows shift: match the two by ``ids``.

    Returns:
        A lazy review; decisions that cannot be applied are a ``DataError`` when it is first used.

    Raises:
        DataError: the review has decisions applied already.
    """
    old = review.analysis
    if old.problem.corrections is not None:
        raise DataError("Expected decisions about the labels as given: apply all decisions at once, not one by one.")
    problem = replace(old.problem, corrections=corrections)
    return Review(Analysis(old.settings, problem, task or old.task))


def outcome(before: Review, after: Review) -> Outcome:
    """Held-out accuracy and loss before and after, with bands, and what the decisions were.

    Both are measured on the test points of ``after``, whose labels may have been reviewed too.

    Args:
        before: the review with the labels as given.
        after: of :func:`corrected_review`.

    Raises:
        DataError: ``after`` has no corrections, or a task without classes.
    """
    corrections = after.analysis.problem.corrections
    if corrections is None or not before.analysis.problem.split.test.classes:
        raise DataError("Expected a review with decisions about classes: make some decisions first.")
    test = after.analysis.problem.split.test
    old, new = (_held_out(one.analysis.problem, test) for one in (before, after))
    seed, rows = before.seed, corrections.rows
    stays = ~corrections.excluded
    kept = int((corrections.labels == before.labels[rows])[stays].sum())
    differed = int((corrections.labels != before.predicted[rows])[stays].sum())
    counts = kept, int(stays.sum()) - kept, int(corrections.excluded.sum()), differed
    how = f"{BOOTSTRAP} {UNIQUE if before.fitted.unique else SEEDED}"
    return Outcome(_compared(old[0], new[0], seed), _compared(old[1], new[1], seed), *counts, how)


def _held_out(problem: Problem, test: Dataset) -> tuple[FloatArray, FloatArray]:
    """(m,) 1 where a test point is classified right, and (m,) losses."""
    fitted, batch = problem.fitted, problem.fitted.batch(test)
    f = fitted.model.outputs(fitted.theta, batch.x)
    margins = fitted.model.loss.margins(f, batch.y)
    right = np.ones(len(test)) if margins is None else numpy(margins > 0).astype(float)
    return right, numpy(fitted.model.loss.values(f, batch.y))


def _compared(before: FloatArray, after: FloatArray, seed: int) -> BeforeAfter:
    low, high = paired_bootstrap(after - before, seed)
    return BeforeAfter(float(before.mean()), float(after.mean()), low, high)


def paired_bootstrap(differences: FloatArray, seed: int, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The middle 95 % of the mean of resampled differences (percentile bootstrap, Efron & Tibshirani 1993).

    Args:
        differences: (m,) after − before of the same points.
        seed: of the resampling.
        resamples: how often.

    Returns:
        Low and high.
    """
    sample = np.resize(differences, max(len(differences), 2))  # SciPy refuses a single point, whose band is itself
    rng = np.random.default_rng([seed, 6])
    found = bootstrap((sample,), np.mean, n_resamples=resamples, batch=BATCH, method="percentile", rng=rng)
    low, high = found.confidence_interval
    return float(low), float(high)
