"""Rivals of influence by plain NumPy, means over test points by their formula, and a network's two truths."""

import numpy as np
import pytest
import torch
from scipy import stats

from influence_core.analysis import RemovalQuestion, Task, analyse, removal, removal_means, result_store
from influence_core.analysis.removal import stored_removal
from influence_core.analysis.rivals import orders, rivals_of
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings

OPTIONS = (("activation", "tanh"), ("epochs", 5), ("width", 4))
BLOBS = DataSettings("blobs", (("n", 80),), test_fraction=0.25)
NETWORK = Settings(BLOBS, ModelSettings("mlp", 0.001, options=OPTIONS), estimator="unrolled")
SOFTMAX = Settings(DataSettings("iris"), ModelSettings("softmax", 0.1))
RIDGE = Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1))


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def last_layer(analysis, x):
    """What the last layer reads, and its outputs: the features themselves for a linear predictor."""
    fitted = analysis.problem.fitted
    x = torch.tensor(x).to(fitted.theta)
    f = fitted.model.outputs(fitted.theta, fitted.model.features(x))
    if analysis.settings.model.name != "mlp":
        return np.asarray(x), np.asarray(f)
    module, at = fitted.model.module, 0
    for part in module.parameters():
        part.data = fitted.theta[at : at + part.numel()].reshape(part.shape)
        at += part.numel()
    return module[:-1](x).detach().numpy(), np.asarray(f)


def errors(f, y):
    """∂ℓ/∂f (n, K) from the outputs and targets."""
    if f.shape[1] > 1:
        p = np.exp(f - f.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True) - np.eye(f.shape[1])[y]
    return 2 * (f - y[:, None])


@pytest.mark.parametrize("settings", [SOFTMAX, RIDGE, NETWORK])
def test_rivals_are_what_their_names_say(settings):
    analysis = analyse(settings)
    split, targets = analysis.problem.split, [(3,), (0, 5)]
    h, f = last_layer(analysis, split.train.x)
    found = orders(analysis, targets, ("cosine", "representer", "nearest"), 5)
    for t, tests in enumerate(targets):
        asked, outputs = last_layer(analysis, split.test.x[list(tests)])
        angle = (h / np.linalg.norm(h, axis=1)[:, None]) @ (asked / np.linalg.norm(asked, axis=1)[:, None]).T
        wanted = np.zeros(len(h))
        for point, out, y in zip(asked, outputs, split.test.y[list(tests)], strict=True):
            u = np.eye(len(out))[int(y)] if len(out) > 1 else np.sign(y - out)
            wanted -= (errors(f, split.train.y) @ u) * (h @ point)
        far = np.mean([np.linalg.norm(h - point, axis=1) for point in asked], 0)
        for name, strength in (("cosine", angle.mean(1)), ("representer", wanted), ("nearest", -far)):
            expected = strength[np.argsort(-strength)[:5]]
            np.testing.assert_allclose(strength[found[name][t]], expected, rtol=1e-4, atol=1e-6)


def test_every_rival_is_asked_by_default_and_tracin_for_a_network():
    assert rivals_of(analyse(SOFTMAX).problem.fitted) == ("nearest", "cosine", "representer", "loss")
    question = RemovalQuestion((0,), shares=(0.05,), draws=2)
    found = removal.removal(analyse(NETWORK), question)
    assert list(found.titles) == ["unrolled", "nearest", "cosine", "representer", "loss", "tracin"]
    assert question.count(analyse(NETWORK)) == 8


def test_texts_have_rivals_too():
    analysis = analyse(Settings(DataSettings("spam_assassin"), ModelSettings("logistic", 0.01)))
    x, asked = (part.x for part in (analysis.problem.split.train, analysis.problem.split.test))
    found = orders(analysis, [(0,)], rivals_of(analysis.problem.fitted), 9)
    angle = (x @ asked[[0]].T).toarray()[:, 0]  # rows of TF-IDF have length one
    np.testing.assert_allclose(angle[found["cosine"][0]], np.sort(angle)[::-1][:9], atol=1e-9)
    assert {found[name].shape for name in found} == {(1, 9)}


@pytest.mark.parametrize("truth", ["run", "seeds"])
def test_a_network_is_measured_by_the_truth_that_was_chosen(truth):
    analysis = analyse(NETWORK)
    fitted, test = analysis.problem.fitted, analysis.problem.test.take([3])
    found = removal.removal(analysis, RemovalQuestion((3,), ("loss",), (0.1,), 2, truth))
    seeds = range(5) if truth == "seeds" else [0]
    for name, order in found.groups.items():
        one = [Repeated(fitted, seed=s).without(Question(test), [order], True).change[0, 0] for s in seeds]
        assert found.change[name][0] == pytest.approx(np.mean(one), rel=1e-3, abs=1e-6)


def test_runs_are_kept_and_looking_for_them_trains_nothing(monkeypatch):
    question = RemovalQuestion((3,), ("loss",), (0.05, 0.1), 2)
    assert stored_removal(analyse(NETWORK), question) is None
    first = removal.removal(analyse(NETWORK), question, Task(store=result_store()))
    monkeypatch.setattr(Repeated, "trained", None)
    found = stored_removal(analyse(NETWORK), question)
    np.testing.assert_array_equal(found.change["loss"], first.change["loss"])


def test_means_are_those_of_single_questions_with_a_student_interval():
    analysis, tests, shown = analyse(SOFTMAX), (2, 7, 9), []
    question = RemovalQuestion(tests, ("cosine",), (0.05, 0.1), 4)
    found = removal_means(analysis, question, Task(show=shown.append))
    singles = [removal.removal(analysis, RemovalQuestion((j,), ("cosine",), (0.05, 0.1), 4)) for j in tests]
    table = found.table()
    assert len(table) == 4
    for k, (name, at) in enumerate((name, at) for name in ("influence", "cosine") for at in (0, 1)):
        gains = np.array([one.change[name][at] - one.random[at].mean() for one in singles])
        row = table.iloc[k]
        low, high = stats.t.interval(0.95, 2, gains.mean(), gains.std(ddof=1) / np.sqrt(3))
        assert row[["gain", "gain_low", "gain_high"]].tolist() == pytest.approx([gains.mean(), low, high], rel=1e-5)
        assert row["beyond_random"] == pytest.approx(np.mean([one.outside(name)[at] for one in singles] & (gains > 0)))
        assert row["test_points"] == 3
    best = table[table["points"] == table["points"].max()].sort_values("gain").iloc[-1]["ranking"]
    assert ("moves the furthest" in found.sentence()) == (best == "Influence (first order)")
    assert "over 3 test points" in found.sentence()
    assert len(shown) == 2 and not shown[0].finished and found.finished
    assert np.isnan(shown[0].table()["gain"][1]) and shown[0].table()["test_points"][1] == 0


def test_a_margin_that_falls_is_a_gain():
    analysis = analyse(Settings(SOFTMAX.data, SOFTMAX.model, quantity="margin"))
    table = removal_means(analysis, RemovalQuestion((2, 7), (), (0.1,), 4)).table()
    assert table["change"][0] < table["random"][0]
    assert table["gain"][0] == pytest.approx(table["random"][0] - table["change"][0])


def test_nothing_measured_is_said():
    analysis = analyse(SOFTMAX)
    found = removal_means(analysis, RemovalQuestion((0, 1), (), (0.99,), 2))
    assert found.sentence().startswith("No group could leave")
    assert found.table()["gain"].isna().all()
