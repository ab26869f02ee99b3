"""Words of the lessons: every step is read with its numbers, and says all of them and no others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from influence_core.settings import ModelSettings
from influence_core.teaching.figures import FIGURES
from pages.components.lessons import LESSONS
from pages.components.lessons.parts import prose
from pages.components.lessons.parts.kinds import Lesson, Setting
from pages.components.session import cached

TAUGHT = {name: entry for name, entry in LESSONS.items() if isinstance(entry, Lesson)}
STEPS = [(name, at) for name, lesson in TAUGHT.items() for at in range(len(lesson.steps))]
PARTS = """A title

Two lines
of words.

$$
H^{-1}
$$

Symbols: H, g

### Which?

- one
- two

It is {x:.1f}."""


@pytest.mark.parametrize(("name", "at"), STEPS)
def test_a_step_says_every_number_it_computes_and_no_other(monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
    monkeypatch.setattr(cached, "drawn", lambda _settings: False)
    used: set[str] = set()
    monkeypatch.setattr(prose.Words, "check_unused_args", lambda _self, names, _args, _numbers: used.update(names))
    lesson, words = TAUGHT[name], TAUGHT[name].text.steps[at]
    answer = lesson.steps[at].answer(
        Setting(lesson.own, lesson.test, {item.name: item.default for item in lesson.options})
    )
    said = prose.filled(words.reveal, answer.numbers)
    assert used == set(answer.numbers), f"text/{name}.md, {words.title}: numbers that are not said, or not computed"
    assert not re.search(r"[{}|]", re.sub(r"\$[^$]*\$", "", said)) and "nan" not in said.split()
    assert 0 <= answer.choice < len(words.choices)
    assert not [one for one in words.choices if re.match("[a-z]{2}", one)], "an answer begins a sentence"
    plain = [words.title, words.text, words.ask, *words.choices]
    assert not [one for one in plain if "{" in re.sub(r"\$[^$]*\$", "", one)], "numbers belong to explanations"


def test_every_file_is_a_lesson_with_as_many_texts_as_steps() -> None:
    files = {path.stem for path in Path(prose.TEXT).glob("*.md")} - {"README", "figures", "symbols"}
    assert files == set(TAUGHT)
    for lesson in TAUGHT.values():
        assert len(lesson.text.steps) == len(lesson.steps) and lesson.title and lesson.question.endswith(("?", "."))
    assert list(prose.figures()) == list(FIGURES)
    assert all(
        words["question"].endswith("?") and len(words["text"] + words["notice"]) > 200
        for words in prose.figures().values()
    )


def test_a_step_is_read_into_its_parts() -> None:
    found = prose.step("any", PARTS)
    assert (found.title, found.text, found.formula) == ("A title", "Two lines\nof words.", "H^{-1}")
    assert (found.symbols, found.ask, found.choices) == (("H", "g"), "Which?", ("one", "two"))
    assert prose.filled(found.reveal, {"x": -1.26}) == "It is −1.3."
    bare = prose.step("any", re.sub(r"\$\$.*?g\n", "", PARTS, flags=re.DOTALL))
    assert (bare.text, bare.formula, bare.symbols) == (found.text, "", ())


@pytest.mark.parametrize("missing", ["### Which?", "- one\n- two\n", "It is {x:.1f}.", "Symbols: H, g\n"])
def test_a_step_without_a_part_is_refused_with_its_place(missing: str) -> None:
    with pytest.raises(ValueError, match=r"text/any.md, step 'A title': expected"):
        prose.step("any", PARTS.replace(missing, ""))


def test_numbers_choose_words_lists_share_a_format_and_formulas_keep_their_braces() -> None:
    text = "{more:up by {change:+.1f}|down} ({path:.2g}) and $H^{-1}$"
    numbers = {"more": np.bool_(True), "change": 2.0, "path": np.array([1.0, -0.123])}
    assert prose.filled(text, numbers) == "up by +2.0 (1, −0.12) and $H^{-1}$"
    assert prose.filled(text, numbers | {"more": False}).startswith("down (")
    with pytest.raises(KeyError, match="change"):
        prose.filled(text, {"more": False})


def test_words_follow_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "drawn", lambda _settings: False)
    step, words = TAUGHT["leverage"].steps[0], TAUGHT["leverage"].text.steps[0]
    for l2, said in ((0.0, False), (0.1, True)):
        setting = Setting(replace(TAUGHT["leverage"].own, model=ModelSettings("linear", l2)), 0)
        assert ("penalty" in prose.filled(words.reveal, step.answer(setting).numbers)) is said
