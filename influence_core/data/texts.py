"""Texts as examples: their words as sparse features, counted in the training texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from influence_core.compute import Task
from influence_core.data.dataset import DataError, Dataset
from influence_core.data.words import WordFeatures

MOST_TEXTS, MOST_CHARACTERS = 100_000, 20_000
TICK = 500  # texts between two ticks
SPEED = 4e6  # characters a second


def represented(
    words: WordFeatures,
    parts: Sequence[Dataset],
    vocabulary: Sequence[str] | None = None,
    task: Task = Task(),  # noqa: B008 - frozen
) -> list[Dataset]:
    """The same examples with the words of the first part, the training texts, as features, or these words alone.

    Returns:
        As many sets.

    Raises:
        DataError: no word stands in enough training texts.
    """
    vectoriser, read = words.vectoriser(vocabulary), _read(parts, task)
    try:
        found = [vectoriser.fit_transform(read(0))]
    except ValueError:
        raise DataError(
            f"Expected words that stand in at least {words.least} training texts, got none: choose longer texts, or "
            "words that may stand in fewer."
        ) from None
    found += [vectoriser.transform(read(k)) if len(parts[k]) else found[0][:0] for k in range(1, len(parts))]
    names = tuple(map(str, vectoriser.get_feature_names_out()))
    return [part.with_features(_rows(x), names) for part, x in zip(parts, found, strict=True)]


def _read(parts: Sequence[Dataset], task: Task) -> Callable[[int], Iterator[str]]:
    """Makes the texts of a part one by one, with a tick now and then."""
    before = np.cumsum([0, *map(len, parts)])

    def texts(part: int) -> Iterator[str]:
        for k, text in enumerate(parts[part].texts):  # type: ignore[arg-type]
            if k % TICK == 0:
                task.tick(float(before[part] + k), float(before[-1]))
            yield text

    return texts


def _rows(x: Any) -> Any:
    rows = sparse.csr_array(x, dtype=np.float64)
    rows.sort_indices()
    return rows


def no_words(n: int) -> Any:
    """Features of n texts before they are represented: none."""
    return sparse.csr_array((n, 0), dtype=np.float64)


def packed(texts: NDArray[np.object_]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as bytes one after the other, and the number of bytes of each, for files without pickles."""
    parts = [text.encode() for text in texts]
    return np.frombuffer(b"".join(parts), np.uint8), np.array([*map(len, parts)], dtype=np.int64)


def unpacked(whole: NDArray[np.uint8], sizes: NDArray[np.int64]) -> NDArray[np.object_]:
    """Inverse of :func:`packed`."""
    content, ends = whole.tobytes(), np.cumsum(sizes)
    found = np.empty(len(sizes), dtype=object)
    found[:] = [content[end - size : end].decode() for end, size in zip(ends, sizes, strict=True)]
    return found
