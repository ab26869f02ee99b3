"""From a table to train, validation and test: who goes where, scaling by the training part, labels flipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, Rows, Task
from influence_core.data.dataset import DataError, Dataset, Scaling, Split, Table
from influence_core.data.embedding import embedded
from influence_core.data.texts import represented
from influence_core.settings import DataSettings, SettingsError


def split(table: Table, settings: DataSettings, seed: int, task: Task = Task()) -> Split:  # noqa: B008 - frozen
    """Train, validation and test of a table; rows that the table fixes stay where they are, in their order.

    Otherwise every class is divided in the same proportions, and the order is random.  The same table, settings
    and seed give the same split.

    Returns:
        The split; its features are scaled by the training part.

    Raises:
        DataError: a class would have fewer than two training examples, or a regression target should be flipped.
    """
    data = table.dataset
    train, validation, test = rows_of_parts(table, settings, seed)
    if len(train) < 2 or len(test) < 1:
        raise DataError(
            f"Expected at least 2 training examples and 1 test example, got {len(train)} and {len(test)}: "
            "use smaller fractions or more data."
        )
    _check_classes(data.y[train], data.class_names, "use smaller fractions or more data")
    parts, scaling = _features(table, settings, (train, validation, test), task)
    original = parts[0].y
    y, flipped = flip_labels(original, round(settings.flip_fraction * len(train)), data.classes, seed)
    _check_classes(y, data.class_names, "flip fewer labels or use more data")
    return Split(replace(parts[0], y=y), parts[1], parts[2], flipped, original, scaling, table.boundary)


def fit_scaling(x: FloatArray) -> Scaling:
    """Mean and standard deviation (divisor n) of every feature.

    A feature that is constant up to rounding gets its value as the mean and the scale 1.
    """
    mean, scale = x.mean(axis=0), x.std(axis=0)
    constant = scale <= 16 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)
    return Scaling(np.where(constant, x[0], mean), np.where(constant, 1.0, scale))


def identity_scaling(d: int) -> Scaling:
    """The scaling that changes none of d features.

    Returns:
        Mean 0 and scale 1.
    """
    return Scaling(np.zeros(d), np.ones(d))


def flip_labels(y: NDArray[Any], count: int, classes: int, seed: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Change exactly ``count`` labels, each to one of the other classes, all equally likely.

    Returns:
        The new labels (n,) and which of them were changed (n,).

    Raises:
        DataError: the target has no classes, or there are fewer labels than should be changed.
    """
    flipped = np.zeros(len(y), dtype=bool)
    if count == 0:
        return y.copy(), flipped
    if classes < 2:
        raise DataError("Flipping labels needs a target with at least two classes: set the flipped share to 0.")
    if not 0 <= count <= len(y):
        raise DataError(f"Flipped labels: expected a number from 0 to {len(y)}, got {count}.")
    random = np.random.default_rng([seed, 3])
    rows = random.choice(len(y), size=count, replace=False)
    flipped[rows] = True
    changed = y.copy()
    changed[rows] = (y[rows] + random.integers(1, classes, size=count)) % classes
    return changed, flipped


def rows_of_parts(table: Table, settings: DataSettings, seed: int) -> tuple[Rows, Rows, Rows]:
    """Rows of the table in train, validation and test."""
    _check_fractions(settings)
    n = len(table.dataset)
    random = np.random.default_rng([seed, 2])
    train = np.arange(n) if table.train is None else table.train
    if table.test is None:
        total = max(1, round(settings.test_fraction * n))
        train, test = part(train, table.dataset, total, random)
    else:
        test = table.test
        train = train if table.train is not None else np.setdiff1d(train, test)
    if table.validation is not None:
        return train, table.validation, test
    train, validation = part(train, table.dataset, round(settings.validation_fraction * n), random)
    return train, validation, test


def part(rows: Rows, data: Dataset, total: int, random: np.random.Generator) -> tuple[Rows, Rows]:
    """What is left and what is taken: ``total`` rows, each class in proportion."""
    if total == 0:
        return rows, rows[:0]
    rows = random.permutation(rows)
    labels = data.y[rows] if data.classes else np.zeros(len(rows), dtype=np.int64)
    sizes = np.bincount(labels)
    # The random number breaks ties, so that no class is favoured by its place in the list.
    exact = sizes * min(total / len(rows), 1.0)
    quota = np.floor(exact).astype(np.int64)
    rest = np.lexsort((random.random(len(sizes)), quota - exact))
    quota[rest[: min(total, len(rows)) - quota.sum()]] += 1
    taken = np.zeros(len(rows), dtype=bool)
    for label, number in enumerate(quota):
        taken[np.flatnonzero(labels == label)[:number]] = True
    return rows[~taken], rows[taken]


def _check_fractions(settings: DataSettings) -> None:
    limits = {"validation_fraction": (0.0, 0.5), "test_fraction": (0.01, 0.9), "flip_fraction": (0.0, 0.5)}
    for name, (low, high) in limits.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise SettingsError(f"{name}: expected a value from {low} to {high}, got {value}.")
    if settings.validation_fraction + settings.test_fraction >= 1:
        raise SettingsError(
            "Validation and test fractions: expected a sum below 1, so that something is left to train on."
        )


def _check_classes(y: NDArray[Any], class_names: tuple[str, ...], advice: str) -> None:
    if not class_names:
        return
    counts = np.bincount(y.astype(np.int64), minlength=len(class_names))
    worst = int(counts.argmin())
    if counts[worst] < 2:
        raise DataError(
            f"Expected at least 2 training examples of every class, got {counts[worst]} of "
            f"{class_names[worst][:40]!r}: {advice}."
        )


def _features(
    table: Table, settings: DataSettings, rows: tuple[Rows, Rows, Rows], task: Task
) -> tuple[list[Dataset], Scaling]:
    """The parts with their features, scaled by the training part; words are counted there and used as they are."""
    encoded = table.words is not None and table.words.embedding
    data = embedded(table.dataset, task) if encoded else table.dataset
    parts = [data.take(chosen) for chosen in rows]
    if table.words is not None and not encoded:
        found = represented(table.words, parts, task=task)
        return found, identity_scaling(found[0].x.shape[1])
    scaling = fit_scaling(parts[0].x) if settings.standardise else identity_scaling(parts[0].x.shape[1])
    return [replace(one, x=scaling.apply(one.x)) for one in parts], scaling
