"""Pictures of handwritten digits as data: which digits, how many, and checked pixels."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from influence_core.data.dataset import DataError, Dataset
from influence_core.data.source import row_ids
from influence_core.settings import SettingsError

Bytes = NDArray[np.uint8]


def parse_digits(text: str) -> list[int]:
    """Digits named as ``1,7``, ``0, 1, 2`` or ``all``.

    Returns:
        At least two different digits, ascending.

    Raises:
        SettingsError: something else was written.
    """
    parts = list("0123456789") if text.strip().lower() == "all" else [part.strip() for part in text.split(",")]
    if any(part not in set("0123456789") for part in parts) or not 2 <= len(set(parts)) == len(parts):
        raise SettingsError(
            f"Digits: expected 'all' or at least two different digits from 0 to 9 with commas, got {text[:40]!r}."
        )
    return sorted(int(part) for part in parts)


def balanced_rows(labels: NDArray[np.integer], classes: list[int], size: int, seed: int) -> NDArray[np.int64]:
    """At most ``size`` rows drawn without replacement, as evenly over ``classes`` as their counts allow.

    A smaller size with the same seed gives a subset of a larger one.

    Returns:
        Rows, ascending.
    """
    random = np.random.default_rng([seed, 1])
    shuffled = [random.permutation(np.flatnonzero(labels == value)) for value in classes]
    rows = np.concatenate(shuffled)
    turn = np.concatenate([np.arange(len(part)) for part in shuffled])
    return np.sort(rows[np.argsort(turn, kind="stable")[:size]]).astype(np.int64)


def image_dataset(name: str, images: Bytes, labels: Bytes, rows: NDArray[np.int64], classes: list[int]) -> Dataset:
    """Chosen pictures with x = pixels / 255.

    Args:
        name: prefix of the ids.
        images: (N, h, w) of the whole source.
        labels: (N,) digits of the whole source.
        rows: (n,) rows of the source.
        classes: the digits that occur, ascending.

    Returns:
        n examples with h·w features.
    """
    chosen = images[rows]
    _, height, width = chosen.shape
    return Dataset(
        x=chosen.reshape(len(rows), -1) / 255.0,
        y=np.searchsorted(classes, labels[rows]).astype(np.int64),
        ids=row_ids(name, rows),
        feature_names=tuple(f"pixel {row},{column}" for row in range(height) for column in range(width)),
        class_names=tuple(str(value) for value in classes),
        target_name="digit",
        images=chosen,
    )


def read_digits(path: Path, *pairs: tuple[str, str]) -> tuple[Bytes, Bytes]:
    """Pixels and labels of 28 x 28 digits from an npz file; several pairs of arrays are put one after the other.

    Args:
        path: the file.
        pairs: names of a pixel array (n, 784) uint8 and its label array (n,) uint8.

    Returns:
        (N, 28, 28) and (N,).

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = [(stored[x], stored[y]) for x, y in pairs]
    except FileNotFoundError:
        raise DataError(f"Expected the file {path.name} in {path.parent}, but it is not there: put it back.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path.name} is damaged or holds something else ({str(error)[:80]}): replace or delete it."
        ) from None
    for pixels, labels in parts:
        _check(path, pixels, labels)
    return np.concatenate([x for x, _ in parts]).reshape(-1, 28, 28), np.concatenate([y for _, y in parts])


def _check(path: Path, pixels: Bytes, labels: Bytes) -> None:
    n = len(labels) if labels.ndim == 1 else -1
    if pixels.shape != (n, 784) or pixels.dtype != np.uint8 or labels.dtype != np.uint8 or n < 1:
        raise DataError(
            f"{path.name}: expected uint8 pixels (n, 784) and uint8 labels (n,), got {pixels.dtype} {pixels.shape} "
            f"and {labels.dtype} {labels.shape}: replace or delete it."
        )
    if labels.max() > 9:
        raise DataError(f"{path.name}: expected digits from 0 to 9, got {labels.max()}: replace or delete it.")
