from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from influence_core.annotations import (
    Answer,
    Store,
    agreement,
    agreement_of,
    answers,
    consensus,
    decide,
    resolve,
    undo,
)
from influence_core.annotations.resolving import Answers
from tests.annotations.conftest import queue, serve


def made(codes: list[list[int]], c: int = 3, settled: list[int] | None = None) -> Answers:
    array = np.array(codes, dtype=np.int64)
    n, a = array.shape
    later = np.full(n, -1) if settled is None else np.array(settled)
    names = tuple(f"annotator {k}" for k in range(a))
    return Answers(names, np.array([str(i) for i in range(n)]), np.zeros(n, int), tuple("abcdef"[:c]), array, later)


def noisy(n: int, annotators: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n)
    codes = np.where(rng.random((n, annotators)) < right, truth[:, None], rng.integers(3, size=(n, annotators)))
    return truth, np.where(rng.random((n, annotators)) < 0.2, -1, codes)


def test_alpha_of_the_published_example() -> None:
    """Krippendorff 2011, *Computing Krippendorff's alpha-reliability*, part C: four observers, 12 units, 0.743."""
    x = -1
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, x, x, x],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, x, 3],
        [x, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, x],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, x],
    ]
    found = agreement_of(made(np.array(table).T.tolist(), 6)).alpha
    assert found.value == pytest.approx(0.743, abs=5e-4) and found.n == 11


@pytest.mark.parametrize("seed", range(5))
def test_alpha_and_kappa_equal_the_packages(seed: int) -> None:
    _, codes = noisy(60, 4, 0.7, seed)
    data = np.where(codes < 0, np.nan, codes).T
    found = agreement_of(made(codes.tolist()))
    assert found.alpha.value == pytest.approx(krippendorff.alpha(data, level_of_measurement="nominal"), rel=1e-12)
    assert found.kappa.undefined
    both = codes[:, :2][(codes[:, :2] >= 0).all(axis=1)]
    kappa = agreement_of(made(codes[:, :2].tolist())).kappa
    assert (kappa.value, kappa.n) == (pytest.approx(cohen_kappa_score(*both.T)), len(both))


def test_percent_is_the_share_of_equal_pairs() -> None:
    found = agreement_of(made([[0, 0, 1], [0, 1, 2], [2, 2, 2], [1, -1, -1]])).percent
    assert (found.value, found.n) == (pytest.approx((1 / 3 + 0 + 1) / 3), 3)


def test_the_intervals_cover_what_they_should() -> None:
    """Of 60 studies of 80 items, about 95 % of the intervals hold the α and κ of a study of 40,000 items."""
    _, codes = noisy(40_000, 2, 0.75, seed=9)
    many = agreement_of(made(codes.tolist()))
    hits = np.zeros(3)
    for seed in range(60):
        _, codes = noisy(80, 2, 0.75, seed)
        few = agreement_of(made(codes.tolist()))
        for k, name in enumerate(("percent", "kappa", "alpha")):
            one = getattr(few, name)
            assert one.low <= one.value <= one.high
            hits[k] += one.low <= getattr(many, name).value <= one.high
    assert (hits >= 60 * 0.85).all()


def test_what_is_undefined_says_why() -> None:
    one = agreement_of(made([[0, 0], [0, 0]]))
    assert one.percent.value == 1.0
    assert one.kappa.undefined == one.alpha.undefined == "only one label occurs" and np.isnan(one.alpha.value)
    nothing = agreement_of(made([[0, -1], [-1, 1]]))
    assert "two answers" in nothing.percent.undefined and nothing.alpha.n == 0


def test_agreement_reads_first_pass_answers_that_stand(store: Store) -> None:
    number = queue(store, 4, overlap=2)
    for name, actions in {"ann": ("keep", "keep", "exclude", "review"), "bob": ("keep", "exclude", "exclude")}.items():
        for action in actions:
            decide(store, serve(store, number.id, name), Answer(action))  # type: ignore[arg-type]
    card = serve(store, number.id, "bob")
    decide(store, card, Answer("re-label", card.suggested))
    undo(store, number.id, "bob")
    found = agreement(store, number.dataset)
    assert found.annotators == ("ann", "bob")
    assert (found.percent.value, found.percent.n) == (pytest.approx(2 / 3), 3)
    said = answers(store, number.dataset)
    assert sorted(said.codes[:, 1].tolist())[0] == -1 and (said.codes == 3).sum() == 3


def test_outcomes_by_majority_second_pass_and_exclusion() -> None:
    said = made([[0, 0, 1], [1, 1, 0], [3, 3, 0], [3, 0, -1], [-1, -1, -1], [2, 1, 1], [3, -1, -1]],
                settled=[-1, -1, -1, -1, -1, 2, -1])  # fmt: skip
    found = resolve(said)
    assert found.action.tolist() == ["keep", "re-label", "exclude", "", "", "re-label", "exclude"]
    assert found.label.tolist() == [0, 1, 0, 0, 0, 2, 0]
    assert found.annotations.tolist() == [3, 3, 3, 2, 0, 3, 1]
    assert found.kept.tolist() == [True, True, False, True, True, True, False]
    share = [2 / 3, 2 / 3, 2 / 3, np.nan, np.nan, 1 / 3, 1]
    np.testing.assert_allclose(found.agreement, share)


def outcome_by_hand(votes: tuple[int, ...], settled: int, c: int) -> int:
    """What a person with a tally sheet says: the second pass, else the one answer with the most strokes, else none."""
    if settled >= 0:
        return settled
    tally = Counter(vote for vote in votes if vote >= 0).most_common(2)
    return -1 if not tally or (len(tally) == 2 and tally[0][1] == tally[1][1]) else tally[0][0]


@pytest.mark.parametrize(("annotators", "c"), [(1, 2), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3), (4, 3)])
def test_every_small_table_of_votes_has_the_outcome_of_a_tally_and_no_lot_decides(annotators: int, c: int) -> None:
    kinds, later = range(-1, c + 1), (-1, 0, c)
    tables = [(votes, said) for votes in product(kinds, repeat=annotators) for said in later]
    said = made([list(votes) for votes, _ in tables], c, [settled for _, settled in tables])
    wanted = np.array([outcome_by_hand(votes, settled, c) for votes, settled in tables])
    names = np.array(["keep", *["re-label"] * (c - 1), "exclude", ""])
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr]  # noqa: NPY002
    found = resolve(said)
    assert found.action.tolist() == names[wanted].tolist()
    assert found.label.tolist() == [w if 0 <= w < c else 0 for w in wanted]
    for _ in range(30):
        again = resolve(said)
        for name in ("action", "label", "annotations", "agreement"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    turned = resolve(replace(said, codes=said.codes[:, ::-1]))
    assert turned.action.tolist() == found.action.tolist() and turned.label.tolist() == found.label.tolist()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.slow
@pytest.mark.parametrize("votes", product((0, 1), repeat=8))
def test_four_rows_with_two_answers_each_are_the_same_thirty_times(votes: tuple[int, ...]) -> None:
    said = made([list(votes[k : k + 2]) for k in range(0, 8, 2)], 2)
    outcomes = {(tuple(resolve(said).action), tuple(resolve(said).label)) for _ in range(30)}
    assert len(outcomes) == 1
    quality = [consensus(said, np.full((4, 2), 0.5))[0] for _ in range(30 if sum(votes) == 4 else 1)]
    assert all(one.equals(quality[0]) for one in quality)


def test_consensus_finds_the_truth_and_the_poor_annotator() -> None:
    truth, codes = noisy(300, 3, 0.9, seed=4)
    codes[:, 2] = np.where(codes[:, 2] >= 0, np.random.default_rng(5).integers(3, size=300), -1)
    probabilities = np.full((300, 3), 0.1)
    probabilities[np.arange(300), truth] = 0.8
    labels, people = consensus(made(codes.tolist()), probabilities)
    rows = np.flatnonzero((codes >= 0).any(axis=1))
    assert labels.index.tolist() == rows.tolist()
    assert (labels["consensus_label"].to_numpy() == truth[rows]).mean() > 0.95
    assert people["annotator_quality"].idxmin() == "annotator 2"


def test_consensus_of_single_answers_is_empty() -> None:
    labels, people = consensus(made([[0, -1], [-1, 1]]), np.full((2, 3), 1 / 3))
    assert labels.empty and people.empty


def test_the_latest_queue_counts(store: Store) -> None:
    first = queue(store, 3)
    card = serve(store, first.id)
    decide(store, card, Answer("keep"))
    again = queue(store, 3, again=True)
    while (later := serve(store, again.id)).position != card.position:
        decide(store, later, Answer("review"))
    decide(store, later, Answer("exclude"))
    found = resolve(answers(store, first.dataset))
    assert found.action[card.position] == "exclude" and found.annotations[card.position] == 1
