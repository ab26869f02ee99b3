"""What every prediction is made of: the watched quantity, and the model linearised at θ̂ with its factored curvature.

    change[i, j] = m_j(θ̂ without i) − m_j(θ̂)           (new minus old)

For the loss: > 0 means removing i hurts the prediction, so i is helpful; < 0 means i is harmful.  The sign lives here
and nowhere else: first order it is + q_jᵀ (H + δI)⁻¹ g_i / n (Koh & Liang 2017 print −n times this as I_up,loss).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from influence_core.compute import Recent, Task, blocks, known, once, product
from influence_core.compute.packing import UnpackableError
from influence_core.compute.spread import cores
from influence_core.compute.task import Call
from influence_core.curvature import Curvature, curvature_of, exact_hessian, roots
from influence_core.models import QUANTITIES, Batch, FittedModel, Quantity
from influence_core.models.quantities import QuantityError
from influence_core.settings import SolverSettings
from influence_core.solvers import (
    DualFactor,
    EighFactor,
    Factor,
    RootFactor,
    SingularError,
    Solution,
    chosen_solver,
    energies,
    factor,
)

KEPT = 8  # solves for single training points
UNIQUE = 1e-9  # 1 − leverage below which only the point that leaves holds θ in some direction


@dataclass(frozen=True, eq=False)
class Watched:
    """The watched quantity m at test points, or at weighted groups of them.

    Attributes:
        quantity: what is watched.
        batch: m test points.
        outputs: (m, K) f at θ̂.
        gradient: (p, m) columns q_j, or (p, g) sums over groups.
        target: class whose probability is watched; −1 for the default.
        combine: (m, g) weights of the test points in each group, or None.
    """

    quantity: Quantity
    batch: Batch
    outputs: Tensor
    gradient: Tensor
    target: int = -1
    combine: Tensor | None = None


def watch(
    fitted: FittedModel, batch: Batch, quantity: str = "loss", target: int = -1, combine: Tensor | None = None
) -> Watched:
    """Describe what is watched at the test points of ``batch``.

    Returns:
        The watched quantity with its gradients q_j = ∂m_j/∂θ at θ̂.

    Raises:
        QuantityError: the quantity is unknown or not defined by this model.
    """
    model = fitted.model
    if quantity not in QUANTITIES or not QUANTITIES[quantity].applies(model.loss):
        offered = ", ".join(name for name, entry in QUANTITIES.items() if entry.applies(model.loss))
        raise QuantityError(f"This model does not define {quantity[:40]!r}: expected one of {offered}.")
    entry = QUANTITIES[quantity]
    f = model.outputs(fitted.theta, batch.x)
    gradient = fitted.linearised.pullback(batch.x, entry.residuals(model.loss, f, batch.y, target))
    if entry.penalised:
        gradient += model.folded(fitted.theta, batch.x)
    columns = gradient.T.contiguous()
    return Watched(entry, batch, f, columns if combine is None else product(columns, combine), target, combine)


@dataclass(frozen=True, eq=False)
class Influence:
    """A fitted model with its factored curvature: everything below is linear algebra around θ̂."""

    fitted: FittedModel
    settings: SolverSettings
    task: Task = field(default_factory=Task)
    spectrum: EighFactor | None = None  # of the same H, where it is at hand and the solver is to use it
    members: Callable[[], tuple[FittedModel, ...]] = tuple  # of other seeds, on halves; trained when asked for
    run: str = ""  # names data, model and seed in the store; empty for no storing

    @once
    def solve(self) -> Factor:
        """(H + δI)⁻¹, factored once."""
        if self.spectrum is not None and self.curvature.root is None:
            return replace(self.spectrum, curvature=self.curvature)
        return factor(self.settings, self.curvature)

    @once
    def curvature(self) -> Curvature:
        """H + δI as the settings choose it."""
        return curvature_of(self.fitted, self.settings)

    @property
    def solver(self) -> str:
        """The solver in use, ``auto`` resolved."""
        return chosen_solver(self.settings.name, self.fitted.size, self.fitted.kind.products_only, self.fitted.wide)

    @once
    def _solutions(self) -> WeakKeyDictionary[Watched, Solution]:
        return WeakKeyDictionary()

    def solved(self, watched: Watched, task: Task | None = None) -> Solution:
        """V with (H + δI) V = q, solved once for as long as ``watched`` is held.

        Args:
            watched: its gradients are q.
            task: whose other processes, where it has some, find the solution in place of this one.

        Returns:
            The solution for the columns of ``watched.gradient``.
        """
        found = self._solutions.get(watched)
        if found is None:
            found = self._solutions[watched] = self._solution(watched.gradient, task)
        return found

    def solved_row(self, row: int, task: Task | None = None) -> Solution:
        """(H + δI)⁻¹g_i of one training point, (p, 1); the last few are kept."""
        part = slice(row, row + 1)
        return self._rows.get(row, lambda: self._solution(training_gradients(self, part), task))

    @once
    def _rows(self) -> Recent[Solution]:
        return Recent(KEPT)

    def _solution(self, right: Tensor, task: Task | None) -> Solution:
        if task is not None and task.workers is not None and right.device.type == "cpu":
            owner = replace(self, task=Task(), members=tuple)
            with suppress(UnpackableError):  # a network that a program has brought along does not leave that program
                found: Solution = task.workers.run([Call(Influence.there, owner, (right,), cores())], task)[0]
                return found
        return self.solve(right)

    def there(self, right: Tensor, _task: Task) -> Solution:
        """(H + δI)⁻¹ times some columns, in the process that has been given this."""
        return self.solve(right)

    @once
    def removal_solve(self) -> Factor:
        """The curvature that stays when one example leaves, its own H_i aside: under ``fold_penalty`` l2·(1 − 1/n)."""
        model, n = self.fitted.model, len(self.fitted.train)
        if not model.fold_penalty:
            return self.solve
        curvature = exact_hessian(self.fitted, self.settings.damping, model.l2 * (1 - 1 / n))
        return factor(self.settings, curvature)

    @once
    def folded(self) -> Tensor:
        """(p,) share of the penalty in every training gradient; zero unless ``fold_penalty``."""
        return self.fitted.model.folded(self.fitted.theta, self.fitted.train.x)

    @once
    def spread(self) -> Tensor:
        """M_i = K_iᵀ A⁻¹ K_i / n with K_i = I_c ⊗ x̃_i, shape (n, K, K), from the blocks of A⁻¹."""
        x, outputs = self.fitted.train.x, self.fitted.linear.loss.outputs
        # Of x A⁻¹ x the inverse itself would lose half the digits of a root, and is the larger one of a dual form.
        if isinstance(self.removal_solve, RootFactor | DualFactor):
            return energies(self.removal_solve, x.T)[:, None, None] / len(x)
        inverse = self.removal_solve.inverse().view(outputs, x.shape[1], outputs, x.shape[1])
        m = x.new_empty(len(x), outputs, outputs)
        parts = list(blocks(len(x), 8.0 * x.shape[1]))
        total, done = outputs * (outputs + 1) // 2 * len(parts), 0
        for a in range(outputs):
            for b in range(a + 1):
                for part in parts:
                    rows = x[part]
                    m[part, a, b] = m[part, b, a] = (product(rows, inverse[a, :, b, :]) * rows).sum(1) / len(x)
                    done += 1
                    self.task.tick(done, total)
        return m

    @once
    def leverage(self) -> Tensor:
        """(n,) largest eigenvalue of C_i M_i; for one output ℓ''_i x̃_iᵀ H⁻¹ x̃_i / n, the hat diagonal of statistics."""
        c, m = self.fitted.curvatures, self.spread
        if m.shape[1] == 1:
            return (c * m)[:, 0, 0]
        # The root of C_i, not of M_i, which may be zero (an example without features or intercept).
        root = roots(c)
        largest: Tensor = torch.linalg.eigvalsh(root.mT @ m @ root)[:, -1]
        return largest

    @once
    def drift(self) -> Tensor:
        """(p,) A⁻¹ times the folded penalty gradient: what every removal shares; zero unless ``fold_penalty``."""
        return self.removal_solve(self.folded[:, None]).value[:, 0]

    @once
    def newton_residuals(self) -> Tensor:
        """ρ_i (n, K) with δθ_i = A⁻¹(K_i ρ_i + folded) / n, the one-step Newton change when i leaves (Woodbury).

        NaN at a point of leverage 1: without it H + δI is no longer positive definite, so no step has an answer.

        Raises:
            SingularError: all points have leverage 1.
        """
        fitted, n = self.fitted, len(self.fitted.train)
        alone = self.alone
        if bool(alone.all()):
            raise SingularError(
                "Every training point has leverage 1: without any of them H + damping·I is no longer positive "
                "definite, so one Newton step is undefined. Set a damping or a larger l2."
            )
        shared = fitted.model.outputs(self.drift, fitted.train.x)
        right = fitted.residuals + torch.einsum("nab,nb->na", fitted.curvatures, shared) / n
        left = torch.where(alone[:, None, None], 0.0, fitted.curvatures)
        return torch.where(alone[:, None], torch.nan, rank_corrected(left, self.spread, right))

    @property
    def alone(self) -> Tensor:
        """(n,) points of leverage 1: nothing else holds θ in some direction."""
        alone: Tensor = self.leverage >= 1 - UNIQUE
        return alone

    @once
    def energies(self) -> Tensor:
        """(n,) g_iᵀA⁻¹g_i = n·r_iᵀM_i r_i where M_i is at hand, else by half a solve for every training gradient."""
        n, r = len(self.fitted.train), self.fitted.residuals
        if known(self, "spread") and not self.fitted.model.fold_penalty:
            return torch.einsum("na,nab,nb->n", r, self.spread, r) * n
        parts = []
        for part in blocks(n, 16.0 * self.fitted.size):
            # Rows seen as columns: LAPACK takes them as they lie, without a transposed copy.
            parts.append(energies(self.solve, _gradient_rows(self, part).T))
            self.task.tick(part.stop, n)
        return torch.cat(parts)

    @once
    def step_norms(self) -> Tensor:
        """(n,) ‖A⁻¹g_i‖, in blocks of solves."""
        n, parts = len(self.fitted.train), []
        for part in blocks(n, 32.0 * self.fitted.size):
            parts.append(self.solve(training_gradients(self, part)).value.norm(dim=0))
            self.task.tick(part.stop, n)
        return torch.cat(parts)

    @once
    def gradient_norms(self) -> Tensor:
        """(n,) ‖g_i‖."""
        x, r, v, at = self.fitted.train.x, self.fitted.residuals, self.folded, self.fitted.linearised
        squares = at.squared_norms(x, r)
        if self.fitted.model.fold_penalty:
            squares = squares + 2 * at.gradient_dot(x, r, v[:, None])[:, 0] + v @ v
        return squares.clamp(min=0).sqrt()


def training_gradients(influence: Influence, rows: slice | Tensor) -> Tensor:
    """Columns g_i of some training points, (p, number of rows)."""
    return _gradient_rows(influence, rows).T.contiguous()


def _gradient_rows(influence: Influence, rows: slice | Tensor) -> Tensor:
    """Rows g_i of some training points, (number of rows, p)."""
    fitted = influence.fitted
    found = fitted.linearised.pullback(fitted.train.x[rows], fitted.residuals[rows])
    return found + influence.folded if fitted.model.fold_penalty else found


def rank_corrected(change: Tensor, spread: Tensor, right: Tensor) -> Tensor:
    """(I − ΔC_i M_i)⁻¹ b_i for every i; for one output a division, (n, K)."""
    if right.shape[1] == 1:
        return right / (1 - (change * spread)[:, 0])
    eye = torch.eye(right.shape[1], dtype=right.dtype, device=right.device)
    corrected: Tensor = torch.linalg.solve(eye - change @ spread, right)
    return corrected
