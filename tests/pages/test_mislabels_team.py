"""The Mislabels page of a team: progress, guideline, agreement, retraining, exports, versions; without a browser."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import influence_core.annotations as annotations
from pages.components.review import shelf
from pages.components.review.people import Person
from pages.components.session import cached
from pages.components.session.view import View
from tests.pages.review import (
    DIGITS,
    PAGE,
    ROWS,
    folder,
    has,
    key,
    name_on_card,
    opened,
    press,
    until,
    with_queue,
    words,
)
from tests.waiting import PATIENCE

__all__ = ["folder"]


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
    (newest, oldest) = annotations.queues(cached.store(), shelf.whole(DIGITS).fingerprint)
    assert (newest.version, oldest.version) == (2, 1)
    assert newest.size == oldest.size - 4
    again = until(opened(), lambda app: "Strongest counter-example" in words(app))
    assert f"You work in queue 1. Queue 2, of {newest.size:,} cards, is newer." in words(again)  # nobody is moved
    key(again, "newer")
    until(again, lambda app: f"Card 1 of {newest.size}" in words(app))
    bob = until(opened(name="Bob"), lambda app: "Strongest counter-example" in words(app))
    assert f"of {newest.size}, queue 2" in words(bob)  # who has answered nothing yet begins there


def test_queues_are_listed_with_who_and_how_far_and_a_lead_assigns() -> None:
    app = with_queue()
    key(app, "Q")
    lead = opened(panel="team")
    lead.multiselect(key="review.assigned-1").set_value(["Ada"])
    press(lead, "Assign")
    assert annotations.overviews(cached.store(), "ada")[0].assigned == ("Ada",)
    fresh = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    fresh.session_state["review.person"] = Person("ADA", "name", lead=False)
    fresh.run()
    said = words(fresh)
    assert "queue 1 · **for you**" in said and "assigned to Ada" in said and "by Ada" in said
    assert "1 of " in said and "last answer" in said
    press(fresh, "Open")
    assert fresh.session_state.settings == DIGITS and has(fresh, "review-Q")
    assert "Assigned" not in words(fresh)
    key(fresh, "lobby")
    assert "for you" in words(fresh) and not has(fresh, "review-Q")


def test_a_typed_name_is_a_lead_with_the_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUENCE_LEAD_KEY", "s3cret")
    app = opened(name="")
    app.text_input(key="review.typed").set_value("Ada")
    app.text_input(key="review.key").set_value("wrong")
    press(app, "Review the current data")
    assert "key of the leads" in app.error[0].value
    app.text_input(key="review.key").set_value("")
    press(app, "Review the current data")
    assert "ask a lead" in words(app)
    again = opened(name="")
    again.text_input(key="review.typed").set_value("Ada")
    again.text_input(key="review.key").set_value("s3cret")
    press(again, "Review the current data")
    assert any(button.label == "Make the queue" for button in again.button)


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
    n = len(shelf.whole(DIGITS).split.train)
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
    press(page, f"Prepare the files: {len(shelf.whole(ROWS).split.train)} rows")
    files = page.session_state["review.files"].files
    clean = annotations.read_csv(files["dataset_clean.csv"])
    train = shelf.whole(ROWS).split.train
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


def test_the_second_pass_can_be_taken_up_at_once() -> None:
    app = with_queue()
    first = name_on_card(app)
    app.text_area(key="review.note").set_value("3 or 5?").run()
    key(key(app, "N"), "Q")
    app.toggle(key="review.second").set_value(True).run()
    assert name_on_card(app) != first  # for somebody else
    bob = opened(name="Bob")
    bob.toggle(key="review.second").set_value(True).run()
    assert name_on_card(bob) == first and "Second pass: the answers differ" in words(bob)
    said = next(
        part.proto.body for part in bob.get("html") if "if-said" in part.proto.body and "<table" in part.proto.body
    )
    assert "Ada" in said and "needs review" in said and "3 or 5?" in said
    key(bob, "E")
    assert "Second pass: the answers differ" not in words(bob)


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
    made = annotations.queues(cached.store(), shelf.whole(DIGITS).fingerprint)[0]
    assert (made.version, made.strategy, made.overlap, made.blind, made.size) == (2, "loss", 2, True, 40)
    assert made.control_fraction == pytest.approx(0.1)
    with cached.store().reading() as connection:
        (controls,) = connection.exec_driver_sql("SELECT sum(is_control) FROM task WHERE queue_id = 2").one()
    assert controls == 4
