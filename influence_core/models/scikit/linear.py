"""Linear estimators of scikit-learn as models here: loss, penalty, coefficients, and what has to be said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.compute import FloatArray
from influence_core.data.dataset import Dataset
from influence_core.models.linear import LinearModel
from influence_core.models.losses import Logistic, Loss, SmoothedHinge, Softmax, Squared
from influence_core.models.scikit_losses import (
    MODIFIED_HUBER,
    SQUARED_HINGE,
    SQUARED_LABELS,
    ClassWeighted,
    Coded,
    Poisson,
    huber,
    insensitive,
)
from influence_core.settings import SettingsError

SMOOTHING = 0.1  # t of the hinge


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What a linear estimator minimised, in the terms of :class:`LinearModel`.

    Attributes:
        loss: ℓ.
        l2: the penalty.
        said: its penalty in the words of scikit-learn.
        intercept_penalty: share of l2 on the intercept.
        notes: further sentences.
    """

    loss: Loss
    l2: float
    said: str
    intercept_penalty: float = 0.0
    notes: tuple[str, ...] = ()


Reader = Callable[[Any, Dataset, float], Understood]


def predictor(estimator: Any, name: str, train: Dataset, t: float = SMOOTHING) -> tuple[LinearModel, Tensor]:
    """The model that a fitted linear estimator stands for, and its coefficients as θ (p,).

    Args:
        estimator: fitted.
        name: of its class in scikit-learn, one of ``READERS``.
        train: the examples that it was fitted on, as it reads them; classes in its own order.
        t: of a smoothed hinge.

    Raises:
        SettingsError: a setting of the estimator for which there is no model here.
    """
    found, parts = READERS[name](estimator, train, t), getattr(estimator, "estimators_", [estimator])
    intercept = bool(getattr(parts[0], "fit_intercept", True))
    outputs, width = found.loss.outputs, train.x.shape[1]
    weight = np.vstack([_dense(part.coef_).reshape(-1, width) for part in parts])
    bias = np.concatenate([np.ravel(part.intercept_) for part in parts])
    if len(weight) != outputs:
        raise SettingsError(
            f"{name}: expected {outputs} rows of {width} coefficients, got {len(weight)}: wrap an estimator with one "
            "target."
        )
    theta = np.hstack([weight, bias[:, None]]) if intercept else weight
    notes = (f"{name}: {found.said}.", *_weights_said(found.loss), *held_out(estimator), *found.notes)
    model = LinearModel(found.loss, found.l2, intercept, intercept_penalty=found.intercept_penalty, notes=notes)
    return model, torch.tensor(theta.astype(np.float64)).reshape(-1)


def _dense(values: Any) -> FloatArray:
    array: FloatArray = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return array


def _weights_said(loss: Loss) -> tuple[str, ...]:
    weights = loss.weights if isinstance(loss, ClassWeighted) else loss.positive if isinstance(loss, Coded) else ()
    if not weights:
        return ()
    told = ", ".join(f"{weight:.3g}" for weight in weights[:8]) + ", …" * (len(weights) > 8)
    whose = "each class" if isinstance(loss, ClassWeighted) else "the own class of each output"
    return (
        f"Class weights ({told}) multiply the losses of {whose}, at test points too, and stay when a point leaves.",
    )


def held_out(estimator: Any) -> tuple[str, ...]:
    """What is said of examples that took no part in training."""
    if not getattr(estimator, "early_stopping", False):
        return ()
    share = float(estimator.validation_fraction)
    return (f"Early stopping kept {share:.0%} of the examples out of its training; here all of them count.",)


def class_weights(estimator: Any, train: Dataset) -> tuple[float, ...]:
    """One weight per class, in the order of ``classes_``; none where all are 1."""
    chosen = getattr(estimator, "class_weight", None)
    if chosen is None:
        return ()
    if isinstance(chosen, str):  # "balanced"
        counts = np.maximum(np.bincount(train.y, minlength=train.classes), 1)
        weights = tuple(float(len(train) / (train.classes * count)) for count in counts)
    else:
        weights = tuple(float(chosen.get(label, 1.0)) for label in estimator.classes_.tolist())
    return weights if any(weight != 1 for weight in weights) else ()


def _weighted(loss: Loss, estimator: Any, train: Dataset) -> Loss:
    weights = class_weights(estimator, train)
    return ClassWeighted(loss, weights) if weights else loss


def _by_class(loss: Loss, estimator: Any, train: Dataset) -> Loss:
    """The loss of two classes, or of one against the rest, where a class weight is for the class of the problem."""
    if train.classes == 2:
        return _weighted(loss, estimator, train)
    return Coded.one_versus_rest(loss, train.classes, class_weights(estimator, train))


def _no_l1(estimator: Any, name: str) -> None:
    penalty, ratio = getattr(estimator, "penalty", None), getattr(estimator, "l1_ratio", 0)
    mixed = penalty in {"elasticnet", "deprecated"} and bool(np.any(np.ravel(ratio or 0)))
    if penalty == "l1" or mixed:
        raise SettingsError(
            f"{name}: an L1 penalty has a kink at zero, where influence is not defined: fit it with an l2 penalty."
        )


def _inverse(estimator: Any, train: Dataset, c: float | None = None) -> tuple[float, str]:
    c = float(estimator.C) if c is None else c
    l2 = 1 / (c * len(train))
    return l2, f"C = {c:.4g} is l2 = 1/(n·C) = {l2:.4g}"


def _liblinear(estimator: Any) -> tuple[float, tuple[str, ...]]:
    """Share of the penalty on the intercept, and the sentence about it."""
    if not estimator.fit_intercept:
        return 0.0, ()
    scaling = float(estimator.intercept_scaling)
    divided = "" if scaling == 1 else f", divided by intercept_scaling² = {scaling**2:.4g}"
    return scaling**-2, (f"Its solver (liblinear) penalises the intercept{divided}, so the model here does too.",)


def _logistic(estimator: Any, train: Dataset, _t: float) -> Understood:
    name = type(estimator).__name__
    _no_l1(estimator, name)
    ways, several = getattr(estimator, "multi_class", "auto"), train.classes > 2
    if (ways == "multinomial" and not several) or (ways == "ovr" and several):
        raise SettingsError(f"{name}: multi_class={ways!r} with {train.classes} classes: fit it without multi_class.")
    cs = np.unique(np.ravel(getattr(estimator, "C_", estimator.C if hasattr(estimator, "C") else 1.0)))
    if len(cs) > 1:
        raise SettingsError(f"{name}: expected one C for all classes, got {cs}: fit LogisticRegression with one C.")
    free = estimator.penalty is None or not np.isfinite(cs[0])
    l2, said = (0.0, "no penalty") if free else _inverse(estimator, train, float(cs[0]))
    share, notes = _liblinear(estimator) if estimator.solver == "liblinear" else (0.0, ())
    loss = _weighted(Softmax(train.classes) if several else Logistic(), estimator, train)
    return Understood(loss=loss, l2=l2, said=said, intercept_penalty=share, notes=notes)


def _ridge(estimator: Any, train: Dataset, _t: float) -> Understood:
    name = type(estimator).__name__
    if getattr(estimator, "positive", False):
        raise SettingsError(f"{name}: positive=True holds coefficients at zero: fit it with positive=False.")
    alphas = np.unique(np.ravel(getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))))
    if len(alphas) > 1:
        raise SettingsError(f"{name}: expected one alpha, got {len(alphas)}: wrap an estimator with one target.")
    alpha = float(alphas[0])
    l2 = 2 * alpha / len(train)
    said = f"alpha = {alpha:.4g} is l2 = 2·alpha/n = {l2:.4g}" if alpha else "no penalty"
    if not train.classes:
        return Understood(loss=Squared(), l2=l2, said=said)
    two = train.classes == 2
    loss = SQUARED_LABELS if two else Coded.one_versus_rest(SQUARED_LABELS, train.classes)
    return Understood(loss=_weighted(loss, estimator, train), l2=l2, said=f"{said}; labels are −1 and 1")


def _hinge(t: float) -> tuple[str, ...]:
    return (f"The hinge has no curvature, so a smoothed one with t = {t:g} stands for it: wrap(…, t=…) takes another.",)


def _svc(estimator: Any, train: Dataset, t: float) -> Understood:
    if estimator.kernel != "linear":
        raise SettingsError(
            f"SVC with kernel={str(estimator.kernel)[:20]!r} has no coefficients: the nearest models here are "
            "SVC(kernel='linear'), and Nystroem with LogisticRegression in a pipeline."
        )
    base = SmoothedHinge(t)
    loss = base if train.classes == 2 else Coded.one_versus_one(base, train.classes)
    l2, said = _inverse(estimator, train)
    return Understood(loss=_weighted(loss, estimator, train), l2=l2, said=said, notes=_hinge(t))


def _linear_svc(estimator: Any, train: Dataset, t: float) -> Understood:
    _no_l1(estimator, "LinearSVC")
    if estimator.multi_class == "crammer_singer":
        raise SettingsError("LinearSVC: multi_class='crammer_singer' has no model here: fit it with multi_class='ovr'.")
    squared = estimator.loss == "squared_hinge"
    (l2, said), (share, notes) = _inverse(estimator, train), _liblinear(estimator)
    return Understood(
        loss=_by_class(SQUARED_HINGE if squared else SmoothedHinge(t), estimator, train),
        l2=l2,
        said=said,
        intercept_penalty=share,
        notes=notes if squared else (*notes, *_hinge(t)),
    )


def _linear_svr(estimator: Any, train: Dataset, _t: float) -> Understood:
    if estimator.loss != "squared_epsilon_insensitive":
        raise SettingsError(
            "LinearSVR: loss='epsilon_insensitive' has no curvature: the nearest models here are Ridge and LinearSVR "
            "with loss='squared_epsilon_insensitive'."
        )
    (l2, said), (share, notes) = _inverse(estimator, train), _liblinear(estimator)
    loss = insensitive(float(estimator.epsilon))
    return Understood(loss=loss, l2=l2, said=said, intercept_penalty=share, notes=notes)


def _sgd(estimator: Any, train: Dataset, t: float) -> Understood:
    name, epsilon = type(estimator).__name__, float(estimator.epsilon)
    _no_l1(estimator, name)
    offered: dict[str, Loss] = (
        {
            "log_loss": Logistic(),
            "hinge": SmoothedHinge(t),
            "squared_hinge": SQUARED_HINGE,
            "modified_huber": MODIFIED_HUBER,
            "squared_error": SQUARED_LABELS,
        }
        if train.classes
        else {
            "squared_error": Squared(),
            "huber": huber(epsilon),
            "squared_epsilon_insensitive": insensitive(epsilon),
        }
    )
    if estimator.loss not in offered:
        raise SettingsError(f"{name}: loss={estimator.loss!r} has no model here: expected one of {', '.join(offered)}.")
    base, halved = offered[estimator.loss], estimator.loss == "squared_error"
    alpha = 0.0 if estimator.penalty is None else float(estimator.alpha)
    said = f"alpha = {alpha:.4g} is l2 = " + (
        f"2·alpha = {2 * alpha:.4g}, because the squares here are not halved" if halved else "alpha"
    )
    loss = _by_class(base, estimator, train) if train.classes else base
    notes = _hinge(t) if estimator.loss == "hinge" else ()
    return Understood(loss=loss, l2=alpha * (2 if halved else 1), said=said, notes=notes)


def _poisson(estimator: Any, train: Dataset, _t: float) -> Understood:
    if not (train.y >= 0).all() or (train.y > 0).sum() < 2:
        raise SettingsError("PoissonRegressor: expected counts from 0, at least two of them above 0, got others.")
    alpha = float(estimator.alpha)
    note = "Predictions here are logarithms of expected counts."
    return Understood(loss=Poisson(), l2=alpha, said=f"alpha = {alpha:.4g} is l2", notes=(note,))


def _one_versus_rest(estimator: Any, train: Dataset, t: float) -> Understood:
    """Independent problems of one class against the rest, each as its own estimator was fitted."""
    single = estimator.estimators_[0]
    if getattr(single, "class_weight", None) is not None:
        raise SettingsError(
            "OneVsRestClassifier: class_weight means another weight in each of its problems: fit it without one."
        )
    one = replace(train, y=(train.y == train.classes - 1).astype(np.int64), class_names=("rest", "own"))
    found = READERS[type(single).__name__](single, one, t)
    loss = found.loss if train.classes == 2 else Coded.one_versus_rest(found.loss, train.classes)
    return replace(found, loss=loss, said=f"one {type(single).__name__} for each class, {found.said}")


READERS: dict[str, Reader] = {
    "OneVsRestClassifier": _one_versus_rest,
    "PoissonRegressor": _poisson,
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "Ridge": _ridge,
    "RidgeCV": _ridge,
    "RidgeClassifier": _ridge,
    "RidgeClassifierCV": _ridge,
    "LinearRegression": _ridge,
    "SVC": _svc,
    "LinearSVC": _linear_svc,
    "LinearSVR": _linear_svr,
    "SGDClassifier": _sgd,
    "SGDRegressor": _sgd,
}
