"""What really happens when one training text is another one: other fits, beside the share of a word or a forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from influence_core.analysis.answers import Analysis
from influence_core.compute import FloatArray, RowsLike, numpy
from influence_core.data import DataError
from influence_core.influence.effects import relabel_change
from influence_core.influence.estimators import dots, scores
from influence_core.influence.exchange import asked_column
from influence_core.models import Batch
from influence_core.retraining import Question, changed_refit


@dataclass(frozen=True)
class WordTruth:
    """The watched quantity before and after a refit with another training text.

    Attributes:
        beside: what stands beside it: the share of the word, or what is predicted.
        before: the watched quantity, the mean over the test points.
        after: the same after the refit.
        certified: whether the refit got to its minimum.
    """

    beside: float
    before: float
    after: float
    certified: bool

    @property
    def change(self) -> float:
        """New minus old."""
        return self.after - self.before


def word_deleted(analysis: Analysis, test: RowsLike, row: int, word: str, share: float) -> WordTruth:
    """Fit again after every ``word`` was deleted from training text ``row``, whose other words then weigh more.

    Pairs of words that hold it go with it; those that its neighbours would make are not counted.  A word that is not
    there is a ``DataError``.
    """
    train = _worded(analysis)
    parts: Any = [train.x[:row], without_word(train.x[[row]], train.feature_names, word), train.x[row + 1 :]]
    return _with_rows(analysis, test, sparse.vstack(parts, format="csr"), share)


def word_deleted_everywhere(analysis: Analysis, test: RowsLike, word: str) -> WordTruth:
    """The same after it was deleted from every training text, beside the first-order shares of all of them, summed.

    How rare the other words are stays as it was counted.
    """
    train = _worded(analysis)
    changed = without_word(train.x, train.feature_names, word)
    fitted, influence, watched = analysis.problem.fitted, analysis.influence, analysis.watched(test, mean=True)
    gone = [k for k, name in enumerate(train.feature_names) if _holds(name, word)]
    solved = influence.solve(watched.gradient).value.view(fitted.model.loss.outputs, -1)[:, gone]
    pull = torch.from_numpy(train.x[:, gone].T @ numpy(fitted.residuals)).T
    return _with_rows(analysis, test, changed, float((solved * pull).sum()) / len(train))


def text_relabelled(analysis: Analysis, test: RowsLike, row: int, label: int) -> WordTruth:
    """Fit again after training text ``row`` got another class, beside the change that is predicted to first order.

    Raises:
        DataError: it has this class already, or there is no such class.
    """
    fitted, train = analysis.problem.fitted, analysis.problem.split.train
    if not 0 <= label < train.classes or train.y[row] == label:
        raise DataError(f"Expected another one of the {train.classes} classes, got number {label}: choose again.")
    labels = train.y.copy()
    labels[row] = label
    beside = relabel_change(analysis.influence, analysis.watched(test, mean=True), labels)[row, 0]
    y = torch.from_numpy(labels).to(fitted.train.y)
    return _measured(analysis, test, Batch(fitted.train.x, y), float(beside))


def counted_twice(analysis: Analysis, test: RowsLike, row: int) -> WordTruth:
    """Minimise J(·; 1 + e_i), beside the change that is predicted: the first-order score of removing it, turned."""
    fitted = analysis.problem.fitted
    weights = torch.ones_like(fitted.train.x[:, 0])
    weights[row] = 2.0
    beside = -scores(analysis.influence, analysis.watched(test, mean=True))[row, 0]
    return _measured(analysis, test, fitted.train, float(beside), weights)


def _worded(analysis: Analysis) -> Any:
    train = analysis.problem.split.train
    if not train.worded:
        raise DataError("Expected words of texts as features, got others: deleting a word is for those.")
    return train


def _with_rows(analysis: Analysis, test: RowsLike, x: Any, beside: float) -> WordTruth:
    """With other features (n, d)."""
    fitted, train = analysis.problem.fitted, analysis.problem.split.train
    changed = fitted.batch(train.with_features(x, train.feature_names))
    return _measured(analysis, test, Batch(changed.x, fitted.train.y), beside)


def _measured(
    analysis: Analysis, test: RowsLike, train: Batch, beside: float, weights: Tensor | None = None
) -> WordTruth:
    """A certified refit from θ̂ on a changed training set."""
    settings, watched = analysis.settings, analysis.watched(test, mean=True)
    asked = analysis.problem.test.take(torch.as_tensor(list(test)))
    question = Question(asked, settings.quantity, settings.target)
    change, fit = changed_refit(analysis.problem.fitted, question, train, weights)
    loss = analysis.problem.fitted.model.loss
    values = watched.quantity.values(loss, watched.outputs, watched.batch.y, watched.target)
    before = float(values.mean())
    return WordTruth(beside, before, before + float(change.mean()), fit.converged)


def without_word(x: Any, names: tuple[str, ...], word: str) -> Any:
    """TF-IDF of texts (n, d) without a word: its numbers vanish, and the rest of a text has length one again.

    Raises:
        DataError: none of them holds it.
    """
    gone = np.array([_holds(name, word) for name in names])[x.indices]
    if not gone.any():
        raise DataError(f"Expected a word of this text, got {word[:40]!r}: choose another.")
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    kept = x.data * ~gone
    hit = np.isin(rows, rows[gone])
    length = np.sqrt(np.bincount(rows, kept**2, x.shape[0]))[rows]
    kept = np.where(hit & (length > 0), kept / np.where(length > 0, length, 1.0), kept)
    found = sparse.csr_array((kept, x.indices.copy(), x.indptr.copy()), shape=x.shape)
    found.eliminate_zeros()
    return found


def _holds(name: str, word: str) -> bool:
    """Whether a feature is this word, or a pair with it."""
    return word in {name, *name.split(" ")}


def carried(analysis: Analysis, test: int, word: str) -> FloatArray:
    """(n,) how much of the score of every training text goes through one word of the test text.

    With one output all texts share a direction, and a score of any estimator divides as that of first order does; with
    several outputs this is the first-order score divided.

    Raises:
        DataError: no such word.
    """
    names = analysis.problem.split.train.feature_names
    if word not in names:
        raise DataError(f"Expected a word that the model knows, got {word[:40]!r}: choose one of the test text.")
    watched, influence = analysis.asked([test]).watched, analysis.influence
    part = numpy(dots(influence, asked_column(influence, watched, names.index(word))))[:, 0]
    if not divides(analysis):
        return part
    whole = numpy(dots(influence, influence.solved(watched).value))[:, 0]
    score = analysis.asked([test]).scores[:, 0]
    return part * np.divide(score, whole, out=np.zeros_like(whole), where=whole != 0)


def divides(analysis: Analysis) -> bool:
    """Whether :func:`carried` divides the score itself."""
    model = analysis.problem.fitted.model
    return analysis.estimator.curvature and model.loss.outputs == 1 and not model.fold_penalty
