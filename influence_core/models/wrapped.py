"""Models that a user brings: any ``torch.nn.Module`` with a loss, and any ``loss(theta, x, y)`` written in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import grad, hessian, vmap

from influence_core.data.dataset import Dataset
from influence_core.models.losses import Logistic, Loss, Softmax, Squared
from influence_core.models.network import Network
from influence_core.settings import SettingsError

Criterion = Callable[[Tensor, Tensor], Tensor]
Risk = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class OwnLoss:
    """Any differentiable ``criterion(outputs (b, K), y (b,))``; per example, however it reduces over a batch of one.

    Attributes:
        criterion: the function or module.
        outputs: K.
        classes: whether y is a class index, given as a whole number.
    """

    criterion: Criterion
    outputs: int
    classes: bool
    unit: str = "loss units"
    convex: bool = True

    def _one(self, f: Tensor, y: Tensor) -> Tensor:
        return self.criterion(f[None], y[None]).sum()

    def _each(self, function: Callable[[Tensor, Tensor], Tensor], f: Tensor, y: Tensor) -> Tensor:
        flat = y.expand(f.shape[:-1]).reshape(-1)
        found: Tensor = vmap(function)(f.reshape(-1, f.shape[-1]), flat.long() if self.classes else flat)
        return found.reshape(*f.shape[:-1], *found.shape[1:])

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """ℓ(y, f), shape (...)."""
        return self._each(self._one, f, y)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """∂ℓ/∂f, shape (..., K)."""
        return self._each(grad(self._one), f, y)

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        """∂²ℓ/∂f², shape (..., K, K)."""
        return self._each(hessian(self._one), f, y)

    def margins(self, f: Tensor, y: Tensor) -> Tensor | None:
        """> 0 where the largest output is that of the true class; None for a numeric target."""
        if not self.classes or self.outputs < 2:
            return None
        index = y.long().expand(f.shape[:-1])[..., None]
        return f.gather(-1, index)[..., 0] - f.scatter(-1, index, float("-inf")).amax(-1)

    def probabilities(self, _f: Tensor) -> None:
        """None: an unknown loss defines no probability."""
        return


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

    def __init__(self, risk: Risk, theta: Tensor) -> None:
        super().__init__()
        self.risk, self.theta = risk, nn.Parameter(theta.detach().clone().reshape(-1))

    def forward(self, z: Tensor) -> Tensor:
        """Losses of examples (b, d + 1), (b, 1)."""
        losses: Tensor = vmap(self.risk, in_dims=(None, 0, 0))(self.theta, z[:, :-1], z[:, -1])
        return losses.reshape(len(z), 1)


def risk_network(risk: Risk, theta: Tensor, dataset: Dataset, l2: float) -> Network:
    """The model J(θ) = (1/n) Σ risk(θ, x_i, y_i) + (l2/2) ‖θ‖².

    Returns:
        A network in double precision whose examples carry their targets.
    """
    width = dataset.x.shape[1] + 1
    return Network(RiskModule(risk, theta.double()), OwnRisk(), l2, (width,), torch.float64, targets_inside=True)


def module_network(module: nn.Module, criterion: Criterion, dataset: Dataset, shape: tuple[int, ...]) -> Network:
    """A module with the loss that its criterion stands for.

    Returns:
        The network, with the module's own parameters as first ones.

    Raises:
        SettingsError: the module does not take examples of this shape, or gives fewer outputs than there are classes.
    """
    network = Network(module, Squared(), 0.0, shape, next(module.parameters()).dtype)
    try:
        outputs = network.outputs(network.start(), torch.zeros(1, *shape, dtype=network.dtype).flatten(1)).shape[1]
    except RuntimeError as error:
        raise SettingsError(f"The module does not take examples of shape {shape}: {error}") from None
    loss = _known(criterion, outputs) or OwnLoss(criterion, outputs, dataset.classes > 0)
    if isinstance(loss, Softmax) and not 2 <= dataset.classes <= outputs:
        raise SettingsError(
            f"Cross-entropy: expected 2 to {outputs} classes, one for each output, got {dataset.classes}. "
            "Give y as whole numbers from 0."
        )
    return replace(network, loss=loss)


def _known(criterion: Criterion, outputs: int) -> Loss | None:
    """A loss of ours where the criterion is one of torch's with its default settings."""
    functional = nn.functional
    if criterion is functional.cross_entropy or _plain(criterion, nn.CrossEntropyLoss):
        return Softmax(outputs)
    if outputs == 1 and (criterion is functional.mse_loss or _plain(criterion, nn.MSELoss)):
        return Squared()
    if outputs == 1 and (
        criterion is functional.binary_cross_entropy_with_logits or _plain(criterion, nn.BCEWithLogitsLoss)
    ):
        return Logistic()
    return None


def _plain(criterion: Criterion, kind: type[nn.Module]) -> bool:
    """Whether a criterion is torch's without weights, smoothing or ignored labels that occur."""
    if type(criterion) is not kind:
        return False
    options = ("weight", "pos_weight")
    return all(getattr(criterion, name, None) is None for name in options) and not getattr(
        criterion, "label_smoothing", 0
    )
