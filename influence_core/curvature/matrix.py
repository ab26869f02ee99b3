"""What solvers are given: an operator A = H + damping·I, and what it offers beyond products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import blocks, once, product
from influence_core.models.layers import layer_norms
from influence_core.models.protocol import Layer, Linearised, Tap

LAYER_BYTES = 64 * 2**20
SAMPLE_BYTES = 256 * 2**20  # of layer inputs and output gradients that are kept between products


@dataclass(frozen=True, eq=False)
class SampledProducts:
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
        partly: () -> the same of a model some of whose parameters lie outside of its layers; None for others.
        products_only: whether the matrix itself is dear to form.
        name: of H, for people.
        reason: why this damping was chosen; empty where it was set by hand.
        null: () -> (p, j) orthonormal columns whose projector was added to a singular H; None where none was.
        root: () -> (p, p) upper triangular R with A = RᵀR, from the examples; None where A itself serves.
        dual: () -> Z (n, p) and diagonal (p,) with A = ZᵀZ + D, where n is so small beside p that an n × n factor
            is the cheaper one; D may be 0 at one coordinate.
    """

    size: int
    damping: float
    matvec: Callable[[Tensor], Tensor]
    dense: Callable[[], Tensor]
    like: Tensor
    diagonal: Callable[[], Tensor] | None = None
    samples: SampledProducts | None = None
    ridge: Callable[[], Tensor] | None = None
    layered: Callable[[], Layered] | None = None
    products_only: bool = False
    name: str = "Hessian"
    reason: str = ""
    null: Callable[[], Tensor] | None = None
    root: Callable[[], Tensor] | None = None
    dual: Callable[[], tuple[Tensor, Tensor]] | None = None
    partly: Callable[[], Partly] | None = None


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

    @once
    def samples(self) -> tuple[tuple[Tensor, Tensor, Tensor], ...] | None:
        """Per layer what it reads and what the roots send back, A (n, T, q̄) and G (n, K, T·o); None beyond a budget.

        They do not depend on the vectors of a product, and with them every product is matrix products alone.  Inputs
        that are zero for every example (the margin of an image, a dead unit) take no part: the first tensor of a layer
        says which columns of A are the others.
        """
        read, roots = [a.shape[1:] for a in self.at.tap(self.x[:1]).inputs], self.roots.shape[2]
        sent = [shape[0] * layer.outputs for shape, layer in zip(read, self.layers, strict=True)]
        numbers = sum(shape.numel() for shape in read) + roots * sum(sent)
        if self.n * self.x.element_size() * numbers > SAMPLE_BYTES:
            return None
        inputs = [self.x.new_empty(self.n, *shape) for shape in read]
        slopes = [self.x.new_empty(self.n, roots, size) for size in sent]
        for part, tap, root in self.blocks():
            for a, found in zip(inputs, tap.inputs, strict=True):
                a[part] = found
            for k in range(roots):
                for g, found in zip(slopes, tap.gradients(root[:, :, k]), strict=True):
                    g[part, k] = found.flatten(1)
        used = [torch.nonzero(a.flatten(0, 1).any(0))[:, 0] for a in inputs]
        return tuple((some, a[:, :, some], g) for some, a, g in zip(used, inputs, slopes, strict=True))

    def product(self, v: Tensor) -> Tensor:
        """(1/n) Σ_i J_iᵀ C_i J_i V from :attr:`samples`: ⟨G_ir ⊗ A_i, V⟩ for all roots r, then their weighted sum.

        Both are one matrix product per layer with a side of (outputs × columns), whatever the network does between.

        Args:
            v: (p, k).

        Returns:
            (p, k).
        """
        kept, k = self._kept, v.shape[1]
        sides = [
            layer.matrix(v).permute(1, 0, 2)[used].reshape(len(used), -1)
            for layer, (used, _, _) in zip(self.layers, kept, strict=True)
        ]
        sums = [torch.zeros_like(side) for side in sides]
        widest = max(g.shape[2] for _, _, g in kept)
        for part in blocks(self.n, float(widest * k * v.element_size()), LAYER_BYTES):
            inner = v.new_zeros(1)
            for (_, a, g), side in zip(kept, sides, strict=True):
                read = product(a[part].flatten(0, 1), side).view(len(a[part]), -1, k)
                inner = inner + torch.bmm(g[part], read)
            for (_, a, g), total in zip(kept, sums, strict=True):
                bent = torch.bmm(g[part].mT, inner).view(-1, total.shape[1])
                total += product(a[part].flatten(0, 1).T, bent)
        result = torch.empty_like(v)
        for layer, (used, _, _), total in zip(self.layers, kept, sums, strict=True):
            self._put(result, layer, used, total)
        return result / self.n

    def drawn(self, rows: Tensor, weights: Tensor, v: Tensor) -> Tensor:
        """(1/b) Σ_{i in rows} weights_i J_iᵀ C_i J_i V of r repeats side by side, from :attr:`samples`.

        Args:
            rows: (r, b).
            weights: (r, b).
            v: (r, p, k).

        Returns:
            (r, p, k).
        """
        (repeats, b), (_, p, k), inner, taken = rows.shape, v.shape, v.new_zeros(()), []
        flat = v.permute(1, 0, 2).reshape(p, repeats * k)
        for layer, (used, a, g) in zip(self.layers, self._kept, strict=True):
            side = layer.matrix(flat)[:, used].view(layer.outputs, len(used), repeats, k).permute(2, 1, 0, 3)
            read, sent = a[rows].flatten(1, 2), g[rows].flatten(0, 1)
            seen = torch.bmm(read, side.reshape(repeats, len(used), -1)).view(repeats * b, -1, k)
            inner = inner + torch.bmm(sent, seen)
            taken.append((layer, used, read, sent))
        inner, result = inner * weights.reshape(-1, 1, 1), torch.empty_like(flat)
        for layer, used, read, sent in taken:
            bent = torch.bmm(sent.mT, inner).view(repeats, read.shape[1], -1)
            total = torch.bmm(read.mT, bent).view(repeats, len(used), layer.outputs, k)
            whole = v.new_zeros(layer.inputs, layer.outputs, repeats, k)
            whole[used] = total.permute(1, 2, 0, 3)
            layer.put(result, whole.permute(1, 0, 2, 3).reshape(layer.outputs, layer.inputs, -1))
        return result.view(p, repeats, k).permute(1, 0, 2) / b

    def norms(self) -> Tensor:
        """(n, K) ‖J_iᵀ R_ir‖², from :attr:`samples`; their sum is n times the trace of the data part."""
        total = self.x.new_zeros(self.roots.shape[:2])
        for layer, (_, a, g) in zip(self.layers, self._kept, strict=True):
            for r in range(g.shape[1]):
                total[:, r] += layer_norms(a, g[:, r].view(len(g), -1, layer.outputs))
        return total

    def gram(self, rows: Tensor, picked: Tensor) -> Tensor:
        """⟨J_iᵀ R_ir, J_jᵀ R_js⟩ of some pairs (i, r), from :attr:`samples`.

        Args:
            rows: (m,) examples i.
            picked: (m,) roots r.

        Returns:
            (m, m).
        """
        total = self.x.new_zeros(len(rows), len(rows))
        for layer, (_, a, g) in zip(self.layers, self._kept, strict=True):
            read, sent = a[rows], g[rows, picked].view(len(rows), -1, layer.outputs)
            if read.shape[1] == 1:
                total += product(read[:, 0], read[:, 0].T).mul_(product(sent[:, 0], sent[:, 0].T))
            else:
                whole = (sent.mT @ read).flatten(1)
                total += product(whole, whole.T)
        return total

    def pull(self, rows: Tensor, picked: Tensor, sides: Tensor) -> Tensor:
        """Σ_m J_iᵀ R_ir s_mj over pairs (i, r), from :attr:`samples`.

        Args:
            rows: (m,) examples i.
            picked: (m,) roots r.
            sides: (m, k).

        Returns:
            (p, k).
        """
        some, place = torch.unique(rows, return_inverse=True)
        weights = sides.new_zeros(len(some), self.roots.shape[2], sides.shape[1])
        weights[place, picked] = sides
        result = sides.new_empty(sum(layer.outputs * layer.inputs for layer in self.layers), sides.shape[1])
        for layer, (used, a, g) in zip(self.layers, self._kept, strict=True):
            read, sent = a[some].flatten(0, 1), g[some].mT
            for columns in blocks(sides.shape[1], float(sent[..., 0].numel() * sent.element_size()), LAYER_BYTES):
                bent = torch.bmm(sent, weights[:, :, columns]).view(len(read), -1)
                self._put(result[:, columns], layer, used, product(read.T, bent))
        return result

    @staticmethod
    def _put(result: Tensor, layer: Layer, used: Tensor, total: Tensor) -> None:
        """Write (q', o·k), of the inputs that are ``used``, to the layer's place in θ."""
        whole = total.new_zeros(layer.inputs, layer.outputs, result.shape[1])
        whole[used] = total.view(len(used), layer.outputs, -1)
        layer.put(result, whole.permute(1, 0, 2))

    @property
    def _kept(self) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
        if self.samples is None:
            raise ValueError(f"Expected examples whose layers fit into {SAMPLE_BYTES:,} bytes.")
        return self.samples


@dataclass(frozen=True, eq=False)
class Partly:
    """Layers of a model, and its other parameters: embeddings, norms, attention in one matrix.

    Attributes:
        layered: of the layers.
        rows: (q,) places in θ of the other parameters.
        block: () -> A at those, (q, q), or its diagonal (q,) where they are too many.
    """

    layered: Layered
    rows: Tensor
    block: Callable[[], Tensor]


def roots(c: Tensor) -> Tensor:
    """R_i with C_i = R_i R_iᵀ, also where C_i is singular; negative eigenvalues count as zero, (n, K, K)."""
    values, sides = torch.linalg.eigh(c)
    root: Tensor = sides * values.clamp(min=0).sqrt()[:, None, :]
    return root
