"""Rows that are mostly zero, such as counts of words: a tensor whose numbers lie in a SciPy matrix on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.utils._pytree import tree_map

from influence_core.settings import SettingsError

DENSE_BYTES = 2**31  # of a dense copy, for whatever the stored numbers alone do not serve
PARTS = 64  # of a product of two sparse matrices, one after the other
aten = torch.ops.aten


class SparseRows(Tensor):
    """(n, d) in double precision, read-only.

    Products, Grams, rows, sums, squares and scaled rows use the stored numbers alone; everything else sees a dense
    copy, so that whatever is written for dense examples is right for these, too.  Beyond ``DENSE_BYTES`` such a copy is
    refused.
    """

    matrix: Any

    @staticmethod
    def __new__(cls, matrix: Any) -> Self:  # noqa: D102 - the class says it
        made: Self = Tensor._make_wrapper_subclass(cls, matrix.shape, dtype=torch.float64)
        made.matrix = matrix
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"SparseRows({tuple(self.shape)}, {self.matrix.nnz} stored)"

    def __setitem__(self, _index: Any, _value: Any) -> None:
        raise TypeError("Expected sparse rows to stay as they are: work on a dense copy.")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]  # noqa: ARG003
        rule = RULES.get(func)
        found = NotImplemented if rule is None else rule(*args, **(kwargs or {}))
        if found is not NotImplemented:
            return found
        if func._schema.is_mutable and isinstance(args[0], SparseRows):
            raise TypeError(f"Expected sparse rows to stay as they are, got {func}: work on a dense copy.")
        return func(*tree_map(dense, args), **tree_map(dense, kwargs or {}))


def dense(value: Any) -> Any:
    """A dense copy of sparse rows; anything else as it is.

    Raises:
        SettingsError: the copy would need more than ``DENSE_BYTES``.
    """
    if not isinstance(value, SparseRows):
        return value
    n, d = value.shape
    if 8 * n * d > DENSE_BYTES:
        raise SettingsError(
            f"{n:,} texts × {d:,} words are too many for this computation, which needs them as a dense table of "
            f"{8 * n * d / 2**30:.1f} GiB: use fewer words or texts, or another solver."
        )
    return torch.from_numpy(value.matrix.toarray())


def multiplied(a: Tensor, b: Tensor) -> Tensor:
    """a @ b where at least one has sparse rows; the result is dense."""
    if isinstance(a, SparseRows) and isinstance(b, SparseRows):
        return _both(a.matrix.tocsr(), b.matrix.tocsr())
    if isinstance(a, SparseRows):
        return torch.from_numpy(a.matrix @ b.detach().numpy())
    found = (b.matrix.T @ a.detach().numpy().T).T  # type: ignore[attr-defined]
    return torch.from_numpy(np.ascontiguousarray(found))


def _both(a: Any, b: Any) -> Tensor:
    """A dense product of two sparse matrices, in blocks of rows: sparse, it would take more room than dense."""
    found = np.empty((a.shape[0], b.shape[1]))
    step = 1 + a.shape[0] // PARTS
    for start in range(0, a.shape[0], step):
        (a[start : start + step] @ b).toarray(out=found[start : start + step])
    return torch.from_numpy(found)


def _rows(x: SparseRows, indices: Any) -> Any:
    """x[rows], for one list or mask of rows."""
    if len(indices) != 1 or indices[0].dim() != 1:
        return NotImplemented
    return SparseRows(x.matrix.tocsr()[indices[0].numpy()])


def _slice(x: SparseRows, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    part = slice(start, end, step)
    if dim % 2 == 0 and (start or 0) == 0 and (end is None or end >= x.shape[0]) and step == 1:
        return SparseRows(x.matrix)
    return SparseRows(x.matrix.tocsr()[part] if dim % 2 == 0 else x.matrix.tocsc()[:, part].tocsr())


def _select(x: SparseRows, dim: int, index: int) -> Tensor:
    part = x.matrix.tocsr()[[index]] if dim % 2 == 0 else x.matrix.tocsc()[:, [index]]
    return torch.from_numpy(part.toarray().reshape(-1))


def _scaled(a: Any, b: Any) -> Any:
    """A factor for all, for every row, for every column, or for every number."""
    x, factor = (a, b) if isinstance(a, SparseRows) else (b, a)
    if isinstance(factor, SparseRows):
        return NotImplemented
    if not isinstance(factor, Tensor) or factor.dim() == 0:
        return SparseRows(x.matrix * float(factor))
    if factor.shape == x.shape:
        return SparseRows(sparse.csr_array(x.matrix.multiply(factor.numpy())))
    if factor.dim() == 2 and factor.shape[1] == 1:
        return SparseRows(sparse.diags_array(factor[:, 0].expand(x.shape[0]).numpy()) @ x.matrix)
    if factor.dim() == 1 or factor.shape[0] == 1:
        return SparseRows(x.matrix @ sparse.diags_array(factor.reshape(-1).expand(x.shape[1]).numpy()))
    return NotImplemented


def _sum(x: SparseRows, dim: Any = None, keepdim: bool = False, **_kwargs: Any) -> Tensor:
    total: Tensor = torch.from_numpy(np.asarray(x.matrix.sum(axis=None if dim is None else tuple(dim)[0])))
    return total.unsqueeze(tuple(dim)[0]) if keepdim and dim is not None else total


def _norm(x: SparseRows, order: Any = 2, dim: Any = None, keepdim: bool = False, **_kwargs: Any) -> Any:
    if order is not None and float(order) != 2:
        return NotImplemented
    return _sum(_power(x, 2), dim, keepdim).sqrt()


def _power(x: SparseRows, exponent: Any) -> Any:
    return SparseRows(x.matrix.power(exponent)) if exponent > 0 else NotImplemented


def _copied(x: SparseRows, dtype: Any = None, device: Any = None, **_kwargs: Any) -> Any:
    stays = dtype in {None, torch.float64} and torch.device(device or "cpu").type == "cpu"
    return SparseRows(x.matrix) if stays else NotImplemented


def _new(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def made(_x: SparseRows, *args: Any, dtype: Any = None, **_kwargs: Any) -> Tensor:
        return make(*args, dtype=dtype or torch.float64)

    return made


RULES: dict[Any, Callable[..., Any]] = {
    aten.mm.default: multiplied,
    aten.mv.default: lambda a, v: multiplied(a, v[:, None])[:, 0],
    aten.t.default: lambda x: SparseRows(x.matrix.T),
    aten.numpy_T.default: lambda x: SparseRows(x.matrix.T),
    aten.permute.default: lambda x, dims: SparseRows(x.matrix.T) if list(dims) == [1, 0] else NotImplemented,
    aten.transpose.int: lambda x, first, second: SparseRows(x.matrix.T) if first != second else NotImplemented,
    aten.index.Tensor: _rows,
    aten.index_select.default: lambda x, dim, index: _rows(x, [index]) if dim == 0 else NotImplemented,
    aten.slice.Tensor: _slice,
    aten.select.int: _select,
    aten.mul.Tensor: _scaled,
    aten.sum.default: _sum,
    aten.sum.dim_IntList: _sum,
    aten.linalg_vector_norm.default: _norm,
    aten.norm.ScalarOpt_dim: _norm,
    aten.pow.Tensor_Scalar: _power,
    aten.detach.default: lambda x: SparseRows(x.matrix),
    aten.alias.default: lambda x: SparseRows(x.matrix),
    aten.clone.default: lambda x, **_kwargs: SparseRows(x.matrix),
    aten._to_copy.default: _copied,
    aten.new_empty.default: _new(torch.empty),
    aten.new_zeros.default: _new(torch.zeros),
    aten.new_ones.default: _new(torch.ones),
    aten.new_full.default: _new(torch.full),
}


def is_sparse(x: Any) -> bool:
    """Whether a matrix of examples is a sparse one."""
    return bool(sparse.issparse(x))


def stored(x: Any) -> tuple[NDArray[Any], ...]:
    """The arrays that hold a matrix of examples, dense or sparse."""
    return (x.data, x.indices, x.indptr) if is_sparse(x) else (x,)


def rows_of(x: Any, rows: Any) -> Any:
    """Some rows (b, d) as a dense array, or one (d,)."""
    if not is_sparse(x):
        return x[rows]
    if isinstance(rows, int | np.integer):
        return x[[rows]].toarray()[0]
    return x[rows].toarray()


def inner(a: Any, b: Any) -> Any:
    """a bᵀ of rows, dense or sparse, as a dense array."""
    found = a @ b.T
    return found.toarray() if is_sparse(found) else found


def squares(x: Any) -> Any:
    """‖x_i‖² of rows, dense or sparse, (n,)."""
    return np.asarray((x**2).sum(1))


def varying(x: Any) -> NDArray[np.bool_]:
    """Which columns of rows, dense or sparse, hold more than one value, (d,)."""
    highest, lowest = x.max(axis=0), x.min(axis=0)
    if is_sparse(x):
        highest, lowest = highest.toarray(), lowest.toarray()
    return np.asarray(highest > lowest).reshape(-1)


def stacked_rows(parts: Sequence[Any]) -> Any:
    """The rows of several arrays one after the other, sparse where they are."""
    return sparse.vstack(parts, format="csr") if any(is_sparse(part) for part in parts) else np.concatenate(parts)
