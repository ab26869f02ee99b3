"""Rankings without influence, to compare with; and what every ranking would have leave first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.distance import cdist

from influence_core import wording
from influence_core.analysis.answers import Analysis
from influence_core.analysis.text_rivals import Targets, alike, bm25, of_texts, overlap
from influence_core.compute import FloatArray, Rows, numpy
from influence_core.influence.candidates import features
from influence_core.influence.estimators import ESTIMATORS
from influence_core.models import FittedModel


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A ranking without influence.

    Attributes:
        title: the name a person reads.
        strength: (n, t) for t targets; larger leaves earlier.
    """

    title: str
    strength: Callable[[Analysis, Targets], FloatArray]


def rivals_of(fitted: FittedModel) -> tuple[str, ...]:
    """Every rival of influence for this model: those below, and TracIn for a network with checkpoints."""
    checkpoints = ESTIMATORS["tracin"].applies(fitted) and bool(fitted.fit.checkpoints)
    return (*RIVALS, *(["tracin"] if checkpoints else []))


def all_rivals_of(analysis: Analysis) -> tuple[str, ...]:
    """The same, and of texts those that read their words."""
    problem = analysis.problem
    return (*rivals_of(problem.fitted), *(TEXT_RIVALS if of_texts(problem.split.train) else ()))


def title_of(name: str) -> str:
    """Of a rival or an estimator."""
    return ALL_RIVALS[name].title if name in ALL_RIVALS else ESTIMATORS[name].title


def orders(analysis: Analysis, targets: Targets, names: Iterable[str], most: int) -> dict[str, Rows]:
    """The strongest points of every ranking, strongest first; points without a score never leave.

    Returns:
        (t, most) rows of training points, for each name.
    """
    found = {}
    for name in dict.fromkeys(names):
        known = ALL_RIVALS.get(name)
        strength = known.strength(analysis, targets) if known else _helpful(analysis, name, targets)
        found[name] = np.argsort(-np.nan_to_num(strength, nan=-np.inf), axis=0, kind="stable")[:most].T
    return found


def _helpful(analysis: Analysis, estimator: str, targets: Targets) -> FloatArray:
    asked = replace(analysis.settings, estimator=estimator)
    own = analysis if asked == analysis.settings else replace(analysis, settings=asked)
    if len(targets) > 1 and all(len(tests) == 1 for tests in targets):
        scores = own.scores([tests[0] for tests in targets])
    else:
        scores = np.concatenate([own.scores(tests, mean=len(tests) > 1) for tests in targets], 1)
    return scores if wording.orientation(analysis.settings) >= 0 else -scores


def _read(analysis: Analysis, targets: Targets) -> tuple[FloatArray, list[FloatArray]]:
    """What the last layer reads of the training points (n, q), and of every target (its points, q)."""
    fitted, test = analysis.problem.fitted, analysis.problem.test
    return features(fitted, fitted.train.x), [features(fitted, test.x[list(tests)]) for tests in targets]


def _nearest(analysis: Analysis, targets: Targets) -> FloatArray:
    """Minus the mean distance where the model looks."""
    train, asked = _read(analysis, targets)
    return np.stack([-cdist(train, points).mean(1) for points in asked], 1)


def _cosine(analysis: Analysis, targets: Targets) -> FloatArray:
    """Mean cosine where the model looks."""
    train, asked = _read(analysis, targets)
    return np.stack([_unit(train) @ _unit(points).mean(0) for points in asked], 1)


def _unit(points: FloatArray) -> FloatArray:
    found: FloatArray = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)
    return found


def _representer(analysis: Analysis, targets: Targets) -> FloatArray:
    """Mean of −(∂ℓ_i/∂f)ᵀu · h_iᵀh_t, h what the last layer reads: what it owes to i (Yeh et al. 2018).

    u is the output that the test point's target wants higher; the factor 1/(2·l2·n) orders nothing.
    """
    fitted, test = analysis.problem.fitted, analysis.problem.test
    (train, asked), slopes, found = _read(analysis, targets), numpy(fitted.residuals), []
    for tests, points in zip(targets, asked, strict=True):
        batch = test.take(torch.as_tensor(tests))
        wanted = -numpy(fitted.model.loss.residuals(fitted.model.outputs(fitted.theta, batch.x), batch.y))
        u = np.sign(wanted) if wanted.shape[1] == 1 else (wanted > 0).astype(np.float64)
        found.append(-((slopes @ u.T) * (train @ points.T)).mean(1))
    return np.stack(found, 1)


def _loss(analysis: Analysis, targets: Targets) -> FloatArray:
    fitted = analysis.problem.fitted
    return np.repeat(numpy(fitted.model.losses(fitted.theta, fitted.train))[:, None], len(targets), 1)


RIVALS: Mapping[str, Rival] = {
    "nearest": Rival(title="nearest neighbours", strength=_nearest),
    "cosine": Rival(title="largest cosine", strength=_cosine),
    "representer": Rival(title="representer points", strength=_representer),
    "loss": Rival(title="largest training loss", strength=_loss),
}
TEXT_RIVALS: Mapping[str, Rival] = {
    "bm25": Rival(title="BM25, same label first", strength=bm25),
    "alike": Rival(title="cosine of words, same label first", strength=alike),
    "overlap": Rival(title="verbatim overlap, same label first", strength=overlap),
}
ALL_RIVALS: Mapping[str, Rival] = {**RIVALS, **TEXT_RIVALS}
