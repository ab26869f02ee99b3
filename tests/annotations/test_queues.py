from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Plan,
    Samples,
    Store,
    create_queue,
    decide,
    get_queue,
    look,
    queues,
    ranks,
)
from influence_core.annotations.queues import _cards
from influence_core.annotations.tables import score, task
from tests.annotations.conftest import queue, run, samples, serve


def _order(store: Store, number: int) -> list[tuple[int, bool]]:
    with store.reading() as connection:
        rows = connection.execute(sa.select(task).where(task.c.queue_id == number).order_by(task.c.place)).all()
    return [(row.position, row.is_control) for row in rows]


def test_cards_come_in_the_order_of_the_strategy_with_controls_in_between(store: Store) -> None:
    order = _order(store, queue(store, 100, limit=50, control_fraction=0.1).id)
    flagged = [position for position, control in order if not control]
    controls = [position for position, control in order if control]
    assert len(order) == len(set(order)) == 50 and len(controls) == 5
    assert flagged == sorted(flagged)  # row 0 is the most suspicious
    assert set(flagged) == set(sorted(set(range(100)) - set(controls))[:45])


def test_ties_go_by_id_whatever_the_order_of_the_rows() -> None:
    ids, suspicion = np.array(["c", "a", "d", "b"]), np.array([1.0, 1.0, 2.0, 1.0])
    assert ranks(ids, suspicion).tolist() == [4, 2, 1, 3]
    shuffled = np.array([3, 2, 1, 0])
    assert ranks(ids[shuffled], suspicion[shuffled]).tolist() == [3, 1, 2, 4]


def test_precision_from_the_cards_is_unbiased_for_flagged_and_controls() -> None:
    """300 queues of 40 of 200 rows, whose first 50 ranks hold 60 % wrong labels and the rest 10 %."""
    n, plan = 200, Plan(limit=40, control_fraction=0.1)
    wrong = np.zeros(n, dtype=bool)
    wrong[np.random.default_rng(0).permutation(50)[:30]] = True
    wrong[50 + np.random.default_rng(1).permutation(150)[:15]] = True
    order, asked = np.arange(n), np.ones(n, bool)
    found = []
    for seed in range(300):
        chosen, controls = _cards(order, asked, replace(plan, seed=seed))
        found.append((wrong[chosen[controls]].mean(), wrong[chosen[~controls]][:30].mean(), np.flatnonzero(controls)))
    base, top = np.mean([f[0] for f in found]), np.mean([f[1] for f in found])
    assert base == pytest.approx(wrong.mean(), abs=0.035)  # 1,200 draws of a rate of 0.225: s.e. 0.012
    assert top == pytest.approx(wrong[:31].mean(), abs=0.02)
    places = np.concatenate([f[2] for f in found])
    assert places.min() == 5 and places.mean() == pytest.approx(22, abs=1.0)  # anywhere but in front


def test_a_new_version_keeps_the_old_and_leaves_out_what_is_settled(store: Store) -> None:
    first = queue(store)
    card = serve(store, first.id)
    decide(store, card, Answer("exclude"))
    unsure = serve(store, first.id)
    decide(store, unsure, Answer("review"))
    second, third = queue(store), queue(store, again=True)
    assert [made.version for made in queues(store, samples().fingerprint)] == [3, 2, 1]
    positions = {position for position, _ in _order(store, second.id)}
    assert positions == set(range(40)) - {card.position}
    assert (get_queue(store, first.id).size, second.size, third.size) == (40, 39, 40)
    assert look(store, first.id, "ann", card.place).mine == Answer("exclude")


def test_nothing_left_is_said(store: Store) -> None:
    made = queue(store, 2)
    for _ in range(2):
        decide(store, serve(store, made.id), Answer("keep"))
    with pytest.raises(AnnotationError, match="has an answer already"):
        queue(store, 2)


def test_scores_and_percentiles_are_stored_for_every_row_and_signal(store: Store) -> None:
    made, data = queue(store, 40), samples(40)
    with store.reading() as connection:
        rows = connection.execute(sa.select(score).where(score.c.run_id == made.run)).all()
    assert len(rows) == 3 * 40
    values = run(data).signals["loss"]
    for row in rows:
        if row.signal == "loss":
            assert row.value == values[row.position]
            assert row.percentile == pytest.approx((values <= values[row.position]).mean())


@pytest.mark.parametrize(
    "plan",
    [{"strategy": "none"}, {"control_fraction": 0.2}, {"overlap": 0}, {"limit": 0}, {"duplicates": np.zeros(3, int)}],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_is_stored(store: Store, plan: dict[str, object]) -> None:
    with pytest.raises(AnnotationError):
        queue(store, **plan)
    assert queues(store, samples().fingerprint) == ()


def test_scores_that_do_not_fit_are_refused(store: Store) -> None:
    data, scores = samples(), run(samples())
    broken = [
        replace(scores, predicted=scores.predicted + 3),
        replace(scores, suggested=scores.suggested[1:]),
        replace(scores, signals={"self_influence": np.full(40, np.nan)}),
        replace(scores, p_given=scores.p_given[:-1]),
        replace(scores, label_score=np.full(40, 1.5)),
    ]
    for one in broken:
        with pytest.raises(AnnotationError, match="expected"):
            create_queue(store, data, one, Plan(), "lead")


def test_samples_that_make_no_data_set_are_refused() -> None:
    ids, labels = np.array(["a", "a"]), np.array([0, 1])
    with pytest.raises(AnnotationError, match="twice"):
        Samples("x", "f", ids, labels, ("a", "b"))
    with pytest.raises(AnnotationError, match="class indices"):
        Samples("x", "f", np.array(["a", "b"]), labels + 1, ("a", "b"))


def test_one_fingerprint_is_one_data_set(store: Store) -> None:
    queue(store)
    other = replace(samples(), class_names=("x", "y", "z"))
    with pytest.raises(AnnotationError, match="fingerprint"):
        create_queue(store, other, run(other), Plan(), "lead")
