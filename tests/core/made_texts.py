"""Small texts with known frequencies, as a split with sparse features and as the same split with dense ones."""

from dataclasses import replace
from functools import cache

import numpy as np

from influence_core.data.dataset import Dataset, Table
from influence_core.data.split import split
from influence_core.data.texts import no_words
from influence_core.data.words import WordFeatures
from influence_core.models.registry import fit
from influence_core.settings import DataSettings, ModelSettings

TARGETS = {"logistic": 2, "hinge": 2, "softmax": 3, "ridge": 0}


def written(n, classes, vocabulary=300):
    """Texts of common and rare words, some of which tell the class."""
    random = np.random.default_rng(classes)
    y = random.integers(0, max(classes, 2), n)
    common = 1 / np.arange(1, vocabulary + 1) ** 0.8
    texts = np.empty(n, dtype=object)
    for i in range(n):
        chances = common.copy()
        chances[10 + 20 * y[i] : 30 + 20 * y[i]] *= 4
        texts[i] = " ".join(f"w{k:04d}" for k in random.choice(vocabulary, vocabulary // 12, p=chances / chances.sum()))
    return texts, y if classes else random.normal(size=n) + y


@cache
def parts(classes, n=150, vocabulary=300):
    """A split with sparse features."""
    words = WordFeatures(most=20_000, least=1 if vocabulary > 1_000 else 2)
    texts, y = written(n, classes, vocabulary)
    names = tuple("abc"[:classes])
    data = Dataset(no_words(n), y, np.array([f"t{i}" for i in range(n)]), (), names, texts=texts)
    return split(Table(data, words=words), DataSettings(test_fraction=0.2, validation_fraction=0.0), 0)


def dense(made):
    """The same split with dense features and without texts."""
    sets = {
        name: replace(part, x=part.x.toarray(), texts=None, kind="row")
        for name, part in (("train", made.train), ("validation", made.validation), ("test", made.test))
    }
    return replace(made, **sets)


@cache
def pair(model, l2=0.003, vocabulary=300, **options):
    """The model fitted to sparse rows, and to the same rows held densely."""
    made = parts(TARGETS[model], vocabulary=vocabulary)
    settings = ModelSettings(model, l2, **options)
    return [(fit(settings, one), one) for one in (made, dense(made))]
