"""Linear and convolutional layers: finding them in a module, what they read at every position, and scores from both.

A linear layer's per-example gradient is G_i ⊗ A_i; a convolution unfolds to Σ_t G_it ⊗ A_it over output positions t.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from influence_core.compute import blocks, product
from influence_core.compute.products import BLOCK_BYTES
from influence_core.models.protocol import Layer

Run = Callable[[nn.Module], None]


def find_layers(module: nn.Module, run: Run, shapes: Mapping[str, torch.Size]) -> tuple[Layer, ...]:
    """The linear and convolutional layers, where they hold every parameter of θ and each runs once per pass.

    Args:
        module: a copy that may be hooked.
        run: one forward pass.
        shapes: of the parameters of θ, by name.

    Returns:
        Layers in the order of the module; empty where some parameter lies elsewhere.
    """
    found = _candidates(module, shapes)
    held = sum(layer.outputs * layer.inputs for layer, _ in found)
    if held != sum(map(math.prod, shapes.values())):
        return ()
    calls = _calls(module, run, found)
    return tuple(layer for layer, _ in found) if all(calls.get(layer.name) == 1 for layer, _ in found) else ()


def some_layers(module: nn.Module, run: Run, shapes: Mapping[str, torch.Size]) -> tuple[Layer, ...]:
    """The linear and convolutional layers that run once per pass, whatever other parameters there are.

    Returns:
        Layers in the order of the module.
    """
    found = _candidates(module, shapes)
    calls = _calls(module, run, found)
    return tuple(layer for layer, _ in found if calls.get(layer.name) == 1)


def _candidates(module: nn.Module, shapes: Mapping[str, torch.Size]) -> list[tuple[Layer, nn.Module]]:
    """Plain layers all of whose parameters lie in θ."""
    sizes = [math.prod(size) for size in shapes.values()]
    ends = itertools.accumulate(sizes)
    offsets = {name: slice(end - size, end) for name, size, end in zip(shapes, sizes, ends, strict=True)}
    found = []
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        own = [f"{prefix}{each}" for each, _ in part.named_parameters(recurse=False)]
        if own and all(each in offsets for each in own) and _plain(part):
            outputs, width = part.weight.shape[0], math.prod(part.weight.shape[1:])
            bias = offsets.get(f"{prefix}bias")
            found.append((Layer(name, outputs, width + (bias is not None), offsets[f"{prefix}weight"], bias), part))
    return found


def _plain(part: nn.Module) -> bool:
    if as_written(part) and type(part) is nn.Conv2d:
        return part.groups == 1 and part.padding_mode == "zeros" and not isinstance(part.padding, str)
    return as_written(part) and type(part) is nn.Linear


def as_written(part: nn.Module) -> bool:
    """Whether a part computes what its type says: no hook or forward of its own."""
    return not (part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or "forward" in vars(part))


def _calls(module: nn.Module, run: Run, layers: list[tuple[Layer, nn.Module]]) -> Counter[str]:
    """How often each layer runs in a pass."""
    calls = Counter[str]()
    for layer, part in layers:
        part.register_forward_hook(lambda _part, _inputs, _output, name=layer.name: calls.update([name]))
    run(module)
    return calls


def positions(g: Tensor) -> Tensor:
    """Output gradients of any layer by position, (b, T, o)."""
    if g.dim() == 2:
        return g[:, None]
    return g.flatten(2).mT if g.dim() == 4 else g


def unfolded(part: nn.Module, a: Tensor) -> Tensor:
    """What a layer reads at every output position, with a one for its bias, (b, T, q̄)."""
    if isinstance(part, nn.Conv2d):
        a = nn.functional.unfold(a, part.kernel_size, part.dilation, part.padding, part.stride).mT  # type: ignore[arg-type]
    elif a.dim() == 2:
        a = a[:, None]
    return a if part.bias is None else torch.cat([a, torch.ones_like(a[..., :1])], -1)


def contracted(a: Tensor, g: Tensor, m: Tensor) -> Tensor:
    """⟨Σ_t G_it ⊗ A_it, M_j⟩ for all i, j.

    With one position the smaller side is contracted last; with many, the outer products of a few examples are formed
    and multiplied once.

    Args:
        a: (b, T, q̄).
        g: (b, T, o).
        m: (o, q̄, k).

    Returns:
        (b, k).
    """
    outputs, inputs, k = m.shape
    total = a.new_empty(len(a), k)
    if a.shape[1] > 1:
        flat = m.reshape(-1, k)
        for part in blocks(len(a), float(a.element_size() * outputs * inputs)):
            total[part] = product((g[part].mT @ a[part]).reshape(-1, outputs * inputs), flat)
        return total
    read, left, matrix = (a, g, m.permute(1, 0, 2)) if outputs <= inputs else (g, a, m)
    side = matrix.shape[1]
    matrix = matrix.reshape(-1, side * k)
    for part in blocks(len(a), float(a.element_size() * side * k), BLOCK_BYTES):
        bent = product(read[part, 0], matrix).view(-1, side, k)
        total[part] = torch.bmm(left[part], bent)[:, 0]
    return total


def layer_norms(a: Tensor, g: Tensor) -> Tensor:
    """‖Σ_t G_it ⊗ A_it‖², through the T × T products where there are several positions, (b,)."""
    if a.shape[1] == 1:
        return a[:, 0].square().sum(1) * g[:, 0].square().sum(1)
    total = [
        (g[part].mT @ a[part]).square().sum((1, 2))
        for part in blocks(len(a), float(a.element_size() * a.shape[2] * g.shape[2]))
    ]
    return torch.cat(total)


def initialise(module: nn.Module, seed: int) -> None:
    """Linear and convolutional layers uniform in ±1/√(inputs), PyTorch's own rule, from a generator of their own."""
    random = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            bound = 1 / math.sqrt(math.prod(part.weight.shape[1:]))
            with torch.no_grad():
                for value in part.parameters(recurse=False):
                    value.uniform_(-bound, bound, generator=random)
