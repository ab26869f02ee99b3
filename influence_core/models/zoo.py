"""Networks on offer: a multilayer perceptron for any data, a small convolutional network for pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from influence_core.data.dataset import Dataset
from influence_core.models.layers import initialise
from influence_core.models.losses import Loss, Softmax, Squared
from influence_core.models.network import Network
from influence_core.settings import ModelSettings, Option, SettingsError, Value

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}
PERCEPTRON = (
    Option("layers", 2, "Hidden layers", 1, 6),
    Option("width", 32, "Width of each", 1, 1_024),
    Option("activation", "relu", "Activation", choices=tuple(ACTIVATIONS)),
)
CONVOLUTIONAL = (
    Option("channels", 8, "Channels of the first layer", 1, 64),
    Option("activation", "relu", "Activation", choices=tuple(ACTIVATIONS)),
)
Chosen = Mapping[str, Value]


def network_loss(dataset: Dataset) -> Loss:
    """Softmax for classes, one output and squared loss for a numeric target."""
    return Softmax(dataset.classes) if dataset.classes else Squared()


def perceptron(settings: ModelSettings, dataset: Dataset, options: Chosen, seed: int) -> Network:
    """``layers`` hidden layers of equal ``width``."""
    loss = network_loss(dataset)
    widths = [dataset.x.shape[1], *[int(options["width"])] * int(options["layers"])]
    parts: list[nn.Module] = []
    for low, high in zip(widths[:-1], widths[1:], strict=True):
        parts += [nn.Linear(low, high), ACTIVATIONS[str(options["activation"])]()]
    module = nn.Sequential(*parts, nn.Linear(widths[-1], loss.outputs))
    initialise(module, seed)
    return Network(module, loss, settings.l2, (widths[0],), precision(options))


def convolutional(settings: ModelSettings, dataset: Dataset, options: Chosen, seed: int) -> Network:
    """Two 3×3 convolutions of stride 2, then one linear layer."""
    loss, (colours, height, width) = network_loss(dataset), picture_shape(dataset)
    channels, activation = int(options["channels"]), ACTIVATIONS[str(options["activation"])]
    reduced = math.ceil(math.ceil(height / 2) / 2) * math.ceil(math.ceil(width / 2) / 2)
    module = nn.Sequential(
        nn.Conv2d(colours, channels, 3, 2, 1),
        activation(),
        nn.Conv2d(channels, 2 * channels, 3, 2, 1),
        activation(),
        nn.Flatten(),
        nn.Linear(2 * channels * reduced, loss.outputs),
    )
    shape: tuple[int, ...] = (colours, height, width)
    if colours > 1:  # features of a colour picture lie pixel by pixel
        module, shape = nn.Sequential(Channels(), *module), (height, width, colours)
    initialise(module, seed)
    return Network(module, loss, settings.l2, shape, precision(options))


def precision(options: Chosen) -> torch.dtype:
    """Single precision, or double where asked for."""
    return torch.float64 if options["precision"] == "float64" else torch.float32


class Channels(nn.Module):
    """Channels first, as convolutions want them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, h, w, channels) to (b, channels, h, w)."""
        return x.permute(0, 3, 1, 2).contiguous()


def picture_shape(dataset: Dataset) -> tuple[int, int, int]:
    """Channels, height and width of pictures whose pixels are the features.

    Raises:
        SettingsError: the features are no pixels.
    """
    if not is_picture(dataset) or dataset.images is None:
        raise SettingsError("The convolutional network needs pictures whose pixels are the features.")
    _, height, width, *colours = dataset.images.shape
    return (colours[0] if colours else 1, height, width)


def is_picture(dataset: Dataset) -> bool:
    """Whether the features are the pixels of pictures."""
    return dataset.images is not None and dataset.images[0].size == dataset.x.shape[1]
