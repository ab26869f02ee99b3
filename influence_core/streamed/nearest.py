"""Nearest training rows by a FAISS index on disk: one byte for each of at most 64 directions of a row, never whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, Task, blocks
from influence_core.compute.plugins import MissingPackageError, optional
from influence_core.data.stored import Stored, content_of

FILE, LISTS = "nearest.{}.index", "nearest.{}.lists"
DIRECTIONS = 64  # above as many features: their principal axes
CELLS, PROBED = 4_096, 16
EACH = 40  # rows that one cell is trained on
TRAINED = 2**28  # bytes of them in memory, at most
SHARD = 2**20  # rows whose codes are in memory at a time


@dataclass(frozen=True, eq=False)
class Neighbours:
    """An index on disk, opened: what is near is near in scaled features."""

    searcher: Any

    def nearest(self, x: FloatArray, count: int) -> NDArray[np.int64]:
        """Training rows near any of some points (m, d), ascending and each once."""
        found = self.searcher.search(np.ascontiguousarray(x, dtype=np.float32), count)[1]
        return np.unique(found[found >= 0]).astype(np.int64)


def neighbours(stored: Stored) -> Neighbours | None:
    """The index of a stored set; None where it was not built, is damaged, or FAISS is not here."""
    path, lists = _paths(stored)
    try:
        faiss = _faiss()
    except MissingPackageError:
        return None
    try:
        searcher = faiss.read_index(str(path), faiss.IO_FLAG_ONDISK_SAME_DIR)
        cells = faiss.extract_index_ivf(searcher)
        whole = lists.stat().st_size >= faiss.downcast_InvertedLists(cells.invlists).totsize
    except (RuntimeError, OSError):
        return None
    cells.nprobe = PROBED
    return Neighbours(searcher) if whole and searcher.ntotal == len(stored.train) else None


def build(stored: Stored, block: int, task: Task) -> None:
    """One pass: codes of all rows in about 4√n cells on disk.

    Memory is a block, the rows that the cells are trained on (256 MB) and the codes of a million rows.
    """
    faiss, (path, lists) = _faiss(), _paths(stored)
    n, d = stored.train.x.shape
    known = min(n, TRAINED // (4 * d))
    cells = max(1, min(round(4 * math.sqrt(n)), CELLS, known // EACH))
    rows = np.sort(np.random.default_rng(0).choice(n, min(known, EACH * cells), replace=False))
    axes = f"PCA{DIRECTIONS}," if d > DIRECTIONS and len(rows) >= DIRECTIONS else ""
    index = faiss.index_factory(d, f"{axes}IVF{cells},SQ8")
    index.train(_single(stored, rows))
    shards = list[Path]()
    try:
        for start in range(0, n, SHARD):
            shards.append(path.with_name(f"{path.name}.{len(shards)}.shard"))
            _write_shard(index, stored, (start, min(n, start + SHARD), block), shards[-1], task)
        lists.unlink(missing_ok=True)
        optional("faiss.contrib.ondisk", "search").merge_ondisk(index, [str(shard) for shard in shards], str(lists))
        written = path.with_name(f"{path.name}.part")
        faiss.write_index(index, str(written))
        written.replace(path)
    finally:
        for shard in shards:
            shard.unlink(missing_ok=True)


def _write_shard(empty: Any, stored: Stored, rows: tuple[int, int, int], shard: Path, task: Task) -> None:
    """Codes of some consecutive rows, taken in blocks, in a file of their own."""
    faiss, (start, stop, block) = _faiss(), rows
    index = faiss.clone_index(empty)
    for part in blocks(stop - start, 8.0 * stored.train.x.shape[1], block):
        ids = np.arange(start + part.start, start + part.stop)
        index.add_with_ids(_single(stored, slice(ids[0], ids[-1] + 1)), ids)
        task.tick(int(ids[-1]) + 1, len(stored.train))
    faiss.write_index(index, str(shard))


def _single(stored: Stored, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
    raw = stored.train.x[rows]
    x = np.empty(raw.shape, dtype=np.float32)
    np.subtract(raw, stored.scaling.mean, out=x, casting="same_kind")  # in double, without an array of doubles
    x /= stored.scaling.scale
    return x


def _paths(stored: Stored) -> tuple[Path, Path]:
    content = content_of(stored.name)
    return stored.folder / FILE.format(content), stored.folder / LISTS.format(content)


def _faiss() -> Any:
    faiss = optional("faiss", "search")
    if not hasattr(faiss, "OnDiskInvertedLists"):
        raise MissingPackageError("This build of FAISS has no lists on disk: it has none on Windows.")
    return faiss
