"""Texts on the pages: the words of both texts with their shares, windows in lists, and every page drawn."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import (
    WordTruth,
    analyse,
    carried,
    counted_twice,
    text_relabelled,
    why,
    word_deleted,
    word_deleted_everywhere,
)
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session.words import form_of
from tests.components.test_lenses import page
from tests.pages.test_explore_page import explore, words
from tests.pages.test_mislabels_page import with_queue
from tests.pages.test_why_panel import told

MAILS = Settings(
    DataSettings("spam_assassin", (("words", 300),), test_fraction=0.2),
    ModelSettings("logistic", 0.01),
    estimator="newton",
)


def test_explore_shows_the_words_of_both_texts_and_their_table() -> None:
    app = explore(MAILS, test="3", train="5")
    assert not app.exception
    analysis = analyse(MAILS)
    found = why(analysis, [3], 5)
    strongest = found.columns[found.order[0]].name
    assert f"{strongest}: " in told(app)
    assert found.asked is not None
    assert "A share is not what deleting the word would do" in words(app)
    table = next(part.value for part in app.dataframe if "word" in part.value)
    mine = table[next(name for name in table if "share in the training text" in name)]
    total = mine.sum() + found.shares.intercept + found.shares.penalty
    assert total == pytest.approx(found.shares.score, rel=1e-9)
    counts = dict(zip(table["word"], table["times there"], strict=True))
    text = str(analysis.problem.split.train.texts[5]).lower()
    assert counts[strongest] == len(re.findall(rf"\b{re.escape(strongest)}\b", text))


def test_lists_carry_windows_and_never_whole_texts() -> None:
    app = explore(MAILS, test="3")
    listed = [part.value for part in app.dataframe if "text" in part.value]
    assert listed
    longest = max(len(str(text)) for table in listed for text in table["text"])
    assert longest <= 180
    train = analyse(MAILS).problem.split.train
    assert max(map(len, train.texts)) > 1_000
    told = [line for table in listed if "strongest words" in table for line in table["strongest words"][1:]]
    assert told and all(re.fullmatch(r"(\S+ [+−][\d.]+(, )?){1,3}", line) for line in told)
    assert np.mean([len(line) for table in listed for line in table["text"]]) > 30


def test_features_and_the_table_of_texts_wait_behind_a_click_that_a_link_keeps() -> None:
    app = explore(MAILS, test="3")
    assert "would each feature's growth" not in words(app)
    link = next(box for box in app.expander if box.label == "Features, table and CSV")
    assert not link.proto.expanded
    assert "would each feature's growth" in words(explore(MAILS, test="3", details="feature"))
    app = explore(MAILS, test="3", details="table")
    assert "Strongest first; picking a row selects that point." in words(app)
    assert app.session_state.view.details == "table"


@pytest.mark.parametrize("name", ["1_Data.py", "2_Model.py", "4_Mislabels.py", "5_Solvers.py"])
def test_the_other_pages_are_drawn(name: str) -> None:
    app = page(name, MAILS)
    assert not app.exception
    assert not app.error


def test_three_classes_and_a_network_are_drawn() -> None:
    app = explore(replace(MAILS, model=ModelSettings("softmax", 0.01)), test="3")
    assert not app.exception and "mark" in told(app)
    network = ModelSettings("mlp", 0.01, options=(("epochs", 2), ("width", 4)))
    app = explore(replace(MAILS, model=network, estimator="influence"), test="3", train="5")
    assert not app.exception
    assert "no sum over words" in words(app)


def measured(app: AppTest, start: str, told: WordTruth) -> None:
    said = next(part.value for part in app.markdown if start in part.value)
    assert f"from {told.before:.4g} to {told.after:.4g}" in said
    form = form_of(np.array([told.beside, told.change]), "nats")
    assert form.text(told.change) in said and form.text(told.beside) in said


def test_other_training_texts_are_measured_on_a_button_beside_a_share_or_a_forecast() -> None:
    app = explore(MAILS, test="3", train="5")
    word = app.selectbox(key="word-deleted-5").value
    app.button(key="word-refit").click().run()
    assert not app.exception
    analysis = analyse(MAILS)
    found = why(analysis, [3], 5)
    measured(app, f"Without **{word}**", word_deleted(analysis, [3], 5, word, float(found.share[found.order[0]])))
    app.selectbox(key="word-deleted-5").select_index(1).run()
    assert not any("Without **" in part.value for part in app.markdown)  # said of another word
    for change, start, truth in (
        ("Delete a word from every training text", "in any training text", None),
        ("Give this text another label", "With the label **ham**", text_relabelled(analysis, [3], 5, 0)),
        ("Count this text twice", "counted **twice**", counted_twice(analysis, [3], 5)),
    ):
        app.selectbox(key="word-change").select(change).run()
        app.button(key="word-refit").click().run()
        assert not app.exception
        chosen = app.selectbox(key="word-deleted-5").value if truth is None else ""
        measured(app, start, truth or word_deleted_everywhere(analysis, [3], chosen))


def test_training_texts_are_sorted_by_a_word_of_the_test_text() -> None:
    app = explore(MAILS, test="3", train="5")
    app.selectbox(key="word-shared-3").select_index(1).run()
    assert not app.exception
    word = app.selectbox(key="word-shared-3").value
    assert app.session_state.view.word == word
    start = f"share of '{word}'"
    name, table = next(
        (name, part.value) for part in app.dataframe for name in part.value if str(name).startswith(start)
    )
    expected = carried(analyse(MAILS), 3, word)
    order = np.argsort(-np.abs(expected), kind="stable")[:12]
    assert [row for row in table.index if row != 5 or 5 in order] == order.tolist()
    app.button(key="word-back").click().run()
    assert app.session_state.view.word == ""
    assert not any(str(name).startswith(start) for part in app.dataframe for name in part.value)


def test_a_link_to_a_word_that_the_test_text_has_not_shows_the_usual_list() -> None:
    app = explore(MAILS, test="3", train="5", word="<b>none</b>")
    assert not app.exception
    assert app.selectbox(key="word-shared-3").value == "—"


def test_a_review_card_holds_the_whole_text_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 0.0)
    app = with_queue(replace(MAILS, data=replace(MAILS.data, flip_fraction=0.05)))
    assert not app.exception
    whole = [part for part in app.get("html") if "if-whole" in part.proto.body]
    assert whole
    shown = html.unescape(re.sub(r"(?s)<style>.*</style>|<[^>]*>", "", whole[0].proto.body))
    assert shown in {*analyse(MAILS).problem.split.train.texts}


def test_choosing_texts_takes_one_step_newton_and_says_why() -> None:
    app = page("1_Data.py", Settings())
    app.selectbox(key="data.name").select("spam_assassin").run()
    assert not app.exception
    assert app.session_state.settings.estimator == "newton"
    assert any("rare words have high leverage" in info.value for info in app.info)
    helps = [part.proto.help for part in explore(MAILS, test="3").markdown]
    assert any("rare words have high leverage" in said for said in helps)


def test_groups_by_what_is_said_beside_texts_leave_and_are_asked_about() -> None:
    app = explore(MAILS, test="3", group="note hard ham", ask="tests", tests="note hard ham")
    assert not app.exception and not app.warning
    split = analyse(MAILS).problem.split
    asked = int((split.test.hover == "hard ham").sum())
    assert f"**{asked:,} of {len(split.test):,} test points**" in words(app)
    assert app.selectbox(key="group-rule").value == "note hard ham"
    assert app.text_input(key="group-numbers").value


def test_what_was_copied_is_underlined_apart_from_influence() -> None:
    split = analyse(MAILS).problem.split
    test = next(
        j
        for j in range(len(split.test))
        if any(_grams(split.test.texts[j]) & _grams(t) for t in split.train.texts[:300])
    )
    row = next(i for i in range(300) if _grams(split.test.texts[test]) & _grams(split.train.texts[i]))
    app = explore(MAILS, test=str(test), train=str(row))
    assert not app.exception
    drawn = [part.proto.body for part in app.get("html") if "if-copied" in part.proto.body]
    assert len(drawn) == 2
    for body, text in zip(drawn, (split.train.texts[row], split.test.texts[test]), strict=True):
        passages = [html.unescape(found) for found in re.findall(r"(?s)<u>(.*?)</u>", body)]
        assert passages and all(passage in text for passage in passages)
        assert all(
            _grams(passage) <= _grams(split.test.texts[test]) for passage in passages if len(_grams(passage)) == 1
        )
    assert "Copied is not caused" in words(app)


def _grams(text: str) -> set[str]:
    said = [word for word in re.findall(r"\b\w\w+\b", text.lower()) if len(word) <= 60]
    return {" ".join(said[k : k + 5]) for k in range(len(said) - 4)}
