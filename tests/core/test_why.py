"""Why one training point matters, through settings; and how few carry most."""

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import Analysis, Problem, analyse, concentrated, decisive, why
from influence_core.analysis.problem import Given
from influence_core.data import DataError
from influence_core.data.columns import OTHER, source_columns
from influence_core.data.dataset import Table
from influence_core.data.encoding import encode
from influence_core.data.split import split as make_split
from influence_core.influence.concentration import concentration
from influence_core.settings import DataSettings, ModelSettings, Settings

IRIS = Settings(data=DataSettings("iris", (("classes", "3"),)), model=ModelSettings("softmax", 0.1))
NETWORK = Settings(
    data=DataSettings("blobs", (("n", 90),)), model=ModelSettings("mlp", 0.1, options=(("epochs", 2), ("width", 4)))
)


def test_levels_of_a_text_are_one_column_again():
    names = ("age", "sex=f", "sex=m", "town=a=b", "town=c", "a=1", "a=2", "x=y")
    x = np.array([[3.5, 1, 0, 1, 0, 1, 1, 0.2], [1.0, 0, 1, 0, 0, 0, 1, 0.4]])
    found = source_columns(names, x + 1e-12)
    assert [column.name for column in found] == ["age", "sex", "town", "a=1", "a=2", "x=y"]
    assert [column.features for column in found] == [(0,), (1, 2), (3, 4), (5,), (6,), (7,)]
    sex, town = found[1:3]
    assert [sex.level(row) for row in x] == ["f", "m"]
    assert [town.level(row) for row in x] == ["a=b", OTHER]


@pytest.mark.parametrize("estimator", ["influence", "newton", "gradient_cosine"])
@pytest.mark.parametrize("tests", [[3], [1, 2, 5]])
def test_shares_of_columns_and_rest_sum_to_the_score_on_screen(estimator, tests):
    analysis = analyse(Settings(data=IRIS.data, model=IRIS.model, estimator=estimator))
    score = analysis.scores(tests, mean=len(tests) > 1)[7, 0]
    found = why(analysis, tests, 7)
    parts = found.share.sum() + found.shares.intercept + found.shares.penalty
    assert parts == pytest.approx(score, rel=1e-9)
    assert [column.name for column in found.columns] == list(analysis.problem.split.train.feature_names)
    assert np.abs(found.share[found.order[0]]) == np.abs(found.share).max()


def test_ranks_are_counts():
    analysis = analyse(IRIS)
    found = why(analysis, [0], 5)
    p = np.linalg.norm(analysis.problem.fitted.residuals.numpy(), axis=1)
    assert found.wronger == (p < p[5]).sum() / len(p)
    assert found.leverage is not None
    assert found.leverage == (analysis.leverage[5], (analysis.leverage < analysis.leverage[5]).mean())


def test_a_network_has_features_of_its_own():
    analysis = analyse(NETWORK)
    found = why(analysis, [0], 3)
    assert found.columns == () and len(found.share) == 4
    parts = found.share.sum() + found.shares.intercept + found.shares.before
    assert parts == pytest.approx(analysis.scores([0])[3, 0], rel=1e-4)


def test_a_point_that_is_not_there():
    with pytest.raises(DataError, match="from 0 to"):
        why(analyse(IRIS), [0], 10_000)


def test_concentration_counts():
    scores = np.array([5.0, -3.0, 1.0, 1.0, 0.0, 0.0])
    labels = np.array([0, 1, 0, 1, 0, 1])
    found = concentration(scores, labels, 2, [np.array([2, 3]), np.array([0, 4])])
    assert (found.count, found.of) == (2, 6)
    np.testing.assert_allclose(found.helpful, [6 / 7, 1 / 7])
    np.testing.assert_allclose(found.harmful, [0, 1])
    assert found.family.tolist() == [0, 4] and found.carried == pytest.approx(0.5)


@pytest.mark.parametrize("n", [1, 5])
def test_no_influence_at_all(n):
    found = concentration(np.zeros(n), np.zeros(n, int), 0)
    assert (found.count, found.carried, len(found.family), len(found.helpful)) == (0, 0.0, 0, 0)


def test_a_point_without_a_score_carries_nothing():
    found = concentration(np.array([np.nan, 3.0, -1.0]), np.zeros(3, int), 1)
    assert (found.count, found.of) == (2, 3) and found.helpful.tolist() == [1.0]


def test_equal_scores_are_not_concentrated():
    assert concentration(np.full(10, -0.1), np.zeros(10, int), 1).count == 8


def test_near_copies_are_one_family():
    data = DataSettings("blobs", (("n", 200),))
    analysis = analyse(Settings(data=data, model=ModelSettings("logistic", 0.1)))
    found = concentrated(analysis, analysis.scores([0])[:, 0])
    assert found.of == len(analysis.problem.split.train) and 0 < found.count < found.of
    assert found.helpful.sum() == pytest.approx(1) and found.harmful.sum() == pytest.approx(1)


def table(sex, age, noise, label, estimator):
    """A problem of which the label follows the sex alone."""
    frame = pd.DataFrame({"noise": noise, "sex": sex, "age": age, "label": label})
    data = encode(frame, "label")
    split = make_split(Table(data), DataSettings("given", test_fraction=0.2), 0)
    settings = Settings(model=ModelSettings("logistic", 0.01), estimator=estimator)
    return Analysis(settings, Problem(settings, given=Given(split, key="given")))


@pytest.mark.parametrize("estimator", ["influence", "gradient_dot"])
def test_the_columns_that_carry_the_scores_come_first(estimator):
    random = np.random.default_rng(0)
    sex = random.choice(["f", "m"], 120)
    label = np.where(random.uniform(size=120) < 0.1, sex == "f", sex == "m")
    said = np.where(label, "yes", "no")
    analysis = table(sex, random.normal(size=120), random.normal(size=120), said, estimator)
    rows = np.argsort(-np.abs(analysis.scores([0])[:, 0]))[:6].tolist()
    order, columns = decisive(analysis, [0], rows), analysis.problem.columns
    shares = np.abs([why(analysis, [0], i).share for i in rows])
    carried = (shares / shares.sum(1, keepdims=True)).mean(0)
    assert np.argsort(-carried).tolist() == list(order)
    assert sorted(columns[k].name for k in order) == ["age", "noise", "sex"]
    raw = analysis.problem.split.scaling.invert(analysis.problem.split.train.x)
    assert set(next(column for column in columns if column.name == "sex").cells(raw)) == {"f", "m"}
    # The other way round the shares are those of the test points' inputs, which sum to the same scores.
    assert sorted(decisive(analysis, [1, 2, 3], rows[:1], reverse=True)) == [0, 1, 2]


def test_of_a_network_the_columns_come_first_that_tell_the_points_apart():
    analysis = analyse(NETWORK)
    train, test = analysis.problem.split.train.x, analysis.problem.split.test.x
    order = decisive(analysis, [0], [3])
    assert order[0] == int(np.abs(train[3] - test[0]).clip(0, 1).argmax())
