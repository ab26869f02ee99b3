"""K-FAC and EK-FAC: every layer's Gauss–Newton block in the eigenbasis of two small covariances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import blocks, gram, once, product
from influence_core.curvature import Curvature, Layered, Partly
from influence_core.models.protocol import Layer
from influence_core.settings import SettingsError
from influence_core.solvers.refusal import APART, rounded_up
from influence_core.solvers.solution import SingularError, Solution, dense_inverse, residuals

CHECKED = 8  # columns whose residual is measured: a product with a network costs more than solving
ACCURATE = 1e-6


@dataclass(frozen=True, eq=False)
class LayerBlock:
    """One layer's block Q diag(values) Qᵀ, Q = left ⊗ right.

    Attributes:
        layer: where it lies in θ.
        left: (o, o) eigenvectors of the covariance of output gradients, in columns.
        right: (q̄, q̄) of the layer's inputs.
        values: (o, q̄) eigenvalues of the block in this basis, penalty and damping included.
    """

    layer: Layer
    left: Tensor
    right: Tensor
    values: Tensor

    def apply(self, v: Tensor) -> Tensor:
        """Q diag(values)⁻¹ Qᵀ v for the part of v (p, k) that is this layer's, (o, q̄, k)."""
        m = _rotated(self.layer.matrix(v), self.left.T, self.right.T)
        return _rotated(m / self.values[:, :, None], self.left, self.right)


@dataclass(frozen=True, eq=False)
class Kronecker:
    """A ≈ block diagonal over layers, each block diagonal in the Kronecker eigenbasis U_G ⊗ U_A.

    F_l = (1/n) Σ_i Σ_s vec(G_is A_iᵀ) vec(G_is A_iᵀ)ᵀ with Σ_s r_s r_sᵀ = C_i, the exact expectation over the model's
    own labels (softmax: all classes, none sampled), so that F is the Gauss–Newton matrix.  K-FAC (Martens & Grosse
    2015; for convolutions Grosse & Martens 2016) takes the eigenvalues λ_G λ_A; EK-FAC (George et al. 2018; Grosse et
    al. 2023) takes diag(Qᵀ F Q), the best diagonal in this basis.  Penalty and damping enter as diag(Qᵀ · Q) too.

    Attributes:
        curvature: of A.
        corrected: whether the eigenvalues are measured in the basis (EK-FAC).
    """

    curvature: Curvature
    corrected: bool
    eigenvalues: None = None

    @once
    def parts(self) -> tuple[LayerBlock, ...]:
        """The blocks of all layers.

        Raises:
            SettingsError: the model has no layers to factor.
        """
        if self.curvature.layered is None and self.curvature.partly is None:
            raise SettingsError(
                "K-FAC and EK-FAC need a model with linear or convolutional layers, each used once, and this one "
                "does not describe itself that way: choose conjugate gradients or LiSSA."
            )
        layered = self.others.layered if self.others else self.curvature.layered()  # type: ignore[misc]
        found = _factored(self.curvature, layered, self.corrected)
        self._checked(torch.cat([part.values.flatten() for part in found]), len(found))
        return found

    @once
    def others(self) -> Partly | None:
        """Parameters outside of the layers."""
        return self.curvature.partly() if self.curvature.partly is not None else None

    @once
    def block(self) -> tuple[Tensor, Tensor]:
        """A at those: eigenvalues (q,) and eigenvectors (q, q), or its diagonal and an empty tensor."""
        assert self.others is not None
        a = self.others.block()
        values, vectors = (a, a[:0]) if a.dim() == 1 else torch.linalg.eigh(a.double())
        self._checked(values, len(values))
        return values.to(self.curvature.like), vectors.to(self.curvature.like)

    def _checked(self, values: Tensor, count: int) -> None:
        """Refuse eigenvalues that are zero or negative."""
        smallest, largest = float(values.min()), float(values.max())
        if smallest <= count * torch.finfo(self.curvature.like.dtype).eps * largest:
            raise SingularError(
                "A Kronecker block is singular: set a damping, at least "
                f"{rounded_up(self.curvature.damping - smallest + APART * largest)}, or choose a larger l2."
            )

    @property
    def setup(self) -> int:
        """No Hessian products before the first solve, only passes over the examples."""
        return 0 * len(self.parts)

    def apply(self, b: Tensor) -> Tensor:
        """A⁻¹ B as approximated, with no check, (p, k)."""
        value = torch.zeros_like(b)
        for columns in blocks(b.shape[1], 4.0 * b.element_size() * len(b)):
            for part in self.parts:
                part.layer.put(value[:, columns], part.apply(b[:, columns]))
        if self.others is not None:
            rows, (values, vectors) = self.others.rows, self.block
            side = b[rows] if not len(vectors) else product(vectors.T, b[rows])
            side = side / values[:, None]
            value[rows] = side if not len(vectors) else product(vectors, side)
        return value

    def __call__(self, b: Tensor) -> Solution:
        """Rotate, divide, rotate back; the residual is measured on eight columns, the others are given the worst."""
        value = self.apply(b)
        relative = residuals(self.curvature.matvec, value[:, :CHECKED], b[:, :CHECKED])
        worst = float(relative.max()) if len(relative) else 0.0
        rest = relative.new_full((max(b.shape[1] - CHECKED, 0),), worst)
        relative = torch.where(b.norm(dim=0) > 0, torch.cat([relative, rest]), 0.0)
        note = f"The residual was measured on {CHECKED} of {b.shape[1]} columns." if len(rest) else ""
        note = f"{note} {self._said()}".strip()
        if worst <= ACCURATE:
            return Solution(value, relative, 0, True, note=note)
        name = "EK-FAC" if self.corrected else "K-FAC"
        advice = (
            f"{name} takes each layer for a Kronecker product: a relative residual of {worst:.2g} is left. "
            "Conjugate gradients solve the system itself."
        )
        return Solution(value, relative, 0, False, f"{advice} {note}".strip(), note=note)

    def _said(self) -> str:
        if self.others is None:
            return ""
        form = "one block" if len(self.block[1]) else "their diagonal alone"
        return f"{len(self.others.rows):,} of {self.curvature.size:,} parameters lie outside of layers: {form}."

    def inverse(self) -> Tensor:
        """The block-diagonal inverse, (p, p)."""
        return dense_inverse(self, self.curvature, strict=False)


def _rotated(m: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Left M_j rightᵀ for every column j of M (o, q̄, k), by two matrix products."""
    o, q, k = m.shape
    m = product(left.contiguous(), m.reshape(o, q * k)).view(o, q, k)
    m = product(right.contiguous(), m.permute(1, 0, 2).reshape(q, o * k)).view(q, o, k)
    return m.permute(1, 0, 2)


def _factored(curvature: Curvature, layered: Layered, corrected: bool) -> tuple[LayerBlock, ...]:
    sides = [(_eigen(a), _eigen(g)) for a, g in _covariances(layered)]
    bases = [(g[1].to(curvature.like), a[1].to(curvature.like)) for a, g in sides]
    products = [(g[0][:, None] * a[0]).to(curvature.like) for a, g in sides]
    values = _measured(layered, bases) if corrected else products
    return tuple(
        LayerBlock(layer, left, right, value + _diagonal(curvature, layer, left, right))
        for layer, (left, right), value in zip(layered.layers, bases, values, strict=True)
    )


def _eigen(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenpairs in float64: in float32 small eigenvalues would be noise."""
    values, vectors = torch.linalg.eigh(covariance.double())
    return values.clamp(min=0), vectors


def _covariances(layered: Layered) -> list[tuple[Tensor, Tensor]]:
    """Per layer Σ_it A Aᵀ / n and Σ_ist G Gᵀ / (n T): their Kronecker product is the K-FAC block."""
    like = layered.x
    reads = [like.new_zeros(layer.inputs, layer.inputs) for layer in layered.layers]
    writes = [like.new_zeros(layer.outputs, layer.outputs) for layer in layered.layers]
    for inputs, columns in _passes(layered):
        for k, a in enumerate(inputs):
            reads[k] += gram(a.reshape(-1, a.shape[2])) / layered.n
            stacked = torch.cat([column[k].reshape(-1, column[k].shape[2]) for column in columns])
            writes[k] += gram(stacked) / (layered.n * a.shape[1])
    return list(zip(reads, writes, strict=True))


def _measured(layered: Layered, bases: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """diag(Qᵀ F Q) = (1/n) Σ_i Σ_s (U_Gᵀ G_is A_iᵀ U_A)² per layer, (o, q̄)."""
    totals = [layered.x.new_zeros(layer.outputs, layer.inputs) for layer in layered.layers]
    for inputs, columns in _passes(layered):
        for k, (left, right) in enumerate(bases):
            read = _along(inputs[k], right)
            turned = [_along(column[k], left) for column in columns]
            if read.shape[1] == 1:
                squares = torch.stack([g[:, 0].square() for g in turned]).sum(0)
                totals[k] += product(squares.T.contiguous(), read[:, 0].square()) / layered.n
                continue
            for g in turned:
                for rows in blocks(len(g), float(g.element_size() * totals[k].numel())):
                    totals[k] += (g[rows].mT @ read[rows]).square().sum(0) / layered.n
    return totals


def _along(values: Tensor, basis: Tensor) -> Tensor:
    """The last axis of (b, T, ·) in another basis."""
    return product(values.reshape(-1, values.shape[2]), basis).view(values.shape)


def _passes(layered: Layered) -> Iterator[tuple[tuple[Tensor, ...], list[tuple[Tensor, ...]]]]:
    """Inputs of all layers, and their output gradients for every column of the roots, block of examples by block."""
    for _, tap, root in layered.blocks():
        yield tap.inputs, [tap.gradients(root[:, :, s].contiguous()) for s in range(root.shape[2])]


def _diagonal(curvature: Curvature, layer: Layer, left: Tensor, right: Tensor) -> Tensor:
    """diag(Qᵀ D Q) of what A holds beside the data: penalty, damping, the projector of softmax's null space."""
    like = curvature.like
    ridge = curvature.ridge() if curvature.ridge is not None else like.new_full((curvature.size,), curvature.damping)
    flat = left.square().T @ layer.matrix(ridge[:, None])[:, :, 0] @ right.square()
    if curvature.null is None:
        return flat
    return flat + _rotated(layer.matrix(curvature.null()), left.T, right.T).square().sum(2)
