"""FIGURES: published figures by their letter."""

from __future__ import annotations

from influence_core.compute import Task
from influence_core.settings import Options, SettingsError, resolve
from influence_core.teaching.figures.blobs import BLOBS
from influence_core.teaching.figures.derivative import DERIVATIVE
from influence_core.teaching.figures.digits import INCOMPLETE_SCORES
from influence_core.teaching.figures.fast import SHORTER_SEARCH
from influence_core.teaching.figures.figure import Figure, FigureEntry
from influence_core.teaching.figures.flips import FLIPPED_LABELS
from influence_core.teaching.figures.regression import LINEAR_REGRESSION
from influence_core.teaching.figures.solved import LOGISTIC, RIDGE
from influence_core.teaching.figures.svm import DISTANCES, HINGE_SMOOTHING


def compute(name: str, options: Options = (), task: Task = Task()) -> Figure:  # noqa: B008 - frozen
    """A figure with the chosen options.

    Raises:
        SettingsError: there is no such figure or option, or a value is out of range.
    """
    if name not in FIGURES:
        raise SettingsError(f"Figure: expected one of {', '.join(FIGURES)}, got {name[:40]!r}.")
    entry = FIGURES[name]
    return entry.run(resolve(options, entry.options), task)


FIGURES: dict[str, FigureEntry] = {
    "A": LINEAR_REGRESSION,
    "B": RIDGE,
    "C": LOGISTIC,
    "D": INCOMPLETE_SCORES,
    "E": HINGE_SMOOTHING,
    "F": DISTANCES,
    "G": BLOBS,
    "H": FLIPPED_LABELS,
    "I": SHORTER_SEARCH,
    "J": DERIVATIVE,
}
