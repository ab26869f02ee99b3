"""To Label Studio and back.  ``through`` does what the stock server 1.23 does with an import and an export.

Its ``tasks/serializers.py`` keeps of an annotation the result, the lead time, whether it was cancelled, whether it is
the ground truth, and its ``id`` as ``import_id``; everything belongs to the user who imports, from the time of the
import on.  An unknown ``completed_by`` makes it refuse the whole file.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    Answer,
    Context,
    Store,
    answers,
    decide,
    export,
    import_label_studio,
    look,
    open_store,
    progress,
    resolve,
    undo,
)
from influence_core.annotations.tables import decision
from tests.annotations.conftest import Clock, queue, serve

Edit = Callable[[list[dict[str, Any]]], None]


def through(content: bytes, edit: Edit = lambda _tasks: None, at: str = "2023-11-20T08:00:00.000000Z") -> bytes:
    """The JSON export of a project into which the tasks were imported, perhaps edited there."""
    tasks = json.loads(content)
    number = 900
    for place, task in enumerate(tasks):
        task["id"] = 7_000 + place
        for said in task["annotations"]:
            assert said.get("completed_by") is None, "400 Unknown annotator"
            kept = {name: said.get(name) for name in ("result", "lead_time", "was_cancelled", "ground_truth")}
            kept |= {"import_id": said.get("id"), "id": number, "completed_by": 1, "unique_id": f"u{number}"}
            said.clear()
            said |= kept | {"created_at": at, "updated_at": at}
            number += 1
    edit(tasks)
    return json.dumps(tasks).encode()


def minimal(content: bytes) -> bytes:
    """The same as JSON-MIN: one line for each annotation, the data beside it, ids of the server in place of ours."""
    lines = []
    for task in json.loads(content):
        for said in task["annotations"]:
            if said["was_cancelled"]:
                continue
            line = copy.deepcopy(task["data"]) | {"id": task["id"], "annotator": 1, "annotation_id": said["id"]}
            line |= {name: said[name] for name in ("created_at", "updated_at", "lead_time")}
            for one in said["result"]:
                value = one["value"]
                line[one["from_name"]] = value["choices"][0] if "choices" in value else value["text"][0]
            lines.append(line)
    return json.dumps(lines).encode()


def choose(said: dict[str, Any], name: str, value: str) -> None:
    """What a person does with a radio button there."""
    said["result"] = [one for one in said["result"] if one["from_name"] != name]
    said["result"].append({"from_name": name, "to_name": "item", "type": "choices", "value": {"choices": [value]}})
    said["updated_at"] = "2023-11-21T08:00:00Z"


@pytest.fixture
def worked(store: Store) -> tuple[Store, int, int]:
    """Twelve rows twice answered: all actions, notes, a change, an undo, and a second pass."""
    made = queue(store, 12, overlap=2)
    for name, actions in {"ann": "kkreknv", "bob": "krkekn"}.items():
        for letter in actions:
            card = serve(store, made.id, name)
            action = {"k": "keep", "r": "re-label", "e": "exclude", "n": "review", "v": "keep"}[letter]
            decide(store, card, Answer(action, card.suggested if letter == "r" else None, f"by {name}"))  # type: ignore[arg-type]
    undo(store, made.id, "ann")
    decide(store, serve(store, made.id, "eve", review=True), Answer("exclude", note="settled"))
    store.clock.now = 1_701_500_000.0  # type: ignore[attr-defined]  # after the edits there
    return store, made.id, made.dataset


def outcomes(store: Store, number: int) -> list[tuple[Any, ...]]:
    said = answers(store, number)
    found = resolve(said)
    return [said.annotators, said.codes.tolist(), said.settled.tolist(), sorted(said.asked), dict(said.notes),
            found.action.tolist(), found.label.tolist()]  # fmt: skip


@pytest.mark.parametrize("form", [lambda file: file, through, lambda file: minimal(through(file))])
def test_the_way_to_a_fresh_store_changes_no_outcome(
    worked: tuple[Store, int, int], form: Callable[[bytes], bytes], tmp_path: Any
) -> None:
    store, number, data = worked
    file = form(export(store, number, "lead")["label_studio_tasks.json"])
    fresh = open_store(f"sqlite:///{tmp_path}/fresh.db", Clock(1_701_500_000.0))
    made = queue(fresh, 12, overlap=2)
    found = import_label_studio(fresh, made.id, file, "lead")
    assert found.known == 0 and found.left_out == {}
    assert outcomes(fresh, made.dataset) == outcomes(store, data)
    one, other = (progress(here, n, "ann") for here, n in ((fresh, made.id), (store, number)))
    assert (one.answers, one.done, one.disagreements) == (other.answers, other.done, other.disagreements)
    again = import_label_studio(fresh, made.id, file, "lead")
    assert (again.stored, again.known) == (0, found.stored)
    fresh.close()


@pytest.mark.parametrize("form", [lambda file: file, minimal])
def test_the_way_there_and_back_alone_adds_nothing(
    worked: tuple[Store, int, int], form: Callable[[bytes], bytes]
) -> None:
    store, number, data = worked
    before = outcomes(store, data)
    found = import_label_studio(
        store, number, form(through(export(store, number, "lead")["label_studio_tasks.json"])), "lead"
    )
    assert found.stored == 0 and outcomes(store, data) == before


@pytest.mark.parametrize("form", [lambda file: file, minimal])
def test_what_was_edited_there_takes_the_place_of_the_older_answer(
    worked: tuple[Store, int, int], form: Callable[[bytes], bytes]
) -> None:
    store, number, data = worked

    def edit(tasks: list[dict[str, Any]]) -> None:
        kept = [a for task in tasks for a in task["annotations"] if said_of(task, a) == ("ann", "keep")]
        choose(kept[0], "label", "c" if kept[0]["result"][0]["value"]["choices"] != ["c"] else "a")
        choose(kept[1], "action", "exclude")

    before = answers(store, data)
    file = through(export(store, number, "lead")["label_studio_tasks.json"], edit)
    found = import_label_studio(store, number, form(file), "lead")
    assert found.stored == 2
    after = answers(store, data)
    changed = before.codes != after.codes
    assert changed.sum() == 2 and changed[:, 0].sum() == 2 and 3 in after.codes[changed]
    assert import_label_studio(store, number, form(file), "lead").stored == 0
    undo(store, number, "ann")
    undo(store, number, "ann")
    assert (answers(store, data).codes == before.codes).all()  # an edit can be taken back like any answer
    assert import_label_studio(store, number, form(file), "lead").stored == 0  # and does not return by itself


def said_of(task: dict[str, Any], said: dict[str, Any]) -> tuple[str, str]:
    known = task["data"]["answers"].get(str(said["import_id"]), {"annotator": "", "action": ""})
    return known["annotator"], known["action"]


RECORDED: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("label_studio_1_23.json").read_text(encoding="utf-8")
)  # what Label Studio 1.23.0 answered to ``sent``: imported, exported in two forms, and once more after an edit there


@pytest.mark.parametrize("form", ["sent", "json", "json_min"])
def test_what_the_real_server_gave_back_changes_no_outcome(form: str, tmp_path: Any) -> None:
    outcome = []
    for place, name in enumerate(("sent", form)):
        fresh = open_store(f"sqlite:///{tmp_path}/{place}.db", Clock(1_800_000_000.0))
        made = queue(fresh, 12, overlap=2)
        found = import_label_studio(fresh, made.id, json.dumps(RECORDED[name]).encode(), "lead")
        assert found.stored == 13 and found.left_out == {}
        outcome.append(outcomes(fresh, made.dataset))
        fresh.close()
    assert outcome[0] == outcome[1]
    assert outcome[0][0] == ("ann", "bob") and sum(code >= 0 for code in outcome[0][2]) == 1


def test_what_was_edited_in_the_real_server_comes_back_as_one_change(store: Store) -> None:
    store.clock.now = 1_800_000_000.0  # type: ignore[attr-defined]
    made = queue(store, 12, overlap=2)
    import_label_studio(store, made.id, json.dumps(RECORDED["json"]).encode(), "lead")
    before = answers(store, made.dataset).codes
    found = import_label_studio(store, made.id, json.dumps(RECORDED["edited"]).encode(), "lead")
    after = answers(store, made.dataset).codes
    assert (found.stored, found.known) == (1, 12)
    assert (before != after).sum() == 1 and after[before != after].tolist() == [3]


def test_the_recorded_tasks_are_what_is_sent_today(worked: tuple[Store, int, int]) -> None:
    store, number, _ = worked
    today = json.loads(export(store, number, "lead")["label_studio_tasks.json"])
    assert [sorted(task["data"]) for task in today] == [sorted(task["data"]) for task in RECORDED["sent"]]
    for now, then in zip(today, RECORDED["sent"], strict=True):
        keys = [[sorted(said) for said in task["annotations"]] for task in (now, then)]
        assert keys[0] == keys[1]


def test_an_older_edit_loses_against_what_was_said_here_since(worked: tuple[Store, int, int]) -> None:
    store, number, data = worked
    file = through(
        export(store, number, "lead")["label_studio_tasks.json"],
        lambda tasks: choose(next(a for task in tasks for a in task["annotations"]), "action", "exclude"),
    )
    with store.reading() as connection:
        places = dict(connection.exec_driver_sql("SELECT id, place FROM task").all())
        first = connection.execute(sa.select(decision).order_by(decision.c.id)).first()
    assert first is not None
    decide(store, look(store, number, first.annotator, places[first.task_id]), Answer("keep", note="here, and later"))
    before = outcomes(store, data)
    assert import_label_studio(store, number, file, "lead").stored == 0
    assert outcomes(store, data) == before


def test_new_annotations_there_are_answers_of_their_authors(worked: tuple[Store, int, int]) -> None:
    store, number, data = worked

    def edit(tasks: list[dict[str, Any]]) -> None:
        made = {"id": 1, "completed_by": {"email": "zoe@lab.org"}, "result": [], "was_cancelled": False,
                "updated_at": "2023-11-22T08:00:00Z", "import_id": None}  # fmt: skip
        for task in tasks[:3]:
            task["annotations"].append(copy.deepcopy(made))
            choose(task["annotations"][-1], "label", "b")
        choose(tasks[1]["annotations"][-1], "action", "keep")  # a b, or its own label: which?
        choose(tasks[2]["annotations"][-1], "label", "z")

    found = import_label_studio(
        store, number, through(export(store, number, "lead")["label_studio_tasks.json"], edit), "lead"
    )
    given = [
        task["data"]["given_label"] for task in json.loads(export(store, number, "lead")["label_studio_tasks.json"])
    ]
    assert found.stored == 1 + (given[1] == "b")
    assert "zoe@lab.org" in answers(store, data).annotators
    assert any("no class of this data set: z (task row-0002)" in sentence for sentence in found.left_out)


@pytest.mark.parametrize("form", [lambda file: file, minimal])
def test_texts_go_out_whole_and_their_answers_come_back(store: Store, form: Callable[[bytes], bytes]) -> None:
    made = queue(store, 12)
    hostile = [
        "",
        '<b>&amp;</b> "quoted"',
        "שלום \u202eabc",
        "\u0000NUL",
        "😀" * 40,
        "line\r\nline\u2028line",
        "x" * 20_000,
    ]
    texts = [hostile[k % len(hostile)] for k in range(12)]
    files = export(store, made.id, "lead", context=Context(items=[{"text": text} for text in texts]))
    assert b"<Text " in files["label_config.xml"] and b'value="$text"' in files["label_config.xml"]
    tasks = json.loads(files["label_studio_tasks.json"])
    assert [task["data"]["text"] for task in tasks] == texts
    assert not any(task["annotations"] for task in tasks)

    def answer(tasks: list[dict[str, Any]]) -> None:
        for place, task in enumerate(tasks):
            said: dict[str, Any] = {"id": place, "completed_by": {"email": "ann@x.org"}, "was_cancelled": False}
            said |= {"result": [], "lead_time": 2.0, "created_at": "2023-11-20T08:00:00Z", "updated_at": ""}
            choose(said, "label", task["data"]["given_label"] if place % 2 else "c")
            task["annotations"] = [said]

    store.clock.now = 1_701_500_000.0  # type: ignore[attr-defined]
    found = import_label_studio(store, made.id, form(through(files["label_studio_tasks.json"], answer)), "lead")
    assert found.stored == 12 and found.left_out == {}
    said = answers(store, made.dataset)
    labels, changed = resolve(said), [k for k in range(12) if k % 2 == 0 and said.class_names[said.given[k]] != "c"]
    assert [k for k in range(12) if labels.action[k] == "re-label"] == changed
