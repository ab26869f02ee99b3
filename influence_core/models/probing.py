"""What holds for a module that somebody brought, found out on a few examples instead of guessed from its type.

Gradients by layers and by torch.func are compared with plain reverse mode, one example after the other; where they
differ, the plain way takes their place.  Second derivatives are compared with differences of gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from influence_core.models.forward import bent, differentiable, duplicate, one_line, picked
from influence_core.models.linearised import At
from influence_core.models.network import Network
from influence_core.models.protocol import Batch
from influence_core.settings import SettingsError

GENERAL = (
    "Some parameters lie outside plain linear and convolutional layers that are read once, so gradients come by "
    "autodiff; K-FAC and EK-FAC {}."
)
PARTLY, NEEDED = "factor {} layers and take the other parameters as one block", "need layers"
EXACT_IDS = 2**24  # whole numbers below are the same in float32
UNREACHED = (
    "The module cannot be differentiated: no gradient reaches its parameters. Leave out detach() and no_grad on the "
    "way from parameters to outputs."
)
BENT = "torch's second derivatives of this module differ from differences of its gradients: choose Gauss–Newton."


def usable(module: nn.Module) -> nn.Module:
    """The module as it can be differentiated, copied from what was given.

    Raises:
        SettingsError: what torch cannot differentiate.
    """
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise SettingsError(
                "A scripted or traced module cannot be taken apart: wrap the module that it was made from."
            )
    if any(isinstance(value, UninitializedParameter) for value in module.parameters()):
        raise SettingsError("The module has lazy layers without weights: call it once on an example, then wrap it.")
    if not any(value.requires_grad for value in module.parameters()):
        raise SettingsError(
            "The module has no trainable parameters, so no example has an influence on it: "
            "set requires_grad_(True) where it was frozen."
        )
    return duplicate(module)


def reading(network: Network, x: Tensor) -> tuple[Network, tuple[int, ...]]:
    """The network that reads these examples as numbers or, like an embedding, as whole numbers.

    Returns:
        It, and the shape of one example's outputs.

    Raises:
        SettingsError: a module that does not take them, or whose outputs depend on the other examples of a batch.
    """
    said: Exception | None = None
    for whole in (False, True) if bool((x == x.round()).all()) and not network.parts else (False,):
        tried = replace(network, whole=whole)
        try:
            f = tried.one_pass(tried.start(), x)
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever code of the user's raises
            said = said or error
            continue
        if not _holds(lambda: tried.one_pass(tried.start(), x), f, 1e-4):  # noqa: B023
            raise SettingsError(
                "The same examples give other outputs at every call, in evaluation mode too: pass "
                "training=self.training to dropout, and change no buffers there."
            )
        if not _holds(lambda: torch.cat([tried.one_pass(tried.start(), row[None]) for row in x]), f, 1e-4):  # noqa: B023
            raise SettingsError(
                "The outputs of an example change with the others in its batch, so no example has a loss of its own: "
                "expected a module whose first axis is the example (batch_first=True; BatchNorm with running averages)."
            )
        if not bool(torch.isfinite(f).all()):
            raise SettingsError("The module's outputs are not finite numbers: train it again, or scale the features.")
        return tried, tuple(tried.called(tried.start(), x).shape[1:])
    raise SettingsError(f"The module does not take examples of shape {_shape(network)}: {one_line(said)}.")


def readable(network: Network, x: Tensor) -> None:
    """Run every example through a module that reads whole numbers: one of them may be no row of an embedding.

    Raises:
        SettingsError: whole numbers that the module does not take, or that its precision does not hold.
    """
    if not (network.whole or any(part.kind in "iu" for part in network.parts)):
        return
    if network.dtype == torch.float32 and bool((x.abs() >= EXACT_IDS).any()):
        raise SettingsError(f"Expected whole numbers below {EXACT_IDS:,} for a module in float32: number ids from 0.")
    try:
        with torch.no_grad():
            network.outputs(network.start(), x)
    except SettingsError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever code of the user's raises
        raise SettingsError(
            f"The module takes the first examples and not all: {one_line(error)}. Expected ids from 0 that are rows of "
            "its embedding, in training and test examples."
        ) from None


def _shape(network: Network) -> str:
    return ", ".join(f"{part.name} {part.shape}" for part in network.parts) or str(network.shape)


def before_sigmoid(network: Network, f: Tensor, batch: Batch) -> tuple[Network, Tensor]:
    """The network without its last sigmoid, so that its outputs are log-odds, of which the loss is convex and curved.

    Returns:
        It, and its outputs.

    Raises:
        SettingsError: outputs that are no probabilities.
    """
    for name, part in network.module.named_modules():
        if isinstance(part, nn.Sigmoid) and name:
            module = duplicate(network.module)
            module.set_submodule(name, nn.Identity())
            found = replace(network, module=module)
            z = found.outputs(found.start(), batch.x)
            if _near(torch.sigmoid(z), f, 1e-5):
                return found, z
    if not bool(((f > 0) & (f < 1)).all()):
        raise SettingsError(
            "BCELoss: expected outputs strictly between 0 and 1: return the value before the sigmoid and use "
            "BCEWithLogitsLoss."
        )
    found = replace(network, module=_LogOdds(network.module))
    return found, found.outputs(found.start(), batch.x)


class _LogOdds(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: Any, **named: Tensor) -> Tensor:
        return torch.logit(picked(self.inner(*x, **named)))


def reached(module: nn.Module, network: Network, x: Tensor) -> Network:
    """The network without the parameters that gradients of the module itself do not reach (no_grad, never called).

    Raises:
        SettingsError: no gradient at all, or another than that of the copy that is differentiated.
    """
    x = x[network.rows(len(x), 1)[0]]
    modes = [(part, part.training) for part in module.modules()]
    own = {name: value for name, value in module.named_parameters() if value.requires_grad}
    like = next(iter(own.values()))
    args, named = network.given(x.to(like.device), like.dtype)
    try:
        with torch.enable_grad(), differentiable():
            f = _or_said(lambda: picked(module.eval()(*args, **named)).sum())
        found = torch.autograd.grad(f, [*own.values()], allow_unused=True) if f.requires_grad else ()
    finally:
        for part, mode in modes:
            part.training = mode
    slopes = {name: g.to_dense() for name, g in zip(own, found, strict=False) if g is not None}
    if not slopes:
        raise SettingsError(UNREACHED)
    if len(slopes) < len(own):
        for name, value in network.module.named_parameters():
            value.requires_grad_(name in slopes)
        lost = ", ".join(own.keys() - slopes.keys())[:120]
        network = replace(network, notes=(*network.notes, f"No gradient reaches {lost}: held fixed like frozen ones."))
    free = network.start().requires_grad_()
    near = {torch.float64: 1e-6, torch.float32: 1e-2}.get(like.dtype, 0.2)
    if not _near(
        _or_said(lambda: torch.autograd.grad(network.outputs(free, x).sum(), free)[0]),
        torch.cat([g.reshape(-1) for g in slopes.values()]).to(free),
        near,
    ):
        raise SettingsError(
            "The module is copied to be differentiated, and gradients of the copy are others than its own: a forward "
            "or hook reaches parameters through a closure or a global. Use self, or the module that a hook is given."
        )
    return network


def probed(network: Network, x: Tensor) -> Network:
    """The network with what holds for it: layers, torch.func, second derivatives.

    Args:
        network: as it was given.
        x: a few examples.

    Raises:
        SettingsError: a module through which no gradient goes.
    """
    x, wide = x[:2], replace(network, dtype=torch.float64)
    try:
        wide.one_pass(wide.start(), x.double())
    except Exception:  # noqa: BLE001 - it fixes its own precision
        wide = network
    x, theta, near = x.to(wide.dtype), wide.start(), 1e-8 if wide.dtype == torch.float64 else 1e-3
    plain, random = At(replace(wide, layered=False, traced=False), theta), torch.Generator().manual_seed(0)
    r, v = (
        torch.rand(len(x), wide.one_pass(theta, x).shape[1], generator=random),
        torch.randn(len(theta), 1, generator=random),
    )
    r, v = r.to(theta) + 0.5, v.to(theta)
    rows = _or_said(lambda: plain.pullback(x, r))
    if not bool(rows.any()):
        raise SettingsError(UNREACHED)
    traced = replace(wide, layered=False)

    def total(theta: Tensor) -> Tensor:
        f = wide.one_pass(theta, x)
        return (r * (f + f.square() / 2)).sum()

    turned = _or_said(lambda: bent(total, theta, v, traced=False))
    at = At(traced, theta)
    follows = (
        _holds(lambda: at.pullback(x, r), rows, near)
        and _holds(lambda: at.gradient_dot(x, r, v), rows @ v, near)
        and _holds(lambda: bent(total, theta, v, traced=True), turned, near)
    )
    layered = _holds(lambda: At(wide, theta).pullback(x, r), rows, near) if _layers(wide) else False
    bends = any(_near(_difference(total, theta, v, step), turned, 1e-3) for step in (1e-5, 1e-6, 1e-4))
    trusted = () if layered else _trusted(plain, x, r, rows, near)
    general = GENERAL.format(PARTLY.format(len(trusted)) if trusted else NEEDED)
    notes = network.notes if layered or network.targets_inside else (*network.notes, general)
    return replace(
        network, layered=layered, trusted=trusted, traced=follows, bends=bends or wide.dtype != torch.float64,
        notes=notes,
    )  # fmt: skip


def _trusted(plain: At, x: Tensor, r: Tensor, rows: Tensor, near: float) -> tuple[str, ...]:
    """Layers whose outer products are the rows (b, p) of reverse mode, at their place."""
    try:
        names = tuple(layer.name for layer in plain.network.some_layers())
        at = At(replace(plain.network, trusted=names), plain.theta, partly=True)
        found = at.pullback(x, r)
    except Exception:  # noqa: BLE001 - whatever it is, the plain way is taken
        return ()
    floor = 1e-6 * rows.abs().max()  # the gradient of a key's bias is zero but for rounding
    trusted = []
    for layer in at.layers:
        mine, truth = (layer.matrix(side.T) for side in (found, rows))
        if bool((mine - truth).abs().max() <= near * torch.maximum(truth.abs().max(), floor)):
            trusted.append(layer.name)
    return tuple(trusted)


def _layers(network: Network) -> bool:
    try:
        return bool(network.layers)
    except Exception:  # noqa: BLE001 - whatever code of the user's raises
        return False


def _difference(total: Callable[[Tensor], Tensor], theta: Tensor, v: Tensor, step: float) -> Tensor:
    """∇²F v by central differences of gradients, (p, 1)."""
    ends = []
    for at in (theta + step * v[:, 0], theta - step * v[:, 0]):
        free = at.clone().requires_grad_()
        ends.append(torch.autograd.grad(total(free), free)[0])
    return ((ends[0] - ends[1]) / (2 * step))[:, None]


def _or_said(make: Callable[[], Tensor]) -> Tensor:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever code of the user's raises
        raise SettingsError(
            f"The module cannot be differentiated: {one_line(error)}. Compute in torch from parameters to outputs, "
            "without NumPy, .item(), detach() or no_grad on the whole way."
        ) from None


def _holds(make: Callable[[], Tensor], truth: Tensor, near: float) -> bool:
    try:
        return _near(make(), truth, near)
    except Exception:  # noqa: BLE001 - whatever it is, the plain way is taken
        return False


def _near(found: Tensor, truth: Tensor, near: float) -> bool:
    if found.shape != truth.shape:
        return False
    found, truth = found.detach(), truth.detach()
    return not truth.numel() or bool((found - truth).abs().max() <= near * truth.abs().max())
