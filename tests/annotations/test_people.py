from __future__ import annotations

import pytest

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Store,
    activity,
    agreement,
    answers,
    decide,
    guidelines,
    login,
    next_card,
    progress,
    record,
    role,
    undo,
    write_guideline,
)
from tests.annotations.conftest import queue, serve


@pytest.mark.parametrize(
    ("leads", "name", "source", "expected"),
    [
        (None, "ann", "name", "lead"),
        (None, "ann@lab.org", "oidc", "annotator"),
        ("Ann@Lab.org, bob", " ann@lab.org ", "oidc", "lead"),
        ("Ann@Lab.org, bob", "eve", "name", "annotator"),
        ("", "ann", "name", "annotator"),
        ("ann", "ann", "name", "annotator"),  # a typed name proves nothing
        ("Ａnn  Lee", "ann lee", "oidc", "lead"),  # noqa: RUF001
    ],
)
def test_roles_come_from_the_configuration(
    leads: str | None, name: str, source: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFLUENCE_LEADS", raising=False)
    monkeypatch.delenv("INFLUENCE_LEAD_KEY", raising=False)
    if leads is not None:
        monkeypatch.setenv("INFLUENCE_LEADS", leads)
    assert role(name, source) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("leads", "name", "key", "expected"),
    [
        (None, "ann", "", "annotator"),
        (None, "ann", "s3cret", "lead"),
        (None, "ann", "S3cret", "annotator"),
        ("bob", "ann", "s3cret", "annotator"),
        ("bob", "BOB", "s3cret", "lead"),
        ("bob", "bob", "", "annotator"),
    ],
)
def test_without_login_a_lead_needs_the_key(
    leads: str | None, name: str, key: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUENCE_LEAD_KEY", "s3cret")
    monkeypatch.delenv("INFLUENCE_LEADS", raising=False)
    if leads is not None:
        monkeypatch.setenv("INFLUENCE_LEADS", leads)
    assert role(name, "name", key) == expected


SPELLINGS = ("Ann Lee", "ann lee", "ANN LEE", "Ａｎｎ　Lee", " Ann   Lee ")  # noqa: RUF001


def test_one_person_has_one_name_whatever_the_spelling(store: Store) -> None:
    assert [login(store, name, "name") for name in SPELLINGS] == ["Ann Lee"] * len(SPELLINGS)
    assert login(store, "👩\u200d👩\u200d👧", "name") == "👩\u200d👩\u200d👧"
    made = queue(store, 4, overlap=2)
    for name in SPELLINGS[:4]:
        decide(store, serve(store, made.id, name), Answer("keep"))
    assert next_card(store, made.id, "ANN lee") is None  # the second answer to each is for somebody else
    seen = progress(store, made.id, "ann LEE")
    assert (seen.mine, seen.done, seen.by_annotator) == (4, 0, {"Ann Lee": 4})
    assert answers(store, made.dataset).annotators == ("Ann Lee",)
    assert agreement(store, made.dataset).percent.undefined
    assert undo(store, made.id, SPELLINGS[3]) is not None


def test_the_log_tells_what_happened_the_newest_first(store: Store) -> None:
    assert login(store, " ann ", "name") == "ann"
    made = queue(store)
    card = serve(store, made.id)
    decide(store, card, Answer("re-label", card.suggested))
    undo(store, made.id, "ann")
    store.clock.wait()  # type: ignore[attr-defined]
    record(store, "retrain", "lead", {"accuracy": [0.9, 0.95]}, made.dataset)
    lines = activity(store, made.dataset)
    assert {line.kind for line in lines} == {"retrain", "undo", "decision", "queue", "login"}
    assert lines[0].kind == "retrain" and [line.at for line in lines] == sorted((x.at for x in lines), reverse=True)
    said = {line.kind: line.text for line in lines}
    assert card.name in said["decision"] and "re-label to" in said["decision"]
    assert "source name" in said["login"] and "role lead" in said["login"]
    assert len(activity(store, made.dataset, limit=2)) == 2


def test_a_kind_of_event_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(AnnotationError, match="kind"):
        record(store, "decision", "ann", {})


def test_every_version_of_the_guideline_is_kept(store: Store) -> None:
    number = queue(store).dataset
    assert guidelines(store, number) == ()
    write_guideline(store, number, "# Sevens\nhave *no* loop", "lead")
    write_guideline(store, number, "# Sevens\nmay have a bar", "lead")
    assert [(g.version, g.text.splitlines()[1]) for g in guidelines(store, number)] == [
        (2, "may have a bar"),
        (1, "have *no* loop"),
    ]
    assert activity(store, number)[0].kind == "guideline"


def test_a_guideline_that_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(AnnotationError, match="no such data set"):
        write_guideline(store, 99, "x", "lead")
    with pytest.raises(AnnotationError, match="shorten"):
        write_guideline(store, queue(store).dataset, "x" * 100_001, "lead")
