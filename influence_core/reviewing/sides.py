"""Every row judged by a model: two fits, of which each learns from what the other holds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis import (
    SIGNALS,
    Analysis,
    Case,
    Corrections,
    Given,
    Problem,
    Review,
    Task,
    Witness,
    cases,
    corrected_review,
)
from influence_core.compute import FloatArray, Rows
from influence_core.compute.leash import Leash
from influence_core.data import Dataset, Split, Whole, load_table, whole
from influence_core.reviewing.recipe import Recipe

FACTORS = 12
RATE = 4e10  # floating-point operations per second on two cores


@dataclass(frozen=True, eq=False)
class Side:
    """One of the fits.

    Attributes:
        review: of the model.
        rows: (n_k,) row under review of each training point of the model.
    """

    review: Review
    rows: Rows


@dataclass(frozen=True, eq=False)
class Scored:
    """Signals of all n rows under review, whatever part of the split they are in and whoever left it.

    Attributes:
        recipe: what was asked for.
        whole: the rows, with labels as given.
        sides: the fits; a row is judged by the first that has learnt from it.
        signals: computed.
        leash: which job may cancel what is still computed when first asked for.
    """

    recipe: Recipe
    whole: Whole
    sides: tuple[Side, ...]
    signals: tuple[str, ...]
    leash: Leash

    @property
    def split(self) -> Split:
        """The rows as a split whose training part has all of them."""
        return self.whole.split

    @property
    def review(self) -> Review:
        """Of the model that the settings name, whose test points are held out."""
        return self.sides[0].review

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(n,) whether the row is still in the data."""
        there = np.zeros(len(self.split.train), dtype=bool)
        there[np.concatenate([side.rows for side in self.sides])] = True
        return there

    @property
    def size(self) -> int:
        """Bytes, about: the rows, and of a linear predictor the matrix of its curvature with its factor."""
        n, d = len(self.split.train), len(self.split.train.feature_names)
        fits = [side.review.fitted for side in self.sides]
        return 8 * (2 * n * d + sum(0 if one.kind.products_only else 2 * one.size**2 for one in fits))

    def merged(self, values: Sequence[NDArray[Any]], missing: Any) -> NDArray[Any]:
        """One value for each row under review, from one array for each fit.

        Args:
            values: (n_k, …) for each side.
            missing: of a row that left the data.

        Returns:
            (n, …).
        """
        found = np.empty((len(self.split.train), *values[0].shape[1:]), dtype=values[0].dtype)
        found[:] = missing
        for side, part in zip(self.sides[::-1], values[::-1], strict=True):
            found[side.rows] = part
        return found

    def probabilities(self) -> FloatArray:
        """(n, c) class probabilities of models that have not seen the row."""
        return self.merged([side.review.probabilities for side in self.sides], np.nan)

    def cases(self, positions: Sequence[int], told: Sequence[str]) -> list[Case | None]:
        """What a person sees beside each of some rows; all numbers of rows are those of the rows under review.

        Args:
            positions: rows.
            told: signals whose suspicions stand in the case.

        Returns:
            One for each row, None for one that left the data.
        """
        found: dict[int, Case] = {}
        for side in self.sides:
            row_of = {int(position): row for row, position in enumerate(side.rows)}
            wanted = [p for p in positions if p in row_of and p not in found]
            made = cases(side.review, [row_of[p] for p in wanted], told)
            found |= {p: _placed(case, side.rows) for p, case in zip(wanted, made, strict=True)}
        return [found.get(position) for position in positions]


def _placed(case: Case, rows: Rows) -> Case:
    def moved(witnesses: tuple[Witness, ...]) -> tuple[Witness, ...]:
        return tuple(Witness(int(rows[one.row]), one.change) for one in witnesses)

    return replace(
        case,
        row=int(rows[case.row]),
        supports=moved(case.supports),
        contradicts=moved(case.contradicts),
        duplicates=rows[case.duplicates],
    )


def under_review(problem: Problem) -> Whole:
    """All rows behind a problem."""
    data, seed = problem.settings.data, problem.settings.seed
    return whole(load_table(data, seed), problem.split, data, seed)


def score(recipe: Recipe, given: Problem, task: Task) -> Scored:
    """Fit the models and compute the signals.

    Args:
        recipe: what is asked for.
        given: data and model with the labels as given.
        task: told how far it is.

    Returns:
        Signals that are ready, and factors for the evidence.
    """
    rows, leash = under_review(given), Leash()
    sides = tuple(_sides(recipe, given, rows, leash.task()))
    names = tuple(name for name in recipe.signals if all(name in side.review.signals for side in sides))
    steps: list[Callable[[], object]] = []
    for side in sides:
        steps.append(partial(_fit, side.review))
        steps += [partial(side.review.suspicion, name) for name in names]
    steps.append(lambda: sides[0].review.trust)
    with leash.held(replace(task, report=lambda _done, _total: None)):
        for done, step in enumerate(steps):
            task.tick(done, len(steps))
            step()
    task.tick(len(steps), len(steps))
    return Scored(recipe, rows, sides, names, leash)


def _fit(review: Review) -> object:
    return review.fitted


def _sides(recipe: Recipe, given: Problem, rows: Whole, task: Task) -> list[Side]:
    sides = []
    for number, (split, inside) in enumerate(rows.halves(recipe.settings.seed)):
        held = split if recipe.corrections is None else _reviewed(split, rows, recipe.corrections)
        chosen = not number and len(rows.parts[1]) and recipe.corrections is None
        key = f"review {number} {rows.fingerprint}"
        problem = given if chosen else Problem(recipe.settings, given.device, given=Given(held, key=key))
        review = Review(Analysis(recipe.settings, problem, task))
        if recipe.corrections is None:
            sides.append(Side(review, inside))
            continue
        local = _within(recipe.corrections, inside, len(rows.split.train))
        stays = np.ones(len(inside), dtype=bool)
        stays[local.rows[local.excluded]] = False
        sides.append(Side(corrected_review(review, local), inside[stays]))
    return sides


def _within(corrections: Corrections, rows: Rows, n: int) -> Corrections:
    """Those decisions that are about some rows, which are counted anew."""
    place = np.full(n, -1)
    place[rows] = np.arange(len(rows))
    local = place[corrections.rows]
    inside = local >= 0
    return Corrections(local[inside], corrections.labels[inside], corrections.excluded[inside])


def _reviewed(split: Split, rows: Whole, corrections: Corrections) -> Split:
    """What is held out with its labels reviewed too, so that they are not what a model is measured by."""
    place = {name: k for k, name in enumerate(rows.split.train.ids.tolist())}

    def part(data: Dataset) -> Dataset:
        local = _within(corrections, np.array([place[name] for name in data.ids.tolist()], dtype=np.int64), len(place))
        y, stays = data.y.copy(), np.ones(len(data), dtype=bool)
        y[local.rows[~local.excluded]] = local.labels[~local.excluded]
        stays[local.rows[local.excluded]] = False
        return replace(data, y=y).take(np.flatnonzero(stays)) if stays.any() else data

    return replace(split, validation=part(split.validation), test=part(split.test))


def seconds(recipe: Recipe, given: Problem) -> float:
    """About how long the scores take on two cores, for the queue of jobs: short ones start at once.

    Returns:
        Seconds: of each fit twelve factors of the curvature and Grams, five more fits for confident learning.
    """
    train = given.split.train
    n, p = len(train), (len(train.feature_names) + 1) * max(1, train.classes - 1)
    work = FACTORS * (p**3 / 3 + float(n) * p * p)
    return 1.0 + 2 * work * (1 + sum(SIGNALS[name].fits for name in recipe.signals if name in SIGNALS)) / RATE
