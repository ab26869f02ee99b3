"""How few training points must leave: the question as a page asks it, and its answer in words."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import DataError, FlipQuestion, Problem, Settings, Task, fragility
from influence_core.compute import result_store
from influence_core.settings import DataSettings, ModelSettings

BLOBS = DataSettings("blobs", (("n", 120),), test_fraction=0.2)


def problem(data=BLOBS, model="logistic", l2=0.01, fit="auto", options=()):
    return Problem(Settings(data, ModelSettings(model, l2, fit=fit, options=options)))


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def ask(given, test=0, want=None, **more):
    return fragility.fragility(given, FlipQuestion(test, want or fragility.wants(given, test)[0], **more))


def nearest(given, count):
    """Test points whose prediction is closest to the line."""
    chances = np.sort(given.predictions, 1)
    return np.argsort(chances[:, -1] - chances[:, -2])[:count].tolist()


@pytest.mark.parametrize("l2", [pytest.param(1.0, marks=pytest.mark.slow), 0.1])
def test_digits_and_scikit_learn(l2):
    """785 parameters: the margin to seven digits, and a member that comes back undoes the flip."""
    given = problem(DataSettings("mnist", (("size", 200),)), l2=l2)
    split, test = given.split, nearest(given, 1)[0]
    found = ask(given, test).turned
    assert found.found
    assert found.held

    def margin(gone):
        left = np.setdiff1d(np.arange(len(split.train)), gone)
        fit = LogisticRegression(C=1 / (l2 * len(split.train)), solver="newton-cholesky", tol=1e-12, max_iter=500).fit(
            split.train.x[left], split.train.y[left]
        )
        return float(fit.decision_function(split.test.x[[test]])[0])

    whole, turned = margin([]), margin(found.rows)
    assert np.sign(whole) == -np.sign(turned)
    assert found.before == pytest.approx(abs(whole), rel=1e-7)
    assert found.after == pytest.approx(-abs(turned), rel=1e-6)
    for k in np.random.default_rng(0).permutation(len(found.rows))[:2]:
        assert np.sign(margin(np.delete(found.rows, k))) == np.sign(whole)


@pytest.mark.parametrize(
    ("data", "model"),
    [
        (BLOBS, "logistic"),
        (BLOBS, "hinge"),
        (DataSettings("iris", (("classes", "3"),)), "softmax"),
        (DataSettings("diabetes"), "ridge"),
    ],
)
def test_the_set_is_a_group_whose_refit_says_the_same(data, model):
    """As the panel about groups refits it: the same θ, so the same prediction."""
    given, compared = problem(data, model, 0.1), 0
    for test in range(6):
        found = ask(given, test)
        if not found.turned.found:
            continue
        compared += 1
        refit = given.group_refit(found.turned.rows)
        assert refit.certified
        np.testing.assert_allclose(found.turned.theta, refit.theta, rtol=0, atol=1e-6 * np.abs(refit.theta).max())
        assert found.before != found.after
    assert compared >= 3


def test_words_of_a_set():
    given = problem()
    found = next(answer for test in nearest(given, 20) if len((answer := ask(given, test)).turned.rows) > 1)
    size, n = len(found.turned.rows), len(given.split.train)
    assert f"Without {size} of the {n} training points" in found.sentence
    assert f"the prediction is {found.after} instead of {found.before}" in found.sentence
    assert "the smallest set found, and no member can be put back; a smaller one may exist" in found.sentence
    assert "minimal" not in found.sentence
    assert found.record()["points"] == size
    assert found.record()["share"] == pytest.approx(size / n)


def test_words_of_none():
    given = problem(l2=10.0)
    far = int(np.argmax(np.abs(given.predictions[:, 1] - 0.5)))
    found = ask(given, far, share=0.05)
    assert "No set of at most 4 of the 96 training points (5%) was found. Without the 4 points" in found.sentence
    assert found.record()["points"] is None
    assert found.before == found.after


def test_a_threshold_is_crossed_and_the_usual_one_is_the_mean():
    given = problem(DataSettings("diabetes"), "ridge", 0.1)
    value, mean = float(given.predictions[0, 0]), float(given.split.train.y.mean())
    assert ask(given, 0).threshold == pytest.approx(mean, rel=1e-3)
    for threshold in (value - 3, value + 3):
        found = ask(given, 0, threshold=threshold)
        side = "above" if threshold > value else "below"
        assert f"{side} {threshold:.4g}" in found.sentence
        assert (float(found.turned.f_after[0]) > threshold) == (threshold > value)


def test_what_can_be_asked():
    given = problem(DataSettings("iris", (("classes", "3"),), test_fraction=0.5), "softmax", 0.1)
    wrong = np.flatnonzero(given.misclassified)
    assert fragility.wants(given, int(wrong[0])) == ("flip", "right")
    assert fragility.wants(given, int(np.flatnonzero(~given.misclassified)[0])) == ("flip",)
    two = problem(DataSettings("blobs", (("n", 200),), test_fraction=0.5, flip_fraction=0.2))
    assert fragility.wants(two, int(np.flatnonzero(two.misclassified)[0])) == ("right",)
    assert fragility.wants(problem(DataSettings("diabetes"), "ridge"), 0) == ("cross",)


@pytest.mark.parametrize(
    ("given", "question", "sentence"),
    [
        (problem(model="mlp", options=(("epochs", 1),)), FlipQuestion(0), "a network trained again"),
        (problem(fit="adamw"), FlipQuestion(0), "trained by AdamW"),
        (problem(), FlipQuestion(99), "expected a row from 0 to 23, got 99"),
        (problem(), FlipQuestion(0, "turn"), "Expected one of flip, right, cross, got 'turn'"),
        (problem(), FlipQuestion(0, "cross"), "These data have classes: ask what flips it"),
        (problem(), FlipQuestion(0, share=1.0), "expected a number between 0 and 1, got 1"),
        (problem(DataSettings("diabetes"), "ridge"), FlipQuestion(0), "a numeric target: ask what crosses"),
        (problem(DataSettings("diabetes"), "ridge"), FlipQuestion(0, "cross", np.nan), "Threshold: expected a number"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(given, question, sentence):
    with pytest.raises(DataError, match=sentence):
        fragility.fragility(given, question)


def test_a_large_model_is_refused_by_its_size(monkeypatch):
    monkeypatch.setattr(fragility, "LARGEST", 2)
    assert fragility.why_not(problem()) == (
        "This is offered up to 2 parameters, this model has 3: take fewer features or classes."
    )


def test_a_point_that_is_right_cannot_be_made_right():
    given = problem()
    right = int(np.flatnonzero(~given.misclassified)[0])
    with pytest.raises(DataError, match=f"Test point {right} is classified right already"):
        ask(given, right, "right")


def test_another_session_finds_the_answer_and_no_other_question_does():
    given = problem()
    assert fragility.stored_fragility(given, FlipQuestion(3)) is None
    found = fragility.fragility(given, FlipQuestion(3), Task(store=result_store()))
    again = fragility.stored_fragility(problem(), FlipQuestion(3))
    assert again is not None
    assert again.record() == found.record()
    assert fragility.stored_fragility(problem(l2=0.02), FlipQuestion(3)) is None
    assert fragility.stored_fragility(given, FlipQuestion(3, share=0.3)) is None
