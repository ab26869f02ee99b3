"""What a person should know before using their data: sentences on doubles, constants, rare classes and leaks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from influence_core.data.dataset import Dataset
from influence_core.data.uploads.building import Upload
from influence_core.data.uploads.columns import Column, is_row_number, listed
from influence_core.data.uploads.limits import quoted

SAMPLE = 2_000
BINS = 20
ENOUGH = 50
LEAK_ACCURACY, LEAK_GAIN, LEAK_CORRELATION = 0.99, 0.05, 0.995
RARE_SHARE, RARE_COUNT = 0.05, 10
MANY_MISSING = 0.3
MANY_PARAMETERS = 20_000


def warnings(upload: Upload, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """What may make scores on these data misleading.

    Returns:
        Sentences, each with what to do; none for clean data.
    """
    data = upload.table.dataset
    if data.texts is not None:
        return (*_gap_words(upload, columns), *_doubles(data), *_classes(data))
    return (*_gap_words(upload, columns), *_doubles(data), *_shape(data), *_classes(data), *_leaks(data))


def leak_strength(values: NDArray[np.floating], y: NDArray[np.generic], classes: int) -> float:
    """How well one feature alone tells the target.

    Returns:
        For classes: share of right answers when each of 20 quantile bins says its most common class.
        For numbers: |correlation| of the ranks.
    """
    if not classes:
        ranks = [np.argsort(np.argsort(part, kind="stable")) for part in (values, y)]
        return float(abs(np.corrcoef(ranks[0], ranks[1])[0, 1])) if np.ptp(values) and np.ptp(y) else 0.0
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, values)
    table = np.bincount(bins * classes + y.astype(np.int64), minlength=(len(edges) + 1) * classes)
    return float(table.reshape(-1, classes).max(axis=1).sum() / len(values))


def _gap_words(upload: Upload, columns: tuple[Column, ...]) -> Iterator[str]:
    many = [c.name for c in columns if c.name in upload.mapping.features and c.missing > MANY_MISSING * upload.rows]
    if many:
        yield f"More than {MANY_MISSING:.0%} of {listed(many)} were missing: what fills them in decides the scores."
    dropped = upload.rows - len(upload.table.dataset)
    if dropped:
        yield f"{dropped:,} of {upload.rows:,} rows are dropped because a value is missing."


def _doubles(data: Dataset) -> Iterator[str]:
    seen: dict[bytes, set[float]] = {}
    rows = [row.tobytes() for row in data.x] if data.texts is None else [text.encode() for text in data.texts]
    for row, label in zip(rows, data.y.tolist(), strict=True):
        seen.setdefault(row, set()).add(label)
    doubles = len(data) - len(seen)
    if doubles:
        differ = sum(len(labels) > 1 for labels in seen.values())
        tail = f", and {differ:,} of them come with different targets" if differ else ""
        yield (
            f"{doubles:,} rows repeat the features of another row{tail}: while one twin stays, removing the other "
            "changes little, so their scores understate them."
        )


def _shape(data: Dataset) -> Iterator[str]:
    n, d = data.x.shape
    yield from _spellings(data.feature_names, "features")
    constant = [data.feature_names[k] for k in np.flatnonzero(data.x.max(axis=0) == data.x.min(axis=0))]
    if constant:
        yield f"{listed(constant)} {'has' if len(constant) == 1 else 'have'} the same value in every row: leave out."
    if n < d:
        yield f"There are fewer rows than features ({n:,} < {d:,}): use a large enough penalty l2."
    parameters = (d + 1) * (data.classes if data.classes > 2 else 1)
    if parameters > MANY_PARAMETERS:
        yield (
            f"A model of these data has {parameters:,} parameters, more than the {MANY_PARAMETERS:,} of an exact "
            "solver: leave out features, or choose conjugate gradients on the Solvers page."
        )


def _spellings(names: tuple[str, ...], what: str) -> Iterator[str]:
    met: dict[str, str] = {}
    for name in names:
        if (other := met.setdefault(" ".join(name.casefold().split()), name)) != name:
            yield (
                f"{quoted(other)} and {quoted(name)} are two {what} that differ in capitals or blanks only: where they "
                "mean the same, write them alike in the file."
            )
            return


def _classes(data: Dataset) -> Iterator[str]:
    if not data.classes:
        return
    yield from _spellings(data.class_names, "classes")
    counts = np.bincount(data.y, minlength=data.classes)
    rarest, least = data.class_names[int(counts.argmin())], int(counts.min())
    if least < RARE_SHARE * len(data) / data.classes * 2 or least < RARE_COUNT:
        yield (
            f"The classes are unequal: {quoted(rarest)} has {least:,} of {len(data):,} rows, so a model may ignore it "
            "and a test part may hold few of it."
        )


def _leaks(data: Dataset) -> Iterator[str]:
    n = len(data)
    if n < ENOUGH:
        return
    rows = np.sort(np.random.default_rng(0).permutation(n)[:SAMPLE])
    x, y = data.x[rows], data.y[rows]
    base = np.bincount(y).max() / len(y) if data.classes else 0.0
    least = max(LEAK_ACCURACY, min(base + LEAK_GAIN, 1.0)) if data.classes else LEAK_CORRELATION
    strength = np.array([leak_strength(x[:, k], y, data.classes) for k in range(x.shape[1])])
    leaks = [data.feature_names[k] for k in np.flatnonzero(strength >= least)]
    if leaks:
        yield (
            f"{listed(leaks)} alone nearly {'determines' if len(leaks) == 1 else 'determine'} the target: leave out "
            "what would not be known before the target is."
        )
    counting = [data.feature_names[k] for k in range(x.shape[1]) if is_row_number(data.x[:, k])]
    if counting:
        yield f"{listed(counting)} only counts the rows: leave it out, or choose it as the id."
