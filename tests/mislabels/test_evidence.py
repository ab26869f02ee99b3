"""Evidence of a card against refits: who supports a label, what a relabel would do; near-duplicates."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from influence_core.analysis import Review, analyse, cases
from influence_core.data.neighbours import near_duplicates, neighbour_distance
from influence_core.influence.effects import relabel_change
from influence_core.influence.evidence import evidence
from influence_core.models import FittedModel, QuantityError
from influence_core.models.fitting import newton
from influence_core.retraining import Question, refit_changed
from influence_core.settings import DataSettings, ModelSettings, Settings

MODELS = ("logistic", "softmax", "hinge")
ROWS = [0, 7, 31]


@cache
def review(model: str, fold: bool = False, validation: float = 0.3) -> Review:
    data = DataSettings("blobs", (("n", 80),), validation_fraction=validation, flip_fraction=0.1)
    if model == "softmax":
        data = DataSettings("iris", (("classes", "3"),), validation_fraction=validation, flip_fraction=0.1)
    options = (("t", 0.5),) if model == "hinge" else ()
    return Review(analyse(Settings(data, ModelSettings(model, 0.2, fold_penalty=fold, options=options), seed=2)))


def found(model, fold=False, validation=0.3):
    asked = review(model, fold, validation)
    classes = asked.analysis.problem.split.train.classes
    return evidence(asked.analysis.influence, ROWS, classes, asked.validation)


def belief(fitted: FittedModel, theta, row):
    f = fitted.model.outputs(theta, fitted.train.x[row : row + 1])
    chances = fitted.model.loss.probabilities(f)
    y = int(fitted.train.y[row])
    return float(fitted.model.loss.margins(f, fitted.train.y[row : row + 1]) if chances is None else chances[0, y])


def without(fitted: FittedModel, k):
    weights = fitted.train.y.new_ones(len(fitted.train))
    weights[k] = 0
    return newton(fitted.linear, fitted.train, weights, fitted.theta).theta


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_belief_changes_as_refits_say(model, fold):
    """The strongest witnesses on both sides, by slope, sign and error."""
    fitted, answer = review(model, fold).fitted, found(model, fold)
    assert answer.quantity == ("margin" if model == "hinge" else "probability")
    for item, row in enumerate(ROWS):
        assert answer.change[item, row] == 0
        rows = np.concatenate([answer.supports(item, 3), answer.contradicts(item, 3)])
        predicted = answer.change[item, rows]
        truth = np.array([belief(fitted, without(fitted, k), row) for k in rows]) - belief(fitted, fitted.theta, row)
        assert (np.sign(predicted) == np.sign(truth)).all()
        assert np.abs(predicted - truth).max() < 0.15 * np.abs(truth).max()
        assert predicted @ truth / (predicted @ predicted) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("model", MODELS)
def test_witnesses_come_strongest_first_and_exclude_the_point(model):
    answer = found(model)
    for item, row in enumerate(ROWS):
        for rows, sign in ((answer.supports(item, 4), -1), (answer.contradicts(item, 4), 1)):
            changes = sign * answer.change[item, rows]
            assert (changes > 0).all()
            assert (np.diff(changes) <= 0).all()
            assert row not in rows
            assert changes[0] == (sign * answer.change[item]).max()


@pytest.mark.parametrize("model", MODELS)
def test_relabelling_as_refits_say(model):
    """Mean validation loss, every class, first order and one Newton step; the own class changes nothing."""
    asked, answer = review(model), found(model)
    fitted, split = asked.fitted, asked.analysis.problem.split
    question = Question(fitted.batch(split.validation))
    for item, row in enumerate(ROWS):
        for label in range(split.train.classes):
            y = fitted.train.y.clone()
            y[row] = label
            truth = refit_changed(fitted, question, replace(fitted.train, y=y)).mean()
            first, newton_step = answer.relabel[item, label], answer.relabel_newton[item, label]
            if label == split.train.y[row]:
                assert first == newton_step == 0
                continue
            assert np.sign(first) == np.sign(newton_step) == np.sign(truth)
            assert first == pytest.approx(truth, rel=0.35)
            assert newton_step == pytest.approx(truth, rel=0.2)


@pytest.mark.parametrize("model", MODELS)
def test_relabelling_is_the_effect_of_the_core(model):
    asked, answer = review(model), found(model)
    split = asked.analysis.problem.split
    for label in range(split.train.classes):
        labels = np.full(len(split.train), label)
        for newton_step, mine in ((False, answer.relabel), (True, answer.relabel_newton)):
            core = relabel_change(asked.analysis.influence, asked.validation, labels, newton_step)[ROWS, 0]
            np.testing.assert_allclose(mine[:, label], core, rtol=1e-9, atol=1e-14)


def test_what_is_not_defined_is_left_out():
    assert found("logistic", validation=0.0).relabel is None
    folded = found("logistic", fold=True)
    assert folded.relabel is not None
    assert folded.relabel_newton is None
    ridge = Review(analyse(Settings(DataSettings("diabetes"), ModelSettings("ridge"))))
    with pytest.raises(QuantityError, match="classifier"):
        evidence(ridge.analysis.influence, [0], 0)


@pytest.mark.parametrize("model", MODELS)
def test_a_card_says_what_the_arrays_say(model):
    asked, answer = review(model), found(model)
    train = asked.analysis.problem.split.train
    for item, case in enumerate(cases(asked, ROWS, asked.signals)):
        assert (case.row, case.id, case.given) == (ROWS[item], train.ids[ROWS[item]], train.y[ROWS[item]])
        assert list(case.suspicion) == list(case.percentile) == asked.signals
        assert all(0 < value < 100 for value in case.percentile.values())
        assert [w.row for w in case.supports] == answer.supports(item, 5).tolist()
        assert case.counter is None or case.counter == case.contradicts[0]
        assert case.suggestion != case.given
        if model == "hinge":
            assert case.probabilities is None
            assert case.cross_validated is None
        else:
            assert case.probabilities.sum() == pytest.approx(1)
            others = np.delete(case.cross_validated, case.given)
            assert case.cross_validated[case.suggestion] == others.max()


def test_cases_do_not_depend_on_the_batch():
    asked = review("softmax")
    (alone,) = cases(asked, ROWS[1:2], ["loss"])
    together = cases(asked, ROWS, ["loss"])[1]
    assert [w.row for w in alone.supports] == [w.row for w in together.supports]
    np.testing.assert_allclose(alone.relabel_newton, together.relabel_newton, rtol=1e-9, atol=1e-15)
    assert together.cross_validated is None
    assert cases(asked, [], ["loss"]) == ()


def test_near_duplicates_are_copies_and_slightly_changed_points():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 20))
    typical = neighbour_distance(x)
    x[50], x[51] = x[3], x[3] + 0.1 * typical * _unit(random)
    x[52] = x[3] + 0.5 * typical * _unit(random)
    found = near_duplicates(x, np.array([3, 4, 51]), neighbour_distance(x))
    assert [rows.tolist() for rows in found][:2] == [[50, 51], []]
    assert sorted(found[2].tolist()) == [3, 50]


def test_typical_distance_by_brute_force():
    x = np.random.default_rng(1).normal(size=(40, 3))
    x[7] = x[8]
    squares = ((x[:, None] - x[None]) ** 2).sum(2)
    squares[squares < 1e-20] = np.inf
    assert neighbour_distance(x) == pytest.approx(np.median(np.sqrt(squares.min(1))), rel=1e-6)
    assert neighbour_distance(np.ones((5, 2))) == 0
    assert near_duplicates(np.ones((5, 2)), np.array([2]), 0.0)[0].tolist() == [0, 1, 3, 4]


def _unit(random):
    direction = random.normal(size=20)
    return direction / np.linalg.norm(direction)
