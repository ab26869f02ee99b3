"""NPY files that grow row by row, and mean and deviation that grow with them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray


class Growing:
    """An NPY file of rows; its header, which NumPy pads for this, is written anew when it is closed.

    Args:
        path: of the file.
        dtype: of its numbers.
        width: of a row; () for one number each.
        rows: that are there already; whatever was written behind them is cut off.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], width: tuple[int, ...], rows: int = 0) -> None:
        self.dtype, self.width, self.rows = dtype, width, rows
        self.file = path.open("r+b" if rows else "w+b")
        header = self._header()
        self.file.write(header)
        self.file.truncate(len(header) + rows * dtype.itemsize * int(np.prod(width, dtype=np.int64)))
        self.file.seek(0, io.SEEK_END)

    def _header(self) -> bytes:
        buffer = io.BytesIO()
        shape = (self.rows, *self.width)
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(buffer, described)
        return buffer.getvalue()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end."""
        self.file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.rows += len(rows)

    def settle(self) -> None:
        """What was written so far is whole."""
        self.file.seek(0)
        self.file.write(self._header())
        self.file.flush()
        self.file.seek(0, io.SEEK_END)

    def close(self) -> None:
        """The file is whole and closed."""
        self.settle()
        self.file.close()


@dataclass(eq=False)
class RunningMoments:
    """Mean and variance of columns as blocks come in (Chan, Golub & LeVeque 1983).

    Attributes:
        count: rows so far.
        mean: (d,) their mean.
        squares: (d,) sum of squared distances from it.
    """

    count: int = 0
    mean: FloatArray = field(default_factory=lambda: np.zeros(0))
    squares: FloatArray = field(default_factory=lambda: np.zeros(0))

    def add(self, x: NDArray[Any]) -> None:
        """Take in the rows of ``x``."""
        if not len(x):
            return
        block = x.astype(np.float64)
        mean = block.mean(0)
        squares = np.square(block - mean).sum(0)
        if not self.count:
            self.count, self.mean, self.squares = len(x), mean, squares
            return
        apart, total = mean - self.mean, self.count + len(x)
        self.mean = self.mean + apart * (len(x) / total)
        self.squares = self.squares + squares + np.square(apart) * (self.count * len(x) / total)
        self.count = total

    @property
    def scaling(self) -> FloatArray:
        """Mean and standard deviation, 1 where there is none, (2, d)."""
        scale = np.sqrt(self.squares / max(1, self.count))
        flat = scale <= 1e-12 * np.abs(self.mean)  # what is left of a constant after rounding
        return np.stack([self.mean, np.where(flat | (scale == 0), 1.0, scale)])
