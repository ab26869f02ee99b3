"""From a fitted model to what the annotators' store takes: signals, probabilities and near-duplicates of all rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis import (
    MODELS,
    SIGNALS,
    Analysis,
    Corrections,
    Problem,
    Review,
    Scores,
    Task,
    corrected_review,
    duplicate_groups,
    scores,
)
from influence_core.annotations import Run, Samples
from influence_core.compute import FloatArray
from influence_core.compute.leash import Leash
from influence_core.data import Split
from influence_core.settings import Settings, from_json, to_json

ALWAYS = ("self_influence", "loss", "random")  # loss stands beside influence always
LAST = -1e300  # suspicion of rows that left the training set: behind all others
FACTORS = 12
RATE = 4e10  # floating-point operations per second on two cores
SEARCHED = 5_000  # rows for near-duplicates of which are looked: each costs a product with all others
SETTINGS, CORRECTIONS, COMPUTED = "settings", "corrections", "signals"  # names of a stored record


@dataclass(frozen=True, eq=False)
class Recipe:
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
            JSON-ready; the inverse of :func:`recipe_of`.
        """
        found: dict[str, Any] = {SETTINGS: json.loads(to_json(self.settings)), COMPUTED: list(self.signals)}
        if self.corrections is not None:
            kept = self.corrections
            found[CORRECTIONS] = [array.tolist() for array in (kept.rows, kept.labels, kept.excluded)]
        return found


def recipe_of(record: Mapping[str, Any]) -> Recipe:
    """The model behind a stored queue.

    Returns:
        What :meth:`Recipe.record` wrote.
    """
    corrections = None
    if CORRECTIONS in record:
        rows, labels, excluded = record[CORRECTIONS]
        decided = (np.array(rows, dtype=np.int64), np.array(labels, dtype=np.int64), np.array(excluded, dtype=bool))
        corrections = Corrections(*decided)
    return Recipe(from_json(json.dumps(record[SETTINGS])), corrections, tuple(record[COMPUTED]))


@dataclass(frozen=True, eq=False)
class Scored:
    """Signals of all n training points of the data as given, whoever left the training set of the model.

    Attributes:
        review: of the model; its rows are those of its own training set.
        split: the data as given.
        kept: (n,) bool, in the model's training set.
        signals: computed.
        leash: which job may cancel what is still computed when first asked for.
    """

    review: Review
    split: Split
    kept: NDArray[np.bool_]
    signals: tuple[str, ...]
    leash: Leash

    @property
    def size(self) -> int:
        """Bytes, about: the rows, and of a linear predictor the matrix of its curvature with its factor."""
        fitted, train = self.review.fitted, self.split.train
        n, d = len(train), len(train.feature_names)
        return 8 * (n * d + (0 if fitted.kind.products_only else 2 * fitted.size**2))

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


def score(recipe: Recipe, given: Problem, task: Task) -> Scored:
    """Fit the model and compute the signals.

    Args:
        recipe: what is asked for.
        given: data and model with the labels as given.
        task: told how far it is.

    Returns:
        Signals that are ready, and a factor for the evidence.
    """
    split, leash = given.split, Leash()
    review = Review(Analysis(recipe.settings, given, leash.task()))
    kept = np.ones(len(split.train), dtype=bool)
    if recipe.corrections is not None:
        review = corrected_review(review, recipe.corrections)
        kept[recipe.corrections.rows[recipe.corrections.excluded]] = False
    names = tuple(name for name in recipe.signals if name in review.signals)
    signals = (partial(review.suspicion, name) for name in names)
    steps: list[Callable[[], object]] = [lambda: review.fitted, *signals, lambda: review.trust]
    with leash.held(replace(task, report=lambda _done, _total: None)):
        for done, step in enumerate(steps):
            task.tick(done, len(steps))
            step()
    task.tick(len(steps), len(steps))
    return Scored(review, split, kept, names, leash)


def seconds(recipe: Recipe, given: Problem) -> float:
    """About how long the scores take on two cores, for the queue of jobs: short ones start at once.

    Returns:
        Seconds: twelve factors of the curvature and Grams for a Newton fit, five more fits for confident learning.
    """
    train = given.split.train
    n, p = len(train), (len(train.feature_names) + 1) * max(1, train.classes - 1)
    work = FACTORS * (p**3 / 3 + float(n) * p * p)
    return 1.0 + work * (1 + sum(SIGNALS[name].fits for name in recipe.signals if name in SIGNALS)) / RATE


def samples(split: Split, name: str) -> Samples:
    """The training points as the store knows them.

    Args:
        split: of the data as given.
        name: of the data.

    Returns:
        All n rows.
    """
    train = split.train
    labels, names = train.y.astype(np.int64), tuple(train.class_names)
    return Samples(name, train.fingerprint, train.ids, labels, names)


def run(scored: Scored, recipe: Recipe) -> Run:
    """What the model says of every row of the data as given."""
    given = scored.split.train.y.astype(np.int64)
    found = scores(scored.review, scored.signals)
    predicted = _spread(scored, found.predicted, given)
    suggested, p_given, p_suggested = _suggestions(scored, found, given)
    title = MODELS[recipe.settings.model.name].title
    return Run(
        model=f"{title}, l2 = {recipe.settings.model.l2:g}",
        settings=recipe.record(),
        seed=recipe.settings.seed,
        trust=found.trust_text,
        signals={name: _spread(scored, values, LAST) for name, values in found.signals.items()},
        predicted=predicted,
        suggested=suggested,
        p_given=p_given,
        p_suggested=p_suggested,
        label_score=p_given if recipe.corrections is not None else found.label_score,
        is_issue=_spread(scored, found.is_issue, False),
        metrics=dict(found.metrics),
        gradient_norm=scored.review.trust.gradient_norm,
    )


def _suggestions(
    scored: Scored, found: Scores, given: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Best other class, p(given) and p(best other), seen from the label as given, which people may have changed since.

    Returns:
        (n,) each; a row that left the training set stays with its given label, because no model saw it.
    """
    c = scored.split.train.classes
    suggested = _spread(scored, found.suggested, (given + 1) % c)
    p_given, p_suggested = _spread(scored, found.p_given, 1.0), _spread(scored, found.p_suggested, 0.0)
    now = _spread(scored, found.labels, given)
    belief = scored.review.probabilities if found.cross_validated else scored.review.fitted_probabilities
    for position in np.flatnonzero(now != given).tolist():
        suggested[position] = now[position]
        if belief is None:
            p_given[position] = float(scored.review.predicted[scored.row(position)] == given[position])
            p_suggested[position] = float(scored.review.predicted[scored.row(position)] == now[position])
        else:
            p_given[position], p_suggested[position] = belief[scored.row(position)][[given[position], now[position]]]
    return suggested, p_given, p_suggested


def duplicates(scored: Scored) -> NDArray[np.int64]:
    """(n,) number of the group of near-duplicates, −1 for none; of large sets those of the most suspicious rows."""
    rows = scored.review.ranked(scored.signals[0])[:SEARCHED]
    return _spread(scored, duplicate_groups(scored.review, rows), -1)


def _spread(scored: Scored, values: NDArray[Any], missing: Any) -> NDArray[Any]:
    """From the rows of the model's training set to those of the data as given."""
    result = np.array(np.broadcast_to(missing, len(scored.kept)), dtype=values.dtype)
    result[scored.kept] = values
    return result


def offered(names: Sequence[str]) -> tuple[str, ...]:
    """Signals of a queue in the order of the registry, those that always stand there included.

    Returns:
        Names.
    """
    return tuple(name for name in SIGNALS if name in names or name in ALWAYS)
