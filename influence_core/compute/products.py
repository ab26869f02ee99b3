"""Where and how numbers are computed: device and precision, and matrix products in blocks."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

from influence_core.compute import spread
from influence_core.compute.sparse import SparseRows, multiplied

FloatArray = NDArray[np.float64]
Rows = NDArray[np.int64]  # numbers of examples
RowsLike = Sequence[int] | Rows
BLOCK_BYTES = 64 * 2**20
SMALL = 4e7  # multiplications of a product that one thread does in about 10 ms
LONG = 4e9  # of one that it does in about a second

if "OMP_NUM_THREADS" not in os.environ:
    # On the CPU products go to NumPy's BLAS, torch does the small steps between them.  A second pool of threads for
    # those costs far more in wake-ups and stolen cores than it saves: a softmax fit took 4.1 s with it, 0.3 s without.
    torch.set_num_threads(1)


def settle() -> None:
    """Give this thread torch's number of threads.  Call it first in every thread that computes.

    The setting belongs to the thread: in a new one, such as every rerun of a page, the MKL inside torch would otherwise
    start a pool as wide as the machine and let it spin, which doubled the time of a click (measured on two cores).
    """
    torch.get_num_threads()


class _Threads:
    """How many threads NumPy's BLAS uses in this process."""

    def __init__(self) -> None:
        self.narrow, self._one = False, threading.Lock()

    def keep_few(self) -> None:
        """One thread from now on, but for long products: for a process in which many threads compute.

        OpenBLAS runs one threaded product at a time and its threads spin meanwhile: three pages that fitted 80,000 × 71
        at once took 11 s and 21 s of the processor on two cores, with one thread each 4.5 s and 9 s; a page alone took
        2.7 s and 4.6 s, with one thread 2.4 s of both.
        """
        self.narrow = True
        self._use(1)

    @contextmanager
    def __call__(self, multiplications: float) -> Generator[None]:
        """All cores for a long product, unless another one has them."""
        if not self.narrow or multiplications < LONG or not self._one.acquire(blocking=False):
            yield
            return
        try:
            self._use(spread.cores())
            yield
        finally:
            self._use(1)
            self._one.release()

    @staticmethod
    def _use(count: int) -> None:
        for library in _libraries().lib_controllers:
            library.set_num_threads(count)


@cache
def _libraries() -> ThreadpoolController:
    found = ThreadpoolController()
    return found.select(filepath=[one.filepath for one in found.lib_controllers if "numpy.libs" in one.filepath])


blas = _Threads()


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is cuda where present, else cpu; mps has no float64, which convex models need.

    Raises:
        ValueError: a device was named that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"Device {name!r} was asked for, but this machine has no CUDA device: use 'auto' or 'cpu'.")
    return torch.device(name)


def product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Matrix product a @ b of two-dimensional tensors, written to ``out`` where one is given.

    On the CPU a large one goes through NumPy without copying: NumPy's OpenBLAS measured 1.3 to 1.5 times faster in
    float64 than the MKL inside torch on AMD processors, and level on others.  A small one stays in torch, on the thread
    that asks: OpenBLAS runs one threaded product at a time, so that a click would wait for the long product of a job.

    Returns:
        a @ b on the device of ``a``.
    """
    if isinstance(a, SparseRows) or isinstance(b, SparseRows):
        found = multiplied(a, b)
        return found if out is None else out.copy_(found)
    if a.device.type != "cpu" or a.shape[0] * a.shape[1] * b.shape[1] < SMALL:
        settle()
        return torch.matmul(a, b, out=out)
    with blas(a.shape[0] * a.shape[1] * b.shape[1]):
        return torch.from_numpy(np.matmul(a.numpy(), b.numpy(), out=None if out is None else out.numpy()))


def stacked(a: Tensor, b: Tensor) -> Tensor:
    """Products a_j b_j of two stacks of small matrices.

    On the CPU NumPy calls its BLAS for each, which took a fifth off the time of LiSSA with eleven examples per step.

    Returns:
        (r, m, n) for shapes (r, m, k) and (r, k, n).
    """
    if a.device.type != "cpu":
        return torch.bmm(a, b)
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


class Workspace:
    """Room for intermediate results that is used again and again.

    New memory is handed out page by page and zeroed: a thin product into 33 MB of it took 3.5 times as long as into
    room that had been used before.
    """

    def __init__(self, like: Tensor) -> None:
        self.like, self.kept = like, dict[object, Tensor]()

    def __call__(self, name: object, *shape: int) -> Tensor:
        """The room of this name; what it held is lost.

        Returns:
            A contiguous tensor of ``shape``, not initialised.
        """
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            self.kept[name] = self.like.new_empty(size)
        return self.kept[name][:size].view(shape)


def gram(a: Tensor) -> Tensor:
    """AᵀA; on the CPU NumPy recognises the symmetry and does half the work.

    Returns:
        (k, k) for ``a`` of shape (n, k).
    """
    if a.device.type != "cpu" or isinstance(a, SparseRows):
        return a.T @ a
    array = a.numpy()
    with blas(a.shape[0] * a.shape[1] ** 2 / 2):
        return torch.from_numpy(np.dot(array.T, array))


def blocks(total: int, bytes_per_item: float, budget: int = BLOCK_BYTES) -> Iterator[slice]:
    """Slices of range(total) whose items together need at most ``budget`` bytes (at least one item each).

    Yields:
        Consecutive slices.
    """
    size = max(1, int(budget // max(bytes_per_item, 1)))
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def numpy(tensor: Tensor) -> FloatArray:
    """Results leave as NumPy, floating-point ones in double precision whatever they were computed in."""
    values = tensor.detach().cpu()
    array: FloatArray = (values.double() if values.is_floating_point() else values).numpy()
    return array
