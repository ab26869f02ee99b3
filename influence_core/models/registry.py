"""MODELS, and the one way from Settings and a Split to a FittedModel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import torch

from influence_core.compute import Task, choose_device, fingerprint
from influence_core.data.dataset import Dataset, Split
from influence_core.models.apart import GIVEN, cost, minimised, train_now, trained
from influence_core.models.checkpoints import folder, load_fit, save_fit
from influence_core.models.fitted import FittedModel
from influence_core.models.fitting import AdamW, Fit, adamw
from influence_core.models.kinds import LINEAR, NETWORK, Kind
from influence_core.models.linear import LinearModel
from influence_core.models.losses import Logistic, Loss, SmoothedHinge, Softmax, Squared
from influence_core.models.minima import refuse_empty
from influence_core.models.network import Network
from influence_core.models.protocol import Batch
from influence_core.models.reference import held_columns
from influence_core.models.training import Optimiser, Program
from influence_core.models.zoo import CONVOLUTIONAL, PERCEPTRON, convolutional, is_picture, perceptron
from influence_core.settings import ModelSettings, Option, SettingsError, Value, resolve

AUTOMATIC = "auto"
FIT_METHODS = (AUTOMATIC, "newton", "adamw", "sgd", GIVEN)
MOST_STEPS = 100_000  # about ten seconds
Make = Callable[[ModelSettings, Dataset, Mapping[str, Value], int], LinearModel | Network]


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model on offer.

    Attributes:
        title: for people.
        formula: of its loss or outputs, in LaTeX.
        applies: whether it is for such data.
        make: the unfitted model from settings, data, options and a seed.
        kind: what it shares with others; ``NETWORK`` where ``make`` gives a network.
        options: its own.
        penalty: whether it has an l2.
        fits: ways of fitting; the first is taken unless another is asked for.
        l2: a usual penalty.
        estimator: a usual one: one Newton step where that is exact and costs the same.
        elsewhere: what scikit-learn calls the penalty n·l2; empty where it has no such model.
    """

    title: str
    formula: str
    applies: Callable[[Dataset], bool]
    make: Make
    kind: Kind = LINEAR
    options: tuple[Option, ...] = ()
    penalty: bool = True
    fits: tuple[str, ...] = ("newton", "adamw")
    l2: float = 0.1
    estimator: str = "influence"
    elsewhere: Callable[[float], str] = lambda _total: ""

    @property
    def all_options(self) -> tuple[Option, ...]:
        """Its own options and those of the first-order optimiser."""
        return self.options + self.kind.training

    def training(self, fit: str) -> tuple[Option, ...]:
        """Options of the optimiser behind a way of fitting; none for a predictor that goes to its minimum."""
        return self.kind.training if self.kind.seeded or fit == "adamw" else ()


def build(settings: ModelSettings, dataset: Dataset, seed: int = 0) -> LinearModel | Network:
    """The model that the settings describe, for this kind of data; ``seed`` draws a network's first parameters.

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
    chosen = settings if entry.penalty else replace(settings, l2=0.0)
    return entry.make(chosen, dataset, options, seed)


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
    if isinstance(model, Network):
        run, key = _run(model, settings, split, seed, where)
        program = replace(run, task=task)
        found = _kept(key, program, model.batch(split.validation, where))
        if found.method == GIVEN:
            return FittedModel(model, program.batch, found)
        return FittedModel(program.settled(found.theta), program.batch, found, program)
    method, examples = fit_method(settings), model.batch(split.train, where)
    refuse_empty(model, examples, names=split.train.class_names)
    if method == "newton":
        return FittedModel(model, examples, minimised(model, examples, task))
    adam = AdamW.of(resolve(settings.options, MODELS[settings.name].all_options))
    steps = adam.epochs * -(-len(examples) // adam.batch_size)
    if steps > MOST_STEPS:
        raise SettingsError(
            f"AdamW: expected at most {MOST_STEPS:,} steps, which are epochs times batches per epoch; got "
            f"{steps:,}. Take fewer epochs or larger batches."
        )
    return FittedModel(model, examples, adamw(model, examples, adam, seed, model.batch(split.validation, where)))


def _run(model: Network, settings: ModelSettings, split: Split, seed: int, where: torch.device) -> tuple[Program, str]:
    """How a network is trained, and the name of the result on disk."""
    method, options = fit_method(settings), resolve(settings.options, MODELS[settings.name].all_options)
    own = tuple(pair for pair in settings.options if pair[0] != "models")  # of an ensemble, not of its members
    key = fingerprint(repr(replace(settings, fit=method, options=own)), split.fingerprint, seed, where.type)
    return Program(model, model.batch(split.train, where), Optimiser.of(method, options), seed), key


def training_cost(settings: ModelSettings, split: Split, seed: int = 0, device: str = "auto") -> float:
    """What :func:`fit` would cost for a network, in floating-point operations of products.

    Returns:
        About 6 per parameter and example of every epoch; 0 for other models, and for networks found on disk.
    """
    model = build(settings, split.train, seed)
    if not isinstance(model, Network):
        return 0.0
    program, key = _run(model, settings, split, seed, choose_device(device))
    if (folder() / f"{key}.safetensors").exists():
        return 0.0
    return cost(program)


def _kept(key: str, program: Program, validation: Batch) -> Fit:
    """The fit of a network from disk, or trained now and written there."""
    if program.optimiser.method == GIVEN:
        return train_now(program, validation)
    found = load_fit(key, program.batch.x.device)
    if found is None or found.theta.shape != program.network.start().shape or not found.theta.isfinite().all():
        found = trained(program, validation)
        with suppress(OSError):  # a full disk costs the next start its time, not this one its result
            save_fit(found, key)
    return found


def applicable_models(dataset: Dataset) -> list[str]:
    """Names of the models that fit this kind of data.

    Returns:
        Names in registry order.
    """
    return [name for name, entry in MODELS.items() if entry.applies(dataset)]


def predictor(loss: Callable[[Mapping[str, Value], int], Loss]) -> Make:
    """Makes linear predictors with the loss of some options and a number of classes."""

    def make(settings: ModelSettings, dataset: Dataset, options: Mapping[str, Value], _seed: int) -> LinearModel:
        made, free = loss(options, dataset.classes), settings.l2 == 0
        held = held_columns(dataset.x, dataset.feature_names, settings.intercept) if free and made.outputs == 1 else ()
        return LinearModel(made, settings.l2, settings.intercept, settings.fold_penalty, held)

    return make


def inverse_penalty(where: str) -> Callable[[float], str]:
    """Says n·l2 as the C = 1/(n·l2) of a classifier of scikit-learn."""
    return lambda total: f"{where} with " + (f"C = 1/(n·l2) = {1 / total:.3g}" if total else "C = ∞, no penalty")


MODELS: dict[str, ModelEntry] = {
    "logistic": ModelEntry(
        title="Logistic regression",
        formula=r"\ell = \log(1 + e^{f}) - y f",
        applies=lambda data: data.classes == 2,
        make=predictor(lambda _options, _classes: Logistic()),
        elsewhere=inverse_penalty("LogisticRegression"),
    ),
    "softmax": ModelEntry(
        title="Softmax regression",
        formula=r"\ell = -\log \mathrm{softmax}(f)_y",
        applies=lambda data: data.classes >= 2,
        make=predictor(lambda _options, classes: Softmax(classes)),
        elsewhere=inverse_penalty("LogisticRegression"),
    ),
    "hinge": ModelEntry(
        title="Linear SVC (smoothed hinge)",
        formula=r"\ell = t \log(1 + e^{(1 - y f)/t})",
        applies=lambda data: data.classes == 2,
        make=predictor(lambda options, _classes: SmoothedHinge(float(options["t"]))),
        options=(Option("t", 0.1, "Smoothing t of the hinge", 1e-3, 10.0),),
        elsewhere=inverse_penalty("SVC(kernel='linear')"),
    ),
    "ridge": ModelEntry(
        title="Ridge regression",
        formula=r"\ell = (f - y)^2",
        applies=lambda data: data.classes == 0,
        make=predictor(lambda _options, _classes: Squared()),
        estimator="newton",
        elsewhere=lambda total: f"Ridge(alpha = n·l2/2 = {total / 2:.4g})",
    ),
    "linear": ModelEntry(
        title="Linear regression (no penalty)",
        formula=r"\ell = (f - y)^2",
        applies=lambda data: data.classes == 0,
        make=predictor(lambda _options, _classes: Squared()),
        estimator="newton",
        penalty=False,
    ),
    "mlp": ModelEntry(
        title="Multilayer perceptron",
        formula=r"f = W_L\,h(\dots h(W_1 x + b_1)\dots) + b_L",
        applies=lambda _data: True,
        make=perceptron,
        kind=NETWORK,
        options=PERCEPTRON,
        fits=("sgd", "adamw"),
        l2=0.001,
    ),
    "cnn": ModelEntry(
        title="Convolutional network",
        formula=r"f = W\,h(K_2 * h(K_1 * x + b_1) + b_2) + b_3",
        applies=is_picture,
        make=convolutional,
        kind=NETWORK,
        options=CONVOLUTIONAL,
        fits=("sgd", "adamw"),
        l2=0.001,
    ),
}
