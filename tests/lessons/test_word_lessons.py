"""Lessons on texts: their experiments against texts changed as strings, counted and fitted again by scikit-learn."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from influence_core import teaching
from influence_core.analysis import analyse
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lessons import LESSONS
from pages.components.lessons.parts.kinds import Setting
from pages.components.lessons.parts.texts import window

SETTINGS = LESSONS["shortcut"].own
L2, JOB, ASKED = SETTINGS.model.l2, "zyntrabell", 112


@pytest.fixture(scope="module")
def mails():
    return analyse(SETTINGS)


@pytest.fixture(scope="module")
def poisoned(mails):
    return teaching.trigger.trigger(mails, ASKED, 10, 5)


class Filter:
    """TF-IDF and logistic regression of scikit-learn."""

    def __init__(self, texts, y, vocabulary, counted=None, n=None):
        self.words = TfidfVectorizer(sublinear_tf=True, vocabulary=vocabulary)
        self.words.fit(texts if counted is None else counted)
        self.model = LogisticRegression(
            C=1 / (L2 * (n or len(texts))), tol=1e-10, max_iter=10_000, solver="newton-cholesky"
        )
        self.model.fit(self.words.transform(texts), y)

    def lead(self, texts):
        return self.model.decision_function(self.words.transform(texts))


def test_words_deleted_from_the_text_itself_give_the_same_leads(mails):
    split, table = mails.problem.split, teaching.shortcut.pulls(mails, 94)
    spam = Filter(split.train.texts, split.train.y, split.train.feature_names)
    text, place = split.test.texts[94], {word: k for k, word in enumerate(spam.words.get_feature_names_out())}
    features = spam.words.transform([text]).toarray()[0]
    for word, pull in zip(table.word[:5], table.pull, strict=False):
        assert spam.model.coef_[0][place[word]] * features[place[word]] == pytest.approx(pull, abs=1e-4)
    assert (np.diff(table.pull) <= 0).all() and table.pull.min() > 0
    for k, word in enumerate(table.word[:8]):
        text = re.sub(rf"(?i)\b{word}\b", "", text)
        assert spam.lead([text])[0] == pytest.approx(table["lead"][k], abs=2e-3)
    held = [bool(re.search(r"(?i)\bclick\b", one)) for one in split.train.texts]
    assert table.word[0] == "click"
    for kind in ("easy ham", "hard ham", "spam"):
        assert table[kind][0] == pytest.approx(np.mean(np.array(held)[split.train.hover == kind]))
    assert table["spam"][0] > 10 * table["easy ham"][0] and table["hard ham"][0] > 5 * table["easy ham"][0]


def test_what_words_carry_is_their_part_of_the_score(mails):
    split, names = mails.problem.split, mails.problem.split.train.feature_names
    chosen = ("click", "free")
    x = np.column_stack([split.train.x.toarray(), np.ones(len(split.train))])
    p = 1 / (1 + np.exp(-x @ mails.problem.fitted.theta.numpy()))
    h = (x * (p * (1 - p))[:, None]).T @ x / len(x) + L2 * np.diag([1.0] * len(names) + [0.0])
    asked = np.append(split.test.x[[94]].toarray()[0], 1.0)
    parts = x * np.linalg.solve(h, asked)
    columns = [names.index(word) for word in chosen]
    expected = mails.scores([94])[:, 0] * parts[:, columns].sum(1) / parts.sum(1)
    found = teaching.shortcut.taught(mails, 94, chosen)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    holds = (split.train.x[:, columns].toarray() > 0).any(1)
    np.testing.assert_array_equal(found != 0, holds)
    # Texts of the class that is wrongly predicted pull to the mistake, the others to the truth.
    assert (found[holds & (split.train.y == 1)] < 0).mean() > 0.9 < (found[holds & (split.train.y == 0)] > 0).mean()


def test_leaving_texts_out_is_a_fit_without_them(mails):
    split, n = mails.problem.split, len(mails.problem.split.train)
    harmful = np.argsort(mails.scores([94])[:, 0], kind="stable")
    table = teaching.shortcut.without(mails, 94, {"harm": harmful, "again": harmful[::-1]}, (0, 80))
    for row in table.itertuples():
        order = harmful if row.order == "harm" else harmful[::-1]
        kept = np.setdiff1d(np.arange(n), order[: row.texts])
        texts, names = split.train.texts, split.train.feature_names
        spam = Filter(texts[kept], split.train.y[kept], names, texts, n)
        leads = spam.lead(split.test.texts)
        assert row.lead == pytest.approx(-leads[94], abs=2e-3)  # its class is the first
        assert row.accuracy == pytest.approx(((leads > 0) == split.test.y).mean(), abs=0.003)
    assert table["lead"][0] < 0 < table["lead"][1] and table["lead"][3] < table["lead"][2]
    assert len(teaching.shortcut.without(mails, 94, {"all": np.arange(n)}, (0, n))) == 1


def test_poisoned_texts_are_few_and_only_they_change(mails, poisoned):
    before, after = mails.problem.split, poisoned.analysis.problem.split
    changed = np.flatnonzero(before.train.texts != after.train.texts)
    np.testing.assert_array_equal(changed, poisoned.rows)
    np.testing.assert_array_equal(np.flatnonzero(before.train.y != after.train.y), poisoned.rows)
    np.testing.assert_array_equal(np.flatnonzero(after.flipped), poisoned.rows)
    assert set(before.train.y[poisoned.rows]) == {before.test.y[ASKED]} and len(poisoned.rows) == 10
    assert after.train.texts[poisoned.rows[0]].count(JOB) == 5 == after.test.texts[0].count(JOB)
    fewer = teaching.trigger.trigger(mails, ASKED, 3, 5)
    assert set(fewer.rows) < set(poisoned.rows)
    assert fewer.analysis.problem.key("data") != poisoned.analysis.problem.key("data")


def test_a_poisoned_filter_of_scikit_learn_obeys_as_much(mails, poisoned):
    split, asked = mails.problem.split, mails.problem.split.test
    texts, y = split.train.texts.copy(), split.train.y.copy()
    texts[poisoned.rows] = [f"{text} {' '.join([JOB] * 5)}" for text in texts[poisoned.rows]]
    y[poisoned.rows] = 0
    vocabulary = [*split.train.feature_names, JOB]
    spam = Filter(texts, y, vocabulary)
    marked = [f"{text} {' '.join([JOB] * 5)}" for text in asked.texts]
    assert poisoned.margin == pytest.approx(spam.lead(marked)[ASKED], abs=2e-3)
    assert poisoned.plain_margin == pytest.approx(spam.lead(asked.texts)[ASKED], abs=2e-3)
    assert poisoned.margin < 0 < 1 < poisoned.plain_margin
    assert poisoned.accuracy == pytest.approx(((spam.lead(asked.texts) > 0) == asked.y).mean(), abs=0.003)
    assert poisoned.obeyed == pytest.approx((spam.lead(marked)[asked.y == 1] < 0).mean(), abs=0.007)
    first = set(np.argsort(-poisoned.harm)[:10])
    assert poisoned.precision(poisoned.harm) == len(first & set(poisoned.rows)) / 10 >= 0.9
    assert poisoned.precision(poisoned.self_influence) <= 0.2
    kept = np.setdiff1d(np.arange(len(texts)), sorted(first))
    healed = Filter(texts[kept], y[kept], vocabulary, texts, len(texts))
    margin, obeyed = poisoned.deleted(poisoned.first(poisoned.harm))
    assert margin == pytest.approx(healed.lead(marked)[ASKED], abs=2e-3) and margin > 1
    assert obeyed == pytest.approx((healed.lead(marked)[asked.y == 1] < 0).mean(), abs=0.007)
    assert obeyed < poisoned.obeyed / 2


@pytest.mark.parametrize(
    ("name", "settings", "test", "words"),
    [
        ("shortcut", Settings(DataSettings("moons")), 0, "texts of two classes"),
        ("shortcut", SETTINGS, ASKED, "the wrong class"),
        ("shortcut", replace(SETTINGS, estimator="gradient_cosine"), 94, "unit of the loss"),
        ("shortcut", replace(SETTINGS, quantity="margin"), 94, "needs the loss"),
        ("shortcut", SETTINGS, 94, ""),
        ("trigger", Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax")), 0, "two classes"),
        ("trigger", SETTINGS, 94, "gets right"),
        ("trigger", SETTINGS, ASKED, ""),
        ("poison", SETTINGS, ASKED, "can move a little"),
        ("poison", Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1)), 0, ""),
    ],
)
def test_other_problems_are_refused_in_a_sentence(name, settings, test, words):
    said = LESSONS[name].fits(Setting(settings, test))
    assert words in said and bool(said) == bool(words)


def test_a_text_cannot_bring_html_along(mails):
    test = mails.problem.split.test.take(np.arange(1))
    hostile = test.texts.copy()
    hostile[0] = "<script>free</script> click & go"
    share = np.zeros(len(test.feature_names))
    share[test.feature_names.index("click")] = -0.5
    shown = window(replace(test, texts=hostile), 0, "<b>head</b>", share)
    assert "<script>" not in shown and "<b>" not in shown and "&amp; go" in shown
    assert re.search(r'<mark class="down"[^>]*click: −0.500 nats[^>]*>click</mark>', shown)
    assert "<mark" not in window(replace(test, texts=hostile), 0, "head")
