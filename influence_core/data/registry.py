"""The one list of data sources; a new one is a function, a ``Source`` and a line here."""

from __future__ import annotations

from dataclasses import replace

from influence_core.data.bundled import BREAST_CANCER, DIABETES, DIGITS, IRIS, MNIST
from influence_core.data.dataset import Split
from influence_core.data.drawn import DRAWN
from influence_core.data.external import FOREST_FIRES, MNIST_LARGE
from influence_core.data.generators import BLOBS, LINEAR_EXAMPLE, MOONS
from influence_core.data.source import Source, Task
from influence_core.data.split import split
from influence_core.data.uploads.source import UPLOAD
from influence_core.settings import DataSettings, SettingsError, resolve


def load(settings: DataSettings, seed: int) -> Split:
    """The split that the settings name, the same on every call.

    Returns:
        Train, validation and test.

    Raises:
        SettingsError: an unknown source or option, or a value outside its range.
    """
    source = DATASETS.get(settings.name)
    if source is None:
        raise SettingsError(f"Data: expected one of {', '.join(DATASETS)}, got {settings.name[:40]!r}.")
    if not 0 <= seed < 2**31:
        raise SettingsError(f"Seed: expected a whole number from 0 to {2**31 - 1}, got {seed}.")
    table = source.make(resolve(settings.options, source.options), seed)
    return split(table, replace(settings, standardise=settings.standardise and source.standardise), seed)


def task_of(settings: DataSettings) -> Task | None:
    """What y is in the chosen data, without loading them.

    Returns:
        The task; None where that cannot be told, as for uploaded data that are not here.
    """
    source = DATASETS.get(settings.name)
    if source is None or source.task is not None:
        return source.task if source else None
    try:
        return source.find_task(resolve(settings.options, source.options))
    except SettingsError:
        return None


DATASETS: dict[str, Source] = {
    "mnist": MNIST,
    "blobs": BLOBS,
    "moons": MOONS,
    "drawn": DRAWN,
    "iris": IRIS,
    "breast_cancer": BREAST_CANCER,
    "digits": DIGITS,
    "linear_example": LINEAR_EXAMPLE,
    "diabetes": DIABETES,
    "mnist_large": MNIST_LARGE,
    "forest_fires": FOREST_FIRES,
    "upload": UPLOAD,
}
