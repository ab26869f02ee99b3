"""Lessons on the page: every step of every lesson renders, before and after its answer, and links restore it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from influence_core.retraining import Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lessons import LESSONS
from pages.components.lessons.parts.kinds import Lesson, Setting
from pages.components.lessons.parts.prose import SYMBOLS, filled
from pages.components.lessons.topics import undertrained
from pages.components.session import cached, links
from pages.components.session.view import View
from tests.lessons.frames import every_picture_has_its_twins
from tests.waiting import PATIENCE

PAGE = str(Path(__file__).parents[2] / "pages" / "6_Lessons.py")
TAUGHT = {name: entry for name, entry in LESSONS.items() if isinstance(entry, Lesson)}
STEPS = [(name, at) for name, lesson in TAUGHT.items() for at in range(len(lesson.steps))]


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    return app.run()


def button(app: AppTest, label: str):
    [found] = [one for one in app.button if one.label == label]
    return found


def outside(_settings: Settings) -> bool:
    """Drawings are cached per session, which there is none of outside of an app."""
    return False


def setting_of(name: str) -> Setting:
    lesson = TAUGHT[name]
    return Setting(lesson.own, lesson.test, {item.name: item.default for item in lesson.options})


@pytest.mark.parametrize(("name", "at"), STEPS)
def test_a_step_opens_from_a_plain_link_and_reveals_its_answer(
    monkeypatch: pytest.MonkeyPatch, name: str, at: int
) -> None:
    words, step = TAUGHT[name].text.steps[at], TAUGHT[name].steps[at]
    app = opened(lesson=name, step=str(at + 1))
    assert not app.exception and not app.error and not app.warning, [w.value for w in app.warning]
    assert app.session_state.settings == TAUGHT[name].own
    assert app.header[0].value == words.title
    charts = len(app.get("plotly_chart"))
    assert charts >= 1
    every_picture_has_its_twins(app)
    app.radio[0].set_value(0).run()
    assert not app.exception
    button(app, "Reveal").click().run()
    assert not app.exception and not app.error
    assert not [one for one in app.button if one.label == "Reveal"]
    monkeypatch.setattr(cached, "drawn", outside)
    answer = step.answer(setting_of(name)).choice
    verdict = "**Right.**" if answer == 0 else "**Not so.**"
    [shown] = [text.value for text in app.markdown if verdict in text.value]
    assert words.choices[answer] in shown
    assert len(app.get("plotly_chart")) >= charts


@pytest.mark.parametrize("name", TAUGHT)
def test_a_lesson_explains_its_symbols_and_draws_with_letters_for_a_projector(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(cached, "drawn", outside)
    setting = setting_of(name)
    for words, step in zip(TAUGHT[name].text.steps, TAUGHT[name].steps, strict=True):
        assert set(words.symbols) <= set(SYMBOLS)
        assert bool(words.formula) == bool(words.symbols)
        assert set(step.sliders) <= {item.name for item in TAUGHT[name].options}
        for revealed in (False, True):
            for picture in step.draw(setting, revealed):
                assert len(picture.figure.layout.title.text) > 15 and len(picture.table)
                assert picture.caption.endswith(".") and picture.figure.layout.font.size >= 16


@pytest.mark.parametrize("name", TAUGHT)
def test_next_and_back_walk_through_the_link(name: str) -> None:
    app = opened(lesson=name)
    for at in range(1, len(TAUGHT[name].steps)):
        button(app, "Next").click().run()
        assert app.session_state.view.step == at + 1 and app.query_params["step"] == str(at + 1)
    button(app, "Back").click().run()
    assert app.session_state.view.step == len(TAUGHT[name].steps) - 1
    assert not app.exception


@pytest.mark.parametrize("name", TAUGHT)
def test_the_address_of_a_lesson_restores_it(name: str) -> None:
    lesson = TAUGHT[name]
    view = View(test=lesson.test, lesson=name, step=2)
    written = links.write(lesson.own, view)
    read = links.read({key: [value] for key, value in written.items()})
    assert (read.settings.key(), read.view, read.problems, read.plain) == (lesson.own.key(), view, (), False)
    assert links.read({"lesson": [name], "step": ["2"]}).plain


def test_a_link_with_another_problem_uses_it() -> None:
    app = opened(lesson="remove", v="1", data__name="blobs", data__n="50", model__l2="0.1", test="2")
    assert not app.exception and not app.error and not app.warning
    assert app.session_state.settings == Settings(DataSettings("blobs", (("n", 50),)), ModelSettings("logistic", 0.1))
    assert app.session_state.view.test == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"data__name": "breast_cancer", "model__l2": "0.1"}, "two features"),
        ({"data__name": "diabetes", "model__name": "logistic"}, "does not fit data with a numeric target"),
    ],
)
def test_a_problem_that_does_not_fit_is_a_sentence_with_a_way_out(query: dict[str, str], words: str) -> None:
    app = opened(lesson="remove", v="1", **query)
    assert not app.error and words in app.warning[0].value
    button(app, "Use the lesson's own problem").click().run()
    assert not app.exception and not app.warning
    assert app.session_state.settings == TAUGHT["remove"].own


def test_answers_follow_the_problem() -> None:
    lesson, setting = TAUGHT["remove"], setting_of("remove")
    scores = setting.analysis.scores([setting.test])[:, 0]
    for row, answer in ((int(scores.argmax()), 0), (int(scores.argmin()), 1)):
        found = lesson.steps[0].answer(replace(setting, tuned={"train": row}))
        assert found.choice == answer
        change = setting.refits.change[row, setting.test]
        assert f"{change:+.3g}".replace("-", "−") in filled(lesson.text.steps[0].reveal, found.numbers)


def test_the_boundary_moves_only_when_revealed() -> None:
    (before,) = TAUGHT["remove"].steps[0].draw(setting_of("remove"), False)
    (after,) = TAUGHT["remove"].steps[0].draw(setting_of("remove"), True)
    assert [t.name for t in before.figure.data if t.mode == "lines"] == ["boundary"]
    old, new = (t for t in after.figure.data if t.mode == "lines")
    assert (old.name, old.line.dash, new.name, new.line.dash) == ("before", "dash", "after", "solid")
    assert not np.allclose([*old.x, *old.y], [*new.x, *new.y], atol=1e-3)


def test_the_under_trained_network_is_compared_with_runs_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "drawn", outside)
    setting = setting_of("fails")
    problem = undertrained.network(setting).analysis.problem
    assert problem.settings.model.name == "mlp" and problem.fitted.fit.gradient_norm > 0.01
    row = int(np.nanargmax(np.abs(problem.loo().change[:, setting.test])))
    weights = np.ones((2, len(problem.split.train)), dtype=np.float32)
    weights[1, row] = 0
    before, after = Repeated(problem.fitted).trained(torch.as_tensor(weights).to(problem.fitted.theta))
    asked = problem.test.take(slice(setting.test, setting.test + 1))
    change = float(problem.fitted.model.losses(after, asked)[0] - problem.fitted.model.losses(before, asked)[0])
    (picture,) = TAUGHT["fails"].steps[0].draw(setting, True)
    assert picture.table["measured"][row] == pytest.approx(change, rel=1e-3)
    assert picture.table["measured"].notna().sum() == 200
    seeds = np.std([float(problem.fitted.model.losses(f.theta, asked)[0]) for f in Repeated(problem.fitted).members(5)])
    inside = np.mean(np.abs(picture.table["measured"].dropna()) <= 2 * seeds * np.sqrt(5 / 4))
    said = TAUGHT["fails"].steps[0].answer(setting).numbers["inside"]
    assert said == pytest.approx(inside, abs=0.016)  # a change may lie on the edge
