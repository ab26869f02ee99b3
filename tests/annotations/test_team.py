"""Numbers of people and servers that share a database, against counting by hand."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from influence_core.annotations import (
    Answer,
    Store,
    StoreUnavailable,
    activity,
    agreement_by_class,
    answers,
    check_folder,
    confusion,
    decide,
    open_store,
    workers,
)
from tests.annotations.conftest import Clock, queue, samples, serve
from tests.annotations.test_agreement import made, noisy


def test_classes_and_pairs_are_counted_as_by_hand() -> None:
    _, codes = noisy(80, 3, 0.6, seed=2)
    said = made(codes.tolist())
    object.__setattr__(said, "given", np.arange(80) % 3)
    for label, found in enumerate(agreement_by_class(said)):
        rows = [[c for c in row if c >= 0] for row in codes[said.given == label].tolist()]
        rows = [row for row in rows if len(row) > 1]
        assert (found.right, found.of) == (sum(len(set(row)) == 1 for row in rows), len(rows))
    tally = Counter((a, b) for a, b, _ in codes.tolist() if a >= 0 and b >= 0)
    cells = confusion(said, ("annotator 0", "annotator 1"))
    assert {(i, j): int(n) for (i, j), n in np.ndenumerate(cells) if n} == dict(tally)
    assert (confusion(said, ("annotator 1", "annotator 0")) == cells.T).all()


def test_speed_accuracy_and_planted_flips_of_everybody(store: Store, clock: Clock) -> None:
    made_ = queue(store, 20, overlap=3)
    flipped = np.zeros(20, bool)
    flipped[:6] = True
    labels = samples(20).labels
    truth = np.where(flipped, (labels + 1) % 3, labels)  # as suggested
    for name, wait in (("ann", 2.0), ("bob", 5.0), ("eve", 0.0)):
        for _ in range(20):
            card = serve(store, made_.id, name)
            clock.wait(wait)
            right = int(truth[card.position]) if name != "eve" else card.given
            decide(store, card, Answer("re-label", right))
    found = {one.name: one for one in workers(store, answers(store, made_.dataset), made_.dataset, truth)}
    assert [found[name].seconds for name in ("ann", "bob", "eve")] == [3.0, 6.0, 1.0]
    assert (found["ann"].planted.right, found["ann"].planted.of) == (6, 6)
    assert (found["eve"].planted.right, found["eve"].planted.of) == (0, 6)
    assert (found["ann"].outcome.right, found["eve"].outcome.right, found["eve"].outcome.of) == (20, 14, 20)
    assert found["ann"].controls.of == 2 and found["ann"].answers == 20
    one, *_ = workers(store, answers(store, made_.dataset), made_.dataset)
    assert one.planted.of == 0 and np.isnan(one.planted.share)


def test_servers_of_one_database_with_two_folders_are_told(
    store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = store.engine.dialect.name == "postgresql"
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "a"))
    assert check_folder(store) == "" and check_folder(store) == ""
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "b"))
    assert ("one shared folder" in check_folder(store)) == shared
    number = queue(store).dataset
    assert ("server" in {line.kind for line in activity(store, number)}) == shared
    clock.wait(2 * 86_400)
    assert check_folder(store) == ""


def test_a_database_that_does_not_open_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnavailable, match="no database at all") as caught:
        open_store(f"sqlite:///{tmp_path}/a.db")
    assert "card" not in str(caught.value)
    with pytest.raises(StoreUnavailable, match="did not answer: start it") as caught:
        open_store(f"postgresql://ada:hunter2@/none?host={tmp_path}")
    assert "hunter2" not in str(caught.value) and str(tmp_path) in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="give it the right to write") as caught:
        open_store(f"sqlite:///{tmp_path}/file/a.db")
    assert "card" not in str(caught.value)
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(StoreUnavailable, match="give it the right to write"):
            open_store(f"sqlite:///{tmp_path}/locked/inner/a.db")


def test_a_server_that_refuses_or_lacks_the_database_is_told(postgres: str) -> None:
    with pytest.raises(StoreUnavailable, match="no such database"):
        open_store(postgres.format("nowhere"))


def test_a_clock_that_is_set_back_makes_no_slip(store: Store, clock: Clock) -> None:
    number = queue(store).id
    card = serve(store, number)
    clock.wait(-1_800)
    decide(store, card, Answer("keep"))
    assert serve(store, number).task != card.task


def test_a_shared_database_tells_the_time(store: Store) -> None:
    real = open_store(store.engine.url.render_as_string(hide_password=False))
    behind = type(real)(real.engine)
    with behind.reading() as connection:
        there = behind.now(connection)
        asked = (
            "SELECT extract(epoch from now())" if store.engine.dialect.name == "postgresql" else "SELECT unixepoch()"
        )
        assert abs(there - float(connection.exec_driver_sql(asked).scalar_one())) < 60
    real.close()
