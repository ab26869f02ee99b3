"""A preconditioner from the examples with the largest curvature: their leading eigenvectors, by their Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import once, product
from influence_core.curvature import Curvature, Layered
from influence_core.settings import SettingsError
from influence_core.solvers.lanczos import orthonormal, random_columns

ROWS = 4_000  # of the Gram matrix
SHARE = 0.99  # of the trace that its rows need not exceed
RANK = 512
VECTOR_BYTES = 256 * 2**20
ROUNDS = 3  # of subspace iteration
FAINT = 1e-6  # of the largest eigenvalue
SEED = 0


@dataclass(frozen=True, eq=False)
class Leading:
    """M⁻¹ ≈ A⁻¹ on U, the leading eigenvectors of part of the Gauss–Newton matrix, and a multiple of I across.

    That matrix is (1/n) Σ_r g_r g_rᵀ over gradients g_r = J_iᵀ R_ir.  A network that has learnt gives most of its trace
    to few of them.  Their Gram matrix is cheap, because in a layer ⟨G ⊗ A, G′ ⊗ A′⟩ = ⟨G, G′⟩⟨A, A′⟩, and its
    eigenpairs (nλ, s) give U = Σ_r s_r g_r / √(nλ).  No product with A is needed; U takes at most ``VECTOR_BYTES``.

    Attributes:
        curvature: A, of a model made of layers.
    """

    curvature: Curvature

    @property
    def layered(self) -> Layered | None:
        """Layers whose inputs and gradients are kept; None where there are none or they are too large."""
        found = self.curvature.layered() if self.curvature.layered is not None else None
        return found if found is not None and found.samples is not None else None

    @once
    def parts(self) -> tuple[Tensor, Tensor, float]:
        """U (p, k), 1/λ̃ − 1/s per column (k, 1) and s, with λ̃ the damped eigenvalues and s the smallest of them.

        Raises:
            SettingsError: a model without layers, or with too many examples for them.
        """
        layered = self.layered
        if layered is None:
            raise SettingsError("This curvature keeps no layer inputs: choose another preconditioner.")
        ridge = float(self.curvature.ridge().mean()) if self.curvature.ridge is not None else self.curvature.damping
        rows, roots = self._largest(layered)
        gram = layered.gram(rows, roots) / layered.n
        rank = min(RANK, len(rows), int(VECTOR_BYTES // (self.curvature.size * gram.element_size())))
        values, sides = leading(gram, max(rank, 1))
        kept = values > max(ridge / 2, float(values[0]) * FAINT, torch.finfo(values.dtype).tiny)
        values, sides = values[kept], sides[:, kept]
        vectors = layered.pull(rows, roots, sides / (layered.n * values).sqrt())
        damped = values[:, None] + ridge
        scale = float(damped[-1]) if len(values) else max(ridge, 1.0)
        return vectors, 1 / damped - 1 / scale, scale

    def apply(self, r: Tensor) -> Tensor:
        """M⁻¹ R, symmetric and positive definite, (p, k)."""
        vectors, gains, scale = self.parts
        return product(vectors, gains * product(vectors.T, r)).add_(r, alpha=1 / scale)

    @staticmethod
    def _largest(layered: Layered) -> tuple[Tensor, Tensor]:
        """Examples and roots with the largest ‖J_iᵀ R_ir‖², no more than make up ``SHARE`` of the trace."""
        norms = layered.norms()
        sizes, order = norms.flatten().sort(descending=True)
        enough = int((sizes.cumsum(0) < SHARE * sizes.sum()).sum()) + 1
        chosen = order[: min(ROWS, enough)]
        return chosen // norms.shape[1], chosen % norms.shape[1]


def leading(gram: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The largest eigenpairs of a positive semidefinite matrix by subspace iteration (Halko et al. 2011).

    Args:
        gram: (m, m).
        rank: how many, at most m.

    Returns:
        Values (k,) descending, and vectors (m, k).
    """
    basis = random_columns(gram, (len(gram), rank), torch.Generator().manual_seed(SEED))
    for _ in range(ROUNDS):
        basis = orthonormal(product(gram, basis))
    values, turn = torch.linalg.eigh(product(basis.T, product(gram, basis)))
    return values.flip(0), product(basis, turn.flip(1))
