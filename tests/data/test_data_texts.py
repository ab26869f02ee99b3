"""Texts as words: against TF-IDF written out by hand, on texts that mean harm, and through split, store and export."""

import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from influence_core.analysis import Analysis, Problem, analyse
from influence_core.analysis.problem import Given
from influence_core.compute import Cancelled, Task
from influence_core.data import DATASETS, DataError, contents, load, reading_seconds
from influence_core.data import texts as texts_module
from influence_core.data.dataset import Dataset, Table
from influence_core.data.neighbours import Crowd, Surroundings, copies, neighbour_distance
from influence_core.data.positions import positions
from influence_core.data.split import split
from influence_core.data.texts import no_words, packed, unpacked
from influence_core.data.words import WordFeatures, spans
from influence_core.settings import DataSettings, ModelSettings, Settings

HOSTILE = (
    "<script>alert('x')</script><img src=x onerror=alert(1)> & offer offer",
    "\u202eright to left\u202c שלום עולם offer",
    "x" * 1_000_000,
    "",
    "offer",
    "the and of to the and",
    "😀 👩‍👩‍👧 offer 🎉🎉",
    "before\x00after offer",
    "Überraschung İstanbul ﬁne offer",
    "a b c d e",
)


def table(texts, y=None, words=WordFeatures(least=1)):  # noqa: B008 - frozen
    y = np.arange(len(texts)) % 2 if y is None else y
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    ids = np.array([f"t{k}" for k in range(len(texts))])
    return Table(Dataset(no_words(len(texts)), y, ids, (), ("no", "yes"), texts=found), words=words)


def by_hand(texts, fitted_on, words):
    """Rows of {word: weight}, written out: 1 + log count, times 1 + log((1 + n) / (1 + df)), length one."""
    tokens = [re.findall(r"\b\w\w+\b", text.lower()) for text in texts]
    train = [tokens[k] for k in fitted_on]
    n, df = len(train), Counter(word for text in train for word in set(text))
    kept = {word for word, count in df.items() if count >= words.least}
    rows = []
    for text in tokens:
        counts = Counter(word for word in text if word in kept)
        weights = {
            word: (1 + math.log(c) if words.sublinear else c) * (1 + math.log((1 + n) / (1 + df[word])))
            for word, c in counts.items()
        }
        length = math.sqrt(sum(w * w for w in weights.values()))
        rows.append({word: w / length for word, w in weights.items()})
    return rows


def test_counting_words_says_how_far_it_is_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(texts_module, "TICK", 4)
    data, told, settings = table(["an offer for you"] * 30), [], DataSettings(test_fraction=0.2)
    split(data, settings, 0, Task(report=lambda *at: told.append(at)))
    assert {total for _, total in told} == {30} and told[0][0] == 0
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    stopped = Task()
    stopped.cancel.set()
    with pytest.raises(Cancelled):
        split(data, settings, 0, stopped)


@pytest.mark.parametrize("words", [WordFeatures(least=1), WordFeatures(least=2, sublinear=False)])
def test_features_are_tfidf_of_the_training_texts_alone(words):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["red", "green", "blue", "Blue", "far", "near", f"w{k}"], 9)) for k in range(30)]
    made = split(table(texts, words=words), DataSettings(test_fraction=0.3), 0)
    place = {name: int(name[1:]) for part in (made.train, made.test) for name in part.ids}
    expected = by_hand(texts, [place[name] for name in made.train.ids], words)
    for part in (made.train, made.test):
        for row, name in enumerate(part.ids):
            found = {part.feature_names[k]: v for k, v in zip(part.x[[row]].indices, part.x[[row]].data, strict=True)}
            assert found == pytest.approx(expected[place[name]], rel=1e-12)
            assert part.texts[row] == texts[place[name]]


def test_pairs_and_the_number_of_words_are_limited():
    texts = ["alpha beta gamma", "alpha beta delta"] * 10
    pairs = split(table(texts, words=WordFeatures(pairs=True)), DataSettings(test_fraction=0.2), 0).train
    assert {"alpha beta", "beta gamma", "alpha"} <= {*pairs.feature_names}
    few = split(table(texts, words=WordFeatures(most=2)), DataSettings(test_fraction=0.2), 0).train
    assert {*few.feature_names} == {"alpha", "beta"}


def test_texts_that_mean_harm_become_words_and_nothing_else():
    texts = [*HOSTILE, *HOSTILE]
    made = split(table(texts, np.arange(20) // 10), DataSettings(test_fraction=0.2), 0)
    assert "offer" in made.train.feature_names
    assert max(map(len, made.train.feature_names)) <= 60
    lengths = np.sqrt((made.train.x**2).sum(1))
    empty = np.array([not any(True for _ in spans(text)) for text in made.train.texts])
    np.testing.assert_allclose(lengths[~empty], 1, rtol=1e-12)
    assert (lengths[empty] == 0).all()
    problem = Problem(Settings(model=ModelSettings("logistic", 0.01)), given=Given(made))
    asked = Analysis(replace(problem.settings, estimator="newton"), problem)
    assert np.isfinite(asked.scores([0])).all()
    assert np.isfinite(problem.loo().change).all()


def test_without_a_word_in_common_nothing_can_be_learnt():
    with pytest.raises(DataError, match="words that stand in at least 2 training texts"):
        split(table([f"only{k}" for k in range(10)], words=WordFeatures()), DataSettings(test_fraction=0.2), 0)


def test_words_stand_where_they_are_said_to_stand():
    text = "İstanbul, the ﬁne Überraschung 😀 x yy"
    assert [word for word, _ in spans(text)] == [text[place].lower() for _, place in spans(text)]
    assert [text[place] for _, place in spans(text)] == ["İstanbul", "the", "ﬁne", "Überraschung", "yy"]


def test_texts_go_to_bytes_and_back():
    found = np.empty(len(HOSTILE), dtype=object)
    found[:] = HOSTILE
    whole, sizes = packed(found)
    assert unpacked(whole, sizes).tolist() == list(HOSTILE)


@pytest.mark.parametrize("name", ["spam_assassin", "state_of_the_union"])
def test_bundled_texts_are_clean_and_can_be_told_apart(name):
    made = load(DataSettings(name, test_fraction=0.2), 0)
    assert made.kind == "text"
    assert made.train.x.shape[1] == 2_000
    assert min(np.bincount(made.train.y)) > 300
    texts = [*made.train.texts, *made.test.texts]
    assert max(map(len, texts)) <= 1_800
    assert not any(re.search(r"\S@\S+\.\w|https?://|^(Received|Return-Path|Message-Id):", text, re.M) for text in texts)
    analysis = analyse(Settings(data=DataSettings(name, test_fraction=0.2), model=ModelSettings("logistic", 0.001)))
    assert analysis.problem.accuracy(analysis.problem.fitted.theta) > (0.93 if name == "spam_assassin" else 0.69)
    assert DATASETS[name].present


def test_what_is_near_is_the_same_for_sparse_rows():
    made = load(DataSettings("spam_assassin", test_fraction=0.2), 0)
    x, test = made.train.x[:200], made.test.x[:20]
    whole, other = x.toarray(), test.toarray()
    expected = Surroundings.of(whole).remoteness(other)
    np.testing.assert_allclose(Surroundings.of(x).remoteness(test), expected, rtol=1e-6)
    assert neighbour_distance(x) == pytest.approx(neighbour_distance(whole), rel=1e-9)
    assert copies(x).tolist() == copies(whole).tolist()
    for row in range(0, 200, 17):
        assert Crowd(x).near(row).tolist() == Crowd(whole).near(row).tolist()


def test_the_map_is_a_truncated_svd():
    made = load(DataSettings("spam_assassin", test_fraction=0.2), 0)
    found = positions(made)
    sides = np.linalg.svd(made.train.x.toarray(), full_matrices=False)[2][1:3]
    for k in range(2):
        expected = made.train.x @ sides[k]
        assert abs(np.corrcoef(found.train[:, k], expected)[0, 1]) > 0.99
    assert "towards" in found.axes[0]


def test_whole_texts_leave_for_other_tools():
    made = load(DataSettings("spam_assassin", test_fraction=0.2), 0)
    assert [item["text"] for item in contents.items(made)] == made.train.texts.tolist()
    sheet = contents.assembled(made)
    assert sheet.table.columns.tolist() == ["id", "text", "mail"]
    assert sheet.table["text"].tolist() == made.train.texts.tolist()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_a_map_of_few_words_is_drawn_too(words):
    names = ["red", "green", "blue"][:words]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(names, 5)) for _ in range(40)]
    made = split(table(texts), DataSettings(test_fraction=0.2), 0)
    found = positions(made)
    assert found.train.shape == (32, 2)
    assert np.isfinite(found.train).all() and np.isfinite(found.test).all()


def test_points_with_the_same_note_are_a_group_by_its_parts_too():
    made = load(DataSettings("state_of_the_union", test_fraction=0.2), 0).train
    years, president = {}, 0
    for said in made.hover:
        name, year = str(said).rsplit(", ", 1)
        years[year] = years.get(year, 0) + 1
        president += name == "Ronald Reagan"
    assert {part: len(rows) for part, rows in made.noted.items() if part.isdecimal()} == years
    assert len(made.noted["Ronald Reagan"]) == president > 50
    assert all("Ronald Reagan" in made.hover[row] for row in made.noted["Ronald Reagan"])
    mails = load(DataSettings("spam_assassin", test_fraction=0.2), 0).train
    assert {*mails.noted} == {"easy ham", "hard ham", "spam"}
    alone = replace(mails, hover=mails.ids)
    assert alone.noted == {} == replace(mails, hover=None).noted


def test_only_texts_take_time_to_become_features():
    mails = reading_seconds(DataSettings("spam_assassin"), 0)
    texts = load(DataSettings("spam_assassin"), 0)
    letters = sum(map(len, [*texts.train.texts, *texts.validation.texts, *texts.test.texts]))
    assert mails == pytest.approx(letters / texts_module.SPEED)
    assert reading_seconds(DataSettings("iris"), 0) == reading_seconds(DataSettings("no such data"), 0) == 0
