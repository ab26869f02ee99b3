"""Dense solvers: Cholesky, and the eigendecomposition that makes any damping free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.linalg.blas import dsymm, dsymv, dtrsm, dtrsv
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from threadpoolctl import ThreadpoolController
from torch import Tensor

from influence_core.compute import FloatArray, blocks, gram, numpy, once, product
from influence_core.curvature import Curvature
from influence_core.solvers.refusal import refusal, refused
from influence_core.solvers.solution import SingularError, Solution, residuals

ACCURATE, SINGLE = 1e-8, 1e-4  # relative residuals that count as solved, in double and in single precision
MEASURED = 8  # columns whose residual is measured with the products of a network in single precision
ROUNDING = 1e-12
# SciPy brings a BLAS of its own.  Its idle threads spin for some 25 ms after a call and take a core from NumPy's, so
# the short calls of a click run on one thread: measured 88 ms a click before, 55 ms after.
_LIBRARIES = ThreadpoolController()
SCIPY_BLAS = _LIBRARIES.select(
    filepath=[library.filepath for library in _LIBRARIES.lib_controllers if "scipy.libs" in library.filepath]
)
FEW_COLUMNS = 3
MANY_COLUMNS = 32
LARGE = 3_000  # parameters from which a second p × p matrix is worth avoiding


@dataclass(frozen=True, eq=False)
class CholeskyFactor:
    """A = L Lᵀ, by one of two ways to hold it: :func:`_separate` or, for many parameters, :func:`_in_place`.

    Attributes:
        apply: B -> A⁻¹ B by two triangular solves, O(p² k).
        matvec: V -> A V, for the residual.
        invert: () -> A⁻¹, O(p³).
        half: B -> L⁻¹ B by one triangular solve.
        keep_inverse: whether the inverse is small enough to be kept.
        true: V -> A V where the matrix is a rounded one, of a network in single precision.
    """

    apply: Callable[[Tensor], Tensor]
    matvec: Callable[[Tensor], Tensor]
    invert: Callable[[], Tensor]
    half: Callable[[Tensor], Tensor]
    keep_inverse: bool = False
    true: Callable[[Tensor], Tensor] | None = None
    eigenvalues: None = None

    def __call__(self, b: Tensor) -> Solution:
        """Two triangular solves and one product for the residual.

        For many columns a kept inverse turns the two solves into one product; it is used only where its residual is
        at the level of rounding, because triangular solves are the more stable of the two.
        """
        if self.keep_inverse and b.shape[1] >= MANY_COLUMNS:
            quick = product(self.kept, b.to(self.kept.dtype))
            if float(residuals(self.matvec, quick, b).max()) <= ROUNDING:
                return _checked(self.matvec, quick, b, self.true)
        return _checked(self.matvec, self.apply(b), b, self.true)

    @once
    def kept(self) -> Tensor:
        """A⁻¹ for repeated use, (p, p)."""
        return self.invert()

    def inverse(self) -> Tensor:
        """A⁻¹, O(p³), (p, p)."""
        return self.kept.clone() if self.keep_inverse else self.invert()


def cholesky(curvature: Curvature) -> CholeskyFactor:
    """Factor A = L Lᵀ in O(p³); a system that is not positive definite is a ``SingularError``."""
    made = factored(_wide(curvature.dense()))
    if made is None:
        raise SingularError(refusal(curvature, formed=True))
    return replace(made, true=_true(curvature, curvature.damping))


def factored(a: Tensor) -> CholeskyFactor | None:
    """L of a symmetric matrix, which may be overwritten; None where that is not positive definite."""
    large = a.device.type == "cpu" and len(a) > LARGE
    return _in_place(a) if large else _separate(a)


def _true(curvature: Curvature, damping: float) -> Callable[[Tensor], Tensor] | None:
    """Products in the network's own precision: its matrix, rounded to it, is another one; None in double precision."""
    if curvature.like.dtype == torch.float64:
        return None
    return lambda v: curvature.matvec(v) + (damping - curvature.damping) * v


def _wide(a: Tensor) -> Tensor:
    """A network's matrix in float64: factoring it in its own float32 would lose a damping below p·1e-7·λ_max."""
    return a if a.device.type == "mps" else a.double()  # mps has no float64


def _separate(a: Tensor) -> CholeskyFactor | None:
    """L beside A, all in torch: mixing in SciPy's own BLAS threads cost more than it saved for small systems."""
    lower, failed = torch.linalg.cholesky_ex(a)
    if _singular(a.diagonal(), lower.diagonal(), int(failed)):
        return None

    def apply(b: Tensor) -> Tensor:
        return torch.cholesky_solve(b.to(lower.dtype), lower)

    def half(b: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve_triangular(lower, b.to(lower.dtype), upper=False)
        return solved.to(b.dtype)

    return CholeskyFactor(apply, lambda v: product(a, v), lambda: torch.cholesky_inverse(lower), half, True)


def _in_place(a: Tensor) -> CholeskyFactor | None:
    """L in the memory of A by LAPACK, which leaves A in the other triangle: no copy, and none at a solve."""
    diagonal = a.diagonal().clone()
    # A is symmetric, so the row-major array read as column-major is A itself: U in the upper triangle, A below it.
    upper, failed = dpotrf(a.numpy().T, lower=0, clean=0, overwrite_a=1)
    pivots = torch.from_numpy(upper.diagonal().copy())
    if _singular(diagonal, pivots, int(failed)):
        return None

    def matvec(v: Tensor) -> Tensor:
        columns = v.numpy()
        if v.shape[1] > FEW_COLUMNS:
            half = dsymm(1.0, upper, columns, lower=1)
        else:
            with SCIPY_BLAS.limit(limits=1):
                half = np.stack([dsymv(1.0, upper, column, lower=1) for column in columns.T], 1)
        return torch.from_numpy(half) + (diagonal - pivots)[:, None] * v

    def invert() -> Tensor:
        return _mirrored(torch.from_numpy(dpotri(upper, lower=0)[0].T))

    def half(b: Tensor) -> Tensor:
        return torch.from_numpy(dtrsm(1.0, upper, b.numpy(), trans_a=1)).to(b.dtype)

    return CholeskyFactor(lambda b: torch.from_numpy(_solve_lapack(upper, b.numpy())), matvec, invert, half)


def _mirrored(a: Tensor) -> Tensor:
    """The lower triangle copied into the upper one, in strips: another p × p matrix would double the peak memory.

    Returns:
        ``a``, now symmetric.
    """
    for part in blocks(len(a), 8.0 * len(a)):
        a[: part.start, part] = a[part, : part.start].T
        corner = a[part, part].tril()
        a[part, part] = corner + corner.tril(-1).T
    return a


def _singular(diagonal: Tensor, pivots: Tensor, failed: int) -> bool:
    """Not positive definite, or a pivot at the rounding level of the diagonal."""
    scale = float(diagonal.abs().max())
    return bool(failed) or float(pivots.min()) ** 2 <= len(diagonal) * torch.finfo(diagonal.dtype).eps * scale


def _solve_lapack(upper: FloatArray, b: FloatArray) -> FloatArray:
    """UᵀU v = b without copying U; for a few columns the level-2 routine, measured 5 times faster than the blocked."""
    if b.shape[1] > FEW_COLUMNS:
        value: FloatArray = dpotrs(upper, b, lower=0)[0]
        return value
    with SCIPY_BLAS.limit(limits=1):
        columns = [dtrsv(upper, dtrsv(upper, column, trans=1)) for column in b.T]
    return np.stack(columns, 1) if columns else b.copy()


@dataclass(frozen=True, eq=False)
class EighFactor:
    """H + δI = Q (Λ + δ) Qᵀ; another δ costs two products."""

    values: Tensor
    vectors: Tensor
    matrix: Tensor
    curvature: Curvature

    @property
    def eigenvalues(self) -> Tensor:
        """Ascending eigenvalues of H without the damping."""
        return self.values

    def __call__(self, b: Tensor, damping: float | None = None) -> Solution:
        """Solve for any ``damping`` (default: the curvature's) in two products."""
        delta = self.curvature.damping if damping is None else damping
        turned = product(self.vectors.T, b.to(self.vectors.dtype))
        value = product(self.vectors, turned / self._shifted(delta)[:, None])
        return _checked(lambda v: product(self.matrix, v) + delta * v, value, b, _true(self.curvature, delta))

    def inverse(self) -> Tensor:
        """A⁻¹, O(p³), (p, p)."""
        return gram((self.vectors / self._shifted(self.curvature.damping).sqrt()).T)

    def half(self, b: Tensor) -> Tensor:
        """(Λ + δ)^(−½) Qᵀ B, whose columns have the squared lengths bᵀ(H + δI)⁻¹b, (p, k)."""
        turned = product(self.vectors.T, b.to(self.vectors.dtype))
        return (turned / self._shifted(self.curvature.damping).sqrt()[:, None]).to(b.dtype)

    def _shifted(self, delta: float) -> Tensor:
        """Λ + δ, refused where H + δI is singular or indefinite."""
        shifted = self.values + delta
        if float(shifted[0]) <= len(shifted) * torch.finfo(shifted.dtype).eps * float(shifted[-1]):
            raise SingularError(refused(float(shifted[0]), float(shifted[-1]), delta))
        return shifted


def eigh(curvature: Curvature) -> EighFactor:
    """Factor H = Q Λ Qᵀ in O(p³), about ten times a Cholesky factor."""
    a = _wide(curvature.dense())
    a.diagonal().sub_(curvature.damping)
    values, vectors = torch.linalg.eigh(a)
    return EighFactor(values, vectors, a, curvature)


def _checked(
    matvec: Callable[[Tensor], Tensor], value: Tensor, b: Tensor, true: Callable[[Tensor], Tensor] | None = None
) -> Solution:
    """Attach the residual; a direct solver that is not accurate says so."""
    relative, note, value = residuals(matvec, value, b), "", value.to(b.dtype)
    if true is not None and b.shape[1]:
        measured = residuals(true, value[:, :MEASURED], b[:, :MEASURED])
        rest = relative[MEASURED:].clamp(min=float(measured.max()))
        relative = torch.where(b.norm(dim=0) > 0, torch.cat([measured.to(relative), rest]), 0.0)
        note = f"The residual was measured on {MEASURED} of {b.shape[1]} columns." if len(rest) else ""
    worst = float(numpy(relative).max(initial=0.0))
    if worst <= (ACCURATE if true is None else SINGLE):
        return Solution(value, relative, 0, True, note=note)
    advice = f"The system is badly conditioned (relative residual {worst:.0e}): a larger damping or l2 helps."
    return Solution(value, relative, 0, False, advice, note=note)
