"""Parts of the Mislabels page that need no page: keys, rows, filters, models that outlive their job, exports."""

from __future__ import annotations

import base64
import io
import re
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import influence_core.annotations as annotations
from influence_core import reviewing
from influence_core.analysis import SIGNALS, Cancelled, Problem, Task, applicable_models
from influence_core.annotations import Answers, Found, resolve
from influence_core.compute.leash import Leash
from influence_core.settings import ModelSettings
from pages.components.lenses.picture import picture
from pages.components.lenses.row import row_table
from pages.components.review import retrain
from pages.components.review import shelf as shelves
from pages.components.review.export import chosen
from pages.components.review.keys import digits
from pages.components.review.strip import rates
from pages.components.session.door import core
from tests.pages.test_mislabels_page import ROWS

ROWS_OF_TWO = replace(ROWS, data=replace(ROWS.data, options=(("classes", "2"),)), model=ModelSettings())


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("3", "5", "8"), {"3": 0, "5": 1, "8": 2}),
        (("1", "7"), {"1": 0, "7": 1}),
        (("cat", "dog"), {"0": 0, "1": 1}),
        (("10", "2"), {"0": 0, "1": 1}),
        (tuple("abcdef"), {"1": 4, "2": 0, "3": 1, "4": 3, "5": 5}),  # the likeliest first, the given one has Q
        (tuple("0123456789"), {str(k): k for k in range(10)}),
        (tuple("abcdefghijkl"), dict(zip("1234567890", [4, 0, 1, 3, 5, 6, 7, 8, 9, 10], strict=True))),
    ],
)
def test_digits_go_to_the_likeliest_of_many_classes(names: tuple[str, ...], keys: dict[str, int]) -> None:
    card = annotations.Card(1, 1, "a", "t", 1, 0, 0, "x", 2, 4, 4, 0.1, 0.6, {}, {}, (), 0.0, 0.0, likely=(4, 2, 0))
    assert digits(names, card) == keys
    assert list(digits(names, card)) == list(keys)


def test_a_picture_is_the_pixels_and_its_words_are_no_markup() -> None:
    image = np.arange(28 * 20, dtype=np.uint8).reshape(28, 20)
    html = picture(image, '"><script>')
    assert "<script>" not in html and "pixelated" in html
    data = re.search(r"base64,([^\"]+)", html)
    assert data is not None
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data.group(1))))), image)
    (width,) = re.findall(r'width="(\d+)"', html)
    assert int(width) % 20 == 0  # whole multiples of a pixel


def test_a_row_shows_its_values_in_the_source_and_the_most_unusual_first() -> None:
    split = Problem(ROWS).split
    table = row_table(split, 3)
    raw = split.scaling.invert(split.train.x[3])
    shown = dict(zip(table["feature"], table["value"], strict=True))
    for name, value in zip(split.train.feature_names, raw, strict=True):
        assert float(shown[name]) == pytest.approx(value, rel=1e-3)
    distance = [abs(float(text.replace("−", "-"))) for text in table["distance"]]
    assert distance == sorted(distance, reverse=True)


def test_rates_say_what_was_checked_and_what_waits() -> None:
    found = annotations.Progress(9, 4, 4, 9, 4, 1, 2, {"a": 4}, 3.0, Found(4, 1), Found(0, 0), Found(4, 1), advice="")
    assert rates(found) == [
        "Flagged: 1 of 4 wrong (25%)",
        "random controls: none checked yet",
        "2 disagreements",
        "1 needs review",
    ]


def test_filters_of_an_export_meet() -> None:
    codes = np.array([[0], [1], [2], [-1]])
    said = Answers(("a",), np.array(list("wxyz")), np.array([0, 0, 1, 1]), ("no", "yes"), codes, np.full(4, -1))
    found = resolve(said)
    assert found.action.tolist() == ["keep", "re-label", "exclude", ""]
    assert chosen(said, found, [], []).all()
    assert chosen(said, found, ["yes"], []).tolist() == [False, False, True, True]
    assert chosen(said, found, ["yes"], ["open", "keep"]).tolist() == [False, False, False, True]


def test_a_fit_is_read_back_from_what_the_database_keeps() -> None:
    corrections = core.Corrections(np.array([3, 5]), np.array([1, 0]), np.array([False, True]))
    recipe = reviewing.Recipe(ROWS, corrections, ("self_influence", "loss"))
    again = reviewing.recipe_of(recipe.record())
    assert again.key == recipe.key
    assert again.settings == ROWS
    np.testing.assert_array_equal(again.corrections.excluded, corrections.excluded)
    assert reviewing.recipe_of(reviewing.Recipe(ROWS).record()).corrections is None
    assert reviewing.Recipe(ROWS).key != recipe.key


def test_scores_of_a_corrected_model_belong_to_the_rows_as_given() -> None:
    given = Problem(ROWS)
    train = reviewing.under_review(given).split.train
    label = (int(train.y[4]) + 1) % 3
    corrections = core.Corrections(np.array([2, 4]), np.array([int(train.y[2]), label]), np.array([True, False]))
    recipe = reviewing.Recipe(ROWS, corrections, ("self_influence", "loss", "random"))
    scored = reviewing.score(recipe, given, Task())
    run = reviewing.run(scored, recipe)
    assert not scored.kept[2] and scored.kept.sum() == len(train) - 1
    assert scored.cases([2], ())[0] is None
    for side in scored.sides:
        assert (side.review.analysis.problem.split.train.ids == train.ids[side.rows]).all()
    first, second = scored.sides
    for side, rows in ((first, first.rows), (second, np.setdiff1d(second.rows, first.rows))):
        loss = dict(zip(side.rows.tolist(), side.review.suspicion("loss").tolist(), strict=True))
        assert [run.signals["loss"][row] for row in rows] == [loss[row] for row in rows.tolist()]
    assert run.signals["loss"][2] == reviewing.LAST
    judge = first if 4 in first.rows else second
    belief = judge.review.fitted_probabilities[judge.rows.tolist().index(4)]
    assert run.suggested[4] == label
    assert (run.p_given[4], run.p_suggested[4]) == (belief[int(train.y[4])], belief[label])
    run.check(reviewing.samples(scored.whole, "iris"))


def test_a_model_obeys_the_job_that_uses_it_and_nobody_after_that() -> None:
    leash, stop = Leash(), threading.Event()
    task, told = leash.task(), []
    job = Task(report=lambda done, total: told.append((done, total)), cancel=stop)
    with leash.held(job):
        task.tick(1, 3)
        stop.set()
        with pytest.raises(Cancelled):
            task.tick(2, 3)
    task.tick(3, 3)  # the job was cancelled, and is over
    assert told == [(1, 3), (2, 3)]


@pytest.mark.parametrize("name", applicable_models(Problem(ROWS_OF_TWO).split.train))
def test_every_classifier_makes_a_queue_and_cards(name: str) -> None:
    settings = replace(ROWS_OF_TWO, model=ModelSettings(name, 0.1))
    given = Problem(settings)
    recipe = reviewing.Recipe(settings, None, reviewing.offered([n for n, signal in SIGNALS.items() if signal.cheap]))
    scored = reviewing.score(recipe, given, Task())
    reviewing.run(scored, recipe).check(reviewing.samples(scored.whole, "iris"))
    (found,) = scored.cases([3], ())
    assert found.supports or found.contradicts
    assert reviewing.seconds(recipe, given) > 0


def test_cards_ahead_are_made_together_once_one_of_the_next_is_missing() -> None:
    shelf, recipe, asked = shelves.Shelf(), reviewing.Recipe(ROWS), list[list[int]]()
    scored = SimpleNamespace(signals=(), cases=lambda rows, _: (asked.append([*rows]), [*map(str, rows)])[1])
    for positions in ([4, 5, 6, 7], [5, 6, 7, 8], [6, 7, 8, 9], [7, 8, 9, 3], [3]):
        shelf.ahead(recipe, scored, positions)  # type: ignore[arg-type]
        shelf.thread.submit(int).result()  # the one thread has done what came before
    assert asked == [[4, 5, 6, 7], [8, 9, 3]]


def test_models_on_the_shelf_are_bounded_in_number_and_in_bytes() -> None:
    shelf, problem = shelves.Shelf(), Problem(ROWS)
    assert shelf.models.room == shelves.BYTES
    scored = reviewing.score(reviewing.Recipe(ROWS), problem, Task())
    n, p = len(scored.whole.split.train), problem.fitted.size
    assert scored.size == 8 * (2 * n * 4 + 2 * 2 * p * p)
    fits = [reviewing.Recipe(replace(ROWS, seed=seed)) for seed in range(7)]
    for recipe in fits:
        shelf.put(recipe, scored)
    assert [recipe for recipe in fits if shelf.model(recipe) is not None] == fits[-shelves.MODELS :]
    shelf.model(fits[3])  # used: it stays longer than the others
    shelf.models.room = 2.5 * scored.size
    shelf.put(fits[0], scored)
    assert [recipe for recipe in fits if shelf.model(recipe) is not None] == [fits[0], fits[3]]
    shelf.models.room = 0
    shelf.put(fits[1], scored)
    assert list(shelf.models.kept) == [fits[1].key]  # the one in use stays


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.0149, "+1.5"),
        ("accuracy", -0.0004, "0.0"),
        ("loss", -0.02021, "-0.0202"),
        ("loss", 0.0, "0.0000"),
    ],
)
def test_a_difference_of_a_refit_has_its_sign_and_zero_none(name: str, value: float, text: str) -> None:
    assert retrain.change(name, value) == text
