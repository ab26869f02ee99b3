"""Word shares of both sides and their table: against explicit matrices, their own sums, and scikit-learn refits."""

import numpy as np
import pytest
import torch
from made_texts import TARGETS, pair
from sklearn.linear_model import Ridge

from influence_core.influence.estimators import ESTIMATORS, scores
from influence_core.influence.exchange import asked_shares, exchange
from influence_core.influence.shares import shares, shares_of
from influence_core.influence.watched import Influence, watch
from influence_core.settings import SettingsError, SolverSettings

ROW, ASKED = 5, 2
SPLITS = [name for name, entry in ESTIMATORS.items() if entry.splits]


def question(model, which=0, quantity="loss", **options):
    fitted, made = pair(model, **options)[which]
    batch = fitted.batch(made.test).take(slice(ASKED, ASKED + 1))
    return Influence(fitted, SolverSettings()), watch(fitted, batch, quantity), made


@pytest.mark.parametrize("sparse", [0, 1], ids=["sparse", "dense"])
@pytest.mark.parametrize("estimator", SPLITS)
@pytest.mark.parametrize("model", TARGETS)
def test_both_sides_and_the_table_sum_to_the_score(model, estimator, sparse):
    influence, watched, made = question(model, sparse)
    for row in (0, ROW, 17):
        expected = scores(influence, watched, estimator)[row, 0]
        mine = shares(influence, watched, row, estimator)
        asked = asked_shares(influence, watched, row, estimator)
        for found in (mine, asked):
            size = np.abs(found.features).sum() + abs(found.intercept)
            total = found.features.sum() + found.intercept + found.penalty
            assert abs(total - found.score) <= 1e-12 * size
            assert found.score == pytest.approx(expected, rel=1e-9, abs=1e-12 * size)
        told = exchange(influence, watched, row, estimator)
        assert told.table.sum() + told.rest == pytest.approx(told.score, rel=1e-12)
        # Summed over one side, with the other side's intercept beside, the table is the share of that side.
        free = influence.fitted.linear.intercept
        column = mine.features[told.train] - told.table.sum(1)  # what each word shares with the test point's constant
        line = asked.features[told.test] - told.table.sum(0)
        both = told.rest - column.sum() - line.sum()
        assert free
        assert mine.intercept == pytest.approx(line.sum() + both, rel=1e-6, abs=1e-9 * np.abs(mine.features).max())
        assert asked.intercept == pytest.approx(column.sum() + both, rel=1e-6, abs=1e-9 * np.abs(asked.features).max())
        assert {*told.train} == {*np.flatnonzero(made.train.x[[row]].toarray()[0] if not sparse else made.train.x[row])}


@pytest.mark.parametrize("model", TARGETS)
def test_the_table_is_written_out(model):
    """x_ik r_iᵀ (H⁻¹)_kl u_j x_jl / n from the explicit inverse, class by class."""
    influence, watched, made = question(model)
    fitted = influence.fitted
    told = exchange(influence, watched, ROW)
    inverse = np.linalg.inv(influence.curvature.dense().numpy())
    outputs, width = fitted.model.loss.outputs, fitted.size // fitted.model.loss.outputs
    blocks = inverse.reshape(outputs, width, outputs, width)
    x, z = made.train.x[[ROW]].toarray()[0], made.test.x[[ASKED]].toarray()[0]
    r = fitted.residuals[ROW].numpy()
    u = watched.quantity.residuals(fitted.model.loss, watched.outputs, watched.batch.y).numpy()[0]
    expected = np.einsum("k,a,akbl,b,l->kl", x, r, blocks[:, : len(x), :, : len(x)], u, z) / len(made.train)
    np.testing.assert_allclose(told.table, expected[np.ix_(told.train, told.test)], rtol=1e-7, atol=1e-13)
    left_out = np.delete(np.delete(expected, told.train, 0), told.test, 1)
    assert np.abs(left_out).max(initial=0) == 0


def test_one_step_newton_is_first_order_over_one_minus_leverage():
    influence, watched, _ = question("logistic", quantity="margin")  # linear in f: no mean slope is needed
    first, newton = asked_shares(influence, watched, ROW), asked_shares(influence, watched, ROW, "newton")
    factor = 1 / (1 - float(influence.leverage[ROW]))
    assert factor > 1.01
    np.testing.assert_allclose(newton.features, first.features * factor, rtol=1e-9, atol=1e-15)
    mine = [shares(influence, watched, ROW, name).features for name in ("influence", "newton")]
    np.testing.assert_allclose(mine[1], mine[0] * factor, rtol=1e-9, atol=1e-15)


def test_one_step_shares_of_ridge_sum_to_what_scikit_learn_measures_without_the_row():
    influence, watched, made = question("ridge", quantity="prediction", l2=0.05)
    x, y, alpha = made.train.x.toarray(), made.train.y, len(made.train) * 0.05 / 2
    z = made.test.x[[ASKED]].toarray()

    def predicted(weights):
        fit = Ridge(alpha=alpha, solver="cholesky").fit(x, y, sample_weight=weights)
        return float(fit.predict(z)[0])

    weights = np.ones(len(y))
    whole = predicted(weights)
    for row in (ROW, 40, 77):
        gone = weights.copy()
        gone[row] = 0
        told = asked_shares(influence, watched, row, "newton")
        assert told.features.sum() + told.intercept == pytest.approx(predicted(gone) - whole, rel=1e-7)
        h = 1e-4
        slope = (predicted(weights - h * (1 - gone)) - predicted(weights + h * (1 - gone))) / (2 * h)
        first = exchange(influence, watched, row)
        assert first.table.sum() + first.rest == pytest.approx(slope, rel=1e-6)


def test_an_estimator_that_is_no_sum_is_refused():
    influence, watched, _ = question("logistic")
    with pytest.raises(SettingsError, match="no sum over features"):
        exchange(influence, watched, ROW, "tracin")


@pytest.mark.parametrize("estimator", SPLITS)
@pytest.mark.parametrize("quantity", ["loss", "margin", "probability", "prediction"])
@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_many_shares_of_one_solve_are_those_of_each_point(model, estimator, quantity):
    several = model == "softmax"
    if not ESTIMATORS[estimator].curvature or (several and (quantity == "prediction" or estimator == "newton")):
        return
    influence, watched, _ = question(model, quantity=quantity)
    rows = torch.tensor([0, ROW, 17, 40])
    mine = torch.from_numpy(scores(influence, watched, estimator)[rows.numpy(), 0])
    _ = influence.solved(watched)
    object.__setattr__(influence, "solve", lambda _b: pytest.fail("one solve serves them all"))
    told = shares_of(influence, watched, rows, mine, estimator)
    del influence.__dict__["solve"]
    for row, found in zip(rows.tolist(), told, strict=True):
        one = shares(influence, watched, row, estimator).features
        np.testing.assert_allclose(found, one, rtol=1e-9, atol=1e-12 * np.abs(one).max())


def test_one_solve_does_not_serve_one_step_newton_of_several_classes_or_a_folded_penalty():
    rows, none = torch.tensor([0]), torch.zeros(1, dtype=torch.float64)
    for model, options in (("softmax", {}), ("logistic", {"fold_penalty": True})):
        influence, watched, _ = question(model, **options)
        assert shares_of(influence, watched, rows, none, "newton") is None
