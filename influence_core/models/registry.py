"""MODELS, and the one way from Settings and a Split to a FittedModel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from influence_core.compute import Task, choose_device, fingerprint
from influence_core.data.dataset import Dataset, Split
from influence_core.models.checkpoints import folder, load_fit, save_fit
from influence_core.models.fitted import FittedModel
from influence_core.models.fitting import AdamW, Fit, adamw, newton
from influence_core.models.linear import LinearModel
from influence_core.models.losses import Logistic, Loss, SmoothedHinge, Softmax, Squared
from influence_core.models.network import Network
from influence_core.models.protocol import Batch
from influence_core.models.training import GOAL, Optimiser, Program, train
from influence_core.models.zoo import CONVOLUTIONAL, PERCEPTRON, TRAINING, Make, convolutional, is_picture, perceptron
from influence_core.settings import ModelSettings, Option, SettingsError, Value, resolve

AUTOMATIC = "auto"
GIVEN = "given"  # the parameters a network came with
FIT_METHODS = (AUTOMATIC, "newton", "adamw", "sgd", GIVEN)
STEP = 2e6  # operations that a step of training costs beside its products, on the clock of those
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
    if settings.name in MODELS and MODELS[settings.name].network:
        program, key = _network_run(settings, split, seed, device, task)
        validation = program.network.batch(split.validation, program.batch.x.device)
        found = _kept(key, program, validation)
        return FittedModel(program.network, program.batch, found, None if found.method == GIVEN else program)
    model, where = build(settings, split.train), choose_device(device)
    assert isinstance(model, LinearModel)
    method, examples = fit_method(settings), model.batch(split.train, where)
    if method == "newton":
        return FittedModel(model, examples, newton(model, examples))
    adam = AdamW.of(resolve(settings.options, MODELS[settings.name].all_options))
    steps = adam.epochs * -(-len(examples) // adam.batch_size)
    if steps > MOST_STEPS:
        raise SettingsError(
            f"AdamW: expected at most {MOST_STEPS:,} steps, which are epochs times batches per epoch; got "
            f"{steps:,}. Take fewer epochs or larger batches."
        )
    return FittedModel(model, examples, adamw(model, examples, adam, seed, model.batch(split.validation, where)))


def _network_run(settings: ModelSettings, split: Split, seed: int, device: str, task: Task) -> tuple[Program, str]:
    """How a network is trained, and the name of the result on disk."""
    model, where, method = build(settings, split.train, seed), choose_device(device), fit_method(settings)
    assert isinstance(model, Network)
    options = resolve(settings.options, MODELS[settings.name].all_options)
    own = tuple(pair for pair in settings.options if pair[0] != "models")  # of an ensemble, not of its members
    key = fingerprint(repr(replace(settings, fit=method, options=own)), split.fingerprint, seed, where.type)
    return Program(model, model.batch(split.train, where), Optimiser.of(method, options), seed, task), key


def training_cost(settings: ModelSettings, split: Split, seed: int = 0, device: str = "auto") -> float:
    """What :func:`fit` would cost for a network, in floating-point operations of products.

    Returns:
        About 6 per parameter and example of every epoch; 0 for other models, and for networks found on disk.
    """
    if settings.name not in MODELS or not MODELS[settings.name].network:
        return 0.0
    program, key = _network_run(settings, split, seed, device, Task())
    if (folder() / f"{key}.safetensors").exists():
        return 0.0
    network, plan = program.network, program.optimiser
    size = max(len(network.start()), 4 * network.activations)
    return plan.steps(len(split.train)) * (6.0 * size * plan.batch_size + STEP)


def train_now(program: Program, validation: Batch) -> Fit:
    """The fit of a network: its given parameters, or those that training ends at.

    Returns:
        The fit.
    """
    if program.optimiser.method == GIVEN:
        theta = program.network.start().to(program.batch.x.device)
        norm = float(program.network.objective(theta, program.batch)[1].norm())
        return Fit(theta, GIVEN, norm, GOAL * max(1.0, norm), ())
    return train(program, validation)


def _kept(key: str, program: Program, validation: Batch) -> Fit:
    """The fit of a network from disk, or trained now and written there."""
    if program.optimiser.method == GIVEN:
        return train_now(program, validation)
    found = load_fit(key, program.batch.x.device)
    if found is None or found.theta.shape != program.network.start().shape or not found.theta.isfinite().all():
        found = train_now(program, validation)
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
