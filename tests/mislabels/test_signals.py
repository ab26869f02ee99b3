"""Every entry of SIGNALS: direction, range, invariants, and what it is by its definition, refits included."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from influence_core.analysis import SIGNALS, Problem, Review, SignalError, analyse, trust_record
from influence_core.analysis.folds import folds
from influence_core.mislabels import agreeing, detection, label_issues, suspicion
from influence_core.models import fit
from influence_core.settings import DataSettings, ModelSettings, Settings

signals = pytest.mark.parametrize("name", SIGNALS)
CHANCE = {"random"}


@cache
def settings(model="logistic", flips=0.1, **data) -> Settings:
    chosen = DataSettings("blobs", (("n", 300),), validation_fraction=0.2, flip_fraction=flips, **data)
    return Settings(chosen, ModelSettings(model, 0.02), seed=3)


@cache
def review(model="logistic", flips=0.1) -> Review:
    return Review(analyse(settings(model, flips)))


@pytest.fixture(scope="module")
def three_species() -> Review:
    data = DataSettings("iris", (("classes", "3"),), validation_fraction=0.2, flip_fraction=0.1)
    return Review(analyse(Settings(data, ModelSettings("softmax", 0.05))))


@signals
@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_one_finite_number_for_every_training_point(name, model):
    found = review(model).suspicion(name)
    assert found.shape == (len(review(model).labels),)
    assert np.isfinite(found).all()
    assert not found.flags.writeable


@signals
def test_higher_means_more_suspicious(name, three_species):
    """Flips rank above correct labels, clearly better than chance, on two data sets."""
    for found in (review(), three_species):
        area = roc_auc_score(found.analysis.problem.split.flipped, found.suspicion(name))
        assert 0.3 < area < 0.7 if name in CHANCE else area > 0.75, area


@signals
def test_the_same_again(name):
    again = Review(analyse(settings())).suspicion(name)
    np.testing.assert_allclose(again, review().suspicion(name), rtol=1e-6, atol=1e-12)


@signals
def test_exactly_the_flips_are_counted(name):
    found, flipped = review(), review().analysis.problem.split.flipped
    n = len(flipped)
    assert flipped.sum() == round(0.1 * n)
    queue = found.ranked(name)
    assert sorted(queue.tolist()) == list(range(n))
    curve = detection(found.suspicion(name), flipped, found.ties, np.arange(n + 1) / n)
    assert curve.found.tolist() == [flipped[queue[:k]].sum() for k in range(n + 1)]
    assert curve.found[-1] == flipped.sum()


@pytest.mark.parametrize("name", ["self_influence", "newton_self_influence", "loss", "gradient_norm"])
def test_never_negative(name):
    assert (review().suspicion(name) >= 0).all()


def test_shares_and_counts_have_their_ranges():
    found = review()
    confident, agreed = found.suspicion("confident_learning"), found.suspicion("agreement")
    assert ((confident >= 0) & (confident <= 1)).all()
    voters = [name for name in found.signals if SIGNALS[name].votes]
    assert ((agreed >= 0) & (agreed < len(voters) + 1)).all()
    counts, mean = agreeing({name: found.suspicion(name) for name in voters})
    np.testing.assert_array_equal(np.floor(agreed), counts)
    np.testing.assert_allclose(agreed - counts, mean / 100, atol=1e-12)


def test_agreement_counts_tops_and_nothing_flat():
    values = {"a": np.arange(10.0), "b": -np.arange(10.0), "c": np.arange(10.0) ** 2, "flat": np.zeros(10)}
    counts, _ = agreeing(values, share=0.2)
    assert counts.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 2, 2]


@pytest.mark.parametrize(("name", "newton"), [("self_influence", False), ("newton_self_influence", True)])
def test_self_influence_predicts_the_refit(name, newton):
    found = review()
    truth = found.analysis.problem.loo().self_change
    predicted = found.suspicion(name)
    error = np.abs(predicted - truth).max() / truth.max()
    assert np.polyfit(predicted, truth, 1)[0] == pytest.approx(1, abs=0.05 if newton else 0.2)
    assert error < (0.05 if newton else 0.2)


def test_harm_to_validation_predicts_the_refit():
    """Remove the most harmful and the most helpful point, refit with scikit-learn, look at the validation loss."""
    found = review()
    split, l2 = found.analysis.problem.split, found.analysis.settings.model.l2
    harm, n = found.suspicion("validation_influence"), len(split.train)

    def mean_loss(keep):
        fit = LogisticRegression(C=1 / (n * l2), solver="newton-cholesky", tol=1e-12, max_iter=500)
        chances = fit.fit(split.train.x[keep], split.train.y[keep]).predict_proba(split.validation.x)
        return -np.log(chances[np.arange(len(chances)), split.validation.y]).mean()

    whole = mean_loss(np.arange(n))
    for row in (int(harm.argmax()), int(harm.argmin())):
        lowered = whole - mean_loss(np.delete(np.arange(n), row))
        assert lowered == pytest.approx(harm[row], rel=0.1)
        assert np.sign(lowered) == np.sign(harm[row]) != 0


@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_loss_gradient_norm_and_margin_by_hand(model):
    found = review(model)
    fitted, y = found.fitted, found.labels
    x, f = fitted.train.x.numpy(), fitted.outputs.numpy()
    scores = np.hstack([np.zeros((len(f), 1)), f]) if model == "logistic" else f
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    given = chances[np.arange(len(y)), y]
    np.testing.assert_allclose(found.suspicion("loss"), -np.log(given), rtol=1e-9)
    other = scores[np.arange(len(y)), 1 - y]
    np.testing.assert_allclose(found.suspicion("margin"), other - scores[np.arange(len(y)), y], rtol=1e-9)
    residual = (chances - np.eye(2)[y])[:, 1:] if model == "logistic" else chances - np.eye(2)[y]
    lengths = np.linalg.norm(residual, axis=1) * np.linalg.norm(x, axis=1)
    np.testing.assert_allclose(found.suspicion("gradient_norm"), lengths, rtol=1e-9)


def test_confident_learning_by_scikit_learn(three_species):
    """Each fold by a fit of its own on the others, with the total penalty n·l2."""
    split = three_species.analysis.problem.split
    x, y, n = split.train.x, split.train.y, len(split.train)
    fold, expected = folds(y, three_species.seed), np.empty((n, 3))
    for number in range(5):
        part = fold == number
        fit = LogisticRegression(C=1 / (n * 0.05), solver="newton-cholesky", tol=1e-12, max_iter=500)
        expected[part] = fit.fit(x[~part], y[~part]).predict_proba(x[part])
    np.testing.assert_allclose(three_species.probabilities, expected, atol=1e-6)
    quality = 1 - three_species.suspicion("confident_learning")
    np.testing.assert_allclose(quality, expected[np.arange(n), y], atol=1e-6)
    np.testing.assert_array_equal(three_species.issues, label_issues(y, expected))
    assert three_species.issues[split.flipped].mean() > 0.7 > 0.2 > three_species.issues[~split.flipped].mean()


def test_folds_are_even_in_every_class():
    labels = np.repeat([0, 1, 2], [17, 30, 2])
    fold = folds(labels, seed=1)
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(fold, folds(labels, seed=2))


def test_random_is_its_own_order_for_every_seed():
    other = Review(analyse(replace(settings(), seed=4)))
    assert not np.array_equal(other.suspicion("random"), review().suspicion("random"))


def test_what_is_not_defined_is_refused_with_advice():
    without = Review(analyse(Settings(DataSettings("blobs", (("n", 60),)))))
    assert "validation_influence" not in without.signals
    with pytest.raises(SignalError, match="validation fraction above 0"):
        without.suspicion("validation_influence")
    hinge = Review(analyse(settings("hinge")))
    assert "confident_learning" not in hinge.signals
    with pytest.raises(SignalError, match="choose logistic or softmax"):
        hinge.suspicion("confident_learning")
    regression = Review(analyse(Settings(DataSettings("linear_example"), ModelSettings("ridge"))))
    assert set(regression.signals).isdisjoint({"margin", "confident_learning", "validation_influence"})
    with pytest.raises(SignalError, match="Unknown signal 'x'"):
        suspicion(without, "x")


@pytest.mark.parametrize("model", ["hinge", "ridge"])
def test_signals_without_probabilities_still_rank(model):
    data = settings().data if model == "hinge" else DataSettings("diabetes")
    found = Review(analyse(Settings(data, ModelSettings(model, 0.02))))
    for name, values in found.suspicions().items():
        assert np.isfinite(values).all(), name


def test_newton_first_leaves_the_first_order_unchanged():
    both = Review(analyse(settings("softmax"))).suspicions(["self_influence", "newton_self_influence"])
    assert list(both) == ["self_influence", "newton_self_influence"]
    np.testing.assert_allclose(both["self_influence"], review("softmax").suspicion("self_influence"), rtol=1e-9)


def test_cleaner_data_have_less_to_suspect():
    clean, flipped = review(flips=0.0), review()
    assert clean.suspicion("loss").mean() < flipped.suspicion("loss").mean()
    assert clean.issues.mean() < flipped.issues.mean()
    assert isinstance(clean.analysis.problem, Problem)


def test_the_trust_line_belongs_to_the_queue():
    assert review().trust.warnings == ()
    unconverged = Review(analyse(replace(settings(), model=ModelSettings("logistic", 0.02, fit="adamw"))))
    record = trust_record(unconverged.trust)
    assert record["codes"] == ["fit"]
    assert json.loads(json.dumps(record)) == record


@pytest.fixture(scope="module")
def network() -> Review:
    data = DataSettings("blobs", (("n", 200),), validation_fraction=0.2, flip_fraction=0.1)
    return Review(analyse(Settings(data, ModelSettings("mlp", 0.01, fit="adamw", options=(("epochs", 20),)), seed=1)))


def test_a_network_has_every_signal_but_the_newton_form(network):
    assert set(SIGNALS) - set(network.signals) == {"newton_self_influence"}
    with pytest.raises(SignalError, match="linear predictor"):
        network.suspicion("newton_self_influence")
    flipped = network.analysis.problem.split.flipped
    for name in set(network.signals) - CHANCE:
        assert roc_auc_score(flipped, network.suspicion(name)) > 0.75, name


def test_a_network_is_trained_again_without_each_fold(network):
    """The first fold by hand; the point's own label is not in its probability."""
    problem = network.analysis.problem
    fold = folds(network.labels, network.seed)
    part = replace(problem.split, train=problem.split.train.take(np.flatnonzero(fold != 0)))
    again = fit(problem.settings.model, part, problem.settings.seed)
    rows = np.flatnonzero(fold == 0)
    f = again.model.outputs(again.theta, problem.fitted.train.x[rows])
    np.testing.assert_allclose(network.probabilities[rows], again.model.loss.probabilities(f).detach(), rtol=1e-5)
