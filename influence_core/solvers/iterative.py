"""Iterative solvers on Hessian products only: conjugate gradients, and no solve at all as the baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import Workspace, gram, once, product
from influence_core.curvature import Curvature
from influence_core.settings import SettingsError
from influence_core.solvers.kronecker import Kronecker
from influence_core.solvers.lanczos import orthonormal
from influence_core.solvers.leading import Leading
from influence_core.solvers.lowrank import Nystrom
from influence_core.solvers.refusal import refusal
from influence_core.solvers.solution import SingularError, Solution, dense_inverse, residuals

Preconditioner = tuple[Callable[[Tensor], Tensor], int]
AUTOMATIC = "auto"
DRIFT = 0.9  # of the goal: the recursive residual drifts a little from the true one
MANY = 16  # columns from which Cholesky QR is quicker
APART = 1e-2  # of a column's length: what it must have beyond the columns before it
ALLOWED = 10  # times the goal
ROUNDING = 8  # relative residual that rounding allows, in units of the precision's epsilon


@dataclass(frozen=True, eq=False)
class ConjugateGradients:
    """Preconditioned block CG: all right-hand sides search one common space (O'Leary 1980; Martens 2010 for networks).

    100 right-hand sides need a tenth of the products that each needs alone.  Directions are made orthonormal in every
    iteration (after Ji & Li 2017), so that more right-hand sides than parameters, equal or zero columns do no harm;
    columns that have arrived leave.
    """

    curvature: Curvature
    tolerance: float
    max_products: int
    preconditioner: str = AUTOMATIC
    eigenvalues: None = None
    given: Preconditioner | None = None  # in place of one by its name

    @once
    def precondition(self) -> Preconditioner:
        """R -> M⁻¹ R with M ≈ A, symmetric and positive definite, and the products it took."""
        return self.given or PRECONDITIONERS[self.chosen](self.curvature)

    @property
    def chosen(self) -> str:
        """The preconditioner in use: the diagonal for linear predictors, the leading eigenvectors for networks.

        Measured on a trained perceptron (784-128-64-10, n = 5,000, δ = 0.01, to 1e-5), products per right-hand side
        with 1, 10 and 100 together: 90, 28 and 9.7 without any, 7, 6 and 6 with the leading eigenvectors, which take as
        long as 150 products with one vector, once.  EK-FAC is blind to how layers interact: 55 and 16 for 10 and 100.
        """
        if self.preconditioner != AUTOMATIC:
            return self.preconditioner
        if self.curvature.products_only:
            return "leading" if Leading(self.curvature).layered is not None else "none"
        return "none" if self.curvature.diagonal is None else "diagonal"

    @property
    def _why(self) -> str:
        return REASONS[self.chosen] if self.preconditioner == AUTOMATIC else "set by hand"

    @property
    def setup(self) -> int:
        """Products before the first solve; the preconditioner is made now."""
        return self.precondition[1]

    @property
    def goal(self) -> float:
        """The tolerance, or what the precision of A allows."""
        return max(self.tolerance, ROUNDING * torch.finfo(self.curvature.like.dtype).eps)

    def __call__(self, b: Tensor) -> Solution:
        """Iterate until every relative residual is ≤ tolerance or ``max_products`` per column are spent.

        Returns:
            The solution; ``products`` counts one per column and iteration.
        """
        x, used, whole = self._iterate(b)
        relative = residuals(self.curvature.matvec, x, b)
        worst = float(relative.max()) if len(relative) else 0.0
        # In single precision it may drift more than a little; allow for it.
        note, good = f"Preconditioner: {WORDS[self.chosen]} ({self._why}).", worst <= ALLOWED * self.goal
        return Solution(x, relative, used, good, "" if good else self._advice(worst, whole), note=note)

    def _advice(self, worst: float, whole: bool) -> str:
        if not whole:
            return (
                f"Conjugate gradients stopped at a relative residual of {worst:.1e} after {self.max_products} products "
                "per right-hand side: allow more products, or raise the damping."
            )
        precision = "single" if self.curvature.like.dtype == torch.float32 else "double"
        return (
            f"Rounding in {precision} precision leaves conjugate gradients at a relative residual of {worst:.1e}: "
            f"{'choose double precision for the model, or ' if precision == 'single' else ''}raise the damping."
        )

    def _iterate(self, b: Tensor) -> tuple[Tensor, int, bool]:
        """The solution, its products, and whether every column arrived before the cap."""
        sizes, apply = b.norm(dim=0), self.precondition[0]
        value, used, room = torch.zeros_like(b), 0, Workspace(b)
        live = torch.nonzero(sizes)[:, 0]
        r = b[:, live] / sizes[live]
        x, directions = torch.zeros_like(r), _spread(apply(r), room)
        for _ in range(self.max_products):
            if not len(live):
                break
            image = self.curvature.matvec(directions)
            used += directions.shape[1]
            bend, failed = torch.linalg.cholesky_ex(product(directions.T, image).double())
            if int(failed):
                raise SingularError(f"A direction without positive curvature was met. {refusal(self.curvature)}")
            alpha = torch.cholesky_solve(product(directions.T, r).double(), bend).to(b.dtype)
            x += product(directions, alpha, room("step", *x.shape))
            r -= product(image, alpha, room("step", *r.shape))
            left = r.norm(dim=0) > DRIFT * self.goal
            if not bool(left.all()):
                value[:, live[~left]] = x[:, ~left]
                live, x, r = live[left], x[:, left], r[:, left]
            z = apply(r)
            beta = torch.cholesky_solve(product(image.T, z).double(), bend).to(b.dtype)
            z -= product(directions, beta, room("step", *z.shape))
            directions = _spread(z, room)
        value[:, live] = x
        return value * sizes, used, not len(live)

    def inverse(self) -> Tensor:
        """A⁻¹, p solves, (p, p)."""
        return dense_inverse(self, self.curvature)


def _spread(columns: Tensor, room: Workspace) -> Tensor:
    """A basis of the same space, orthonormal up to what rounding does to columns that differ enough.

    One round of Cholesky QR (Yamamoto et al. 2015), which is matrix products; Householder reflections where columns
    nearly depend on each other, or are few.

    Returns:
        (p, min(p, k)).
    """
    if columns.shape[1] >= MANY:
        g = gram(columns).double()
        sizes = g.diagonal().sqrt()
        lower, failed = torch.linalg.cholesky_ex(g / (sizes[:, None] * sizes))
        if not int(failed) and float(lower.diagonal().min()) > APART:
            turn = torch.linalg.solve_triangular(lower, torch.diag(1 / sizes), upper=False).T
            return product(columns, turn.to(columns.dtype).contiguous(), room("directions", *columns.shape))
    return orthonormal(columns)


def _none(_curvature: Curvature) -> Preconditioner:
    return torch.clone, 0


def _diagonal(curvature: Curvature) -> Preconditioner:
    """Raises ``SettingsError`` where A has no cheap diagonal."""
    if curvature.diagonal is None:
        raise SettingsError("This curvature has no cheap diagonal: choose another preconditioner.")
    scale = 1 / curvature.diagonal()[:, None]
    return (lambda r: r * scale), 0


def _ekfac(curvature: Curvature) -> Preconditioner:
    made = Kronecker(curvature, True)
    return made.apply, made.setup


def _leading(curvature: Curvature) -> Preconditioner:
    made = Leading(curvature)
    _ = made.parts
    return made.apply, 0


def _nystrom(curvature: Curvature) -> Preconditioner:
    made = Nystrom(curvature, 0)
    return made.apply, made.setup


PRECONDITIONERS: dict[str, Callable[[Curvature], Preconditioner]] = {
    "none": _none,
    "diagonal": _diagonal,
    "leading": _leading,
    "ekfac": _ekfac,
    "nystrom": _nystrom,
}
WORDS = {
    "none": "none",
    "diagonal": "diagonal of H + δI",
    "leading": "leading eigenvectors of the examples with the largest curvature",
    "ekfac": "EK-FAC",
    "nystrom": "Nyström sketch",
}
REASONS = {  # of the automatic choices
    "none": "this curvature offers neither layers nor a cheap diagonal",
    "diagonal": "it costs no product and evens out features of different size",
    "leading": "they hold most of a network's curvature and cost no product",
}


@dataclass(frozen=True, eq=False)
class Identity:
    """V = B: no curvature at all, which turns influence into the gradient dot product; its residual shows the error."""

    curvature: Curvature
    eigenvalues: None = None

    def __call__(self, b: Tensor) -> Solution:
        """Return B with its residual.

        Returns:
            The 'solution'.
        """
        relative = residuals(self.curvature.matvec, b, b)
        return Solution(b, relative, 0, False, "No system was solved: this is the gradient dot product, a baseline.")

    def inverse(self) -> Tensor:
        """I, (p, p)."""
        like = self.curvature.like
        return torch.eye(self.curvature.size, dtype=like.dtype, device=like.device)
