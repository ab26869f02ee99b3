"""The one list of data sources; a new one is a function, a ``Source`` and a line here."""

from __future__ import annotations

from dataclasses import replace

from influence_core.compute import Task as Work
from influence_core.data import embedding, texts
from influence_core.data.bundled import BREAST_CANCER, DIABETES, DIGITS, FOREST_FIRES, IRIS, MNIST
from influence_core.data.bundled_texts import SPAM_ASSASSIN, STATE_OF_THE_UNION
from influence_core.data.dataset import Split, Table
from influence_core.data.drawn import DRAWN
from influence_core.data.external import MNIST_LARGE
from influence_core.data.generators import BLOBS, LINEAR_EXAMPLE, MOONS
from influence_core.data.source import Source, Task
from influence_core.data.split import split
from influence_core.data.stored.source import SAMPLE
from influence_core.data.uploads.source import UPLOAD
from influence_core.settings import CONTENTS, DataSettings, SettingsError, resolve


def load(settings: DataSettings, seed: int, task: Work = Work()) -> Split:  # noqa: B008 - frozen
    """The split that the settings name, the same on every call; texts that become features tick.

    Returns:
        Train, validation and test; an unknown source or option, or a value outside its range, is a ``SettingsError``.
    """
    table = load_table(settings, seed)
    standardise = settings.standardise and DATASETS[settings.name].standardise
    return split(table, replace(settings, standardise=standardise), seed, task)


def reading_seconds(settings: DataSettings, seed: int) -> float:
    """Rough time until the texts of these data are features; 0 for other data, and where an encoder has read all."""
    source = DATASETS.get(settings.name)
    if source is None or not any(option.name == "features" for option in source.options):
        return 0.0
    if not source.worded(resolve(settings.options, source.options)):
        return 0.0
    table = load_table(settings, seed)
    if table.words is None or table.dataset.texts is None:
        return 0.0
    if table.words.embedding:
        return embedding.seconds(table.dataset)
    return sum(map(len, table.dataset.texts)) / texts.SPEED


def load_table(settings: DataSettings, seed: int) -> Table:
    """All rows of the source, in its order and its units.

    Raises:
        SettingsError: an unknown source or option, or a value outside its range.
    """
    source = DATASETS.get(settings.name)
    if source is None:
        raise SettingsError(f"Data: expected one of {', '.join(DATASETS)}, got {settings.name[:40]!r}.")
    if not 0 <= seed < 2**31:
        raise SettingsError(f"Seed: expected a whole number from 0 to {2**31 - 1}, got {seed}.")
    return source.make(resolve(settings.options, source.options), seed)


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
    "spam_assassin": SPAM_ASSASSIN,
    "state_of_the_union": STATE_OF_THE_UNION,
    "linear_example": LINEAR_EXAMPLE,
    "diabetes": DIABETES,
    "mnist_large": MNIST_LARGE,
    "forest_fires": FOREST_FIRES,
    "stored": SAMPLE,
    "upload": UPLOAD,
}

CONTENTS.update({name: source.content for name, source in DATASETS.items() if source.content})
