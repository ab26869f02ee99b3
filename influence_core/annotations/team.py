"""How everybody works: speed, answers that became the outcome, planted flips found, and who takes what for what."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.annotations.names import people_of
from influence_core.annotations.resolving import Answers, resolve
from influence_core.annotations.standing import standing
from influence_core.annotations.store import Store


@dataclass(frozen=True)
class Right:
    """How many of some answers were right."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """Not a number where there was nothing to be right about."""
        return self.right / self.of if self.of else math.nan


@dataclass(frozen=True)
class Workmanship:
    """One annotator.

    Attributes:
        name: of the person.
        answers: standing ones.
        seconds: median time with a card.
        outcome: first-pass answers equal to the outcome of rows that somebody else has answered too.
        controls: the same on random controls.
        planted: rows whose label was flipped on purpose, and of those given their own label back.
    """

    name: str
    answers: int
    seconds: float
    outcome: Right
    controls: Right
    planted: Right


def workers(
    store: Store, said: Answers, number: int, truth: NDArray[np.int64] | None = None
) -> tuple[Workmanship, ...]:
    """Everybody who has answered.

    Args:
        store: where.
        said: the answers to the data set.
        number: of the data set.
        truth: (n,) labels before some were flipped on purpose, where that is known.

    Returns:
        By name.
    """
    with store.reading() as connection:
        rows, names = standing(connection, number), people_of(connection)
    times: dict[str, list[float]] = defaultdict(list)
    controls: set[int] = set()
    for row in rows:
        times[names.get(row.annotator, row.annotator)].append(row.lead_time)
        controls |= {row.position} if row.is_control else set()
    marked = np.isin(np.arange(len(said.ids)), list(controls))
    code, several = outcomes(said), (said.codes >= 0).sum(axis=1) + (said.settled >= 0) > 1
    flipped = np.zeros(len(said.ids), dtype=bool) if truth is None else truth != said.given
    known = code if truth is None else truth
    found = []
    for name in sorted(times):
        mine = said.codes[:, said.annotators.index(name)] if name in said.annotators else np.full(len(said.ids), -1)
        compared = several & (mine >= 0) & (code >= 0)
        seconds = float(np.median([t for t in times[name] if t > 0] or [math.nan]))
        parts = (_right(mine, code, compared), _right(mine, code, compared & marked))
        found.append(Workmanship(name, len(times[name]), seconds, *parts, _right(mine, known, flipped & (mine >= 0))))
    return tuple(found)


def outcomes(said: Answers) -> NDArray[np.int64]:
    """(n,) class of the outcome, c for excluded, −1 while it is open."""
    found = resolve(said)
    return np.select([found.action == "", found.action == "exclude"], [-1, len(said.class_names)], found.label)


def agreement_by_class(said: Answers) -> tuple[Right, ...]:
    """For each class of given labels: rows with two answers or more, and of those the ones with equal answers."""
    counted = (said.codes >= 0).sum(axis=1) >= 2
    high = said.codes.max(axis=1, initial=-1)
    low = np.where(said.codes >= 0, said.codes, len(said.class_names)).min(axis=1, initial=len(said.class_names))
    equal = counted & (low == high)
    inside = [said.given == k for k in range(len(said.class_names))]
    return tuple(Right(int((equal & one).sum()), int((counted & one).sum())) for one in inside)


def confusion(said: Answers, pair: Iterable[str]) -> NDArray[np.int64]:
    """(c + 1, c + 1) how often the first of two annotators said the row's class and the second the column's.

    The last row and column are "exclude".
    """
    kinds = len(said.class_names) + 1
    one, other = (said.codes[:, said.annotators.index(name)] for name in pair)
    both = (one >= 0) & (other >= 0)
    cells = np.bincount(one[both] * kinds + other[both], minlength=kinds * kinds)
    return cells.reshape(kinds, kinds)


def _right(mine: NDArray[np.int64], truth: NDArray[np.int64], rows: NDArray[np.bool_]) -> Right:
    return Right(int((mine[rows] == truth[rows]).sum()), int(rows.sum()))
