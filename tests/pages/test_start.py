"""The first test point: one worth a look, chosen by the fit, unless a link names one; and a network's own penalty."""

import numpy as np
import pytest

from influence_core.analysis import analyse
from influence_core.models import MODELS
from influence_core.settings import DataSettings, ModelSettings, Settings
from influence_core.settings import to_query as settings_query
from pages.components.session import links
from pages.components.session.view import View

IRIS = DataSettings("iris", test_fraction=0.4)


@pytest.mark.parametrize(
    ("data", "model"),
    [
        (IRIS, ModelSettings("softmax", 0.01)),
        (IRIS, ModelSettings("logistic", 1.0)),
        (IRIS, ModelSettings("hinge", 0.1)),
        (DataSettings("breast_cancer", test_fraction=0.4), ModelSettings("logistic", 0.01)),
        (DataSettings("blobs"), ModelSettings("logistic", 0.01)),
    ],
)
def test_the_first_test_point_is_the_least_certain_of_the_wrong_ones(data, model):
    """By what the predictions say alone."""
    problem = analyse(Settings(data, model)).problem
    y, said = problem.split.test.y.astype(int), problem.predictions
    if said.shape[1] == 1:
        margin = (2 * y - 1) * said[:, 0]
    else:
        others = said.copy()
        others[np.arange(len(y)), y] = -1
        margin = np.log(said[np.arange(len(y)), y]) - np.log(others.max(1))
    wrong = np.flatnonzero(margin <= 0)
    asked = wrong if len(wrong) else np.arange(len(y))
    assert problem.start == asked[np.abs(margin[asked]).argmin()]


def test_of_a_numeric_target_it_is_the_worst_prediction():
    problem = analyse(Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1))).problem
    assert problem.start == np.abs(problem.predictions[:, 0] - problem.split.test.y).argmax()


@pytest.mark.parametrize("name", MODELS)
def test_a_link_without_a_penalty_means_the_usual_one_of_a_network_and_1_elsewhere(name):
    read = links.read({"v": ["1"], "model.name": [name]})
    settings, problems = links.known(read.settings, read.usual)
    network = name in {"mlp", "cnn"}
    assert settings.model.l2 == (MODELS[name].l2 if network else 1.0)
    assert problems == ()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("l2", [1.0, 0.001, 0.0])
def test_a_link_of_this_app_comes_back_with_its_penalty(name, l2):
    settings = Settings(model=ModelSettings(name, l2))
    query = links.write(settings, View())
    read = links.read({key: [value] for key, value in query.items()})
    assert links.known(read.settings, read.usual)[0] == settings
    assert ("model.l2" in settings_query(settings)) == (name != "logistic" or l2 != 1.0)
