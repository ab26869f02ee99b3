"""Some rows at θ̂: what every answer about them is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.curvature import roots
from influence_core.models import Batch


@dataclass(frozen=True, eq=False)
class Residuals:
    """Some rows at θ̂: x̃ (b, d̄), residuals (b, K), curvatures C_i (b, K, K)."""

    rows: slice | NDArray[np.int64]
    batch: Batch
    outputs: Tensor
    residuals: Tensor
    curvatures: Tensor

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Of the rows, (b,)."""
        return np.arange(self.rows.start, self.rows.stop) if isinstance(self.rows, slice) else self.rows


def leverage_of(curvatures: Tensor, spread: Tensor) -> Tensor:
    """Largest eigenvalue of C_i M_i, (b,)."""
    if spread.shape[1] == 1:
        return (curvatures * spread)[:, 0, 0]
    root = roots(curvatures)
    largest: Tensor = torch.linalg.eigvalsh(root.mT @ spread @ root)[:, -1]
    return largest
