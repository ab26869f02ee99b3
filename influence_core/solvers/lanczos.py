"""Lanczos on a damped curvature: its largest eigenvalues from products only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import product
from influence_core.curvature import Curvature

POWER_STEPS = 12
SEED = 0


@dataclass(frozen=True, eq=False)
class Ritz:
    """Approximate eigenpairs of A.

    Attributes:
        values: (k,) ascending Ritz values.
        vectors: (p, k) orthonormal Ritz vectors.
        errors: (k,) bounds of ‖A u − λ u‖.
        products: Hessian products spent.
    """

    values: Tensor
    vectors: Tensor
    errors: Tensor
    products: int


def lanczos(curvature: Curvature, steps: int) -> Ritz:
    """Ritz pairs after ``steps`` products with one vector each, every new direction orthogonal to all before.

    Where the space is exhausted (repeated eigenvalues) a new random direction starts another block, so that ``steps``
    = p gives all of A.  Lanczos 1950; full reorthogonalisation as in Parlett 1980.

    Returns:
        ``steps`` Ritz pairs, at most p.
    """
    steps = min(steps, curvature.size)
    basis = curvature.like.new_zeros(curvature.size, steps)
    band = curvature.like.new_zeros(steps, steps)
    generator = torch.Generator().manual_seed(SEED)
    direction, beta = _fresh(basis, 0, generator), curvature.like.new_zeros(())
    for k in range(steps):
        basis[:, k] = direction
        image = curvature.matvec(direction[:, None])[:, 0]
        band[k, k] = direction @ image
        rest = _orthogonal(image, basis[:, : k + 1])
        beta = rest.norm()
        if k + 1 == steps:
            break
        if float(beta) <= 1e3 * torch.finfo(beta.dtype).eps * float(band.abs().max()):
            direction, beta = _fresh(basis, k + 1, generator), torch.zeros_like(beta)
            continue
        band[k, k + 1] = band[k + 1, k] = beta
        direction = rest / beta
    values, sides = torch.linalg.eigh(band)
    errors = (beta if steps < curvature.size else torch.zeros_like(beta)) * sides[-1].abs()
    return Ritz(values, product(basis, sides), errors, steps)


def largest_eigenvalue(curvature: Curvature, steps: int = POWER_STEPS) -> tuple[float, int]:
    """λ_max(A) by power iteration that keeps its directions (Lanczos), and the products it took.

    The estimate is a Rayleigh quotient, so never too large; after a dozen products it is close enough for a
    scale, which needs more than λ_max / 2.
    """
    found = lanczos(curvature, steps)
    return float(found.values.abs().max()), found.products


def orthonormal(columns: Tensor) -> Tensor:
    """An orthonormal basis of the columns, (p, k)."""
    basis: Tensor = torch.linalg.qr(columns)[0]
    return basis


def random_columns(like: Tensor, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Standard normal columns, drawn on the CPU so that every device gets the same.

    Returns:
        ``shape``.
    """
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(like.device, like.dtype)


def _orthogonal(vector: Tensor, basis: Tensor) -> Tensor:
    """Twice is enough (Kahan, in Parlett 1980)."""
    for _ in range(2):
        vector = vector - basis @ (basis.T @ vector)
    return vector


def _fresh(basis: Tensor, k: int, generator: torch.Generator) -> Tensor:
    start = random_columns(basis, (len(basis), 1), generator)[:, 0]
    direction: Tensor = torch.nn.functional.normalize(_orthogonal(start, basis[:, :k]), dim=0)
    return direction
