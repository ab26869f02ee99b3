"""Low-rank solvers: the dominant eigenspace by Lanczos (Arnoldi), and a randomised Nyström sketch with Woodbury."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import gram, once, product
from influence_core.curvature import Curvature
from influence_core.solvers.lanczos import Ritz, lanczos, orthonormal, random_columns
from influence_core.solvers.refusal import refusal
from influence_core.solvers.solution import SingularError, Solution, dense_inverse, residuals

ACCURATE = 1e-6
STEPS = 120  # of Lanczos where the rank is automatic
SETTLED = 1e-2  # relative error bound of a Ritz pair that is kept
FIRST_SKETCH, LAST_SKETCH = 32, 1_024


@dataclass(frozen=True, eq=False)
class Arnoldi:
    """A⁻¹ ≈ U Λ⁻¹ Uᵀ on the dominant eigenspace; what lies outside of it is dropped (Schioppa et al. 2022).

    A is symmetric, so Arnoldi is Lanczos.  Exact at rank p.

    Attributes:
        curvature: of A.
        rank: k; 0 keeps every eigenpair that has settled after ``STEPS`` products.
    """

    curvature: Curvature
    rank: int
    eigenvalues: None = None

    @once
    def space(self) -> Ritz:
        """The kept eigenpairs.

        Raises:
            SingularError: a kept eigenvalue is zero or negative.
        """
        found = lanczos(self.curvature, 2 * self.rank + 10 if self.rank else STEPS)
        if self.rank:
            keep = torch.arange(len(found.values))[-self.rank :]
        else:
            keep = torch.nonzero(found.errors <= SETTLED * found.values.abs())[:, 0].cpu()
            keep = keep if len(keep) else torch.tensor([len(found.values) - 1])
        values = found.values[keep]
        floor = self.curvature.size * torch.finfo(values.dtype).eps * float(found.values.abs().max())
        if bool((values <= floor).any()):
            raise SingularError(
                f"The dominant eigenspace holds an eigenvalue that is not positive. {refusal(self.curvature)}"
            )
        return Ritz(values, found.vectors[:, keep], found.errors[keep], found.products)

    @property
    def setup(self) -> int:
        """Products before the first solve."""
        return self.space.products

    def __call__(self, b: Tensor) -> Solution:
        """Project, divide, and measure what was dropped."""
        u = self.space.vectors
        value = product(u, product(u.T.contiguous(), b) / self.space.values[:, None])
        relative = residuals(self.curvature.matvec, value, b)
        worst, rank, p = float(relative.max()) if len(relative) else 0.0, u.shape[1], self.curvature.size
        how = "set by hand" if self.rank else f"the eigenpairs accurate to {SETTLED:.0%} among {self.setup} products"
        advice = (
            f"The {rank:,} dominant of {p:,} directions leave a relative residual of {worst:.2g}: the rest of the "
            "right-hand side is dropped, so that scores come out too small. A higher rank helps."
        )
        good = worst <= ACCURATE
        return Solution(value, relative, 0, good, "" if good else advice, note=f"Rank {rank:,} ({how}).")

    def inverse(self) -> Tensor:
        """U Λ⁻¹ Uᵀ, (p, p)."""
        return gram((self.space.vectors / self.space.values.sqrt()).T)


@dataclass(frozen=True, eq=False)
class Sketch:
    """diag(shift) + W diag(signs) Wᵀ ≈ A.

    Attributes:
        factors: (p, l) W.
        signs: (l,) of the columns.
        shift: (p,) > 0.
        rank: of the sketch itself.
        smallest: its smallest eigenvalue, a measure of what it misses.
        products: spent.
    """

    factors: Tensor
    signs: Tensor
    shift: Tensor
    rank: int
    smallest: float
    products: int


@dataclass(frozen=True, eq=False)
class Nystrom:
    """A ≈ M̂ + diag(ridge), M̂ = Y (ΩᵀY)⁻¹ Yᵀ of the data part M = A − diag(ridge), inverted by Woodbury.

    Frangella, Tropp & Udell 2021 (the sketch, and doubling it until its smallest eigenvalue is down to the ridge);
    Hataya & Yamada 2023 (as a solver).  Coordinates without a ridge (intercepts) are sketched exactly.

    Attributes:
        curvature: of A.
        rank: of the sketch; 0 doubles it from 32 until its smallest eigenvalue is at most the smallest ridge.
    """

    curvature: Curvature
    rank: int
    eigenvalues: None = None

    @once
    def sketch(self) -> Sketch:
        """The sketch."""
        return _sketch(self.curvature, self.rank)

    @property
    def setup(self) -> int:
        """Products before the first solve."""
        return self.sketch.products

    @once
    def apply(self) -> Callable[[Tensor], Tensor]:
        """B -> (diag(shift) + W S Wᵀ)⁻¹ B, O(p l k).

        Raises:
            SingularError: the sketched system is singular.
        """
        s = self.sketch
        scaled = s.factors / s.shift[:, None]
        small = product(s.factors.T.contiguous(), scaled)
        small.diagonal().add_(1 / s.signs)
        decomposed, pivots, failed = torch.linalg.lu_factor_ex(small)
        if int(failed):
            raise SingularError("The sketched system is singular: set a damping or a larger l2.")

        def applied(b: Tensor) -> Tensor:
            inner = torch.linalg.lu_solve(decomposed, pivots, product(scaled.T.contiguous(), b))
            return b / s.shift[:, None] - product(scaled, inner)

        return applied

    def __call__(self, b: Tensor) -> Solution:
        """Woodbury, and the residual of the true system."""
        value = self.apply(b)
        relative = residuals(self.curvature.matvec, value, b)
        worst, rank, p = float(relative.max()) if len(relative) else 0.0, self.sketch.rank, self.curvature.size
        note = f"Rank {rank:,} ({'set by hand' if self.rank else 'doubled until what is missed is below the ridge'})."
        if worst <= ACCURATE:
            return Solution(value, relative, 0, True, note=note)
        advice = (
            f"A sketch of rank {rank:,} of {p:,} leaves a relative residual of {worst:.2g} (its smallest eigenvalue is "
            f"{self.sketch.smallest:.1e}): a higher rank, more damping, or conjugate gradients with it helps."
        )
        return Solution(value, relative, 0, False, advice, note=note)

    def inverse(self) -> Tensor:
        """The inverse of the sketched system, (p, p)."""
        return dense_inverse(self, self.curvature, strict=False)


def _sketch(curvature: Curvature, rank: int) -> Sketch:
    p, like = curvature.size, curvature.like
    ridge = curvature.ridge() if curvature.ridge is not None else like.new_full((p,), curvature.damping)
    bare = torch.nonzero(ridge <= 0)[:, 0]
    positive = ridge[ridge > 0]
    if not len(positive):  # nothing to invert outside of the sketch but its own tail
        return _tail(curvature, min(rank or LAST_SKETCH, p))
    fixed = like.new_zeros(p, len(bare))
    fixed[bare, torch.arange(len(bare), device=bare.device)] = 1
    goal = float(positive.min())
    size, last = min(rank or FIRST_SKETCH, p), min(rank or LAST_SKETCH, p)
    omega, image, spent = fixed, _data_part(curvature, ridge, fixed), len(bare)
    generator = torch.Generator().manual_seed(0)
    while True:
        fresh = random_columns(like, (p, max(size - omega.shape[1], 0)), generator)
        fresh = orthonormal(fresh - omega @ (omega.T @ fresh)) if fresh.shape[1] else fresh
        omega, image = torch.cat([omega, fresh], 1), torch.cat([image, _data_part(curvature, ridge, fresh)], 1)
        spent += fresh.shape[1]
        vectors, values = _nystrom(omega, image)
        if size >= last or float(values.min()) <= goal:
            break
        size = min(2 * size, last)
    shift = torch.where(ridge > 0, ridge, positive.mean())
    factors = torch.cat([vectors * values.sqrt(), fixed], 1)
    signs = torch.cat([torch.ones_like(values), -positive.mean().expand(len(bare))])
    return Sketch(factors, signs, shift, len(values), float(values.min()), spent)


def _data_part(curvature: Curvature, ridge: Tensor, v: Tensor) -> Tensor:
    return curvature.matvec(v) - ridge[:, None] * v if v.shape[1] else v


def _nystrom(omega: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors and eigenvalues of Y (ΩᵀY)⁻¹ Yᵀ, stabilised by a shift at rounding level (Frangella et al., alg. 1).

    Returns:
        (p, l) and (l,).

    Raises:
        SingularError: the data part is not positive semidefinite.
    """
    shift = max(torch.finfo(image.dtype).eps * float(image.norm()), 1e-300)
    image = image + shift * omega
    core = product(omega.T.contiguous(), image)
    lower, failed = torch.linalg.cholesky_ex((core + core.T) / 2)
    if int(failed):
        raise SingularError("The curvature is indefinite, and a Nyström sketch needs H ⪰ 0: use Gauss–Newton.")
    half = torch.linalg.solve_triangular(lower, image.T, upper=False).T
    vectors, roots, _ = torch.linalg.svd(half, full_matrices=False)
    return vectors, (roots.square() - shift).clamp(min=0)


def _tail(curvature: Curvature, rank: int) -> Sketch:
    """Without any ridge: the sketch of A itself, and its own smallest eigenvalue for all directions outside of it."""
    generator = torch.Generator().manual_seed(0)
    omega = orthonormal(random_columns(curvature.like, (curvature.size, rank), generator))
    vectors, values = _nystrom(omega, curvature.matvec(omega))
    smallest = float(values.min())
    if smallest <= rank * torch.finfo(values.dtype).eps * float(values.max()):
        raise SingularError(
            "Without penalty or damping the sketch has a zero eigenvalue: set a damping or a larger l2."
        )
    shift = curvature.like.new_full((curvature.size,), smallest)
    return Sketch(vectors * (values - smallest).sqrt(), torch.ones_like(values), shift, rank, smallest, rank)
