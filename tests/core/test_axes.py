"""Axes of the map: every name is a coordinate of the points, and the usual ones are what is drawn unasked."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import DataError, Problem, axes
from influence_core.analysis.problem import Given
from influence_core.data.dataset import Table
from influence_core.data.encoding import encode
from influence_core.data.split import split
from influence_core.settings import DataSettings, ModelSettings, Settings


def problem(name, model, **options):
    return Problem(Settings(DataSettings(name, tuple(options.items())), ModelSettings(model, 0.1)))


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        (problem("iris", "softmax", classes="3"), axes.PRINCIPAL),
        (problem("blobs", "logistic", n=90), ("0", "1")),
        (problem("diabetes", "ridge"), axes.PRINCIPAL),
    ],
)
def test_the_usual_axes_are_those_of_the_positions(given, usual):
    assert axes.usual(given) == usual
    found = axes.placed(given, usual)
    np.testing.assert_array_equal(found.train, given.positions.train)
    np.testing.assert_array_equal(found.test, given.positions.test)
    assert found.axes == given.positions.axes
    for name in axes.offered(given):
        assert np.isfinite(axes.placed(given, (name, name)).train).all()


def test_columns_outputs_target_and_principal_axes_are_what_their_names_say():
    given = problem("diabetes", "ridge")
    x = given.split.scaling.invert(given.split.test.x)
    names = axes.offered(given)
    assert names["2"] == given.split.train.feature_names[2]
    found = axes.placed(given, ("2", "target"))
    np.testing.assert_allclose(found.test, np.column_stack([x[:, 2], given.split.test.y]))
    np.testing.assert_allclose(axes.placed(given, ("output", "axis2")).test[:, 0], given.predictions[:, 0])
    scores = PCA(2).fit(given.split.train.x).transform(given.split.test.x)[:, 1]
    own = axes.placed(given, ("output", "axis2")).test[:, 1]
    assert abs(np.corrcoef(scores, own)[0, 1]) == pytest.approx(1)


def test_outputs_are_those_of_scikit_learn():
    given = problem("iris", "logistic")
    part = given.split
    fit = LogisticRegression(C=10 / len(part.train), tol=1e-12, solver="newton-cholesky").fit(
        part.train.x, part.train.y
    )
    np.testing.assert_allclose(
        axes.placed(given, ("output", "0")).test[:, 0], fit.decision_function(part.test.x), rtol=1e-6
    )
    three = problem("iris", "softmax", classes="3")
    np.testing.assert_allclose(axes.placed(three, ("output2", "0")).test[:, 0], three.predictions[:, 2])


def test_categories_are_one_axis_whose_title_names_them():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"town": random.choice(["a", "b", "c"], 60), "age": random.normal(size=60)})
    data = encode(frame.assign(label=random.choice(["no", "yes"], 60)), "label")
    settings = Settings(model=ModelSettings("logistic", 0.1))
    given = Problem(settings, given=Given(split(Table(data), settings.data, 0), key="towns"))
    place = next(k for k, name in axes.offered(given).items() if name.startswith("town"))
    assert axes.offered(given)[place] == "town (0 = a, 1 = b, 2 = c)"
    assert set(axes.placed(given, (place, "output")).train[:, 0]) == {0.0, 1.0, 2.0}
    assert not {*axes.offered(given, columns=False)} & {"0", "1"}


@pytest.mark.parametrize("wrong", ["", "99", "axis3", "output7", "x"])
def test_an_axis_that_is_not_there(wrong):
    with pytest.raises(DataError, match="expected two of"):
        axes.placed(problem("iris", "logistic"), ("0", wrong))
