"""A fitted estimator taken apart: transformers before it, the estimator itself, or the sentence why it is no model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from influence_core.compute import FloatArray
from influence_core.models.forward import one_line
from influence_core.models.scikit.linear import READERS
from influence_core.models.scikit.networks import PERCEPTRONS
from influence_core.settings import SettingsError

DENSE_BYTES = 4e9  # of the inputs of an estimator, written out
CHOOSERS = ("RFE", "RFECV", "TunedThresholdClassifierCV", "FixedThresholdClassifier")  # around one estimator
NEAREST = (
    (r"kmeans|cluster|dbscan|optics|mixture|birch|affinity|meanshift", "it is fitted without labels", "{}"),
    (r"svc|svr", "its kernel gives it no coefficients", "SVC(kernel='linear'), or Nystroem and {} in a pipeline"),
    (r"kernel|gaussianprocess", "it keeps its examples", "Nystroem and {} in a pipeline"),
    (r"forest|tree|boost|lgbm|bagging|isolation", "trees have no gradient", "{} and {mlp}"),
    (r"neighbo|centroid", "it keeps its examples", "{}"),
    (r"lasso|elasticnet|lars|omp", "an L1 penalty has a kink at zero", "{}"),
    (
        r"vot|stack|calibrated|onevs|outputcode|multioutput|chain",
        "it holds several estimators",
        "one of its estimators_",
    ),
    (
        r"huber|quantile|gamma|tweedie|theilsen|ransac",
        "its loss is not known here",
        "{}, or its loss written in torch, wrap(loss, theta)",
    ),
    (r"nb$|discriminant|dummy|propagation|spreading", "its parameters minimise no loss of examples", "{}"),
    (r"perceptron|passiveaggressive|oneclass", "its loss has no curvature", "{}"),
    (r"ridge|ard", "its penalty changes with the examples", "{} with the alpha that it found"),
)


@dataclass(frozen=True, eq=False)
class Steps:
    """What a pipeline does, in order.

    Attributes:
        estimator: the last step, fitted.
        name: of its class in scikit-learn.
        before: fitted transformers of x.
        target: fitted transformer of y, or None.
        notes: what was understood, sentences for people.
    """

    estimator: Any
    name: str
    before: tuple[Any, ...] = ()
    target: Any = None
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> list[Any] | None:
        """Labels in the order of the estimator; None for a numeric target."""
        found = getattr(self.estimator, "classes_", None)
        return None if found is None else list(np.asarray(found).tolist())

    def inputs(self, x: Any) -> FloatArray:
        """What the estimator itself reads of these examples, (n, d).

        Raises:
            SettingsError: the steps before it do not take them, or the estimator does not.
        """
        if not self.before:
            self._same_names(x)
        for step in self.before:
            try:
                x = step.transform(x)
            except Exception as error:  # noqa: BLE001 - whatever a transformer raises
                raise SettingsError(
                    f"{type(step).__name__} does not take these examples: {one_line(error)}. Give x as it was given "
                    "to fit."
                ) from None
        return self._numbers(x)

    def _same_names(self, x: Any) -> None:
        given, own = list(getattr(x, "columns", ())), list(getattr(self.estimator, "feature_names_in_", ()))
        if given and own and given != own:
            raise SettingsError(
                f"Expected the columns that {self.name} was fitted on, {', '.join(map(str, own))[:80]}, got "
                f"{', '.join(map(str, given))[:80]}: select them in this order."
            )

    def _numbers(self, x: Any) -> FloatArray:
        if hasattr(x, "toarray"):
            if 8.0 * x.shape[0] * x.shape[1] > DENSE_BYTES:
                raise SettingsError(
                    f"Expected inputs of at most {DENSE_BYTES / 8:,.0f} numbers, got {x.shape[0]:,} × {x.shape[1]:,}: "
                    "take fewer examples or features."
                )
            x = x.toarray()
        try:
            found: FloatArray = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"Expected x of numbers: {one_line(error)}. Give the whole pipeline that encodes texts and categories."
            ) from None
        width = int(self.estimator.n_features_in_)
        if found.ndim != 2 or found.shape[1] != width:
            raise SettingsError(f"Expected x of shape (n, {width}) for this {self.name}, got {found.shape}.")
        if not np.isfinite(found).all():
            row, column = (int(k) for k in np.argwhere(~np.isfinite(found))[0])
            raise SettingsError(
                f"Expected finite numbers, got {found[row, column]} in row {row}, input {column} of {self.name}: put "
                "an imputer into the pipeline."
            )
        return found

    def names(self, x: Any) -> tuple[str, ...]:
        """Names of what the estimator reads."""
        width = int(self.estimator.n_features_in_)
        found = list(getattr(x, "columns", ())) or list(getattr(self.estimator, "feature_names_in_", ()))
        if self.before:
            found = found or None  # type: ignore[assignment]
            try:
                for step in self.before:
                    found = step.get_feature_names_out(found)
            except Exception:  # noqa: BLE001 - names are not worth an analysis
                found = []
        names = tuple(str(name) for name in found)
        return names if len(names) == width else tuple(f"x{k}" for k in range(width))

    def targets(self, y: ArrayLike) -> Any:
        """A numeric target as the estimator itself was fitted to it."""
        values = np.asarray(y)
        if self.target is None:
            return values
        column = self.target.transform(values.reshape(-1, 1))
        return np.asarray(column)[:, 0]


def is_estimator(model: object) -> bool:
    """Whether something looks like an estimator: it is fitted by a method and predicts or transforms."""
    if isinstance(model, type):
        return False
    return hasattr(model, "fit") and any(hasattr(model, name) for name in ("predict", "transform", "fit_predict"))


def taken_apart(estimator: Any) -> Steps:
    """Pipelines, searches and transformed targets down to the estimator that has the coefficients.

    Raises:
        SettingsError: it is not fitted, or there is no model like it here.
    """
    own = type(estimator).__name__
    if hasattr(estimator, "steps"):
        return _pipeline(estimator)
    if re.search(r"SearchCV$", own):
        if not hasattr(estimator, "best_estimator_"):
            raise SettingsError(f"{own} has no best estimator: call fit first, with refit=True.")
        found = taken_apart(estimator.best_estimator_)
        return replace(found, notes=(f"The best estimator of {own}.", *found.notes))
    if own == "TransformedTargetRegressor" and hasattr(estimator, "regressor_"):
        found, how = taken_apart(estimator.regressor_), estimator.transformer_
        note = f"Losses and predictions are of the target as {type(how).__name__} makes it."
        return replace(found, target=how, notes=(*found.notes, note))
    if own == "FrozenEstimator":
        return taken_apart(estimator.estimator)
    if own in CHOOSERS and hasattr(estimator, "estimator_"):
        found = taken_apart(estimator.estimator_)
        chosen = hasattr(estimator, "support_")
        before, note = (
            ((estimator,), _behind(found.name, own)) if chosen else ((), f"The threshold of {own} is left aside.")
        )
        return replace(found, before=(*before, *found.before), notes=(*found.notes, note))
    name = next((k.__name__ for k in type(estimator).__mro__ if k.__module__.startswith("sklearn.")), own)
    if name not in READERS and name not in PERCEPTRONS:
        raise SettingsError(_nearest(estimator, own))
    if name == "OneVsRestClassifier" and hasattr(estimator, "estimators_"):
        return _one_versus_rest(estimator)
    if not hasattr(estimator, "coef_") and not hasattr(estimator, "coefs_"):
        if getattr(estimator, "kernel", "linear") != "linear" and hasattr(estimator, "dual_coef_"):
            raise SettingsError(_nearest(estimator, own))
        raise SettingsError(f"This {own} is not fitted: call fit first.")
    return Steps(estimator, name)


def _one_versus_rest(estimator: Any) -> Steps:
    singles = {type(single).__name__ for single in estimator.estimators_}
    if len(singles) > 1 or not singles <= {*READERS} or estimator.multilabel_:
        raise SettingsError(_nearest(estimator, type(estimator).__name__))
    return Steps(estimator, "OneVsRestClassifier")


def _pipeline(pipeline: Any) -> Steps:
    steps = [step for _, step in pipeline.steps if step is not None and step != "passthrough"]
    if not steps:
        raise SettingsError("The pipeline is empty: expected a fitted estimator as its last step.")
    for step in steps[:-1]:
        if not hasattr(step, "transform"):
            raise SettingsError(
                f"{type(step).__name__} changes the number of training examples, so they are not those that the "
                "estimator was fitted on: apply it first, and wrap the rest of the pipeline."
            )
    found = taken_apart(steps[-1])
    if not steps[:-1]:
        return found
    note = _behind(found.name, ", ".join(type(step).__name__ for step in steps[:-1]))
    return replace(found, before=(*steps[:-1], *found.before), notes=(note, *found.notes))


def _behind(name: str, steps: str) -> str:
    return f"Inputs of {name} are what {steps} makes of x, which stays as fitted when a point leaves."


def _nearest(estimator: Any, name: str) -> str:
    """Why there is no model like it, and which is nearest."""
    if hasattr(estimator, "module_") or hasattr(estimator, "module"):
        return f"{name} holds a torch module: wrap(module, loss) takes the module itself."
    if not hasattr(estimator, "predict"):
        return (
            f"{name} predicts nothing, so no training point has an influence on a prediction: put an estimator behind "
            "it in a pipeline."
        )
    classifier = hasattr(estimator, "predict_proba") or hasattr(estimator, "classes_") or "Classif" in name
    linear, network = ("LogisticRegression", "MLPClassifier") if classifier else ("Ridge", "MLPRegressor")
    for pattern, why, which in NEAREST:
        if re.search(pattern, name.lower()):
            return f"{name}: {why}, so it is no model here; nearest to it is {which.format(linear, mlp=network)}."
    return f"{name} is no model here: nearest to it is {linear}."
