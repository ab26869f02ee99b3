"""What words say for a label, against outputs of the model by hand; texts without a known word are no copies."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from influence_core.analysis import Review, analyse, label_words, near_groups
from influence_core.settings import DataSettings, ModelSettings, Settings

MAILS = Settings(
    DataSettings("spam_assassin", (("words", 100),), test_fraction=0.6), ModelSettings("logistic", 0.01),
    estimator="newton",
)  # fmt: skip


@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_words_and_a_constant_are_the_log_odds(model):
    review = Review(analyse(replace(MAILS, model=ModelSettings(model, 0.01))))
    p, constants = review.fitted_probabilities, []
    for row in (0, 7, 30):
        found = label_words(review, row, 1, 0)
        assert found == pytest.approx(-label_words(review, row, 0, 1), abs=1e-15)
        x = review.analysis.problem.split.train.x[[row]].toarray()[0]
        assert np.array_equal(found != 0, x != 0)
        constants.append(np.log(p[row, 1] / p[row, 0]) - found.sum())
    assert constants == pytest.approx([constants[0]] * 3, abs=1e-9)


def test_a_network_and_rows_of_numbers_have_no_words():
    network = ModelSettings("mlp", 0.01, options=(("epochs", 1), ("width", 2)))
    assert label_words(Review(analyse(replace(MAILS, model=network, estimator="influence"))), 0, 1, 0) is None
    rows = Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax", 0.1))
    assert label_words(Review(analyse(rows)), 0, 1, 0) is None


def test_texts_without_a_known_word_are_no_near_duplicates():
    random = np.random.default_rng(0)
    x = np.abs(random.normal(size=(40, 30))) * (random.random((40, 30)) < 0.4)
    x[5] = x[9]
    x[[11, 17, 23]] = 0.0
    groups = near_groups(sparse.csr_array(x), np.arange(40))
    assert groups[5] == groups[9] >= 0
    assert (groups[[11, 17, 23]] == -1).all()
    dense = near_groups(x, np.arange(40))
    assert dense[11] == dense[17] == dense[23] >= 0  # of a table they are equal rows
