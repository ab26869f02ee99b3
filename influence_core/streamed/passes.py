"""A pass: every training row once, in blocks of float64 with scaling and intercept, whatever the files hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import Task, blocks, gram, once
from influence_core.data.stored import Stored
from influence_core.models.linear import LinearModel
from influence_core.models.protocol import Batch

BLOCK_BYTES = 2**26  # of one block in float64; a pass holds about four of its size at once
COPIES = 4


@dataclass(frozen=True)
class Cost:
    """What a step takes, told before it starts: passes over so many bytes on disk, seconds, bytes of memory."""

    passes: int
    size: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        word = "pass" if self.passes == 1 else "passes"
        return (
            f"{self.passes} {word} over {self.size / 1e6:,.0f} MB, about {self.seconds:,.0f} s, "
            f"at most {self.memory / 1e6:,.0f} MB of memory"
        )


@dataclass(frozen=True, eq=False)
class Passes:
    """The training part of a stored data set as blocks of x̃ (b, d̄) and y (b,).

    Attributes:
        stored: the data set.
        model: whose x̃ it is.
        block: bytes of a block in float64.
        task: ticks once a block.
    """

    stored: Stored
    model: LinearModel
    block: int = BLOCK_BYTES
    task: Task = field(default_factory=Task)

    def __len__(self) -> int:
        """Training rows n."""
        return len(self.stored.train)

    @property
    def width(self) -> int:
        """Columns d̄ of x̃."""
        return len(self.stored.feature_names) + self.model.intercept

    def __iter__(self) -> Iterator[tuple[slice, Batch]]:
        """One pass: rows and their examples.  Files that are no longer those that were opened end it by a DataError."""
        return self.over(self.task)

    @property
    def together(self) -> int:
        """Rows of a block."""
        return max(1, self.block // (8 * self.width))

    def over(self, task: Task, within: slice | None = None) -> Iterator[tuple[slice, Batch]]:
        """One pass that ticks another task, over all rows or those ``within``, which begin where a block does."""
        start, stop = (0, len(self)) if within is None else (within.start, within.stop)
        for part in blocks(stop - start, 1, self.together):
            rows = slice(start + part.start, start + part.stop)
            self.stored.check()  # before each: to read a mapped file behind its new end would kill the process
            yield rows, self.rows(rows)
            task.tick(part.stop, stop - start)
        self.stored.check()

    @property
    def penalised(self) -> Tensor:
        """1 where θ is penalised, (p,)."""
        return self.model.penalised(torch.ones(1, self.width, dtype=torch.float64))

    @property
    def null(self) -> Tensor | None:
        """Coordinates along which θ changes nothing, (d̄,); None where there are none."""
        return self.model.null_space(torch.ones(1, self.width, dtype=torch.float64))

    def rows(self, rows: slice | NDArray[np.int64]) -> Batch:
        """Some training rows."""
        train, scaling, width = self.stored.train, self.stored.scaling, len(self.stored.feature_names)
        raw = train.x[rows]
        x = np.empty((len(raw), self.width))
        np.subtract(raw, scaling.mean, out=x[:, :width])
        x[:, :width] /= scaling.scale
        x[:, width:] = 1
        return Batch(torch.from_numpy(x), torch.from_numpy(np.array(train.y[rows], dtype=np.float64)))

    def cost(self, passes: int, products: float = 1.0, parameters: int = 0, held: int = 0) -> Cost:
        """What ``passes`` with so many products of a block with d̄ columns take.

        Args:
            passes: how often every row is read.
            products: with d̄ × d̄ each, per pass.
            parameters: p, where p × p matrices are held.
            held: other bytes.
        """
        read, multiply = self._rates
        n = len(self)
        seconds = passes * n * (read + products * multiply)
        memory = COPIES * self.block + 3 * 8 * parameters**2 + held
        return Cost(passes, self.stored.nbytes, seconds, memory)

    @once
    def _rates(self) -> tuple[float, float]:
        """Seconds a row takes to be read, and to be multiplied with d̄ × d̄, measured on the first rows."""
        some = slice(0, min(len(self), self.together, 20_000))
        start = time.perf_counter()
        batch = self.rows(some)
        between = time.perf_counter()
        gram(batch.x)
        return (between - start) / len(batch), (time.perf_counter() - between) / len(batch)


def counting(task: Task, usual: int) -> Task:
    """A task whose bar counts the rows of about so many passes."""
    passes = [0]

    def report(done: float, total: float) -> None:
        task.report(passes[0] * total + done, max(usual, passes[0] + 1) * total)
        passes[0] += done >= total

    return replace(task, report=report)
