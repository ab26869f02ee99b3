"""A stored set as one explores it: first answers are true changes of some rows, complete ones those of a full sort."""

import numpy as np
import pytest

from influence_core.compute import ResultStore, Task
from influence_core.data.stored import add
from influence_core.settings import DataSettings, ModelSettings, Settings
from influence_core.streamed import atlas, is_prepared, nearest, preparing

N = 3_000


@pytest.fixture
def explored(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    random = np.random.default_rng(0)
    x = random.normal(size=(N + 50, 6)) * [1, 2, 3, 1, 1, 5]
    y = (x[:, 0] + random.normal(size=len(x)) > 0).astype(int)
    np.savez(tmp_path / "a.npz", x_train=x[50:], y_train=y[50:], x_test=x[:50], y_test=y[:50])
    options = (("set", "made"), ("rows", 200), ("tests", 20))
    settings = Settings(data=DataSettings("stored", options), model=ModelSettings("logistic", 0.01))
    return settings, add(tmp_path / "a.npz", "made"), x[50:], x[:50]


def by_hand(theta, x, test, y, y_test, l2):
    """Changes of the loss of one test row by the textbook's formula."""
    scaled = np.hstack([(x - x.mean(0)) / x.std(0), np.ones((len(x), 1))])
    asked = np.append((test - x.mean(0)) / x.std(0), 1)
    p = 1 / (1 + np.exp(-scaled @ theta))
    penalty = l2 * np.diag([1.0] * x.shape[1] + [0.0])
    hessian = (scaled * (p * (1 - p))[:, None]).T @ scaled / len(x) + penalty
    q = (1 / (1 + np.exp(-asked @ theta)) - y_test) * asked
    return (p - y) * (scaled @ np.linalg.solve(hessian, q)) / len(x)


def test_an_answer_at_once_and_a_complete_one_are_the_formula_of_the_textbook(explored):
    settings, stored, x, tests = explored
    found = atlas(settings, stored)
    watched = found.at.watched(np.array([7]))
    y = np.asarray(stored.train.y)
    expected = by_hand(found.at.fit.theta.numpy(), x, tests[7], y, int(stored.test.y[7]), 0.01)
    first, whole = found.first(watched, "influence"), found.complete(watched, "influence", "7")
    for reply in (first, whole):
        np.testing.assert_allclose(reply.change, expected[reply.rows], rtol=1e-9, atol=1e-12)
        assert (np.diff(np.abs(reply.change)) <= 0).all()
    assert len(first.rows) == first.looked == len({*first.rows.tolist()})
    assert 700 < first.looked < N
    assert {*found.drawn.tolist(), *found.strong.tolist()} <= {*first.rows.tolist()}
    np.testing.assert_array_equal(whole.rows, np.argsort(-np.abs(expected), kind="stable"))
    assert whole.looked == N


def test_the_index_on_disk_finds_who_is_near(explored):
    _, stored, x, tests = explored
    nearest.build(stored, 10_000, Task())
    found = nearest.neighbours(stored).nearest((tests - x.mean(0)) / x.std(0), 1)
    scaled, asked = (x - x.mean(0)) / x.std(0), (tests - x.mean(0)) / x.std(0)
    expected = {int(np.square(scaled - one).sum(1).argmin()) for one in asked}
    assert len(expected & {*found.tolist()}) >= 0.8 * len(expected)
    assert not list(stored.folder.glob("*.shard"))


def test_shards_of_an_index_are_one_index(explored, monkeypatch):
    _, stored, x, tests = explored
    monkeypatch.setattr(nearest, "SHARD", 700)
    nearest.build(stored, 10_000, Task())
    asked = (tests[:1] - x.mean(0)) / x.std(0)
    searcher = nearest.neighbours(stored)
    searcher.searcher.nprobe = 10_000
    np.testing.assert_array_equal(searcher.nearest(asked, N), np.arange(N))


@pytest.mark.parametrize("ending", ["index", "lists"])
def test_a_damaged_index_is_none_and_is_built_again(explored, ending):
    settings, stored, _, _ = explored
    nearest.build(stored, 10_000, Task())
    path = next(stored.folder.glob(f"nearest.*.{ending}"))
    path.write_bytes(path.read_bytes()[:100])
    assert nearest.neighbours(stored) is None
    assert atlas(settings, stored).index is not None


def test_what_was_found_once_is_taken_from_the_store(explored, tmp_path):
    settings, stored, _, _ = explored
    seen = []
    task = Task(store=ResultStore(tmp_path / "results"), report=lambda done, total: seen.append((done, total)))
    assert not is_prepared(settings, stored, task)
    first = atlas(settings, stored, task)
    assert is_prepared(settings, stored, task)
    assert all(done <= total for done, total in seen)
    assert seen[-1][0] == seen[-1][1] or seen[-1][0] >= 8 * N
    watched = first.at.watched(np.array([3]))
    reply = first.complete(watched, "newton", "3", task)
    seen.clear()
    again = atlas(settings, stored, task)
    other = again.complete(watched, "newton", "3", task)
    assert seen == []
    np.testing.assert_array_equal(first.strong, again.strong)
    np.testing.assert_array_equal(reply.change, other.change)
    np.testing.assert_array_equal(first.at.hessian, again.at.hessian)


def test_without_faiss_the_rows_at_hand_answer_alone(explored, monkeypatch):
    settings, stored, _, _ = explored
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    found = atlas(settings, stored)
    assert found.index is None
    watched = found.at.watched(np.array([0]))
    assert found.first(watched, "influence").looked == len(found.known)


def test_what_it_takes_is_told_before(explored):
    settings, stored, _, _ = explored
    assert str(preparing(settings, stored)).startswith("12 passes over 0 MB, about")
