"""Models that a user brings: any ``torch.nn.Module`` with a loss, and any ``loss(theta, x, y)`` written in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from influence_core.data.dataset import Dataset
from influence_core.models.arranged import NamedTensor
from influence_core.models.criteria import (
    AFTER_SIGMOID,
    BINARY,
    ENTROPY,
    LIKELIHOOD,
    Criterion,
    OwnLoss,
    divisor,
    is_one_of,
    known,
    own_loss,
)
from influence_core.models.forward import one_line, plain
from influence_core.models.losses import Logistic, Loss, Softmax, Squared
from influence_core.models.network import Network
from influence_core.models.probing import before_sigmoid, probed, reached, reading, usable
from influence_core.settings import SettingsError

Risk = Callable[[Tensor, Tensor, Tensor], Tensor]
FEW, LOOKED_AT = 4, 1000  # examples that are run one by one, and those whose outputs are looked at
FLAT = "The loss has no curvature as a function of the outputs, so the Hessian itself stands for Gauss–Newton."
SADDLED = "The loss is not convex in the outputs: Gauss–Newton leaves its negative curvature out."


@dataclass(frozen=True)
class OwnRisk:
    """The loss of a model whose only output is the loss itself."""

    outputs: int = 1
    unit: str = "loss units"
    convex: bool = False  # as a function of its own value it has no curvature: the Hessian says everything

    def values(self, f: Tensor, _y: Tensor) -> Tensor:
        """f itself, shape (...)."""
        return f[..., 0]

    def residuals(self, f: Tensor, _y: Tensor) -> Tensor:
        """One, shape (..., 1)."""
        return torch.ones_like(f)

    def curvatures(self, f: Tensor, _y: Tensor) -> Tensor:
        """Zero, shape (..., 1, 1)."""
        return torch.zeros_like(f)[..., None]

    def margins(self, _f: Tensor, _y: Tensor) -> None:
        """None."""
        return

    def probabilities(self, _f: Tensor) -> None:
        """None."""
        return


class RiskModule(nn.Module):
    """θ as the only parameter; reads (x, y) side by side and returns ℓ(θ, x, y)."""

    def __init__(self, risk: Risk, theta: Tensor, together: bool = True) -> None:
        super().__init__()
        self.risk, self.shape, self.together = risk, theta.shape, together
        self.theta = nn.Parameter(theta.detach().clone().reshape(-1))

    def forward(self, z: Tensor) -> Tensor:
        """Losses of examples (b, d + 1), (b, 1)."""
        theta, x, y = self.theta.view(self.shape), z[:, :-1], z[:, -1]
        if self.together:
            losses: Tensor = vmap(self.risk, in_dims=(None, 0, 0))(theta, x, y)
        else:
            losses = torch.stack([self.risk(theta, *pair) for pair in zip(x, y, strict=True)])
        return losses.reshape(len(z), 1)


def risk_network(risk: Risk, theta: Tensor, dataset: Dataset, l2: float) -> Network:
    """The model J(θ) = (1/n) Σ risk(θ, x_i, y_i) + (l2/2) ‖θ‖².

    Returns:
        A network in double precision whose examples carry their targets.

    Raises:
        SettingsError: a risk that torch cannot differentiate.
    """
    width, theta = dataset.x.shape[1] + 1, theta.double()
    few = dataset.take(np.arange(min(len(dataset), 3)))
    for together in (True, False):
        module = RiskModule(risk, theta, together)
        network = Network(module, OwnRisk(), l2, (width,), torch.float64, targets_inside=True)
        x = network.batch(few, torch.device("cpu")).x
        try:
            free = network.start().requires_grad_()
            (slope,) = torch.autograd.grad(network.one_pass(free, x).sum(), free)
        except Exception as error:  # noqa: BLE001 - whatever code of the user's raises
            said = error
            continue
        return probed(network, x)
    raise SettingsError(
        f"loss(theta, x, y) cannot be differentiated: {one_line(said)}. Write the loss of one example as a number, "
        "in torch and not in NumPy (torch.exp(x @ theta), no .item() on the way)."
    )


def module_network(
    module: nn.Module,
    criterion: Criterion,
    dataset: Dataset,
    shape: tuple[int, ...],
    parts: tuple[NamedTensor, ...] = (),
) -> Network:
    """A module with the loss that its criterion stands for.

    Args:
        module: of the user.
        criterion: of the user.
        dataset: the training examples.
        shape: of one example as the module takes it.
        parts: the tensors that an example is made of, where it is several.

    Returns:
        The network, with the module's own trainable parameters as first ones; what cannot be is a ``SettingsError``.
    """
    source = plain(module)
    module, cpu = usable(source), torch.device("cpu")
    dtypes = {value.dtype for value in module.parameters() if value.is_floating_point()}
    dtype = torch.float64 if torch.float64 in dtypes else torch.float32
    notes = () if dtype in dtypes else (f"Parameters of {str(dtypes.pop())[6:]} are taken to float32.",)
    network = Network(module, Squared(), 0.0, shape, dtype, parts=parts, notes=notes)
    batch = network.batch(dataset.take(np.arange(min(len(dataset), LOOKED_AT))), cpu)
    network, tail = reading(network, batch.x[:FEW])
    network = reached(source, network, batch.x)
    f = network.outputs(network.start(), batch.x)
    network, f = before_sigmoid(network, f, batch) if is_one_of(criterion, AFTER_SIGMOID) else (network, f)
    loss = _loss_of(criterion, f, batch.y, tail, dataset.classes)
    said = (*network.notes, *divisor(criterion, batch.y))
    if isinstance(loss, OwnLoss):
        bend = loss.curvatures(f, batch.y)
        if not bool(bend.any()):
            loss, said = replace(loss, convex=False), (*said, FLAT)
        elif float(torch.linalg.eigvalsh(bend).min()) < -1e-6 * float(bend.abs().max()):
            said = (*said, SADDLED)
    return probed(replace(network, loss=loss, notes=said), batch.x)


def _loss_of(criterion: Criterion, f: Tensor, y: Tensor, tail: tuple[int, ...], classes: int) -> Loss:
    """One of ours where the criterion is one of torch's, else its own, with what is known of its probabilities."""
    outputs = f.shape[1]
    counted = is_one_of(criterion, ENTROPY + LIKELIHOOD) and tail == (outputs,)
    if counted and not 2 <= classes <= outputs:
        raise SettingsError(
            f"Cross-entropy: expected 2 to {outputs} classes, one for each output, got {classes}. "
            "Give y as whole numbers from 0."
        )
    binary = outputs == 1 and is_one_of(criterion, BINARY)
    if binary and not bool(((y >= 0) & (y <= 1)).all()):
        raise SettingsError(
            f"Binary cross-entropy: expected y from 0 to 1, got {float(y.min()):g} to {float(y.max()):g}. "
            "Give labels as 0 and 1, or as -1 and 1 in whole numbers."
        )
    normalised = tail == (outputs,) and outputs > 1 and float(f.logsumexp(1).abs().max()) < 1e-5
    found = known(criterion, outputs, y)
    if found is not None and (normalised or not is_one_of(criterion, LIKELIHOOD)):
        return found
    if is_one_of(criterion, AFTER_SIGMOID):
        inner = criterion if isinstance(criterion, nn.Module) else nn.BCELoss(**getattr(criterion, "keywords", {}))
        criterion = nn.BCEWithLogitsLoss(inner.weight, reduction=inner.reduction)  # type: ignore[arg-type]
    odds = normalised or (counted and is_one_of(criterion, ENTROPY))
    base = Logistic() if binary else Softmax(outputs) if odds else None
    form = OwnLoss(criterion, outputs, classes > 0 and not binary, tail=tail, base=base, normalised=normalised)
    rows = _different(y, 5 if outputs == 4 else 4)
    return own_loss(criterion, f[rows], y[rows], form)


def _different(y: Tensor, count: int) -> list[int]:
    """Rows with as many different targets as there are."""
    first = {float(value): row for row, value in reversed(list(enumerate(y)))}
    rows = sorted(first.values())[:count]
    return rows + [row for row in range(len(y)) if row not in rows][: count - len(rows)]
