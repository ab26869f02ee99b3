"""Arrays of a user as examples here: classes or numbers, split into those fitted on and those asked about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from influence_core.analysis import Settings
from influence_core.data import Dataset, Split
from influence_core.data.split import identity_scaling
from influence_core.models.criteria import BINARY, ENTROPY, LIKELIHOOD, MARGIN, Criterion, is_one_of, option
from influence_core.settings import ModelSettings, SettingsError, SolverSettings

WRAPPED = "wrapped"


def settings_of(model: ModelSettings, asked: dict[str, Any]) -> Settings:
    """Settings of an analysis from its keywords: those of the solver, and the rest."""
    rest = dict(asked)
    solver = SolverSettings(
        str(rest.pop("solver", "auto")), float(rest.pop("damping", 0.0)), (), str(rest.pop("curvature", "auto"))
    )
    return Settings(model=model, solver=solver, **rest)


def split_of(train: Dataset, test: Dataset) -> Split:
    """Examples as they are: nothing scaled, flipped or kept for validation."""
    nothing, scaling = train.take(np.arange(0)), identity_scaling(train.x.shape[1])
    return Split(train, nothing, test, np.zeros(len(train), bool), train.y, scaling)


def datasets(
    *pairs: tuple[ArrayLike, ArrayLike], criterion: Criterion | None = None
) -> tuple[list[Dataset], tuple[str, ...]]:
    """Datasets of pairs of arrays that share their classes.

    Args:
        pairs: x (n, ...) and y (n,) or (n, 1).
        criterion: the loss of a module, where it has a say in what labels mean.

    Returns:
        One per pair, and what was guessed.

    Raises:
        SettingsError: numbers of rows that differ, or features that are no numbers.
    """
    xs, made = [as_array(x) for x, _ in pairs], []
    ys = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in (as_array(y) for _, y in pairs)]
    for x, y in zip(xs, ys, strict=True):
        if len(x) != len(y) or y.ndim != 1:
            raise SettingsError(f"Expected y of shape ({len(x)},), one for each example, got {y.shape}.")
    targets, classes, said = labels(ys, criterion)
    for x, target in zip(xs, targets, strict=True):
        try:
            flat = x.reshape(len(x), -1).astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"Expected x of numbers: {error}. Encode texts and categories as columns.") from None
        ids = np.array([f"row-{row}" for row in range(len(x))], dtype=np.str_)
        names = tuple(f"x{k}" for k in range(flat.shape[1]))
        made.append(Dataset(flat, target, ids, names, classes))
    return made, said


def labels(
    ys: list[NDArray[Any]], criterion: Criterion | None
) -> tuple[list[NDArray[Any]], tuple[str, ...], tuple[str, ...]]:
    """Targets as numbers: whole numbers are classes, texts and, for binary cross-entropy, −1 and 1 become some.

    Returns:
        Targets, names of classes (none for a numeric target), and what was guessed.

    Raises:
        SettingsError: negative numbers that are no class.
    """
    values = np.unique(np.concatenate(ys))
    signs = criterion is not None and is_one_of(criterion, BINARY) and {*values.tolist()} == {-1, 1}
    if signs or values.dtype.kind not in "biuf":
        names = tuple(str(value) for value in values)
        read = ", ".join(f"{name} as {k}" for k, name in enumerate(names[:5]))
        return [np.searchsorted(values, y) for y in ys], names, (f"Labels are read in order: {read}.",)
    if values.dtype.kind == "b":
        return [y.astype(np.int64) for y in ys], ("0", "1"), ()
    counted = criterion is not None and is_one_of(criterion, (*ENTROPY, *LIKELIHOOD, *MARGIN))
    whole = values.dtype.kind in "iu" or (counted and bool((values == values.round()).all()))
    if counted and (
        odd := [value for value in values if value < 0 and value != option(criterion, "ignore_index", -100)]
    ):
        raise SettingsError(f"Expected classes from 0, got y = {odd[0]:g}: give y as whole numbers from 0.")
    classes = tuple(str(k) for k in range(int(values.max(initial=-1)) + 1)) if whole else ()
    return [y.astype(np.int64 if whole else np.float64) for y in ys], classes, ()


def as_array(values: ArrayLike) -> NDArray[Any]:
    """A NumPy array of anything array-like, tensors on any device included."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.double() if values.is_floating_point() else values).numpy()
    try:
        return np.asarray(values)
    except ValueError:
        raise SettingsError(
            "Expected rows of one length, got several: pad token ids to the longest, and give a dictionary with a mask."
        ) from None
