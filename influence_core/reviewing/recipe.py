"""Which model's scores order a queue, written for the store and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis import SIGNALS, Corrections
from influence_core.settings import Settings, from_json, to_json

ALWAYS = ("self_influence", "loss", "random")  # loss stands beside influence always
SETTINGS, CORRECTIONS, COMPUTED = "settings", "corrections", "signals"  # names of a stored record


@dataclass(frozen=True, eq=False)
class Recipe:
    """Which model's scores order a queue: settings, and what people had decided before it was fitted.

    Attributes:
        settings: of data, model and solver.
        corrections: of labels of the rows under review, or None for the labels as given.
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


def moved(record: Mapping[str, Any], places: NDArray[np.int64]) -> dict[str, Any]:
    """A stored record whose corrections are about rows in other places.

    Args:
        record: of :meth:`Recipe.record`.
        places: (n,) where each row is now.
    """
    if CORRECTIONS not in record:
        return dict(record)
    rows, *decided = record[CORRECTIONS]
    return {**record, CORRECTIONS: [places[rows].tolist(), *decided]}


def offered(names: Sequence[str]) -> tuple[str, ...]:
    """Signals of a queue in the order of the registry, those that always stand there included.

    Returns:
        Names.
    """
    return tuple(name for name in SIGNALS if name in names or name in ALWAYS)
