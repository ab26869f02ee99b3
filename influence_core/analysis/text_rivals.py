"""Rankings of training texts without a model: what a search engine finds, what looks alike, what was copied.

A similar text helps where it has the same label and does harm where it has another: similarity alone has no side, so
texts of the label that is asked about come first, the most similar first, and those of other labels last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from influence_core.analysis.answers import Analysis
from influence_core.compute import FloatArray
from influence_core.compute.plugins import optional
from influence_core.data import DataError
from influence_core.data.overlap import runs
from influence_core.data.words import spans

if TYPE_CHECKING:
    from influence_core.data import Dataset

Targets = Sequence[tuple[int, ...]]  # groups of test points, each asked about as one
Similarity = Callable[["Dataset", "Dataset"], FloatArray]


def of_texts(data: Dataset) -> bool:
    """Whether these examples allow the rankings below: texts with classes."""
    return data.texts is not None and data.classes > 0


def signed(similarity: Similarity) -> Callable[[Analysis, Targets], FloatArray]:
    """Makes a ranking of a similarity (n, m) of training and test texts: its mean, signed by label, (n, t)."""

    def strength(analysis: Analysis, targets: Targets) -> FloatArray:
        split, found = analysis.problem.split, []
        if not of_texts(split.train):
            raise DataError("Expected texts with classes, got other data: rank by nearest or loss instead of by words.")
        for tests in targets:
            asked = split.test.take(np.array(tests, dtype=np.int64))
            same = np.where(split.train.y[:, None] == asked.y, 1.0, -1.0)
            found.append((similarity(split.train, asked) * same).mean(1))
        return np.stack(found, 1)

    return strength


def _bm25(train: Dataset, asked: Dataset) -> FloatArray:
    """Scores with the test text as the query: k1 = 1.5, b = 0.75, as Lucene counts."""
    engine = optional("bm25s", "search")
    index = engine.BM25(method="lucene", k1=1.5, b=0.75)
    index.index([_words(text) for text in _texts(train)], show_progress=False)
    queries = [[word for word in _words(text) if word in index.vocab_dict] for text in _texts(asked)]
    found = [index.get_scores(query) if query else np.zeros(len(train)) for query in queries]
    scores: FloatArray = np.stack(found, 1).astype(np.float64)
    return scores


def _cosine(train: Dataset, asked: Dataset) -> FloatArray:
    """Cosines of features."""
    sides = [part.x.toarray() if hasattr(part.x, "toarray") else part.x for part in (train, asked)]
    lengths = [np.linalg.norm(side, axis=1) for side in sides]
    products: FloatArray = sides[0] @ sides[1].T
    total = np.outer(*lengths)
    found: FloatArray = np.divide(products, total, out=np.zeros_like(products), where=total > 0)
    return found


def _overlap(train: Dataset, asked: Dataset) -> FloatArray:
    """Runs of words that stand in both texts."""
    mine, theirs = ([runs(text) for text in _texts(part)] for part in (train, asked))
    return np.array([[float(len(a & b)) for b in theirs] for a in mine])


def _texts(part: Dataset) -> list[str]:
    return [] if part.texts is None else part.texts.tolist()


def _words(text: str) -> list[str]:
    return [word for word, _ in spans(text)]


bm25, alike, overlap = signed(_bm25), signed(_cosine), signed(_overlap)
