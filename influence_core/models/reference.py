"""Columns that a model without a penalty cannot use, because the others already determine them: reference coding.

Every text of a table becomes one 0/1 column for each value, and with an intercept their sum is the constant one.  A
penalty chooses between the many θ that predict the same; without one, θ is held at 0 for the first value of each text
(the reference that the others are compared with), for constant columns and for repeated ones.  Predictions, influence
and refits do not depend on which of the columns is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from influence_core.compute import FloatArray
from influence_core.compute.sparse import rows_of

INDEPENDENT = 1e-10  # least share of a column that the columns before it may leave unexplained
ROUNDING = 64 * torch.finfo(torch.float64).eps  # of a column whose offset is large beside what varies


def held_columns(x: FloatArray, names: Sequence[str], intercept: bool = True) -> tuple[int, ...]:
    """Columns of x (n, d) that are combinations of the others (and of the intercept).

    Numbers come first, as they stand in the table; then the values of each text, the first of them last.

    Returns:
        Positions, ascending; none where there are too few rows to tell.
    """
    n, d = x.shape
    if n <= d + int(intercept):
        return ()
    x = rows_of(x, slice(None))
    order = _order(x, names)
    columns = torch.as_tensor(x[:, order])
    size = columns.norm(dim=0)
    if intercept:
        columns = columns - columns.mean(0)
    varies = columns.norm(dim=0)
    constant = varies <= ROUNDING * size
    columns = columns / torch.where(constant, torch.inf, varies)
    left = torch.linalg.qr(columns, mode="r")[1].diagonal().abs()
    least = torch.maximum(ROUNDING * size / varies.clamp(min=1e-300), torch.full_like(size, INDEPENDENT))
    return tuple(sorted(order[k] for k in torch.nonzero(constant | (left <= least))[:, 0].tolist()))


def _order(x: FloatArray, names: Sequence[str]) -> list[int]:
    """Numbers first, then every text with its values from the last to the first."""
    texts: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        if "=" in name and len(set(x[:50, k])) <= 2:
            texts.setdefault(name.partition("=")[0], []).append(k)
    values = {k for group in texts.values() for k in group}
    return [k for k in range(x.shape[1]) if k not in values] + [k for group in texts.values() for k in reversed(group)]


def least_squares(x: Tensor, y: Tensor) -> Tensor:
    """θ of least ‖x θ − y‖² by an orthogonal decomposition of x, in whatever units its columns are, (d,)."""
    size = x.norm(dim=0).clamp(min=1e-300)
    found = torch.linalg.lstsq((x / size).cpu(), y[:, None].cpu(), rcond=1e-15, driver="gelsd").solution
    theta: Tensor = (found[:, 0].to(x) / size) * (size > 1e-300)
    return theta
