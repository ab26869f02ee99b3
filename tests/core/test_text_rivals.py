"""Rankings of texts without a model, against their formulas by loops."""

import math
import re
from collections import Counter

import numpy as np
import pytest

from influence_core.analysis import DataError, RemovalQuestion, analyse, removal
from influence_core.analysis.rivals import ALL_RIVALS, TEXT_RIVALS
from influence_core.data.overlap import RUN, copied, shared
from influence_core.settings import DataSettings, ModelSettings, Settings

MAILS = Settings(
    DataSettings("spam_assassin", (("words", 200),), test_fraction=0.02), ModelSettings("logistic", 0.01),
    estimator="newton",
)  # fmt: skip
TESTS = (3, 7)


@pytest.fixture(scope="module")
def mails():
    return analyse(MAILS)


def words(text):
    return [word for word in re.findall(r"\b\w\w+\b", text.lower()) if len(word) <= 60]


def signs(split):
    return np.array([[1.0 if a == b else -1.0 for b in split.test.y[list(TESTS)]] for a in split.train.y])


def okapi(corpus, query, k1=1.5, b=0.75):
    """BM25 as Lucene has it: every word of the query as often as it stands there."""
    counts = [Counter(text) for text in corpus]
    mean = sum(map(len, corpus)) / len(corpus)
    holding = Counter(word for count in counts for word in count)
    found = []
    for text, count in zip(corpus, counts, strict=True):
        total = 0.0
        for word in query:
            if count[word]:
                idf = math.log(1 + (len(corpus) - holding[word] + 0.5) / (holding[word] + 0.5))
                total += idf * count[word] / (count[word] + k1 * (1 - b + b * len(text) / mean))
        found.append(total)
    return np.array(found)


def test_bm25_is_its_formula_with_the_sign_of_the_label(mails):
    split = mails.problem.split
    corpus = [words(text) for text in split.train.texts]
    expected = np.stack([okapi(corpus, words(split.test.texts[j])) for j in TESTS], 1)
    found = ALL_RIVALS["bm25"].strength(mails, [TESTS])[:, 0]
    assert found == pytest.approx((expected * signs(split)).mean(1), rel=1e-4, abs=1e-4)  # bm25s keeps float32
    assert np.abs(found).max() > 1


def test_cosine_and_overlap_are_what_their_names_say(mails):
    split = mails.problem.split
    x, asked = split.train.x.toarray(), split.test.x.toarray()[list(TESTS)]
    lengths = [np.sqrt((side**2).sum(1)) for side in (x, asked)]
    cosines = np.array([
        [a @ b / (s * t) if s * t else 0.0 for b, t in zip(asked, lengths[1], strict=True)]
        for a, s in zip(x, lengths[0], strict=True)
    ])  # fmt: skip
    found = ALL_RIVALS["alike"].strength(mails, [TESTS])[:, 0]
    assert found == pytest.approx((cosines * signs(split)).mean(1), abs=1e-12)

    def grams(text):
        said = words(text)
        return {" ".join(said[k : k + 5]) for k in range(len(said) - 4)}

    counts = [[len(grams(a) & grams(split.test.texts[j])) for j in TESTS] for a in split.train.texts]
    assert ALL_RIVALS["overlap"].strength(mails, [TESTS])[:, 0].tolist() == (counts * signs(split)).mean(1).tolist()


def test_texts_are_measured_against_what_reads_words_and_other_data_are_refused(mails):
    found = removal.removal(mails, RemovalQuestion(TESTS[:1], shares=(0.01,), draws=2))
    assert list(found.titles)[-3:] == ["bm25", "alike", "overlap"]
    assert all(np.isfinite(change).all() for change in found.change.values())
    blobs = analyse(Settings(DataSettings("blobs", (("n", 60),)), ModelSettings("logistic", 0.01)))
    assert not {*TEXT_RIVALS} & {*RemovalQuestion((0,)).rankings(blobs)}
    for entry in TEXT_RIVALS.values():
        with pytest.raises(DataError, match="Expected texts with classes"):
            entry.strength(blobs, [(0,)])


def test_copied_runs_are_found_across_punctuation_and_capitals():
    a = "Well: call NOW and win, a free prize today! And more words that nobody else has written."
    b = "you should CALL now - and win a free prize today; call now and win a car"
    known = shared([a], [b])
    assert RUN == 5
    assert [a[place] for place in copied(a, known)] == ["call NOW and win, a free prize today"]
    assert [b[place] for place in copied(b, known)] == ["CALL now - and win a free prize today"]
    assert shared([a], [""]) == frozenset() == shared([], [])
    assert copied(a, frozenset()) == []
