"""The nearest training points of a test point, and scores of those alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, SparseRows, numpy, once
from influence_core.influence import index
from influence_core.influence.estimators import dots
from influence_core.influence.watched import Influence
from influence_core.models import Batch, FittedModel

PASS = 1_024  # examples of one forward pass: it keeps what every layer reads


def features(fitted: FittedModel, x: Tensor) -> FloatArray:
    """Where neighbours are sought: what the last layer reads; the features themselves for a linear predictor.

    Returns:
        (n, q); a model that describes no layers is searched by its outputs, (n, K).
    """
    if not fitted.linearised.layers:
        return numpy(fitted.model.outputs(fitted.theta, x))
    read = torch.cat([fitted.linearised.tap(part).inputs[-1][:, 0] for part in torch.split(x, PASS)])
    constant = fitted.linearised.layers[-1].bias is not None or fitted.model.intercept
    return numpy(read[:, :-1] if constant else read)


def _sought(fitted: FittedModel, x: Tensor) -> Any:
    """The same, and sparse examples stay so."""
    if not isinstance(x, SparseRows):
        return features(fitted, x)
    words = x.matrix.tocsr()
    return words[:, :-1] if fitted.model.intercept else words


@dataclass(frozen=True, eq=False)
class FastSearch:
    """The index over one fitted model, and scores on candidates only."""

    influence: Influence

    @once
    def index(self) -> index.Index:
        """All training points by their features."""
        return index.index(_sought(self.influence.fitted, self.influence.fitted.train.x))

    def candidates(self, batch: Batch, k: int) -> NDArray[np.int64]:
        """The k nearest training points of every test point, (m, k)."""
        return self.index.nearest(_sought(self.influence.fitted, batch.x), k)

    def scores(self, columns: Tensor, rows: NDArray[np.int64]) -> FloatArray:
        """g_iᵀ v / n for some training points only, v = (H + δI)⁻¹ q.

        Args:
            columns: (p, m).
            rows: (k,); a −1 of the index is left out beforehand.

        Returns:
            (k, m), the rows of the full scores.
        """
        return numpy(dots(self.influence, columns, torch.as_tensor(rows, device=columns.device)))
