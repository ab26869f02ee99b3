"""A store that the first version wrote is opened by this one: every row is still there, and says what it said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    Samples,
    Store,
    answers,
    decide,
    export,
    items,
    look,
    next_card,
    open_store,
    progress,
    queues,
    resolve,
    widen,
)
from influence_core.annotations.migrations import upgrade
from influence_core.annotations.records import Answer
from influence_core.annotations.tables import metadata
from tests.annotations.conftest import execute

WRITTEN: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("written_by_0001.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store as it was written, then opened today."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/old.db"
        engine = sa.create_engine(url)
    else:
        server: str = request.getfixturevalue("postgres")
        name = f"old{abs(hash(request.node.name)) % 10**9}"
        execute(server.format("postgres"), f"CREATE DATABASE {name}")
        url = server.format(name)
        engine = sa.create_engine(url.replace("postgresql", "postgresql+psycopg", 1))
    upgrade(engine, "0001")
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for name in (table.name for table in metadata.sorted_tables):
            if WRITTEN.get(name):
                connection.execute(sa.insert(tables.tables[name]), WRITTEN[name])
        if request.param == "postgresql":  # the rows brought their numbers along
            for name in (name for name, rows in WRITTEN.items() if rows and "id" in rows[0]):
                last = max(row["id"] for row in WRITTEN[name])
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {last})")
    engine.dispose()
    opened = open_store(url, lambda: 1_800_000_000.0)
    yield opened
    opened.close()


def test_every_row_of_the_older_store_is_kept_as_it_was(old: Store) -> None:
    with old.reading() as connection:
        for name, rows in WRITTEN.items():
            table = metadata.tables[name]
            found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            asked = [{key: row[key] for key in rows[0]} for row in found] if rows else found
            if name == "task":  # a tie is no error any more
                for row in (*asked, *rows):
                    row.pop("error", None)
            assert sorted(map(str, asked)) == sorted(map(str, rows)), name


def test_what_people_said_is_read_as_one_answer_for_each_person(old: Store) -> None:
    said = answers(old, 1)
    assert said.annotators == ("Ann", "bob")
    alive = {row["id"] for row in WRITTEN["decision"]} - {row["undoes"] for row in WRITTEN["decision"]}
    by_ann = {
        position_of(row["task_id"])
        for row in WRITTEN["decision"]
        if row["id"] in alive and row["annotator"].casefold() == "ann" and row["action"] not in {"undo", "review"}
        and row["stage"] == "final"
    }  # fmt: skip
    assert set((said.codes[:, 0] >= 0).nonzero()[0].tolist()) <= by_ann
    settled = [row for row in WRITTEN["decision"] if row["round"] == 2]
    assert [int(said.settled[position_of(row["task_id"])]) for row in settled] == [row["new_label"] for row in settled]
    resolve(said)


def position_of(number: int) -> int:
    return next(row["position"] for row in WRITTEN["task"] if row["id"] == number)


def test_work_goes_on_in_the_older_store(old: Store) -> None:
    seen = progress(old, 1, "ANN")
    assert seen.mine > 0 and set(seen.by_annotator) == {"Ann", "bob", "eve"}
    card = next_card(old, 1, "ann")
    assert card is not None and card.annotator == "Ann"  # the spelling that came first
    place = next(row["place"] for row in WRITTEN["task"] if row["id"] == WRITTEN["decision"][0]["task_id"])
    mine = look(old, 1, "ａｎｎ", place)  # noqa: RUF001
    assert mine.changes and mine.mine is not None and mine.mine.note == WRITTEN["decision"][0]["note"]
    decide(old, mine, Answer("exclude"))
    assert set(export(old, 1, "lead")) >= {"label_issues.csv", "audit_log.jsonl"}


def test_queues_of_the_older_store_go_on_among_more_rows(old: Store) -> None:
    rows = sorted(WRITTEN["sample"], key=lambda row: row["name"])
    names = [row["name"] for row in rows]
    every = np.array([name for k, name in enumerate(names) for name in (f"{name} held out", name)[k % 2 :]])
    labels = {row["name"]: row["given_label"] for row in rows}
    (data,) = WRITTEN["dataset"]
    given = np.array([labels.get(name, 0) for name in every])
    whole = Samples("all", "whole", every, given, tuple(data["class_names"]))
    before, said = items(old, 1, "ann"), progress(old, 1, "ann")
    assert widen(old, "nobody knows it", whole, lambda settings, _: settings) is False
    short = replace(whole, ids=every[2:], labels=given[2:])
    assert widen(old, data["fingerprint"], short, lambda settings, _: settings) is False  # not all rows are among them
    assert widen(old, data["fingerprint"], whole, lambda settings, _: settings)
    after = items(old, 1, "ann")
    assert [replace(one, position=0) for one in after] == [replace(one, position=0) for one in before]
    assert [one.name for one in after] == [every[one.position] for one in after]
    assert progress(old, 1, "ann") == said
    assert [queue.id for queue in queues(old, "whole")] == sorted((row["id"] for row in WRITTEN["queue"]), reverse=True)
    assert len(answers(old, 1).ids) == len(every)
    assert next_card(old, 1, "ann") is not None
    assert not widen(old, data["fingerprint"], whole, lambda settings, _: settings)


def test_ties_of_the_older_store_count_as_no_error(old: Store) -> None:
    tied = [row for row in WRITTEN["task"] if row["waits"] == 2]
    assert tied
    with old.reading() as connection:
        errors = dict(connection.exec_driver_sql("SELECT id, error FROM task WHERE waits = 2").all())
    assert set(errors) == {row["id"] for row in tied} and set(errors.values()) <= {None, 1}
    assert None in errors.values()
