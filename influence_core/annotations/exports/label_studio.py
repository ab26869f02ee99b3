"""Label Studio: tasks with predictions and annotations, and the labelling configuration that reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from influence_core.annotations.exports.reading import Material
from influence_core.annotations.records import ACTIONS
from influence_core.compute import Rows

Items = Sequence[Mapping[str, str]]

LABEL, ACTION, NOTE, ITEM = "label", "action", "note", "item"
KEY, ANSWERS, ANSWER = "row_id", "answers", "answer"  # JSON-MIN has another id; what was answered here, and which it is
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML cannot hold


def choice_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Class names as XML can hold them.

    Returns:
        One for each class.
    """
    return tuple(_ILLEGAL.sub("\ufffd", name) for name in class_names)


def label_config(class_names: Sequence[str], kind: str) -> bytes:
    """The labelling configuration of a project that imports the tasks.

    Args:
        class_names: c names.
        kind: ``image`` or ``text``: the key under which an item's content stands.

    Returns:
        XML.
    """
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, kind.capitalize(), name=ITEM, value=f"${kind}")
    for name, values in ((LABEL, choice_names(class_names)), (ACTION, ACTIONS)):
        choices = ElementTree.SubElement(view, "Choices", name=name, toName=ITEM, choice="single", showInline="true")
        for value in values:
            ElementTree.SubElement(choices, "Choice", value=value)
    ElementTree.SubElement(view, "TextArea", name=NOTE, toName=ITEM)
    hidden = ElementTree.SubElement(view, "View", style="display:none")
    ElementTree.SubElement(hidden, "TextArea", name=ANSWER, toName=ITEM)
    ElementTree.indent(view)
    content: bytes = ElementTree.tostring(view, encoding="utf-8")
    return content


def label_studio_tasks(material: Material, rows: Rows, items: Items | None) -> bytes:
    """One task per row, with the model's prediction and every standing answer; a skip is a cancelled annotation.

    The stock server takes annotations of its own users only, and keeps of each no more than its number, result and
    lead time.  Who answered here, in which pass and when, therefore travels with the data of the task.

    Args:
        material: what was read.
        rows: positions.
        items: (n,) contents, ``{"image": url}`` or ``{"text": …}``; ids as text when left out.
    """
    undone = {row["undoes"] for row in material.decisions}
    alive = [row for row in material.decisions if row["action"] != "undo" and row["id"] not in undone]
    changed = {row["supersedes"]: row["round"] for row in alive if row["stage"] == "final"}
    told: dict[int, dict[str, Any]] = {}
    made: dict[int, list[dict[str, Any]]] = {}
    answered = set()
    for row in alive:
        if row["stage"] == "final" and changed.get(row["id"]) != row["round"]:
            made.setdefault(row["position"], []).append(_annotation(material, row))
            told.setdefault(row["position"], {})[str(row["id"])] = {
                "annotator": row["annotator"], "action": row["action"], "label": row["new_label"],
                "note": row["note"], "round": row["round"], "at": row["decided_at"],
            }  # fmt: skip
            answered.add((row["position"], row["annotator"]))
    for row in material.skips:
        if (row["position"], row["annotator"]) not in answered:
            made.setdefault(row["position"], []).append(_skipped(row))
    names = choice_names(material.answers.class_names)
    tasks = []
    for position in rows.tolist():
        name = str(material.answers.ids[position])
        data = {**(items[position] if items is not None else {"text": name})}
        data |= {"id": name, KEY: name, "position": position}
        data |= {"given_label": names[material.answers.given[position]], ANSWERS: told.get(position, {})}
        tasks.append({
            "id": position + 1,
            "data": data,
            "predictions": [_prediction(material, position, names)],
            "annotations": made.get(position, []),
        })  # fmt: skip
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in tasks)
    return f"[\n{lines}\n]\n".encode()


def _prediction(material: Material, position: int, names: Sequence[str]) -> dict[str, Any]:
    found = material.predictions
    predicted, given = int(found["predicted_label"][position]), int(material.answers.given[position])
    return {
        "model_version": f"{material.run['model']}, run {material.run['id']}",
        "score": float(found["p_given" if predicted == given else "p_suggested"][position]),
        "result": [_choice(f"prediction {position}", LABEL, names[predicted])],
    }


def _annotation(material: Material, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "import_id": row["id"],
        "created_at": _time(row["decided_at"]),
        "lead_time": row["lead_time"],
        "was_cancelled": False,
        "ground_truth": row["round"] == 2,
        "result": list(_results(material, row)),
    }


def _results(material: Material, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    given = int(material.answers.given[row["position"]])
    label = {"keep": given, "re-label": row["new_label"]}.get(row["action"])
    key, origin = f"decision {row['id']}", row["origin"]
    if label is not None:
        yield {**_choice(f"{key} label", LABEL, choice_names(material.answers.class_names)[label]), "origin": origin}
    yield {**_choice(f"{key} action", ACTION, row["action"]), "origin": origin}
    for name, text in ((NOTE, row["note"]), (ANSWER, str(row["id"]))):
        if text:
            said = {"from_name": name, "to_name": ITEM, "type": "textarea", "value": {"text": [text]}}
            yield {"id": f"{key} {name}", **said}


def _skipped(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "created_at": _time(row["skipped_at"]),
        "lead_time": 0.0,
        "was_cancelled": True,
        "result": [],
    }


def _choice(key: str, name: str, value: str) -> dict[str, Any]:
    return {"id": key, "from_name": name, "to_name": ITEM, "type": "choices", "value": {"choices": [value]}}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
