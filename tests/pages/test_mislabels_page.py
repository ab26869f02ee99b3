"""The Mislabels page without a browser: from a stranger to an answered card, every state in words, nothing lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import influence_core.annotations as annotations
from influence_core import reviewing
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.review import opening, shelf
from pages.components.session import cached
from pages.components.session.door import core
from tests.pages.review import (
    DIGITS,
    ROWS,
    folder,
    has,
    key,
    name_on_card,
    opened,
    press,
    stored,
    until,
    with_queue,
    words,
)

__all__ = ["folder"]


def test_a_stranger_is_asked_for_a_name_and_told_what_is_wrong_with_it() -> None:
    app = opened(name="")
    assert "Who are you?" in words(app)
    assert not has(app, "review-Q")
    press(app, "Try it")
    assert "Expected a name of 1 to 200" in app.error[0].value
    assert "Who are you?" in words(app)


def test_one_click_leads_a_stranger_from_nothing_to_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DEMO", DIGITS)
    app = opened(Settings(), name="")
    app.text_input(key="review.typed").set_value("Ada")
    press(app, "Try it")
    until(app, lambda app: has(app, "review-Q"))
    assert app.session_state.settings == DIGITS
    assert "Card 1 of" in words(app)


def test_a_card_says_why_it_was_flagged_and_what_a_relabel_would_do() -> None:
    app = with_queue()
    said = words(app)
    for part in ("What the signals say", "What a relabel would do", "Strongest counter-example", "Trust: ‖∇J(θ̂)‖"):
        assert part in said
    bars = next(
        part.proto.body for part in app.get("html") if "if-why" in part.proto.body and "<table" in part.proto.body
    )
    assert bars.index("Self-influence") < bars.index("Training loss") < bars.index("Gradient norm")
    labels = {button.key: button.label for button in app.button}
    assert [labels[f"review-class-{digit}"] for digit in "358"] == ["3", "5", "8"]
    relabel = next(part.proto.body for part in app.get("html") if "first order" in part.proto.body)
    assert relabel.count("<tr>") == 4 and "(given)" in relabel


def test_keys_answer_and_bring_the_next_card_and_undo_brings_it_back() -> None:
    app = with_queue()
    first = name_on_card(app)
    key(app, "Q")
    second = name_on_card(app)
    assert first != second
    key(key(key(app, "E"), "N"), "class-3")
    assert [action for action, _ in stored(app)][:3] == ["keep", "exclude", "review"]
    for _ in range(3):
        key(app, "U")
    assert name_on_card(app) == second
    key(app, "U")
    assert name_on_card(app) == first
    key(app, "U")
    assert len(stored(app)) == 8  # four answers and four rows that take them back; the last press found nothing


def test_the_suggestion_is_the_class_it_names() -> None:
    app = with_queue()
    label = app.button(key="review-W").label.removeprefix("Accept: ")
    key(app, "W")
    assert stored(app) == [("re-label", ["3", "5", "8"].index(label))]


def test_skipped_cards_leave_no_answer() -> None:
    app = with_queue()
    first = name_on_card(app)
    key(app, "S")
    assert name_on_card(app) != first
    assert stored(app) == []


def test_looking_around_answers_nothing_and_leads_back() -> None:
    app = with_queue()
    first = name_on_card(app)
    key(app, "Right")
    assert name_on_card(app) != first
    assert app.button(key="review-Q").disabled and app.button(key="review-class-3").disabled
    assert app.query_params["place"] in ("1", ["1"])
    assert "only to look at" in words(app)
    key(app, "Left")
    assert name_on_card(app) == first
    assert not app.button(key="review-Q").disabled


def test_an_older_answer_is_changed_where_it_is_looked_at() -> None:
    app = with_queue()
    first = name_on_card(app)
    app.text_area(key="review.note").set_value("a bit torn").run()
    key(key(app, "Q"), "E")
    held = name_on_card(app)
    key(key(app, "Left"), "Left")
    assert name_on_card(app) == first and "Your answer: kept" in words(app)
    assert app.text_area(key="review.note").value == "a bit torn"
    assert not app.button(key="review-E").disabled and app.button(key="review-S").disabled
    key(app, "E")
    assert stored(app) == [("keep", None), ("exclude", None), ("exclude", None)]
    assert "Your answer: excluded" in words(app) and f"{first}: excluded, changed" in words(app)
    key(app, "back")
    assert name_on_card(app) == held and app.text_area(key="review.note").value == ""
    key(app, "U")
    key(key(app, "Left"), "Left")
    assert "Your answer: kept" in words(app)


def test_notes_go_with_the_answer_and_not_with_the_next() -> None:
    app = with_queue()
    app.text_area(key="review.note").set_value("torn").run()
    key(key(app, "Q"), "Q")
    with cached.store().reading() as connection:
        notes = [row[0] for row in connection.exec_driver_sql("SELECT note FROM decision ORDER BY id")]
    assert notes == ["torn", ""]
    app.text_area(key="review.note").set_value("of the third card").run()
    third = name_on_card(app)
    assert until(opened(), lambda app: has(app, "review-Q")).text_area(key="review.note").value == "of the third card"
    assert key(app, "U").text_area(key="review.note").value == ""
    until(key(app, "Q"), lambda app: name_on_card(app) == third)
    assert app.text_area(key="review.note").value == "of the third card"


def test_rows_of_a_table_are_cards_too() -> None:
    app = with_queue(ROWS)
    tables = [part.proto.body for part in app.get("html") if "<table" in part.proto.body]
    assert any("petal length (cm)" in table and "this row" in table and "usual: " in table for table in tables)
    witnesses = [table for table in tables if "this one" in table]
    assert len(witnesses) == 1 and "(cm)" in witnesses[0]  # with values beside the card's
    assert 0 < witnesses[0].index("Support ") < witnesses[0].index("Contradict it")
    labels = {button.key: button.label for button in app.button}
    assert [labels[f"review-class-{digit}"] for digit in "012"] == ["setosa", "versicolor", "virginica"]
    assert not app.table  # whose cells would be read as Markdown


def test_more_than_ten_classes_are_chosen_from_a_box_that_forgets_its_last_answer() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"kind": [f"kind {k:02}" for k in range(12)] * 12})
    table["a"], table["b"] = random.normal(size=144) + np.arange(144) % 12, random.normal(size=144)
    content = table.to_csv(index=False).encode()
    raw = core.uploads.read_upload("kinds.csv", content)
    mapping = core.uploads.ColumnMapping("kind", ("a", "b"), "classification")
    key_ = core.uploads.upload_store().save(core.uploads.build(raw, mapping))
    data = DataSettings("upload", (("id", key_),), validation_fraction=0.2, test_fraction=0.2)
    app = with_queue(Settings(data, ModelSettings("softmax", 0.1)))
    given = int(app.button(key="review-Q").label.removeprefix("Keep: kind "))
    app.selectbox(key="review.class").set_value((given + 5) % 12).run()
    assert stored(app) == [("re-label", (given + 5) % 12)]
    assert app.selectbox(key="review.class").value is None
    buttons = {button.key: button.label for button in app.button if str(button.key).startswith("review-class-")}
    assert set(buttons) == {f"review-class-{digit}" for digit in "0123456789"}
    assert buttons["review-class-1"] == app.button(key="review-W").label.removeprefix("Accept: ")  # the likeliest
    given = app.button(key="review-Q").label.removeprefix("Keep: ")
    assert given not in buttons.values()
    key(app, "class-1")
    assert stored(app)[-1] == ("re-label", int(buttons["review-class-1"].removeprefix("kind ")))


def test_a_numeric_target_has_no_labels_to_review() -> None:
    app = opened(Settings(DataSettings("diabetes"), ModelSettings("linear")))
    assert "numeric target" in words(app)
    assert has(app, "review-demo")


def test_a_queue_that_does_not_exist_is_named_and_the_newest_is_shown() -> None:
    with_queue()
    app = opened(name="Ada", version=7)
    assert "These data have no queue 7" in words(app)
    assert has(app, "review-Q")


@pytest.mark.parametrize("reason", ["full", "locked", "lost"])
def test_a_database_in_trouble_keeps_the_card_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    app = with_queue()
    first = name_on_card(app)

    def fails(*_args: Any, **_more: Any) -> None:
        raise annotations.StoreUnavailable(reason)

    with monkeypatch.context() as broken:
        broken.setattr(annotations, "decide", fails)
        broken.setattr(annotations, "next_card", fails)
        key(app, "Q")
        assert "Your card and your answer are kept" in app.error[0].value.replace("\\", "")
        assert name_on_card(app) == first
    key(app, "Q")
    assert not app.error
    assert name_on_card(app) != first
    assert stored(app) == [("keep", None)]


def test_a_press_that_comes_too_early_is_told_and_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = with_queue()
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 3600.0)
    first = name_on_card(app)
    key(app, "Q")
    assert "250 ms" in app.toast[0].value
    assert name_on_card(app) == first
    assert stored(app) == []


def test_two_people_never_hold_the_same_card() -> None:
    ada = with_queue()
    bob = with_queue(name="Bob")
    assert name_on_card(ada) != name_on_card(bob)


def blind() -> None:
    """The queue becomes a blind one."""
    with cached.store().writing() as connection:
        connection.exec_driver_sql("UPDATE queue SET blind = 1")


def test_blind_mode_hides_suggestion_and_evidence_until_a_first_answer() -> None:
    with_queue()
    blind()
    app = opened()
    assert "Blind: answer first" in words(app)
    assert "What the signals say" not in words(app) and "Strongest counter-example" not in words(app)
    assert app.button(key="review-W").disabled
    first = name_on_card(app)
    key(app, "N")
    assert name_on_card(app) == first
    assert "Your first answer is kept" in words(app)
    assert "What the signals say" in words(app)
    key(app, "Q")
    assert name_on_card(app) != first
    assert [action for action, _ in stored(app)] == ["review", "keep"]
    assert "Blind: answer first" in words(app)


def test_the_second_pass_of_a_blind_queue_is_blind_to_who_has_said_nothing_yet() -> None:
    with_queue()
    blind()
    ada = opened()
    first = name_on_card(ada)
    key(key(ada, "Q"), "N")
    bob = opened(name="Bob")
    bob.toggle(key="review.second").set_value(True).run()
    assert name_on_card(bob) == first and "Second pass" in words(bob)
    assert "Blind: answer first" in words(bob) and bob.button(key="review-W").disabled
    key(key(bob, "Q"), "W")
    assert [action for action, _ in stored(bob)] == ["keep", "review", "keep", "re-label"]
    assert name_on_card(bob) != first


def test_near_duplicates_are_shown_and_answered_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "duplicates", lambda scored: np.arange(len(scored.kept)) // 2)
    app = with_queue()
    assert app.button(key="review-A").label == "Answer 1 near-duplicate along"
    key(app, "A")
    assert app.button(key="review-A").label == "1 near-duplicate: answered along"
    key(app, "E")
    assert [action for action, _ in stored(app)] == ["exclude", "exclude"]
    assert "excluded, with 1 near-duplicate" in words(app)
    assert app.button(key="review-A").label.startswith("Answer")  # each card is asked anew
    key(app, "U")
    assert len(stored(app)) == 4


def counter_example(app: AppTest) -> str:
    """What is said of the strongest counter-example."""
    return next(part.value for part in app.markdown if "Strongest counter-example" in part.value).replace("\\", "")


def test_the_strongest_counter_example_is_relabelled_from_the_card_which_stays() -> None:
    app = with_queue()
    first, other = name_on_card(app), counter_example(app).split(":** ")[1].split(",")[0]
    label = app.button(key="review-counter").label.removeprefix("Relabel it: ").removesuffix(" …")
    key(key(key(app, "counter"), "counter-no"), "counter")
    assert stored(app) == [] and "6 to 10 of 50" in words(app)
    key(app, "counter-yes")
    assert name_on_card(app) == first
    assert stored(app) == [("re-label", ["3", "5", "8"].index(label))]
    with cached.store().reading() as connection:
        asked = "SELECT name, origin FROM decision JOIN task ON task.id = task_id JOIN sample USING (position)"
        assert connection.exec_driver_sql(asked).all() == [(other, "prediction")]
    assert f"→ {label}." in counter_example(app) and not has(app, "review-counter")
    assert f"{other}: " in words(app)  # beside the number of the card
    key(app, "U")
    assert name_on_card(app) == first and has(app, "review-counter")
    key(key(key(app, "counter"), "counter-yes"), "Q")
    assert name_on_card(app) != first
    assert [action for action, _ in stored(app)] == ["re-label", "undo", "re-label", "keep"]


def test_a_counter_example_that_somebody_holds_is_said_and_looked_at() -> None:
    app = with_queue()
    first, other = name_on_card(app), counter_example(app).split(":** ")[1].split(",")[0]
    (queue,) = annotations.queues(cached.store(), shelf.whole(DIGITS).fingerprint)
    position = shelf.whole(DIGITS).split.train.ids.tolist().index(other)
    annotations.take_card(cached.store(), queue.id, "Bob", position)
    key(app, "counter")
    for button in ("counter-yes", "counter-open"):
        key(app, button)
        assert "Somebody else is working on that item" in app.toast[0].value
    assert stored(app) == [] and name_on_card(app) == other and "only to look at" in words(app)
    key(app, "back")
    assert name_on_card(app) == first and not app.button(key="review-Q").disabled


def test_the_card_of_the_counter_example_is_one_click_away() -> None:
    app = with_queue()
    first, other = name_on_card(app), counter_example(app).split(":** ")[1].split(",")[0]
    key(app, "counter-open")
    assert name_on_card(app) == other
    key(app, "W")
    until(app, lambda app: name_on_card(app) != other)
    assert [action for action, _ in stored(app)] == ["re-label"]
    assert name_on_card(app) == first


def test_a_counter_example_outside_the_queue_has_no_button_but_is_said() -> None:
    app = with_queue()
    other = counter_example(app).split(":** ")[1].split(",")[0]
    position = shelf.whole(DIGITS).split.train.ids.tolist().index(other)
    with cached.store().writing() as connection:
        connection.exec_driver_sql(f"DELETE FROM task WHERE position = {position}")
    app.run()
    assert "This queue does not ask about it" in counter_example(app)
    assert not has(app, "review-counter") and not has(app, "review-counter-open")


def test_an_annotator_narrows_what_is_served_and_the_link_says_so() -> None:
    app = with_queue()
    app.selectbox(key="review.only-given").set_value(3).run()
    for _ in range(3):
        assert app.button(key="review-Q").label == "Keep: 8"
        key(app, "Q")
    assert app.query_params["given"] in ("2", ["2"])
    app.selectbox(key="review.only-instead").set_value(1).run()
    assert (app.button(key="review-Q").label, app.button(key="review-W").label) == ("Keep: 8", "Accept: 3")
    key(app, "Q")
    again = until(
        opened(name="Bob", given=2, instead=2), lambda app: "passes the filter" in words(app)
    )  # an 8 instead of an 8
    assert "given label 8, best alternative 8" in words(again) and not has(again, "review-Q")
    key(again, "all")
    assert has(again, "review-Q") and "given" not in again.query_params
    assert len(stored(app)) == 4


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:1/labels", "The database server “127.0.0.1:1/labels” did not answer"),
        ("mysql://ada:hunter2@host/labels", "Expected INFLUENCE_DB_URL like"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("INFLUENCE_DB_URL", url)
    app = opened()
    assert not app.exception
    assert len(app.error) == 1 and sentence in app.error[0].value.replace("\\", "")
    assert "hunter2" not in words(app)
    if url.startswith("postgresql"):
        monkeypatch.delenv("INFLUENCE_DB_URL")
        app.button(key="error-again").click().run()
        assert not app.error
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)  # the fixture closes what was opened
