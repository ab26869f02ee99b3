"""A word taken out of one training text: against scikit-learn fitted to the text itself without the word."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import (
    analyse,
    carried,
    counted_twice,
    feature_shares,
    text_relabelled,
    why,
    word_deleted,
    word_deleted_everywhere,
    word_pairs,
)
from influence_core.analysis.word_truth import without_word
from influence_core.data import DataError
from influence_core.settings import DataSettings, ModelSettings, Settings

MAILS = Settings(DataSettings("spam_assassin", (("words", 400),), test_fraction=0.2), ModelSettings("logistic", 0.01))
ROW, ASKED = 5, 3


def strongest(analysis, quantity="loss"):
    found = why(analysis, [ASKED], ROW)
    k = found.order[0]
    return found.columns[k].name, float(found.share[k])


def logistic_loss(split, rows, y, weights=None):
    """Loss at the test point after scikit-learn's own fit with the total penalty of the untouched training set."""
    n = len(split.train)
    fit = LogisticRegression(C=1 / (n * 0.01), tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    chances = fit.fit(rows, y, weights).predict_proba(split.test.x[[ASKED]].toarray())[0]
    return -np.log(chances[split.test.y[ASKED]])


def test_deleting_a_word_is_what_scikit_learn_measures_without_it():
    analysis = analyse(MAILS)
    split = analysis.problem.split
    word, share = strongest(analysis)
    told = word_deleted(analysis, [ASKED], ROW, word, share)
    x = split.train.x.toarray()
    before = logistic_loss(split, x, split.train.y)
    rest = np.where(np.array(split.train.feature_names) == word, 0.0, x[ROW])
    moved = x.copy()
    moved[ROW] = rest / np.linalg.norm(rest)

    assert told.certified
    assert told.beside == share
    assert told.before == pytest.approx(before, rel=1e-7)
    assert told.change == pytest.approx(logistic_loss(split, moved, split.train.y) - before, rel=1e-4)
    assert told.change != pytest.approx(-share, rel=0.01)  # a share is another number


def test_deleting_it_everywhere_relabelling_and_counting_twice_are_what_scikit_learn_measures():
    analysis = analyse(MAILS)
    split = analysis.problem.split
    x, y = split.train.x.toarray(), split.train.y
    before = logistic_loss(split, x, y)
    word, _ = strongest(analysis)
    k = split.train.feature_names.index(word)
    rest = np.delete(x, k, axis=1)
    lengths = np.linalg.norm(rest, axis=1)
    moved = np.insert(rest / np.where(lengths > 0, lengths, 1)[:, None], k, 0, axis=1)
    told = word_deleted_everywhere(analysis, [ASKED], word)
    assert told.certified
    assert told.change == pytest.approx(logistic_loss(split, moved, y) - before, rel=1e-4)
    first = replace(MAILS, estimator="influence")
    every = feature_shares(analyse(first), ASKED, range(len(y)))[:, k].sum()
    assert told.beside == pytest.approx(every, rel=1e-9)

    told = text_relabelled(analysis, [ASKED], ROW, 1 - y[ROW])
    turned = np.where(np.arange(len(y)) == ROW, 1 - y, y)
    assert told.change == pytest.approx(logistic_loss(split, x, turned) - before, rel=1e-4)
    assert told.beside == pytest.approx(told.change, rel=0.5)

    told = counted_twice(analysis, [ASKED], ROW)
    twice = 1.0 + (np.arange(len(y)) == ROW)
    assert told.change == pytest.approx(logistic_loss(split, x, y, twice) - before, rel=1e-4)
    assert told.beside == pytest.approx(-analyse(first).scores([ASKED])[ROW, 0], rel=1e-12)
    with pytest.raises(DataError, match="Expected another one of the 2 classes"):
        text_relabelled(analysis, [ASKED], ROW, int(y[ROW]))


@pytest.mark.parametrize("estimator", ["newton", "influence"])
def test_words_of_the_test_text_and_the_constant_sum_to_the_score_of_every_training_text(estimator):
    analysis = analyse(replace(MAILS, estimator=estimator))
    split = analysis.problem.split
    names = split.train.feature_names
    total = sum(carried(analysis, ASKED, names[k]) for k in split.test.x[[ASKED]].indices)
    score = analysis.scores([ASKED])[:, 0]
    # The constant is a feature of the test text, too: what it carries goes with the residuals and leverages alone.
    for row in (ROW, 17, 200):
        asked = why(analysis, [ASKED], row).asked
        assert total[row] == pytest.approx(asked.features.sum(), rel=1e-9)
        assert asked.features.sum() + asked.intercept == pytest.approx(score[row], rel=1e-9)


def test_the_row_is_that_of_the_text_without_the_word():
    split = analyse(MAILS).problem.split
    train = split.train
    word = train.feature_names[train.x[[ROW]].indices[0]]
    found = without_word(train.x[[ROW]], train.feature_names, word)
    counts = {
        name: len(re.findall(rf"\b{re.escape(name)}\b", train.texts[ROW].lower())) for name in train.feature_names
    }
    before = {train.feature_names[k] for k in train.x[[ROW]].indices}
    assert {train.feature_names[k] for k in found.indices} == before - {word}
    assert all(counts[name] for name in before)
    assert np.linalg.norm(found.data) == pytest.approx(1)
    with pytest.raises(DataError, match="Expected a word of this text"):
        without_word(found, train.feature_names, word)


def test_a_pair_goes_with_its_words():
    pairs = replace(MAILS, data=replace(MAILS.data, options=(("pairs", "yes"), ("words", 400))))
    train = analyse(pairs).problem.split.train
    row, k = next((i, k) for i in range(50) for k in train.x[[i]].indices if " " in train.feature_names[k])
    word = train.feature_names[k].split(" ")[0]
    left = without_word(train.x[[row]], train.feature_names, word)
    assert not any(word in train.feature_names[j].split(" ") for j in left.indices)


def test_what_a_word_of_the_test_text_carries_is_a_column_of_the_table():
    analysis = analyse(MAILS)
    told = word_pairs(analysis, [ASKED], ROW)
    names = analysis.problem.split.train.feature_names
    for place in (0, len(told.test) // 2):
        whole = carried(analysis, ASKED, names[told.test[place]])
        intercept = whole[ROW] - told.table[:, place].sum()
        assert abs(intercept) < 0.5 * np.abs(told.table[:, place]).sum() + abs(whole[ROW])
    total = sum(carried(analysis, ASKED, names[k]) for k in told.test)
    found = why(analysis, [ASKED], ROW)
    assert total[ROW] == pytest.approx(found.asked.features.sum(), rel=1e-9)


def test_what_is_no_word_is_refused():
    analysis = analyse(MAILS)
    with pytest.raises(DataError, match="a word that the model knows"):
        carried(analysis, ASKED, "no such word")
    flowers = analyse(Settings(DataSettings("iris")))
    with pytest.raises(DataError, match="Expected words of texts"):
        word_deleted(flowers, [0], 0, "petal", 0.0)
