"""The Mislabels page without a browser: from a stranger to an answered card, every state in words, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import influence_core.annotations as annotations
from influence_core import reviewing
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.review import opening
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.view import View
from tests import waiting
from tests.waiting import PATIENCE

PAGE = str(Path(__file__).parents[2] / "pages" / "4_Mislabels.py")
DIGITS = Settings(
    DataSettings("digits", (("digits", "3,5,8"),), validation_fraction=0.15, test_fraction=0.2, flip_fraction=0.1),
    ModelSettings("softmax", 0.1),
)
ROWS = Settings(
    DataSettings("iris", (("classes", "3"),), validation_fraction=0.2, test_fraction=0.2, flip_fraction=0.1),
    ModelSettings("softmax", 0.1),
)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A database of its own for every test, and cards that are never too young."""
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 0.0)
    yield tmp_path
    cached.store().close()


def opened(settings: Settings = DIGITS, name: str = "Ada", **view: Any) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = settings, View(**view)
    app.run()
    if name:
        app.text_input(key="review.typed").set_value(name)
        press(app, "Review the current data")
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(label)).click().run()
    return app


def until(app: AppTest, ready: Callable[[AppTest], bool]) -> AppTest:
    waiting.until(lambda: ready(app) or ready(app.run()), lambda: words(app), pause=0.05)
    assert not app.exception
    return app


def with_queue(settings: Settings = DIGITS, name: str = "Ada", **view: Any) -> AppTest:
    """A page with a card on it and its evidence."""
    app = opened(settings, name, **view)
    if not has(app, "review-Q"):
        press(app, "Make the queue")
        until(app, lambda app: has(app, "review-Q"))
    return until(app, lambda app: any("relabel would do" in part.value for part in app.markdown))


def has(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info, *app.success]
    return " ".join(part.value for part in parts).replace("\\", "")


def key(app: AppTest, letter: str) -> AppTest:
    app.button(key=f"review-{letter}").click().run()
    assert not app.exception
    return app


def name_on_card(app: AppTest) -> str:
    return next(part.value for part in app.markdown if "given label of" in part.value).split("of ")[-1].rstrip("]")


def stored(app: AppTest) -> list[tuple[str, int | None]]:
    store = cached.store()
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT action, new_label FROM decision ORDER BY id").all()
    return [(row[0], row[1]) for row in rows]


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
    for part in ("Why it was flagged", "What a relabel would do", "Strongest counter-example", "Trust: ‖∇J(θ̂)‖"):
        assert part in said
    bars = next(
        part.proto.body for part in app.get("html") if "if-why" in part.proto.body and "<table" in part.proto.body
    )
    assert bars.index("Self-influence") < bars.index("Training loss") < bars.index("Gradient norm")
    labels = {button.key: button.label for button in app.button}
    assert [labels[f"review-class-{digit}"] for digit in "358"] == ["3", "5", "8"]
    relabel = next(frame.value for frame in app.table if "first order" in frame.value)
    assert len(relabel) == 3


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
    key(app, "Left")
    assert name_on_card(app) == first
    assert not app.button(key="review-Q").disabled


def test_notes_go_with_the_answer_and_not_with_the_next() -> None:
    app = with_queue()
    app.text_input(key="review.note").set_value("torn").run()
    key(key(app, "Q"), "Q")
    with cached.store().reading() as connection:
        notes = [row[0] for row in connection.exec_driver_sql("SELECT note FROM decision ORDER BY id")]
    assert notes == ["torn", ""]
    app.text_input(key="review.note").set_value("of the third card").run()
    assert key(app, "U").text_input(key="review.note").value == ""


def test_rows_of_a_table_are_cards_too() -> None:
    app = with_queue(ROWS)
    shown = app.table[0].value
    assert list(shown.columns) == ["value", "usual", "distance"]
    assert "petal length (cm)" in shown.index
    labels = {button.key: button.label for button in app.button}
    assert [labels[f"review-class-{digit}"] for digit in "012"] == ["setosa", "versicolor", "virginica"]
    assert len(app.table) == 4  # the row, the relabel effects, and two of witnesses


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
    assert app.button(key="review-relabel").disabled and not has(app, "review-class-0")
    given = int(app.button(key="review-Q").label.removeprefix("Keep: kind "))
    app.selectbox(key="review.class").set_value((given + 5) % 12).run()
    key(app, "relabel")
    assert stored(app) == [("re-label", (given + 5) % 12)]
    assert app.selectbox(key="review.class").value is None and app.button(key="review-relabel").disabled


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
    assert "Why it was flagged" not in words(app) and "Strongest counter-example" not in words(app)
    assert app.button(key="review-W").disabled
    first = name_on_card(app)
    key(app, "N")
    assert name_on_card(app) == first
    assert "Your first answer is kept" in words(app)
    assert "Why it was flagged" in words(app)
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


def test_progress_counts_and_lists_only_own_answers() -> None:
    app = with_queue()
    key(key(app, "Q"), "E")
    bob = opened(name="Bob", panel="progress")
    table = next(frame.value for frame in bob.dataframe if "your answer" in frame.value)
    assert set(table["your answer"]) == {"open"}
    assert "2 by Ada" not in words(bob)  # one person's answers need no list of people
    ada = opened(panel="progress")
    table = next(frame.value for frame in ada.dataframe if "your answer" in frame.value)
    assert list(table["your answer"][:3]) == ["kept", "excluded", "open"]
    ada.selectbox(key="review.filter-mine").set_value("excluded").run()
    table = next(frame.value for frame in ada.dataframe if "your answer" in frame.value)
    assert list(table["your answer"]) == ["excluded"]


def test_the_guideline_is_written_by_a_lead_and_one_key_away() -> None:
    app = with_queue(panel="review")
    key(app, "G")
    assert "There is no guideline yet" in words(app)
    lead = opened(panel="team")
    lead.text_area[0].set_value("A five has a hat.")
    press(lead, "Save as version 1")
    app.run()
    assert "A five has a hat." in words(app) and "Version 1, Ada" in words(app)


def test_team_is_for_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    app = with_queue()
    key(app, "Q")
    lead = opened(panel="team")
    for part in ("Agreement", "Consensus", "Labelling guideline", "Activity"):
        assert part in [heading.value for heading in lead.subheader]
    assert "Undefined: no item has two answers yet" in words(lead)
    table = next(frame.value for frame in lead.dataframe if "outcome" in frame.value)
    assert list(table["outcome"]) == ["keep"] and list(table["Ada"]) == [table["given"].iloc[0]]
    monkeypatch.setenv("INFLUENCE_LEADS", "grace@example.org")
    other = opened(name="Bob", panel="team")
    assert other.session_state.view.panel == "review"
    assert not any(heading.value == "Consensus" for heading in other.subheader)


def test_two_answers_to_each_card_give_agreement_and_a_second_pass() -> None:
    with_queue()
    with cached.store().writing() as connection:
        connection.exec_driver_sql("UPDATE queue SET overlap = 2")
    ada, bob = opened(), opened(name="Bob")
    assert name_on_card(ada) != name_on_card(bob)
    key(key(ada, "Q"), "Q")
    key(key(bob, "Q"), "E")  # her first card is his second
    lead = opened(panel="team")
    table = next(frame.value for frame in lead.dataframe if "outcome" in frame.value)
    both = table[(table["Ada"] != "") & (table["Bob"] != "")]
    assert list(both["Bob"]) == ["exclude"]
    assert [metric.value for metric in lead.metric] == ["0%", "0.00", "0.00"]
    assert "1 item with two answers" in words(lead)
    assert "1 disagreement" in words(opened(panel="progress"))


def test_retraining_tells_before_and_after_and_makes_the_next_queue() -> None:
    app = with_queue()
    for letter in "WWWE":
        key(app, letter)
    page = opened(panel="progress")
    press(page, "Retrain")
    until(page, lambda page: "Held-out accuracy" in [metric.label for metric in page.metric])
    assert "3 relabelled, 1 excluded, 0 kept" in words(page)
    press(page, "Make queue 2")
    until(page, lambda page: "Queue 2" in str(page.selectbox(key="review.version").options))
    (newest, oldest) = annotations.queues(cached.store(), cached.problem(DIGITS).split.train.fingerprint)
    assert (newest.version, oldest.version) == (2, 1)
    assert newest.size == oldest.size - 4
    again = until(opened(), lambda app: "Strongest counter-example" in words(app))
    assert "Card 1 of " + str(newest.size) in words(again)


def test_curves_need_flips_that_are_known() -> None:
    app = with_queue(replace(ROWS, data=replace(ROWS.data, flip_fraction=0.0)))
    app = opened(replace(ROWS, data=replace(ROWS.data, flip_fraction=0.0)), panel="progress")
    assert "Which labels are wrong is not known" in words(app)
    assert not any(button.label == "Draw the curve" for button in app.button)


def test_the_curve_shows_influence_loss_and_random(monkeypatch: pytest.MonkeyPatch) -> None:
    with_queue(ROWS)
    app = opened(ROWS, panel="progress")
    app.selectbox(key="review.seeds").set_value(3).run()
    press(app, "Draw the curve")
    until(app, lambda app: "AUC: Self-influence" in words(app))
    assert "over 3 seeds" in words(app)
    table = next(frame.value for frame in app.dataframe if "share checked" in frame.value)
    for name in ("self_influence", "loss", "random"):
        found = table[f"flips found, {name}"]
        assert found.iloc[0] == 0 and found.iloc[-1] == 1 and found.is_monotonic_increasing


def test_exports_say_how_many_rows_and_come_back_in() -> None:
    app = with_queue()
    for letter in "QWE":
        key(app, letter)
    page = opened(panel="export")
    n = len(cached.problem(DIGITS).split.train)
    assert [label.rpartition(": ")[2] for label in page.radio[0].options] == [f"{n:,}", f"{n:,}", "3"]
    page.radio[0].set_value("decided").run()
    press(page, "Prepare the files: 3 rows")
    assert "Decided only, 3 rows" in words(page)
    files = page.session_state["review.files"].files
    issues = annotations.read_csv(files["label_issues.csv"])
    assert sorted(issues["action"]) == ["exclude", "keep", "re-label"]
    tasks = json.loads(files["label_studio_tasks.json"])
    assert len(tasks) == 3 and tasks[0]["data"]["image"].startswith("data:image/png;base64,")
    manifest = json.loads(files["manifest.json"])
    assert manifest["rows"]["exported"] == 3 and manifest["trust"].startswith("‖∇J")
    page.file_uploader(key="review.import").set_value(("tasks.json", files["label_studio_tasks.json"], "text/json"))
    page.run()
    press(page, "Import these annotations")
    assert "0 answers stored, 3 known already." in words(page)
    page.file_uploader(key="review.import").set_value(("tasks.json", b"{}", "text/json")).run()
    press(page, "Import these annotations")
    assert "Expected a JSON list" in page.error[0].value


def test_filtered_exports_hold_what_the_filter_lets_through() -> None:
    app = with_queue(ROWS)
    key(key(app, "E"), "W")
    page = opened(ROWS, panel="export")
    page.multiselect(key="review.export-outcome").set_value(["exclude"]).run()
    page.radio[0].set_value("filtered").run()
    press(page, "Prepare the files: 1 rows")
    files = page.session_state["review.files"].files
    assert len(annotations.read_csv(files["label_issues.csv"])) == 1
    assert len(annotations.read_csv(files["dataset_clean.csv"])) == 0
    page.multiselect(key="review.export-outcome").set_value([]).run()
    press(page, f"Prepare the files: {len(cached.problem(ROWS).split.train)} rows")
    files = page.session_state["review.files"].files
    clean = annotations.read_csv(files["dataset_clean.csv"])
    train = cached.problem(ROWS).split.train
    assert list(clean.columns) == ["id", *train.feature_names, train.target_name]
    assert len(clean) == len(train) - 1
    assert (
        clean[train.target_name].to_numpy() != np.array(train.class_names)[train.y][np.isin(train.ids, clean["id"])]
    ).sum() == 1


def test_exports_are_for_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    with_queue()
    monkeypatch.setenv("INFLUENCE_LEADS", "grace@example.org")
    app = opened(panel="export")
    assert "they are for leads" in words(app)
    assert not any(button.label.startswith("Prepare") for button in app.button)


def counter_example(app: AppTest) -> str:
    """What is said of the strongest counter-example."""
    return next(part.value for part in app.markdown if "Strongest counter-example" in part.value).replace("\\", "")


def test_the_strongest_counter_example_is_relabelled_from_the_card_which_stays() -> None:
    app = with_queue()
    first, other = name_on_card(app), counter_example(app).split(":** ")[1].split(",")[0]
    label = app.button(key="review-counter").label.removeprefix("Relabel it: ")
    key(app, "counter")
    assert name_on_card(app) == first
    assert stored(app) == [("re-label", ["3", "5", "8"].index(label))]
    with cached.store().reading() as connection:
        asked = "SELECT name, origin FROM decision JOIN task ON task.id = task_id JOIN sample USING (position)"
        assert connection.exec_driver_sql(asked).all() == [(other, "prediction")]
    assert f"→ {label}." in counter_example(app) and not has(app, "review-counter")
    assert f"{other}: " in words(app)  # beside the number of the card
    key(app, "U")
    assert name_on_card(app) == first and has(app, "review-counter")
    key(key(app, "counter"), "Q")
    assert name_on_card(app) != first
    assert [action for action, _ in stored(app)] == ["re-label", "undo", "re-label", "keep"]


def test_a_counter_example_that_somebody_holds_is_said_and_looked_at() -> None:
    app = with_queue()
    first, other = name_on_card(app), counter_example(app).split(":** ")[1].split(",")[0]
    (queue,) = annotations.queues(cached.store(), cached.problem(DIGITS).split.train.fingerprint)
    position = cached.problem(DIGITS).split.train.ids.tolist().index(other)
    annotations.take_card(cached.store(), queue.id, "Bob", position)
    for button in ("counter", "counter-open"):
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
    position = cached.problem(DIGITS).split.train.ids.tolist().index(other)
    with cached.store().writing() as connection:
        connection.exec_driver_sql(f"DELETE FROM task WHERE position = {position}")
    app.run()
    assert "This queue does not ask about it" in counter_example(app)
    assert not has(app, "review-counter") and not has(app, "review-counter-open")


def test_the_second_pass_can_be_taken_up_at_once() -> None:
    app = with_queue()
    first = name_on_card(app)
    key(key(app, "N"), "Q")
    app.toggle(key="review.second").set_value(True).run()
    assert name_on_card(app) == first
    assert "Second pass" in words(app)
    key(app, "E")
    assert "Second pass: the answers differed" not in words(app)


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


def test_links_name_version_strategy_and_place() -> None:
    with_queue()
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    for name, value in {"version": "1", "place": "3", "strategy": "loss", "panel": "review"}.items():
        app.query_params[name] = value
    app.session_state["settings"], app.session_state["view"] = DIGITS, View(version=1, place=3, strategy="loss")
    app.run()
    app.text_input(key="review.typed").set_value("Ada")
    press(app, "Review the current data")
    assert "Card 4 of" in words(app) and "only to look at" in words(app)
    assert app.query_params["strategy"] in ("loss", ["loss"])
    assert app.query_params["version"] in ("1", ["1"])


def test_a_lead_makes_the_next_version_by_another_signal() -> None:
    with_queue()
    lead = opened(panel="team")
    lead.selectbox(key="review.plan.strategy").set_value("loss").run()
    lead.number_input(key="review.plan.overlap").set_value(2).run()
    lead.number_input(key="review.plan.limit").set_value(40).run()
    lead.slider(key="review.plan.controls").set_value(10).run()
    lead.checkbox(key="review.plan.blind").check().run()
    press(lead, "Make the next version")
    until(lead, lambda lead: len(lead.selectbox(key="review.version").options) == 2)
    made = annotations.queues(cached.store(), cached.problem(DIGITS).split.train.fingerprint)[0]
    assert (made.version, made.strategy, made.overlap, made.blind, made.size) == (2, "loss", 2, True, 40)
    assert made.control_fraction == pytest.approx(0.1)
    with cached.store().reading() as connection:
        (controls,) = connection.exec_driver_sql("SELECT sum(is_control) FROM task WHERE queue_id = 2").one()
    assert controls == 4


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:1/labels", "The connection to the database was lost"),
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
