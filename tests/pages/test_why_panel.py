"""Why a training point matters, on the page: the parts are there, sum to the score, and know their limits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import analyse
from influence_core.settings import DataSettings, ModelSettings, Settings
from tests.pages.test_explore_page import explore, words

FLOWERS = Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax", 0.1))
DIGITS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.1))
NETWORK = replace(FLOWERS, model=ModelSettings("mlp", 0.1, options=(("epochs", 2), ("width", 4))))


def told(app: AppTest) -> str:
    return " ".join(part.proto.body for part in app.get("html"))


def numbers(page: str) -> list[float]:
    cells = re.findall(r'<td class="num">([+−]?[\d.,]+)</td>', page)
    return [float(cell.replace("−", "-").replace(",", "")) for cell in cells]


@pytest.mark.parametrize("estimator", ["influence", "newton", "gradient_cosine"])
def test_the_shares_on_screen_sum_to_the_score(estimator: str) -> None:
    settings = replace(FLOWERS, estimator=estimator)
    app = explore(settings, test="3", train="5")
    assert not app.exception and "Why does it matter?" in words(app)
    *parts, score = numbers(told(app))
    assert len(parts) == 5  # four features and the constant
    assert sum(parts) == pytest.approx(score, abs=0.01 * max(map(abs, parts)))
    assert all(name in told(app) for name in analyse(settings).problem.split.train.feature_names)


def test_without_a_selection_the_strongest_one_is_explained() -> None:
    app = explore(FLOWERS, test="3")
    strongest = int(abs(analyse(FLOWERS).scores([3])[:, 0]).argmax())
    assert str(analyse(FLOWERS).problem.split.train.ids[strongest]) in words(app)
    assert "the strongest training point" in words(app)


def test_pixels_are_tinted_and_both_pictures_stand_beside() -> None:
    app = explore(DIGITS, test="3", train="5")
    split = analyse(DIGITS).problem.split
    assert "tinted by their share" in told(app) and str(split.test.ids[3]) in told(app)
    assert told(app).count("data:image/png") >= 3
    assert "Blue pixels make it helpful" in words(app)


def test_a_network_says_what_its_last_layer_carries() -> None:
    app = explore(NETWORK, test="3", train="5")
    assert "inputs of the last layer" in told(app) and "the layers before the last" in told(app)


@pytest.mark.parametrize("query", [{"ask": "train", "train": "3"}, {"hide": "why"}])
def test_where_there_is_nothing_to_explain_it_is_absent(query: dict[str, str]) -> None:
    assert "Why does it matter?" not in words(explore(FLOWERS, **query))
