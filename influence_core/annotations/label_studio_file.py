"""What a JSON or JSON-MIN export of Label Studio says, in our words: validated, within limits, problems by task."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.exports.label_studio import ACTION, ANSWER, ANSWERS, KEY, LABEL, NOTE, choice_names
from influence_core.annotations.names import annotator_name
from influence_core.annotations.records import ACTIONS
from influence_core.annotations.records import NOTE as LONGEST

BYTES, TASKS, ANNOTATIONS, RESULTS = 64 * 2**20, 200_000, 100, 100
NAMED = 3  # tasks that a problem names
ORIGINS = ("manual", "prediction", "prediction-changed")


@dataclass(frozen=True)
class Foreign:
    """One answer of a file.

    Attributes:
        item: the task here.
        annotator: who.
        action: as we store it.
        label: of a relabelling.
        note: free text.
        round: 1 or 2.
        origin: where the answer came from.
        at: seconds since 1970.
        lead_time: seconds.
    """

    item: int
    annotator: str
    action: str
    label: int | None
    note: str
    round: int
    origin: str
    at: float
    lead_time: float

    @property
    def token(self) -> str:
        """The same answer has the same token, whatever way it came."""
        parts = (self.annotator, self.action, self.label, self.note, self.round, round(self.at, 3))
        return "import " + hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class Reader:
    """What a file is read against.

    Attributes:
        known: id of a row to its task here and its given class.
        class_names: c names.
        by: who imports, and whose an annotation without an author is.
        now: seconds since 1970.
        problems: sentence to the tasks it is true of, one for each annotation.
    """

    known: Mapping[str, tuple[int, int]]
    class_names: tuple[str, ...]
    by: str
    now: float
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def told(self) -> dict[str, int]:
        """Each problem with the first of its tasks, and how many annotations it concerns."""
        found = {}
        for sentence, names in self.problems.items():
            first = list(dict.fromkeys(names))
            more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
            tasks = ", ".join(name[:60] for name in first[:NAMED])
            found[f"{sentence} (task{'s' * (len(first) > 1)} {tasks}{more})"] = len(names)
        return found

    def read(self, content: bytes) -> list[Foreign]:
        """All answers of a file."""
        return [one for number, task in enumerate(_tasks(content)) for one in self._answers(task, number)]

    def _answers(self, task: Any, number: int) -> Iterator[Foreign]:
        task = _unpacked(task)
        data, annotations = (task.get("data"), task.get("annotations")) if isinstance(task, dict) else (None, None)
        if not isinstance(data, dict) or not isinstance(annotations, list):
            self.problems["no task: data and annotations are missing"].append(f"number {number + 1}")
            return
        name = str(data.get(KEY, data.get("id")))
        found = self.known.get(name)
        if found is None:
            self.problems["its id names no row of this queue"] += [name] * len(annotations)
            return
        if annotations[ANNOTATIONS:]:
            self.problems["too many annotations of one task"] += [name] * len(annotations[ANNOTATIONS:])
        answers = data.get(ANSWERS)
        before: Mapping[str, Any] = answers if isinstance(answers, dict) else {}
        for said in annotations[:ANNOTATIONS]:
            try:
                yield self._answer(said, found, before)
            except AnnotationError as error:
                self.problems[str(error)].append(name)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                self.problems["an annotation has another form"].append(name)

    def _answer(self, said: Any, found: tuple[int, int], before: Mapping[str, Any]) -> Foreign:
        if said.get("was_cancelled"):
            raise AnnotationError("cancelled: no answer")
        results = [result for result in said["result"][:RESULTS] if isinstance(result, dict)]
        number = said.get("import_id")
        kept = before.get(str(_text(results, ANSWER) if number is None else number))
        kept = kept if isinstance(kept, dict) else None
        action, label = self._outcome(results, found[1], kept)
        note, when = _text(results, NOTE), self._time(said.get("updated_at") or said.get("created_at"))
        author = str(kept["annotator"]) if kept else _author(said.get("completed_by"), self.by)
        if kept and (action, label, note) == (kept["action"], kept["label"], kept["note"]):
            when = min(float(kept["at"]), self.now)  # nobody has touched it there
        return Foreign(
            item=found[0],
            annotator=_name(author),
            action=action,
            label=label,
            note=note,
            round=2 if kept and kept["round"] == 2 else 1,
            origin=next((r["origin"] for r in results if r.get("origin") in ORIGINS), "manual"),
            at=when,
            lead_time=_lead(said.get("lead_time")),
        )

    def _outcome(
        self, results: list[dict[str, Any]], given: int, kept: Mapping[str, Any] | None
    ) -> tuple[str, int | None]:
        """Action and class; of an answer that was given here first, what was changed since decides."""
        label, action = _chosen(results, LABEL), _chosen(results, ACTION)
        classes = choice_names(self.class_names)
        if label is not None and label not in classes:
            raise AnnotationError(f"a label is no class of this data set: {label[:40]}")
        if action is not None and action not in ACTIONS:
            raise AnnotationError(f"an action is none of {', '.join(ACTIONS)}: {action[:40]}")
        code = None if label is None else classes.index(label)
        was = given if kept and kept["action"] == "keep" else kept["label"] if kept else None
        if kept and action == kept["action"] and code is not None and code != was:
            action = None  # another class was chosen, and the action left as it was
        if action == "keep" and kept is None and code not in {None, given}:
            raise AnnotationError("it says keep and another label: choose one of them there")
        if action in {"exclude", "review"}:
            return action, None
        if code is None and action != "keep":
            raise AnnotationError("no label was chosen")
        return ("keep", None) if action == "keep" or code == given else ("re-label", code)

    def _time(self, said: Any) -> float:
        if not isinstance(said, str):
            return self.now
        parsed = datetime.fromisoformat(said)
        seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        return seconds if 0 <= seconds <= self.now else self.now


def _tasks(content: bytes) -> list[Any]:
    if len(content) > BYTES:
        raise AnnotationError(f"Expected at most {BYTES >> 20} MB, got {len(content) >> 20} MB: export fewer tasks.")
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError):
        raise AnnotationError("Expected Label Studio's export: choose JSON in its export dialog.") from None
    if not isinstance(tasks, list) or len(tasks) > TASKS:
        raise AnnotationError(f"Expected a JSON list of at most {TASKS:,} tasks: choose JSON or JSON-MIN, not CSV.")
    return tasks


def _unpacked(task: Any) -> Any:
    """A line of JSON-MIN, which is one annotation beside the data, as a task of JSON."""
    if not isinstance(task, dict) or "annotation_id" not in task:
        return task
    results: list[dict[str, Any]] = [
        {"type": "choices", "from_name": name, "value": {"choices": [task[name]]}}
        for name in (LABEL, ACTION)
        if isinstance(task.get(name), str)
    ]
    results += [{"from_name": name, "value": {"text": task[name]}} for name in (NOTE, ANSWER) if task.get(name)]
    said = {name: task.get(name) for name in ("created_at", "updated_at", "lead_time")}
    answered = [{**said, "completed_by": task.get("annotator"), "result": results}] if results else []
    return {"data": task, "annotations": answered}  # tasks without an answer have a line too


def _chosen(results: list[dict[str, Any]], name: str) -> str | None:
    """The choice of a Choices tag; a project of another kind has one such tag, under any name."""
    named = [r for r in results if r.get("type") == "choices"]
    if name == LABEL and all(r.get("from_name") not in {LABEL, ACTION} for r in named):
        chosen = named
    else:
        chosen = [r for r in named if r.get("from_name") == name]
    if not chosen:
        return None
    choices = chosen[-1]["value"]["choices"]
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        raise AnnotationError("more than one label was chosen")
    return choices[0]


def _text(results: list[dict[str, Any]], name: str) -> str:
    texts = [text for r in results if r.get("from_name") == name for text in _listed(r["value"]["text"])]
    return "\n".join(texts).replace("\0", "")[:LONGEST]


def _listed(text: Any) -> list[str]:
    return [one for one in (text if isinstance(text, list) else [text]) if isinstance(one, str)]


def _author(said: Any, default: str) -> str:
    name = said.get("email") or said.get("username") or said.get("id") if isinstance(said, dict) else said
    return default if name is None else f"label studio user {name}" if isinstance(name, int) else name


def _name(name: Any) -> str:
    try:
        return annotator_name(name if isinstance(name, str) else "")
    except AnnotationError:
        raise AnnotationError("the name of an annotator is none") from None


def _lead(said: Any) -> float:
    seconds = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else 0.0
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e7 else 0.0
