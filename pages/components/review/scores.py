"""From a fitted model to what the annotators' store takes: signals, probabilities and near-duplicates of all rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influence_core.settings import Settings, from_json, to_json
from pages.components import cached

if TYPE_CHECKING:
    from influence_core.analysis import Corrections, Problem, Review, Task
    from influence_core.annotations import Run, Samples
    from influence_core.data import Split

ALWAYS = ("self_influence", "loss", "random")  # loss stands beside influence always
LAST = -1e300  # suspicion of rows that left the training set: behind all others
SETTINGS, CORRECTIONS, SIGNALS = "settings", "corrections", "signals"


@dataclass(frozen=True, eq=False)
class Fit:
    """Which model's scores order a queue: settings, and what people had decided before it was fitted.

    Attributes:
        settings: of data, model and solver.
        corrections: of training labels, or None for the labels as given.
        signals: to compute.
    """

    settings: Settings
    corrections: Corrections | None = None
    signals: tuple[str, ...] = ALWAYS

    @property
    def key(self) -> str:
        """Names the job that makes the scores; the queue of a job is another matter."""
        changed = "" if self.corrections is None else self.corrections.fingerprint
        return f"review:{self.settings.key('data', 'model', 'solver', 'seed')}:{changed}:{','.join(self.signals)}"

    def record(self) -> dict[str, Any]:
        """Everything that makes the same scores again, for the store.

        Returns:
            JSON-ready; the inverse of :func:`fit_of`.
        """
        found: dict[str, Any] = {SETTINGS: json.loads(to_json(self.settings)), SIGNALS: list(self.signals)}
        if self.corrections is not None:
            kept = self.corrections
            found[CORRECTIONS] = [array.tolist() for array in (kept.rows, kept.labels, kept.excluded)]
        return found


def fit_of(record: Mapping[str, Any]) -> Fit:
    """The model behind a stored queue.

    Returns:
        What :meth:`Fit.record` wrote.
    """
    corrections = None
    if CORRECTIONS in record:
        rows, labels, excluded = record[CORRECTIONS]
        decided = (np.array(rows, dtype=np.int64), np.array(labels, dtype=np.int64), np.array(excluded, dtype=bool))
        corrections = cached.core().Corrections(*decided)
    return Fit(from_json(json.dumps(record[SETTINGS])), corrections, tuple(record[SIGNALS]))


@dataclass(frozen=True, eq=False)
class Scored:
    """Signals of all n training points of the data as given, whoever left the training set of the model.

    Attributes:
        review: of the model; its rows are those of its own training set.
        split: the data as given.
        kept: (n,) bool, in the model's training set.
        signals: computed.
    """

    review: Review
    split: Split
    kept: NDArray[np.bool_]
    signals: tuple[str, ...]

    def row(self, position: int) -> int | None:
        """Row of the model's training set.

        Returns:
            None where the point left.
        """
        return int(np.count_nonzero(self.kept[:position])) if self.kept[position] else None

    def position(self, row: int) -> int:
        """Inverse of :meth:`row`.

        Returns:
            Row of the data as given.
        """
        return int(np.flatnonzero(self.kept)[row])


def work(fit: Fit) -> Callable[[Task], Scored]:
    """What makes the scores; it shares the fitted model with the other pages where labels are as given.

    Returns:
        A job: it ticks, and can be cancelled.
    """
    given = cached.problem(fit.settings)
    problem = given if fit.corrections is None else cached.core().Problem(fit.settings, corrections=fit.corrections)
    return lambda task: score(fit, problem, given, task)


def score(fit: Fit, problem: Problem, given: Problem, task: Task) -> Scored:
    """Fit the model and compute the signals.

    Args:
        fit: what is asked for.
        problem: with the corrections.
        given: without.
        task: told how far it is.

    Returns:
        Signals that are ready, and a factor for the evidence.
    """
    core, settings = cached.core(), fit.settings
    review = core.Review(core.Analysis(settings, problem, task))
    split = given.split
    kept = np.ones(len(split.train), dtype=bool)
    if fit.corrections is not None:
        kept[fit.corrections.rows[fit.corrections.excluded]] = False
    names = tuple(name for name in fit.signals if name in review.signals)
    steps = len(names) + 2
    task.tick(0, steps)
    _ = problem.fitted
    for done, name in enumerate(names):
        task.tick(1 + done, steps)
        review.suspicion(name)
    task.tick(steps - 1, steps)
    _ = review.trust, review.duplicate_groups
    task.tick(steps, steps)
    return Scored(review, split, kept, names)


def samples(split: Split, name: str) -> Samples:
    """The training points as the store knows them.

    Args:
        split: of the data as given.
        name: of the data.

    Returns:
        All n rows.
    """
    train = split.train
    return cached.annotations().Samples(
        name, train.fingerprint, train.ids, train.y.astype(np.int64), tuple(train.class_names)
    )


def run(scored: Scored, fit: Fit) -> Run:
    """What the model says of every row of the data as given.

    Returns:
        The run of a queue; where the model has no probabilities they are 1 for the predicted class.
    """
    review, given = scored.review, scored.split.train.y.astype(np.int64)
    belief = probabilities(scored)
    others = belief.copy()
    others[np.arange(len(given)), given] = -1.0
    suggested, rows = others.argmax(1), np.arange(len(given))
    unseen = "confident_learning" in scored.signals
    title = cached.core().MODELS[fit.settings.model.name].title
    return cached.annotations().Run(
        model=f"{title}, l2 = {fit.settings.model.l2:g}",
        settings=fit.record(),
        seed=fit.settings.seed,
        trust=trust_text(review),
        signals={name: _spread(scored, review.suspicion(name), LAST) for name in scored.signals},
        predicted=belief.argmax(1),
        suggested=suggested,
        p_given=belief[rows, given],
        p_suggested=belief[rows, suggested],
        label_score=1 - _spread(scored, review.suspicion("confident_learning"), 1.0) if unseen else None,
        is_issue=_spread(scored, review.issues, False) if unseen else None,
        metrics={"cross_validated": unseen},
        gradient_norm=review.trust.gradient_norm,
    )


def trust_text(review: Review) -> str:
    """The trust line with its advice.

    Returns:
        One text for card and export.
    """
    return " ".join((review.trust.line, *review.trust.warnings))


def duplicates(scored: Scored) -> NDArray[np.int64]:
    """(n,) number of the group of near-duplicates, −1 for none."""
    return _spread(scored, scored.review.duplicate_groups, -1)


def probabilities(scored: Scored) -> NDArray[np.floating[Any]]:
    """(n, c) class probabilities: of models that have not seen the point where confident learning was asked for.

    Returns:
        Rows that left the training set are predicted; a model without probabilities is sure of its prediction.
    """
    review, c = scored.review, scored.split.train.classes
    found = review.probabilities if "confident_learning" in scored.signals else review.fitted_probabilities
    if found is None:
        found = np.eye(c)[review.predicted]
    left = ~scored.kept
    result = np.empty((len(left), c))
    result[scored.kept] = found
    if left.any():
        points = scored.split.scaling.invert(scored.split.train.x[left])
        f, probability = review.analysis.problem.outputs_at(points)
        classes = f.argmax(1) if f.shape[1] > 1 else (f[:, 0] > 0).astype(np.int64)
        result[left] = np.eye(c)[classes] if probability is None else probability
    return result


def _spread(scored: Scored, values: NDArray[Any], missing: Any) -> NDArray[Any]:
    if scored.kept.all():
        return values
    result = np.full(len(scored.kept), missing, dtype=values.dtype)
    result[scored.kept] = values
    return result


def offered(names: Sequence[str]) -> tuple[str, ...]:
    """Signals of a queue in the order of the registry, those that always stand there included.

    Returns:
        Names.
    """
    return tuple(name for name in cached.core().SIGNALS if name in names or name in ALWAYS)
