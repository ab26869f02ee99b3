"""All rows of a source as one set, whatever part each is in, named by what they hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import Rows, fingerprint, once
from influence_core.compute.sparse import stacked_rows
from influence_core.data.dataset import Dataset, Split, Table
from influence_core.data.split import part, rows_of_parts
from influence_core.settings import DataSettings

SHARE = 0.15  # of the training rows that judge, where nobody chose a validation part
LEAST = 4  # rows of a class of which half may go


@dataclass(frozen=True, eq=False)
class Whole:
    """The rows of a source that are in some part of a split, in the order of the source.

    Attributes:
        split: its ``train`` has all n rows, with labels as given, in the scaling of the parts; nothing else is in it.
        parts: rows of the training, validation and test part.
        contents: (n,) what each row holds, as 32 hexadecimal digits: the same in another split, and in another file
            with the same columns.
        former: fingerprint of the training part alone.
    """

    split: Split
    parts: tuple[Rows, Rows, Rows]
    contents: NDArray[np.str_]
    former: str

    @once
    def fingerprint(self) -> str:
        """Content hash of rows, labels and names: another split or scaling changes nothing.

        Returns:
            32 hexadecimal digits.
        """
        data = self.split.train
        return fingerprint(self.contents, data.y, data.ids, data.class_names)

    def halves(self, seed: int) -> tuple[tuple[Split, Rows], tuple[Split, Rows]]:
        """Two splits of these rows, so that each row is in the training part of one of them at least.

        The first is as chosen; where no validation part was, a part of the training rows becomes one.  The second
        trains on what the first held out, and holds out as many other rows.

        Args:
            seed: of the rows that are held out.

        Returns:
            Each with the rows of its training part.
        """
        train, validation, test = self.parts
        data, random = self.split.train, np.random.default_rng([seed, 8])
        if not len(validation):
            train, validation = part(train, data, self._size(train, round(SHARE * len(train))), random)
        held = np.concatenate([validation, test])
        other, judge = part(train, data, self._size(train, len(held)), random)
        second = np.concatenate([held, other])
        return (self._split(train, validation, test), train), (self._split(second, judge, judge), second)

    def _size(self, rows: Rows, wanted: int) -> int:
        """How many rows may go so that no class loses more than half."""
        counts = np.bincount(self.split.train.y[rows].astype(np.int64))
        smallest = counts[counts > 0].min()
        return max(1, min(wanted, len(rows) // 2)) if smallest >= LEAST else 1

    def _split(self, train: Rows, validation: Rows, test: Rows) -> Split:
        whole = self.split
        return replace(
            whole,
            train=whole.train.take(train),
            validation=whole.train.take(validation),
            test=whole.train.take(test),
            flipped=whole.flipped[train],
            original_y=whole.original_y[train],
        )


def whole(table: Table, split: Split, settings: DataSettings, seed: int) -> Whole:
    """The rows behind a split.

    Args:
        table: of the source.
        split: of the table, by the same settings and seed.
        settings: of the data.
        seed: of the split.
    """
    parts = rows_of_parts(table, settings, seed)
    kept = np.sort(np.concatenate(parts))
    place = np.empty(len(table.dataset), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    data = table.dataset.take(kept)
    inside = place[parts[0]]
    y, flipped = data.y.copy(), np.zeros(len(data), dtype=bool)
    y[inside], flipped[inside] = split.train.y, split.flipped
    there = [split.train.x, split.validation.x, split.test.x]
    x = stacked_rows(there)[np.argsort(np.concatenate([place[rows] for rows in parts]), kind="stable")]
    given = replace(data, y=y).with_features(x, split.train.feature_names)
    none = given.take(np.arange(0))
    every = replace(split, train=given, validation=none, test=none, flipped=flipped, original_y=data.y)
    return Whole(every, (inside, place[parts[1]], place[parts[2]]), contents(data), split.train.fingerprint)


def contents(data: Dataset) -> NDArray[np.str_]:
    """(n,) what each row holds: features that are not zero with their names, picture and text, without label and id.

    The second of two equal rows is another one than the first.
    """
    names = np.array([int.from_bytes(_digest(name.encode())[:8]) for name in data.feature_names], dtype=np.uint64)
    order = np.argsort(names, kind="stable")
    names, x = names[order], None if data.texts is not None else data.x[:, order] + 0.0  # −0 equals 0
    seen: Counter[bytes] = Counter()
    found = []
    for k in range(len(data)):
        if x is None:  # words are counted in the training texts of a split, and another split has others
            held = data.texts[k].encode()  # type: ignore[index]
        else:
            there = np.flatnonzero(x[k])
            held = names[there].tobytes() + x[k][there].tobytes()
        held += b"" if data.images is None else data.images[k].tobytes()
        held += b"" if data.hover is None else str(data.hover[k]).encode()
        digest = _digest(held)
        seen[digest] += 1
        found.append(_digest(digest + seen[digest].to_bytes(8)).hex())
    return np.array(found)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
