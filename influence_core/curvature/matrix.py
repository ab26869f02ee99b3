"""What solvers are given: an operator A = H + damping·I, and what it offers beyond products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import blocks, once
from influence_core.models.protocol import Layer, Linearised, Tap

LAYER_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Samples:
    """Products with some of the examples, for solvers that sample.

    Attributes:
        count: n.
        matvec: rows (r, b), weights (r, b), V (r, p, k) -> (r, p, k): for each of r repeats
            (1/b) Σ_{i in rows} weights_i H_i V plus everything of A that is no data term, damping included.
        norms: () -> (n,) upper bounds of ‖H_i‖; None where H_i may be indefinite, and then all weights are 1.
    """

    count: int
    matvec: Callable[[Tensor, Tensor, Tensor], Tensor]
    norms: Callable[[], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Curvature:
    """A = H + damping·I, symmetric, (p, p).

    Attributes:
        size: p.
        damping: δ, in the unit of H's eigenvalues; already inside ``matvec`` and ``dense``.
        matvec: V (p, k) -> A V (p, k).
        dense: () -> A (p, p), a fresh array the caller may overwrite.
        like: an empty tensor with the dtype and device of A.
        diagonal: () -> diagonal of A (p,), for preconditioning; None where it is not cheap.
        samples: products with single examples; None where the model offers none.
        ridge: () -> (p,) the diagonal part of A known in closed form, l2·D + δ; None where it is the damping alone.
        layered: () -> layer inputs and output gradients, for Kronecker factors; None without a layer description.
        network: whether only products are cheap.
        name: of H, for people.
        reason: why this damping was chosen; empty where it was set by hand.
        null: () -> (p, j) orthonormal columns whose projector was added to a singular H; None where none was.
    """

    size: int
    damping: float
    matvec: Callable[[Tensor], Tensor]
    dense: Callable[[], Tensor]
    like: Tensor
    diagonal: Callable[[], Tensor] | None = None
    samples: Samples | None = None
    ridge: Callable[[], Tensor] | None = None
    layered: Callable[[], Layered] | None = None
    network: bool = False
    name: str = "Hessian"
    reason: str = ""
    null: Callable[[], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Layered:
    """What Kronecker factors are made of, block of examples by block.

    Attributes:
        at: the model at θ̂.
        x: (n, d) training examples.
        curvatures: (n, K, K) C_i = ∂²ℓ_i/∂f², for log losses the Fisher information of the outputs.
        penalty: (p,) diagonal of the penalty's Hessian.
    """

    at: Linearised
    x: Tensor
    curvatures: Tensor
    penalty: Tensor

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.x)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers of the model."""
        return self.at.layers

    @once
    def roots(self) -> Tensor:
        """(n, K, K) R_i with C_i = R_i R_iᵀ: each column is a residual whose gradients make up the Gauss–Newton."""
        return roots(self.curvatures)

    def blocks(self) -> Iterator[tuple[slice, Tap, Tensor]]:
        """Blocks of examples within ``LAYER_BYTES``, measured on the first.

        Yields:
            Rows, an open forward pass over them, and their roots (b, K, K).
        """
        probe = self.at.tap(self.x[:1])
        size = sum(a.numel() * a.element_size() for a in probe.inputs)
        for part in blocks(self.n, 3.0 * size, LAYER_BYTES):
            yield part, self.at.tap(self.x[part]), self.roots[part]


def roots(c: Tensor) -> Tensor:
    """R_i with C_i = R_i R_iᵀ, also where C_i is singular; negative eigenvalues count as zero.

    Returns:
        (n, K, K).
    """
    values, sides = torch.linalg.eigh(c)
    root: Tensor = sides * values.clamp(min=0).sqrt()[:, None, :]
    return root
