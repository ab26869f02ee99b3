"""How alike the gradients of training and test points are to a network: (K + λI)⁻¹ K_test of margin gradients.

K = Σ_layers (A Aᵀ) ∘ (G Gᵀ) holds the inner products of whole gradients, which are outer products of layer inputs and
output gradients; λ is the mean eigenvalue.  Above ``MOST`` examples, and for networks without a layer description, the
gradients are projected at random first (TRAK: Park et al. 2023), and the same ridge is solved in their few dimensions.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from influence_core.compute import blocks, gram, product
from influence_core.models import FittedModel
from influence_core.models.protocol import Layer, Linearised

MOST = 10_000  # examples whose n × n kernel is formed and factored
READ_BYTES = 2**30  # of layer inputs and output gradients of all examples
ROOM = 2**30  # bytes of factors that are kept, of all networks together
OUTPUT_SIDE, INPUT_SIDE = 16, 32  # a layer's gradient is projected to at most so many rows and columns
DENSE = 512  # projected gradient of a network without a layer description


class Similar(Protocol):
    """Training gradients of one network, ready for test points."""

    @property
    def size(self) -> float:
        """Bytes."""

    def of(self, x: Tensor, slopes: Tensor) -> Tensor:
        """(K + λI)⁻¹ K_test for gradients J_jᵀ r_j of other points, (n, m)."""


_KEPT: WeakKeyDictionary[FittedModel, Similar] = WeakKeyDictionary()
_GUARD = threading.Lock()


def similar_of(fitted: FittedModel, slopes: Tensor, seed: int) -> Similar:
    """Of the gradients J_iᵀ r_i of the training points; made once for a network, for as long as there is room.

    Args:
        fitted: the network.
        slopes: (n, K) r_i, the same whenever it is asked about.
        seed: of random projections.
    """
    with _GUARD:
        found = _KEPT.get(fitted)
    if found is None:
        made: Similar | None = _kernel(fitted, slopes)
        found = made if made is not None else _sketch(fitted, slopes, seed)
        with _GUARD:
            if sum(other.size for other in _KEPT.values()) + found.size <= ROOM:
                _KEPT[fitted] = found
    return found


@dataclass(frozen=True, eq=False)
class Kernel:
    """All of the gradients, in dual form.

    Attributes:
        at: the network.
        factor: (n, n) of K + λI = LLᵀ.
        read: per layer A (n, q̄) and G (n, o); where it has several positions, whole gradients (n, o·q̄) and None.
    """

    at: Linearised
    factor: Tensor
    read: list[tuple[Tensor, Tensor | None]]

    @property
    def size(self) -> float:
        """Bytes of what is kept."""
        tensors = [self.factor, *(values for pair in self.read for values in pair if values is not None)]
        return float(sum(values.numel() * values.element_size() for values in tensors))

    def of(self, x: Tensor, slopes: Tensor) -> Tensor:
        """By one pass over the test points and two triangular solves."""
        return torch.cholesky_solve(_products(self.read, _reads(self.at, x, slopes)), self.factor)


def _kernel(fitted: FittedModel, slopes: Tensor) -> Kernel | None:
    """The exact form, where it fits."""
    at, n = fitted.linearised, len(slopes)
    if not at.layers or n > MOST or n * _numbers(fitted) * slopes.element_size() > READ_BYTES:
        return None
    read = _reads(at, fitted.train.x, slopes)
    k = _products(read, read)
    k.diagonal().add_(_ridge(k.diagonal(), n))
    return Kernel(at, torch.linalg.cholesky(k), read)


def _numbers(fitted: FittedModel) -> int:
    """That are kept of an example; whole gradients of layers that may have several positions."""
    tap = fitted.linearised.tap(fitted.train.x[:1])
    pairs = zip(fitted.linearised.layers, tap.inputs, strict=True)
    return sum(la.inputs * la.outputs if a.shape[1] > 1 else la.inputs + la.outputs for la, a in pairs)


def _ridge(squares: Tensor, n: int) -> float:
    """The mean eigenvalue of K over the n examples; 1 where every gradient is zero."""
    return float(squares.sum()) / n or 1.0


def _reads(at: Linearised, x: Tensor, slopes: Tensor) -> list[tuple[Tensor, Tensor | None]]:
    parts = list[list[tuple[Tensor, Tensor | None]]]()
    for part in blocks(len(x), 8.0 * _widest(at.layers) * 4):
        tap = at.tap(x[part])
        pairs = zip(tap.inputs, tap.gradients(slopes[part]), strict=True)
        parts.append([((g.mT @ a).flatten(1), None) if a.shape[1] > 1 else (a[:, 0], g[:, 0]) for a, g in pairs])
    return [
        (torch.cat([a for a, _ in some]), None if some[0][1] is None else torch.cat([g for _, g in some]))
        for some in zip(*parts, strict=True)
    ]


def _products(train: list[tuple[Tensor, Tensor | None]], other: list[tuple[Tensor, Tensor | None]]) -> Tensor:
    """Σ_layers (A A′ᵀ) ∘ (G G′ᵀ), (n, m), in blocks of rows."""
    total = train[0][0].new_zeros(len(train[0][0]), len(other[0][0]))
    for (a, g), (a_other, g_other) in zip(train, other, strict=True):
        for rows in blocks(len(a), 8.0 * total.shape[1]):
            values = product(a[rows], a_other.T)
            if g is not None and g_other is not None:
                values *= product(g[rows], g_other.T)
            total[rows] += values
    return total


@dataclass(frozen=True, eq=False)
class Projected:
    """Projected gradients.

    Attributes:
        sides: the projection.
        phi: (n, k) of the training points.
        kernel: (k, k) ΦᵀΦ + λI.
    """

    sides: Sides
    phi: Tensor
    kernel: Tensor

    @property
    def size(self) -> float:
        """Bytes of what is kept."""
        return float((self.phi.numel() + self.kernel.numel()) * self.phi.element_size())

    def of(self, x: Tensor, slopes: Tensor) -> Tensor:
        """By one solve in the projected dimensions."""
        q = self.sides.of(x, slopes)
        return product(self.phi, torch.linalg.solve(self.kernel, q.T.contiguous()))


def _sketch(fitted: FittedModel, slopes: Tensor, seed: int) -> Projected:
    sides = Sides(fitted, seed)
    phi = sides.of(fitted.train.x, slopes)
    kernel = gram(phi)
    kernel.diagonal().add_(_ridge(kernel.diagonal(), len(phi)))
    return Projected(sides, phi, kernel)


class Sides:
    """Random signs for both sides of every layer's gradient, drawn once for a network."""

    def __init__(self, fitted: FittedModel, seed: int) -> None:
        self.at: Linearised = fitted.linearised
        self.theta = fitted.theta
        self.random = torch.Generator().manual_seed(seed)
        self.signs = [
            (self._draw(layer.outputs, OUTPUT_SIDE), self._draw(layer.inputs, INPUT_SIDE)) for layer in self.at.layers
        ]
        self.dense = None if self.signs else self._draw(len(self.theta), DENSE)

    def _draw(self, full: int, most: int) -> Tensor:
        """(full, k) signs over √k; the identity where nothing would be saved."""
        if full <= most:
            return torch.eye(full).to(self.theta)
        signs = torch.randint(0, 2, (full, most), generator=self.random) * 2 - 1
        scaled: Tensor = (signs / most**0.5).to(self.theta)
        return scaled

    def of(self, x: Tensor, residuals: Tensor) -> Tensor:
        """Projected J_iᵀ r_i, (n, width)."""
        if self.dense is not None:
            return self.at.gradient_dot(x, residuals, self.dense)
        parts = []
        for part in blocks(len(x), 8.0 * _widest(self.at.layers) * 4):
            tap, rows = self.at.tap(x[part]), []
            for (left, right), a, g in zip(self.signs, tap.inputs, tap.gradients(residuals[part]), strict=True):
                rows.append(((g @ left).mT @ (a @ right)).flatten(1))
            parts.append(torch.cat(rows, 1))
        return torch.cat(parts)


def _widest(layers: tuple[Layer, ...]) -> int:
    return max(layer.inputs + layer.outputs for layer in layers)
