"""What a model is to everything above it: an objective, outputs, and itself linearised at θ̂, layer by layer.

Per example the gradient of any function of the outputs with ∂/∂f = r_i is J_iᵀ r_i, J_i = ∂f_i/∂θ (K, p).  In a linear
or convolutional layer it is a sum of outer products Σ_t G_it ⊗ A_it of output gradients and inputs over positions t
(one position in a linear layer), so scores need no (n, p) array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples on the device: x (n, ·), y (n,); for a linear predictor x has the intercept column."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Tensor | slice) -> Batch:
        """The examples at ``rows``."""
        return Batch(self.x[rows], self.y[rows])


@dataclass(frozen=True)
class Layer:
    """Where one layer lies in θ: its weight (o, q) row by row, then perhaps a bias (o,).

    Attributes:
        name: of the layer in its module.
        outputs: o.
        inputs: q̄ = q, plus 1 for a bias, whose input is the constant one.
        weight: its part of θ.
        bias: its part of θ, or None.
    """

    name: str
    outputs: int
    inputs: int
    weight: slice
    bias: slice | None = None

    def matrix(self, v: Tensor) -> Tensor:
        """The part of parameter columns (p, k) that belongs to this layer, bias last, (o, q̄, k)."""
        weight = v[self.weight].reshape(self.outputs, -1, v.shape[1])
        return weight if self.bias is None else torch.cat([weight, v[self.bias][:, None]], 1)

    def put(self, v: Tensor, matrix: Tensor) -> None:
        """Inverse of :meth:`matrix`: write (o, q̄, k) into the columns ``v`` (p, k), in place."""
        width = self.inputs - (self.bias is not None)
        v[self.weight] = matrix[:, :width].reshape(-1, v.shape[1])
        if self.bias is not None:
            v[self.bias] = matrix[:, -1]


@dataclass(frozen=True, eq=False)
class Tap:
    """One forward pass over b examples, open for backward passes.

    Attributes:
        inputs: per layer A (b, T, q̄), the last column one where the layer has a bias.
        gradients: r (b, K) -> per layer G (b, T, o); may be called many times.
    """

    inputs: tuple[Tensor, ...]
    gradients: Callable[[Tensor], tuple[Tensor, ...]]


class Linearised(Protocol):
    """A model at fixed parameters: products with its Jacobian J_i (K, p)."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers; empty where the model is not made of linear and convolutional layers alone."""

    def tap(self, x: Tensor) -> Tap:
        """Inputs and output gradients of every layer, for few examples at a time."""

    def pullback(self, x: Tensor, residuals: Tensor) -> Tensor:
        """J_iᵀ r_i as rows (n, p), for few examples."""

    def gradient_dot(self, x: Tensor, residuals: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
        """scale · (J_iᵀ r_i)ᵀ v_j for all i, j, shape (n, k)."""

    def squared_norms(self, x: Tensor, residuals: Tensor) -> Tensor:
        """‖J_iᵀ r_i‖², shape (n,)."""

    def moved(self, step: Tensor, x: Tensor) -> Tensor:
        """f at θ + ``step``, shape (n, K)."""
