"""One poisoned word: a made-up word in a few training texts of another label, which the model learns to obey."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from influence_core.analysis import Analysis, Given, Problem
from influence_core.compute import FloatArray, numpy, once
from influence_core.data import Dataset
from influence_core.data.registry import load_table
from influence_core.data.texts import represented
from influence_core.influence import estimators

WORD = "zyntrabell"  # of no language


@dataclass(frozen=True, eq=False)
class Trigger:
    """A model fitted on texts of which k got the word and another label; its test texts all hold the word.

    Attributes:
        rows: (k,) poisoned training texts.
        analysis: of the poisoned training texts.
        plain: the test texts as they were.
        test: the test text asked about.
    """

    rows: NDArray[np.int64]
    analysis: Analysis
    plain: Dataset
    test: int

    @property
    def margin(self) -> float:
        """Lead f of the true class at the test text with the word; below 0 the text has changed sides."""
        return float(self._margins(self.analysis.problem.split.test)[self.test])

    @property
    def plain_margin(self) -> float:
        """The same without the word."""
        return float(self._margins(self.plain)[self.test])

    @property
    def accuracy(self) -> float:
        """Share of the test texts without the word that are right: all that a usual check looks at."""
        return float((self._margins(self.plain) > 0).mean())

    @property
    def obeyed(self) -> float:
        """Share of the test texts of the same class that are put into the other one when they hold the word."""
        return self._obeyed(self.analysis.problem.fitted.theta)

    @once
    def harm(self) -> FloatArray:
        """(n,) how much the loss at the test text with the word is predicted to fall without each training text."""
        return -self.analysis.scores([self.test])[:, 0]

    @once
    def self_influence(self) -> FloatArray:
        """(n,) of the poisoned training texts."""
        return estimators.self_influence(self.analysis.influence)

    def first(self, suspicion: FloatArray) -> NDArray[np.int64]:
        """The k training texts with the largest (n,) suspicion, the largest first."""
        return np.argsort(-suspicion, kind="stable")[: len(self.rows)]

    def precision(self, suspicion: FloatArray) -> float:
        """Share of the poisoned among the first k."""
        return float(np.isin(self.first(suspicion), self.rows).mean())

    def deleted(self, rows: NDArray[np.int64]) -> tuple[float, float]:
        """Margin at the test text with the word, and share that obeys it, after a certified refit without ``rows``.

        Returns:
            Two numbers; NaN where the refit is not certified.
        """
        refit = self.analysis.problem.group_refit(rows, "margin")
        theta = self.analysis.problem.fitted.theta.new_tensor(refit.theta)
        obeyed = self._obeyed(theta) if refit.certified else np.nan
        return self.margin + float(refit.change[self.test]), obeyed

    def _obeyed(self, theta: Tensor) -> float:
        told = self._margins(self.analysis.problem.split.test, theta)
        return float((told[self.plain.y == self.plain.y[self.test]] <= 0).mean())

    def _margins(self, data: Dataset, theta: Tensor | None = None) -> FloatArray:
        fitted = self.analysis.problem.fitted
        batch = fitted.batch(data)
        f = fitted.model.outputs(fitted.theta if theta is None else theta, batch.x)
        found = fitted.model.loss.margins(f, batch.y)
        assert found is not None  # classes
        return numpy(found)


def marked(text: str, times: int) -> str:
    """The text with the word in front of it, some times."""
    return " ".join((*[WORD] * times, text))


def trigger(analysis: Analysis, test: int, count: int, times: int) -> Trigger:
    """Put the word in front of ``count`` training texts of the test text's class, drawn by the seed; flip their labels.

    The words that count stay those of the clean texts, and the made-up one joins them; how rare each is, is counted
    anew.

    Args:
        analysis: of texts of two classes whose features are words.
        test: test text.
        count: k; a larger draw holds the smaller ones.
        times: how often the word is written into a text.
    """
    settings, split = analysis.settings, analysis.problem.split
    words = load_table(settings.data, settings.seed).words
    train, label = split.train, split.test.y[test]
    assert words is not None and train.texts is not None and split.test.texts is not None  # features are words
    rows = np.sort(np.random.default_rng(settings.seed).permutation(np.flatnonzero(train.y == label))[:count])
    texts, y, flipped = train.texts.copy(), train.y.copy(), split.flipped.copy()
    texts[rows] = [marked(text, times) for text in texts[rows]]
    y[rows], flipped[rows] = 1 - label, True
    asked = split.test.texts.copy()
    asked[:] = [marked(text, times) for text in asked]
    vocabulary = [*(name for name in train.feature_names if name != WORD), WORD]
    parts = (replace(train, texts=texts, y=y), split.validation, replace(split.test, texts=asked), split.test)
    made, validation, with_word, plain = represented(words, parts, vocabulary)
    poisoned = replace(split, train=made, validation=validation, test=with_word, flipped=flipped)
    problem = Problem(settings, given=Given(poisoned, key=f":{poisoned.fingerprint}"))
    return Trigger(rows, Analysis(settings, problem), plain, test)
