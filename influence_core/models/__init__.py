"""MODELS, and the one way from Settings and a Split to a FittedModel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from torch import Tensor

from influence_core.compute import Task, choose_device, fingerprint, once
from influence_core.data.dataset import Dataset, Split
from influence_core.models.checkpoints import load_fit, save_fit
from influence_core.models.fitting import AdamW, Fit, NoMinimumError, adamw, newton
from influence_core.models.linear import LinearModel
from influence_core.models.losses import Logistic, Loss, SmoothedHinge, Softmax, Squared
from influence_core.models.network import Network
from influence_core.models.protocol import Batch, Linearised
from influence_core.models.quantities import QUANTITIES, Quantity, QuantityError
from influence_core.models.training import Optimiser, Program, train
from influence_core.models.zoo import CONVOLUTIONAL, PERCEPTRON, TRAINING, Make, convolutional, is_picture, perceptron
from influence_core.settings import ModelSettings, Option, SettingsError, Value, resolve

__all__ = [
    "FIT_METHODS",
    "MODELS",
    "QUANTITIES",
    "Batch",
    "Fit",
    "FittedModel",
    "LinearModel",
    "Network",
    "NoMinimumError",
    "Program",
    "Quantity",
    "QuantityError",
    "applicable_models",
    "build",
    "fit",
    "fit_method",
]

AUTOMATIC = "auto"
FIT_METHODS = (AUTOMATIC, "newton", "adamw", "sgd")
MOST_STEPS = 100_000  # about ten seconds
_ADAMW_OPTIONS = (
    Option("epochs", 50, "Epochs (AdamW)", 1, 2_000),
    Option("learning_rate", 0.05, "Learning rate (AdamW)", 1e-6, 10.0),
    Option("schedule", "cosine", "Schedule (AdamW)", choices=("cosine", "constant")),
    Option("batch_size", 256, "Batch size (AdamW)", 1, 100_000),
)


@dataclass(frozen=True)
class ModelEntry:
    """One model on offer: for which task, how its loss is made, and its own options."""

    title: str
    formula: str
    loss: Callable[[Mapping[str, Value], int], Loss]
    applies: Callable[[Dataset], bool]
    options: tuple[Option, ...] = ()
    penalty: bool = True
    make: Make | None = None  # a network in place of a linear predictor
    fits: tuple[str, ...] = ("newton", "adamw")  # the first is taken unless another is asked for
    l2: float = 0.1  # a usual penalty

    @property
    def network(self) -> bool:
        """Whether it is no linear predictor."""
        return self.make is not None

    @property
    def all_options(self) -> tuple[Option, ...]:
        """Its own options and those of the first-order optimiser."""
        return self.options + (TRAINING if self.network else _ADAMW_OPTIONS)


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model at θ̂ with the examples it was fitted on."""

    model: LinearModel | Network
    train: Batch
    fit: Fit
    program: Program | None = None  # how a network was trained, to be repeated without some examples

    @property
    def theta(self) -> Tensor:
        """θ̂, shape (p,)."""
        return self.fit.theta

    @property
    def size(self) -> int:
        """P."""
        return len(self.fit.theta)

    @property
    def network(self) -> bool:
        """Whether f is no linear function of θ, so that everything per example is linearised at θ̂."""
        return isinstance(self.model, Network)

    @property
    def start(self) -> Tensor:
        """The parameters before fitting, (p,)."""
        return self.model.start(self.train).to(self.train.x.device)

    @property
    def linear(self) -> LinearModel:
        """The linear predictor.

        Raises:
            SettingsError: a network, for which this has no closed form.
        """
        if isinstance(self.model, LinearModel):
            return self.model
        raise SettingsError("This needs a model with a linear predictor; for a network use first-order influence.")

    @once
    def linearised(self) -> Linearised:
        """The model at θ̂: products with its Jacobian."""
        return self.model.linearised(self.theta)

    @once
    def outputs(self) -> Tensor:
        """F at the training examples, (n, K)."""
        return self.model.outputs(self.theta, self.train.x)

    @once
    def residuals(self) -> Tensor:
        """∂ℓ/∂f at the training examples, (n, K)."""
        return self.model.loss.residuals(self.outputs, self.train.y)

    @once
    def curvatures(self) -> Tensor:
        """∂²ℓ/∂f² at the training examples, (n, K, K)."""
        return self.model.loss.curvatures(self.outputs, self.train.y)

    def batch(self, dataset: Dataset) -> Batch:
        """Other examples on the same device.

        Returns:
            The Batch.
        """
        return self.model.batch(dataset, self.train.x.device)


def build(settings: ModelSettings, dataset: Dataset, seed: int = 0) -> LinearModel | Network:
    """The model that the settings describe, for this kind of data; ``seed`` draws a network's first parameters.

    Returns:
        The unfitted model.

    Raises:
        SettingsError: unknown model, bad option, or a model that does not fit the data.
    """
    if settings.name not in MODELS:
        raise SettingsError(f"Unknown model {settings.name[:40]!r}: expected one of {', '.join(MODELS)}.")
    entry = MODELS[settings.name]
    if not entry.applies(dataset):
        kind = f"{dataset.classes} classes" if dataset.classes else "a numeric target"
        offered = ", ".join(applicable_models(dataset))
        raise SettingsError(f"{entry.title} does not fit data with {kind}: choose one of {offered}.")
    options = resolve(settings.options, entry.all_options)
    if entry.make is not None:
        return entry.make(settings, dataset, options, seed)
    l2 = settings.l2 if entry.penalty else 0.0
    return LinearModel(entry.loss(options, dataset.classes), l2, settings.intercept, settings.fold_penalty)


def fit_method(settings: ModelSettings) -> str:
    """The way of fitting, ``auto`` resolved.

    Returns:
        ``newton``, ``adamw`` or ``sgd``.

    Raises:
        SettingsError: one that this model does not know.
    """
    offered = MODELS[settings.name].fits if settings.name in MODELS else FIT_METHODS
    if settings.fit == AUTOMATIC:
        return offered[0]
    if settings.fit not in offered:
        raise SettingsError(f"Unknown way of fitting {settings.fit[:40]!r}: expected one of {', '.join(offered)}.")
    return settings.fit


def fit(
    settings: ModelSettings,
    split: Split,
    seed: int = 0,
    device: str = "auto",
    task: Task = Task(),  # noqa: B008 - frozen
) -> FittedModel:
    """Fit the model of the settings on the training part.  A network once trained is found again on disk.

    Returns:
        The fitted model, on ``device``.

    Raises:
        SettingsError: an unknown method of fitting, or more steps than a page can wait for.
    """
    model, where = build(settings, split.train, seed), choose_device(device)
    method, train = fit_method(settings), model.batch(split.train, where)
    options = resolve(settings.options, MODELS[settings.name].all_options)
    if isinstance(model, Network):
        optimiser = Optimiser.of(method, options)
        key = fingerprint(repr(replace(settings, fit=method)), split.fingerprint, seed, where.type)
        program = Program(model, train, optimiser, seed, task)
        return FittedModel(model, train, _kept(key, program, model.batch(split.validation, where)), program)
    if method == "newton":
        return FittedModel(model, train, newton(model, train))
    adam = AdamW.of(options)
    steps = adam.epochs * -(-len(train) // adam.batch_size)
    if steps > MOST_STEPS:
        raise SettingsError(
            f"AdamW: expected at most {MOST_STEPS:,} steps, which are epochs times batches per epoch; got "
            f"{steps:,}. Take fewer epochs or larger batches."
        )
    return FittedModel(model, train, adamw(model, train, adam, seed, model.batch(split.validation, where)))


def _kept(key: str, program: Program, validation: Batch) -> Fit:
    """The fit of a network from disk, or trained now and written there."""
    found = load_fit(key, program.batch.x.device)
    if found is None or found.theta.shape != program.network.start().shape:
        found = train(program, validation)
        with suppress(OSError):  # a full disk costs the next start its time, not this one its result
            save_fit(found, key)
    return found


def applicable_models(dataset: Dataset) -> list[str]:
    """Names of the models that fit this kind of data.

    Returns:
        Names in registry order.
    """
    return [name for name, entry in MODELS.items() if entry.applies(dataset)]


MODELS: dict[str, ModelEntry] = {
    "logistic": ModelEntry(
        "Logistic regression",
        r"\ell = \log(1 + e^{f}) - y f",
        lambda _options, _classes: Logistic(),
        lambda data: data.classes == 2,
    ),
    "softmax": ModelEntry(
        "Softmax regression",
        r"\ell = -\log \mathrm{softmax}(f)_y",
        lambda _options, classes: Softmax(classes),
        lambda data: data.classes >= 2,
    ),
    "hinge": ModelEntry(
        "Linear SVC (smoothed hinge)",
        r"\ell = t \log(1 + e^{(1 - y f)/t})",
        lambda options, _classes: SmoothedHinge(float(options["t"])),
        lambda data: data.classes == 2,
        (Option("t", 0.1, "Smoothing t of the hinge", 1e-3, 10.0),),
    ),
    "ridge": ModelEntry(
        "Ridge regression",
        r"\ell = (f - y)^2",
        lambda _options, _classes: Squared(),
        lambda data: data.classes == 0,
    ),
    "linear": ModelEntry(
        "Linear regression (no penalty)",
        r"\ell = (f - y)^2",
        lambda _options, _classes: Squared(),
        lambda data: data.classes == 0,
        penalty=False,
    ),
    "mlp": ModelEntry(
        "Multilayer perceptron",
        r"f = W_L\,h(\dots h(W_1 x + b_1)\dots) + b_L",
        lambda _options, classes: Softmax(classes) if classes else Squared(),
        lambda _data: True,
        PERCEPTRON,
        make=perceptron,
        fits=("sgd", "adamw"),
        l2=0.001,
    ),
    "cnn": ModelEntry(
        "Convolutional network",
        r"f = W\,h(K_2 * h(K_1 * x + b_1) + b_2) + b_3",
        lambda _options, classes: Softmax(classes) if classes else Squared(),
        is_picture,
        CONVOLUTIONAL,
        make=convolutional,
        fits=("sgd", "adamw"),
        l2=0.001,
    ),
}
