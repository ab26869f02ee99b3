"""Why a training point matters, on the page: the parts are there, sum to the score, and know their limits."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import analyse
from influence_core.data import DATASETS, Dataset, Source, Table
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
    assert "Blue pixels: helpful; orange ones: harmful" in words(app)


def test_a_network_says_what_its_last_layer_carries() -> None:
    app = explore(NETWORK, test="3", train="5")
    assert "inputs of the last layer" in told(app) and "the layers before the last" in told(app)


@pytest.mark.parametrize("query", [{"ask": "train", "train": "3"}, {"hide": "why"}])
def test_where_there_is_nothing_to_explain_it_is_absent(query: dict[str, str]) -> None:
    assert "Why does it matter?" not in words(explore(FLOWERS, **query))


@pytest.mark.parametrize("quantity", ["loss", "margin"])
def test_the_classes_that_help_are_named_as_helpful_whichever_way_the_quantity_turns(quantity: str) -> None:
    settings = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1), quantity=quantity)
    analysis = analyse(settings)
    split = analysis.problem.split
    helpful = np.maximum(analysis.scores([3])[:, 0] * (-1 if quantity == "margin" else 1), 0)
    share = np.bincount(split.train.y, helpful) / helpful.sum()
    top = int(share.argmax())
    assert f"Helpful: {share[top]:.0%} class {split.train.class_names[top]}" in words(explore(settings, test="3"))


def test_a_point_without_a_score_breaks_nothing_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A category of one, least squares, one-step Newton: without it no unique minimum is left."""

    def make(_options: object, _seed: int) -> Table:
        random = np.random.default_rng(0)
        x = np.column_stack([random.normal(size=(60, 2)), np.arange(60) == 3])
        ids = np.array([f"r{k}" for k in range(60)])
        data = Dataset(x, x[:, 0] - x[:, 1] + random.normal(size=60), ids, ("a", "b", "c=lone"), ())
        return Table(data, train=np.arange(48), test=np.arange(48, 60))

    lone = Source(title="Lone", summary="A test.", task="regression", make=make)
    monkeypatch.setitem(DATASETS, "lone", lone)
    settings = Settings(DataSettings("lone"), ModelSettings("linear"), estimator="newton")
    assert np.flatnonzero(~np.isfinite(analyse(settings).scores([0])[:, 0])).tolist() == [3]
    for train, said in (("", "48 points carry"), ("3", "it has no score to explain")):
        app = explore(settings, test="0", **({"train": train} if train else {}))
        assert not app.exception and not app.error
        assert said in words(app)
