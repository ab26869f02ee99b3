"""Mislabel review of one analysis: what the signals are made of, each step once, and the queue they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.answers import Analysis
from influence_core.analysis.folds import cross_validated
from influence_core.analysis.trust import Trust, trust
from influence_core.analysis.witnesses import Click
from influence_core.compute import FloatArray, numpy, once
from influence_core.data.neighbours import Surroundings, neighbour_distance
from influence_core.influence import estimators
from influence_core.influence.watched import Watched, watch
from influence_core.mislabels import SIGNALS, applicable_signals, label_issues, percentiles, places, rank, suspicion
from influence_core.models import QUANTITIES, FittedModel


@dataclass(frozen=True, eq=False)
class Review:
    """Suspicions of all n training points of one analysis; satisfies ``mislabels.Measured``.

    Attributes:
        analysis: fitted model, factored curvature, and the task that is told how far long steps are.
    """

    analysis: Analysis

    @property
    def fitted(self) -> FittedModel:
        """The model at θ̂."""
        return self.analysis.problem.fitted

    @property
    def seed(self) -> int:
        """Of the random order and the folds."""
        return self.analysis.settings.seed

    @once
    def offers(self) -> frozenset[str]:
        """Which of ``NEEDS`` these data and this model have."""
        split, loss = self.analysis.problem.split, self.fitted.model.loss
        there = {
            "linear": self.fitted.kind.closed_form,
            "classes": split.train.classes > 0,
            "probabilities": QUANTITIES["probability"].applies(loss),
            "validation": len(split.validation) > 0,
        }
        return frozenset(name for name, found in there.items() if found)

    @property
    def signals(self) -> list[str]:
        """Names of the signals that are defined here."""
        return applicable_signals(self.offers)

    @once
    def labels(self) -> NDArray[np.int64]:
        """(n,) given labels."""
        return self.analysis.problem.split.train.y.astype(np.int64)

    @property
    def self_influence(self) -> FloatArray:
        """(n,) first-order predicted loss_change of every training point on itself."""
        return estimators.self_influence(self.analysis.influence)

    @property
    def newton_self_influence(self) -> FloatArray:
        """(n,) the same by one Newton step."""
        return estimators.self_influence(self.analysis.influence, newton=True)

    @once
    def validation(self) -> Watched | None:
        """The mean loss of the validation split; None where that is empty."""
        held = self.analysis.problem.split.validation
        if not len(held):
            return None
        batch = self.fitted.batch(held)
        return watch(self.fitted, batch, combine=batch.x.new_full((len(batch), 1), 1 / len(batch)))

    @property
    def validation_change(self) -> FloatArray:
        """(n,) predicted loss_change of the mean validation loss."""
        watched = self.validation
        if watched is None:
            raise ValueError("Expected a validation split: set the validation fraction above 0.")
        return estimators.scores(self.analysis.influence, watched)[:, 0]

    @property
    def losses(self) -> FloatArray:
        """(n,) training losses at θ̂."""
        return numpy(self.fitted.model.loss.values(self.fitted.outputs, self.fitted.train.y))

    @property
    def gradient_norms(self) -> FloatArray:
        """(n,) ‖g_i‖."""
        return numpy(self.analysis.influence.gradient_norms)

    @property
    def margins(self) -> FloatArray:
        """(n,) output of the given class minus the largest other."""
        margins = self.fitted.model.loss.margins(self.fitted.outputs, self.fitted.train.y)
        if margins is None:
            raise ValueError("Expected a classifier: a regression has no margins.")
        return numpy(margins)

    @once
    def probabilities(self) -> FloatArray:
        """(n, c) class probabilities of models that were fitted without the point's fold."""
        return cross_validated(self.analysis.problem, self.analysis.task)

    @once
    def fitted_probabilities(self) -> FloatArray | None:
        """(n, c) class probabilities at θ̂, the point's own label learnt; None where the model has none."""
        probability = self.fitted.model.loss.probabilities(self.fitted.outputs)
        return None if probability is None else numpy(probability)

    @once
    def issues(self) -> NDArray[np.bool_]:
        """(n,) what confident learning would prune."""
        return label_issues(self.labels, self.probabilities)

    @once
    def _suspicions(self) -> dict[str, FloatArray]:
        return {}

    @once
    def _percentiles(self) -> dict[str, FloatArray]:
        return {}

    @once
    def ties(self) -> NDArray[np.int64]:
        """(n,) places of the ids, which break ties."""
        return places(self.analysis.problem.split.train.ids)

    def suspicion(self, name: str) -> FloatArray:
        """One signal, computed once; higher = more suspicious.

        Returns:
            (n,), read-only; a signal that is unknown or not defined here is a ``SignalError``.
        """
        if name not in self._suspicions:
            found = suspicion(self, name)
            found.setflags(write=False)
            self._suspicions[name] = found
        return self._suspicions[name]

    def suspicions(self, names: Sequence[str] | None = None) -> dict[str, FloatArray]:
        """Several signals (default: all that are defined here); long steps tick the analysis' task.

        Dear ones come first, because they leave behind what others need.

        Returns:
            (n,) per name, in registry order.
        """
        chosen = set(self.signals if names is None else names)
        for name in sorted(chosen, key=lambda name: -SIGNALS[name].fits if name in SIGNALS else 0):
            self.suspicion(name)
        return {name: self.suspicion(name) for name in SIGNALS if name in chosen}

    def ranked(self, name: str) -> NDArray[np.int64]:
        """Training points from the most to the least suspicious by one signal; ties by id, (n,) rows."""
        return rank(self.suspicion(name), self.ties)

    def percentiles(self, name: str) -> FloatArray:
        """Share of training points less suspicious than each one, in percent, (n,)."""
        if name not in self._percentiles:
            self._percentiles[name] = percentiles(self.suspicion(name))
        return self._percentiles[name]

    @once
    def neighbour_distance(self) -> float:
        """Median distance of a training point to its nearest neighbour, the unit of near-duplicates."""
        return neighbour_distance(self.analysis.problem.split.train.x)

    @once
    def predicted(self) -> NDArray[np.int64]:
        """(n,) class with the largest cross-validated probability; without those, what the model says at θ̂."""
        if self.offers >= {"classes", "probabilities"}:
            return np.asarray(self.probabilities.argmax(1))
        if self.fitted_probabilities is not None:
            return np.asarray(self.fitted_probabilities.argmax(1))
        return np.where(self.margins > 0, self.labels, 1 - self.labels)

    @once
    def metrics(self) -> dict[str, float]:
        """Held-out accuracy (where there are classes) and loss, and the number of training points."""
        problem, fitted = self.analysis.problem, self.fitted
        accuracy = problem.accuracy(fitted.theta)
        found = {
            "test_loss": float(fitted.model.losses(fitted.theta, problem.test).mean()),
            "n": float(len(self.labels)),
        }
        return found if accuracy is None else {"test_accuracy": accuracy, **found}

    @once
    def trust(self) -> Trust:
        """What the scores of the queue rest on: a solve for the validation loss (else test loss), its strongest points.

        It belongs to the scores: it travels with every card and export.
        """
        analysis, problem = self.analysis, self.analysis.problem
        watched = self.validation or analysis.watched(mean=True)
        held = problem.split.test if self.validation is None else problem.split.validation
        solution = analysis.influence.solved(watched)
        far = Surroundings.of(problem.split.train.x).remoteness(held.x)
        return trust(analysis.ground, Click(self.suspicion("self_influence"), solution, far))


def trust_record(found: Trust) -> dict[str, object]:
    """A trust line as plain data for databases, cards and manifests.

    Returns:
        JSON-ready values.
    """
    return {
        "word": found.word,
        "line": found.line,
        "codes": list(found.codes),
        "warnings": list(found.warnings),
        "gradient_norm": found.gradient_norm,
        "smallest_eigenvalue": found.smallest_eigenvalue,
        "residual": found.residual,
        "damping": found.damping,
    }
