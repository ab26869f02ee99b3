"""Home: the prediction that is shown is wrong, and what its card says is what refits by scikit-learn say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from streamlit.testing.v1 import AppTest

from influence_core.analysis import analyse
from influence_core.settings import Settings
from pages.components.frame.presets import PRESETS
from pages.components.home import live
from pages.components.home.blame import BLAMED, SETTINGS, blame, removed, wrong_ones
from pages.components.session.view import View
from tests.waiting import PATIENCE

APP = str(Path(__file__).parents[2] / "app.py")


def fitted(rows: np.ndarray | None = None) -> tuple[LogisticRegression, np.ndarray, np.ndarray]:
    """The model of the card by scikit-learn, without some training images; test images and labels."""
    split = analyse(SETTINGS).problem.split
    kept = np.ones(len(split.train), bool)
    if rows is not None:
        kept[rows] = False
    # The objective keeps its divisor n when points leave, and with it the total penalty.
    model = LogisticRegression(C=1 / (len(split.train) * SETTINGS.model.l2), tol=1e-10, max_iter=10_000)
    return model.fit(split.train.x[kept], split.train.y[kept]), split.test.x, split.test.y


def opened() -> AppTest:
    return AppTest.from_file(APP, default_timeout=PATIENCE).run()


def press(app: AppTest, label: str) -> AppTest:
    [found] = [one for one in app.button if one.label == label]
    app = found.click().run()
    assert not app.exception and not app.error
    return app


def test_the_first_case_is_wrong_and_the_most_open_to_doubt_of_those_that_are() -> None:
    model, x, y = fitted()
    wrong = np.flatnonzero(model.predict(x) != y)
    assert len(wrong) and sorted(wrong_ones()) == wrong.tolist()
    own = model.predict_proba(x)[np.arange(len(y)), y]
    assert wrong_ones()[0] == wrong[own[wrong].argmax()]
    found = blame(wrong_ones()[0])
    assert found.wrong and found.true != found.said
    assert found.before == pytest.approx(own[found.test], abs=1e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_the_blamed_images_are_the_most_harmful_and_the_refit_goes_where_it_was_predicted(place: int) -> None:
    found = blame(wrong_ones()[place])
    _, x, y = fitted()
    before, after = (
        model.predict_proba(x)[found.test, y[found.test]] for model in (fitted()[0], fitted(np.array(found.rows))[0])
    )
    got = removed(found.test)
    assert got.certified and got.after == pytest.approx(after, abs=1e-5)
    assert found.predicted - found.before == pytest.approx(after - before, rel=0.1)
    assert after > before + 0.05
    scores = np.sort(found.scores)
    assert found.scores[list(found.rows)].tolist() == scores[:BLAMED].tolist() and scores[BLAMED - 1] < 0
    single = fitted(np.array(found.rows[:1]))[0].predict_proba(x)[found.test, y[found.test]]
    assert np.log(before) - np.log(single) == pytest.approx(found.scores[found.rows[0]], rel=0.1)


def test_remove_and_refit_measures_it_and_put_back_undoes_it_for_this_card_only() -> None:
    app = opened()
    found = blame(wrong_ones()[0])
    assert app.subheader[0].value == f"This {found.true} was read as a {found.said}. Blame these three training images."
    assert [one.value for one in app.metric] == [f"{found.before:.1%}", f"{found.predicted:.1%}", "–"]
    app = press(app, "Remove and refit")
    assert app.subheader[0].value == f"Without these three it is read as a {found.true}."
    assert app.metric[2].value == f"{removed(found.test).after:.1%}" and removed(found.test).after > 0.5
    assert app.session_state.settings == Settings() and app.session_state.view == View()
    app = press(app, "Put them back")
    assert app.metric[2].value == "–" and found.said in app.subheader[0].value


def test_another_mistake_goes_through_all_of_them_and_removes_nothing() -> None:
    app, seen = press(opened(), "Remove and refit"), []
    for _ in wrong_ones():
        app = press(app, "Another mistake")
        seen.append(app.session_state[live.TEST])
        assert app.metric[2].value == "–" or seen[-1] == wrong_ones()[0]
    assert sorted(seen) == sorted(wrong_ones())


def test_a_click_on_a_test_image_that_is_read_well_says_so() -> None:
    right = next(k for k in range(20) if k not in wrong_ones())
    live._clicked("train", right)
    app = opened()
    app.session_state[live.TEST] = right
    app.run()
    assert not app.exception and "is read well" in app.subheader[0].value


def test_every_button_has_a_name_of_its_own_and_opens_what_it_says() -> None:
    app = opened()
    labels = [one.label for one in app.button]
    assert len(set(labels)) == len(labels)
    assert [preset.button for preset in PRESETS.values()] == [
        one.label for one in app.button if one.key and one.key.removeprefix("preset-") in PRESETS
    ]


def test_the_card_opens_in_explore_as_it_is() -> None:
    app = press(opened(), "Open in Explore")
    assert app.session_state.settings == SETTINGS
    assert app.session_state.view.test == wrong_ones()[0]
