"""What a solver returns, and how a solver is described: factor once, apply many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from influence_core.compute import blocks
from influence_core.curvature import Curvature
from influence_core.settings import Option, Value


class SingularError(ValueError):
    """H + damping·I is singular or indefinite; the message suggests a damping."""


@dataclass(frozen=True, eq=False)
class Solution:
    """V with (H + δI) V ≈ B, and what happened.

    Attributes:
        value: (p, k).
        residual: (k,) relative residuals ‖A v − b‖ / ‖b‖ (0 where b = 0), measured with the operator.
        products: Hessian–vector products used by the solve, the residual check not counted; a product with b of n
            examples counts b/n.
        converged: whether every residual reached what the solver promises.
        advice: one sentence where it did not, else empty.
        spread: (k,) relative standard error of a random solver over its own repeats, ‖se(v)‖ / ‖v‖; None for others.
        note: which settings the solver chose itself, and why; empty where it chose none.
    """

    value: Tensor
    residual: Tensor
    products: int
    converged: bool
    advice: str = ""
    spread: Tensor | None = None
    note: str = ""


class Factor(Protocol):
    """A factored system; calling it solves for many right-hand sides."""

    def __call__(self, b: Tensor) -> Solution:
        """Solve A V = B for B (p, k)."""

    @property
    def eigenvalues(self) -> Tensor | None:
        """Ascending eigenvalues of H (without the damping), where the solver knows them."""

    def inverse(self) -> Tensor:
        """A⁻¹ (p, p), for leverages."""


@dataclass(frozen=True)
class Load:
    """What a solve is expected to be made of, in seconds on two cores.

    Attributes:
        form: to write A down as a matrix.
        cube: p³ operations of a factorisation.
        product: one product with A.
        draws: the products with a few examples each that a sampling solver takes one after the other.
        searched: number of products that conjugate gradients need.
    """

    form: float
    cube: float
    product: float
    draws: float
    searched: int


@dataclass(frozen=True, kw_only=True)
class SolverEntry:
    """One solver on offer.

    Attributes:
        title: for people.
        factor: the damped curvature and resolved options to what solves.
        options: its own.
        limit: largest p for which it is offered.
        kind: ``exact``, ``iterative`` (to a tolerance), ``approximate`` (of fixed quality) or ``baseline``.
        dense: whether it factors the matrix itself, so that all of A⁻¹ is at hand and exact.
        spectral: whether it knows all eigenvalues of H, and one factor serves every damping.
        seconds: rough time of one right-hand side.
        suits: why ``auto`` takes it for p parameters, where H may be dear to form; empty where it does not.
    """

    title: str
    factor: Callable[[Curvature, dict[str, Value]], Factor]
    options: tuple[Option, ...] = ()
    limit: int = 20_000
    kind: str = "exact"
    dense: bool = False
    spectral: bool = False
    seconds: Callable[[Load], float] = lambda load: 10 * load.product
    suits: Callable[[int, bool], str] = lambda _size, _products_only: ""


def dense_inverse(solve: Callable[[Tensor], Solution], curvature: Curvature, strict: bool = True) -> Tensor:
    """A⁻¹ column block by column block, made symmetric.

    Args:
        solve: B -> Solution.
        curvature: of which.
        strict: False for solvers that are an approximate inverse by design: what they apply is what is returned.

    Returns:
        (p, p).

    Raises:
        SingularError: a block did not converge.
    """
    eye = torch.eye(curvature.size, dtype=curvature.like.dtype, device=curvature.like.device)
    parts = [solve(eye[:, part]) for part in blocks(curvature.size, 64.0 * curvature.size)]
    for part in parts:
        if strict and not part.converged:
            raise SingularError(f"Leverages need the whole inverse, and it is not accurate. {part.advice}")
    inverse = torch.cat([part.value for part in parts], 1)
    return (inverse + inverse.T) / 2


def energies(factor: Factor, b: Tensor) -> Tensor:
    """b_jᵀ A⁻¹ b_j for every column, as ‖L⁻¹ b_j‖² by half a solve where the factor A = L Lᵀ offers one.

    Half a solve has no residual to check; its factor was refused if A is singular to rounding.

    Returns:
        (k,), ≥ 0 with a half solve.
    """
    half: Callable[[Tensor], Tensor] | None = getattr(factor, "half", None)
    own: Callable[[Tensor], Tensor] | None = getattr(factor, "energies", None)
    if own is not None:
        return own(b.T)
    return (b * factor(b).value).sum(0) if half is None else half(b).square().sum(0)


def residuals(matvec: Callable[[Tensor], Tensor], value: Tensor, b: Tensor) -> Tensor:
    """‖A v − b‖ / ‖b‖ per column; 0 for zero columns, (k,)."""
    norms = b.norm(dim=0)
    errors = (matvec(value) - b).norm(dim=0)
    return torch.where(norms > 0, errors / norms.clamp(min=1e-300), errors)
