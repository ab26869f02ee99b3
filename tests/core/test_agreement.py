"""Agreement of two vectors against SciPy and NumPy, and the cases in which a number has no meaning."""

import numpy as np
import pytest
from scipy import stats

from influence_core.agreement import Agreement, Measure, agreement, linear_datamodelling, worst


def vectors(n=200, seed=0):
    random = np.random.default_rng(seed)
    predicted = random.normal(size=n)
    return 1.3 * predicted + 0.2 * random.normal(size=n) + 0.05, predicted


def test_correlations_and_slope():
    truth, guess = vectors()
    found = agreement(truth, guess)
    assert found.r.value == pytest.approx(stats.pearsonr(truth, guess).statistic, rel=1e-12)
    assert found.rho.value == pytest.approx(stats.spearmanr(truth, guess).statistic, rel=1e-12)
    assert found.slope.value == pytest.approx(stats.linregress(guess, truth).slope, rel=1e-12)
    assert found.n == 200
    assert found.k == 20


def test_the_slope_is_of_measured_on_predicted():
    """Above 1 the prediction under-estimates; correlation alone would not notice a factor n."""
    truth, guess = vectors()
    assert agreement(truth, guess / 200).slope.value == pytest.approx(200 * agreement(truth, guess).slope.value)
    assert agreement(truth, guess / 200).r.value == pytest.approx(agreement(truth, guess).r.value)
    assert agreement(truth, -guess).slope.value == pytest.approx(-agreement(truth, guess).slope.value)


def test_signs_by_counting():
    truth = np.array([1.0, -2.0, 0.0, 3.0, 0.0])
    guess = np.array([2.0, 1.0, 0.0, 0.5, -1.0])
    assert agreement(truth, guess).sign.value == pytest.approx(3 / 5)
    assert agreement(truth, -truth).sign.value == pytest.approx(2 / 5)


def test_overlap_of_the_largest():
    truth, guess = vectors()
    for k in (1, 5, 50):
        largest = [set(np.argsort(np.abs(v))[-k:]) for v in (truth, guess)]
        assert agreement(truth, guess, k).top_k.value == len(largest[0] & largest[1]) / k
    few = agreement(truth[:7], guess[:7])
    assert few.k == 7
    assert few.top_k.value == 1


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, "agrees"), (1.6, "roughly"), (0.6, "roughly"), (5.0, "misleads"), (-1.0, "misleads")]
)
def test_what_the_strongest_say_is_not_hidden_by_the_many(factor, word):
    """Ten of 4,000 points are off; r, slope and signs over all of them are not."""
    random = np.random.default_rng(0)
    guess = np.r_[random.normal(size=4000), np.full(10, 4.5) * (-1) ** np.arange(10)]
    truth = guess.copy()
    truth[-10:] *= factor
    truth[:-10] *= min(1.0, 4 / np.abs(guess[:-10]).max() * min(1, abs(factor)))
    found = agreement(truth, guess)
    ten = np.argsort(-np.abs(truth))[:10]
    assert found.strong.value == pytest.approx(np.abs(truth[ten]).sum() / (np.sign(truth[ten]) * guess[ten]).sum())
    assert found.word() == word or factor == 1.0


def test_ties_share_their_ranks():
    truth = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 5.0])
    guess = np.array([1.0, 2.0, 2.0, 2.0, 4.0, 3.0])
    assert agreement(truth, guess).rho.value == pytest.approx(stats.spearmanr(truth, guess).statistic, rel=1e-12)


def test_uncertified_refits_are_left_out():
    truth, guess = vectors()
    holes = truth.copy(), guess.copy()
    holes[0][3], holes[0][9], holes[1][11] = np.nan, np.inf, np.nan
    kept = np.delete(np.arange(200), [3, 9, 11])
    assert agreement(*holes) == agreement(truth[kept], guess[kept])
    assert agreement(*holes).n == 197


def test_constant_vectors():
    truth, guess = vectors(20)
    same = np.full(20, 0.1) * (1 + np.arange(20) % 2 * 1e-16)
    no_truth, no_guess = agreement(same, guess), agreement(truth, same)
    assert no_truth.r == no_truth.rho == Measure(None, "all measured changes are equal")
    assert no_truth.slope.value == 0
    assert no_guess.r == no_guess.rho == no_guess.slope == Measure(None, "all predictions are equal")
    assert str(no_guess.slope) == "undefined (all predictions are equal)"
    assert no_guess.sign.value is not None


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_points(n):
    found = agreement(np.ones(n), np.ones(n))
    assert found.r.value is found.sign.value is found.top_k.value is None
    assert found.slope.why == f"needs at least 2 finite points, got {n}"
    assert agreement(np.array([1.0, np.nan]), np.array([1.0, 2.0])).r.value is None


def test_tiny_changes_are_changes():
    truth, guess = vectors()
    small = agreement(1e-200 * truth, 1e-200 * guess)
    assert small.r.value == pytest.approx(agreement(truth, guess).r.value)


def test_a_perfect_prediction():
    truth, _ = vectors()
    found = agreement(truth, truth)
    assert [m.value for m in (found.r, found.rho, found.slope, found.sign, found.top_k)] == pytest.approx([1] * 5)
    assert found.r.value <= 1
    assert str(found.r) == "1.000"


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"two vectors of one length, got \(3,\) and \(4,\)"):
        agreement(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="two vectors"):
        agreement(np.ones((2, 2)), np.ones((2, 2)))


def test_datamodelling_score_is_the_rank_correlation_of_what_is_left_out():
    random = np.random.default_rng(3)
    scores, members = random.normal(size=(20, 4)), random.random((30, 20)) < 0.5
    values = np.stack([[sum(scores[i, j] for i in range(20) if not row[i]) for j in range(4)] for row in members])
    exact = linear_datamodelling(values, scores, members)
    assert exact.mean.value == pytest.approx(1)
    assert exact.subsets == 30
    opposite = linear_datamodelling(values, -scores, members)
    assert opposite.mean.value == pytest.approx(-1)
    noisy = values + 5 * random.normal(size=values.shape)
    found = linear_datamodelling(noisy, scores, members)
    expected = [stats.spearmanr(noisy[:, j], values[:, j]).statistic for j in range(4)]
    np.testing.assert_allclose(found.each, expected)
    assert found.mean.value == pytest.approx(np.mean(expected))
    assert found.error == pytest.approx(np.std(expected, ddof=1) / 2)
    assert linear_datamodelling(np.zeros_like(values), scores, members).mean.value is None
    with pytest.raises(ValueError, match="Expected values"):
        linear_datamodelling(values.T, scores, members)


@pytest.mark.parametrize(
    ("r", "slope", "sign", "word"),
    [
        (0.95, 1.0, 0.95, "agrees"),
        (0.95, 1.5, 0.9, "agrees"),
        (0.95, 0.67, 0.95, "agrees"),
        (0.89, 1.0, 0.95, "roughly"),
        (0.95, 1.6, 0.95, "roughly"),
        (0.95, 0.6, 0.95, "roughly"),
        (0.95, 1.0, 0.85, "roughly"),
        (0.99, 3.1, 0.99, "misleads"),
        (0.99, 0.3, 0.99, "misleads"),
        (-0.9, -1.0, 0.1, "misleads"),
        (0.95, 1.0, 0.6, "misleads"),
        (0.4, 1.0, 0.95, "misleads"),
    ],
)
def test_the_word(r, slope, sign, word):
    found = Agreement(Measure(r), Measure(r), Measure(slope), Measure(sign), Measure(1.0), 50, 20)
    assert found.word() == word
    ranking = Agreement(Measure(0.0), Measure(r), Measure(1e4), Measure(sign), Measure(1.0), 50, 20)
    assert ranking.word(sized=False) == found_without_slope(r, sign)


def found_without_slope(r, sign):
    return "misleads" if r < 0.5 or sign < 2 / 3 else "agrees" if r >= 0.9 and sign >= 0.9 else "roughly"


def test_no_word_where_nothing_varies():
    assert agreement(np.ones(5), np.arange(5.0)).word() == ""
    assert worst(["", "roughly", "agrees"]) == "roughly"
    assert worst([]) == "agrees"
