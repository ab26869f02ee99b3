"""A Dask cluster of real processes takes the pieces: same numbers, cancel, deaths, other versions, two drivers."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from influence_core.analysis import Draw, Problem, Settings
from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.compute.cluster import Cluster
from influence_core.compute.executor import executor
from influence_core.compute.task import Call, WorkerError
from influence_core.data import DataError
from influence_core.data.stored import add
from influence_core.settings import ModelSettings
from influence_core.streamed import streamed
from tests.core import made_pieces

distributed = pytest.importorskip("distributed", reason="needs dask[distributed]: pip install 'dask[distributed]'")


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """Two worker processes with a thread each, restarted when they die."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as there:
        yield there


@pytest.fixture(scope="module")
def cluster(machines: Any) -> Cluster:
    found = executor(machines.scheduler_address)
    assert isinstance(found, Cluster) and found.width == 2
    return found


def calls(*seconds: float) -> list[Call]:
    return [Call(made_pieces.steps, None, (50 + k, wait), items=50 + k) for k, wait in enumerate(seconds)]


def test_pieces_run_there_and_say_how_far_they_are(cluster: Cluster) -> None:
    told, ended = list[tuple[float, float]](), dict[int, object]()
    found = cluster.run(calls(1.0, 1.1, 1.2), Task(lambda *so_far: told.append(so_far)), 153, ended.__setitem__)
    assert found == ["50 steps", "51 steps", "52 steps"] == [ended[k] for k in range(3)]
    assert told[-1] == (153, 153) and {done for done, _ in told} - {0, 50, 51, 52, 101, 102, 103, 153}


def test_cancel_frees_the_workers_long_before_the_work_would(cluster: Cluster, record_property: Any) -> None:
    task, pieces = Task(), calls(60.0, 61.0)
    threading.Timer(1.0, task.cancel.set).start()
    with pytest.raises(Cancelled):
        cluster.run(pieces, task)
    before = time.monotonic()
    assert cluster.run([Call(made_pieces.steps, None, (k, 0.0)) for k in (1, 2)], Task()) == ["1 steps", "2 steps"]
    seconds = time.monotonic() - before
    record_property("workers of a cluster are free after a cancel, seconds", round(seconds, 2))
    assert seconds < 20.0  # of sixty; two where nothing else runs


def test_what_one_driver_no_longer_wants_another_still_gets(machines: Any, cluster: Cluster) -> None:
    other, found, task = Cluster(machines.scheduler_address), list[Any](), Task()
    _ = other.client
    waits = threading.Thread(target=lambda: found.extend(other.run(calls(3.0), Task())))
    waits.start()
    threading.Timer(1.0, task.cancel.set).start()
    with pytest.raises(Cancelled):
        cluster.run(calls(3.0), task)
    waits.join(30)
    assert found == ["50 steps"]
    other.client.close()


def test_errors_are_raised_here_with_their_own_sentence(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="Expected numbers, got words"):
        cluster.run([Call(made_pieces.refused)], Task())
    with pytest.raises(WorkerError, match=r"At tcp://.*no_such_file.*same data folder"):
        cluster.run([Call(made_pieces.reads, None, (Path("no_such_file"),))], Task())
    with pytest.raises(WorkerError, match="nobody answered"):
        _ = Cluster("tcp://127.0.0.1:9").client
    with pytest.raises(WorkerError, match="local:2"):
        executor("elsewhere")


def test_a_killed_worker_costs_its_piece_only(cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    pieces = [Call(made_pieces.killed_once, None, (mark,)), *calls(0.5, 0.6, 0.7)]
    assert cluster.run(pieces, Task()) == ["second time", "50 steps", "51 steps", "52 steps"]


def test_another_version_on_a_worker_is_one_sentence(cluster: Cluster) -> None:
    cluster.client.run(made_pieces.aged, "0.1")
    try:
        with pytest.raises(WorkerError, match=r"influence-explorer 0\.1 in place of .* at tcp://.*same versions there"):
            cluster.run([Call(made_pieces.process)], Task())
    finally:
        cluster.client.run(made_pieces.aged, "")


@pytest.fixture(scope="module")
def problem() -> Problem:
    settings = Settings()
    options = (("epochs", 3), ("layers", 1), ("width", 8))
    return Problem(replace(settings, model=replace(settings.model, name="mlp", l2=1e-3, options=options)))


def test_trainings_are_those_of_one_process_bit_for_bit(problem: Problem, cluster: Cluster, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    truth, draw = problem.truths["seeds"], Draw(8, 2)
    there = truth.halves(task=Task(store=store, workers=cluster), draw=draw)
    np.testing.assert_array_equal(there.values, truth.halves(draw=draw).values)
    kept = list[int]()  # the next driver finds every block, whoever made it
    again = truth.halves(task=Task(store=store, reused=kept.append), draw=draw)
    np.testing.assert_array_equal(again.values, there.values)
    assert sum(kept) == len(there.members) * there.seeds


def test_a_driver_that_stopped_is_followed_by_one_that_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    problem, store, task = Problem(Settings()), ResultStore(tmp_path), Task()
    groups = [np.arange(k, k + 5) for k in range(0, 60, 5)]
    whole = made_pieces.without_groups(problem, groups, Task())
    stopping = replace(
        task, store=store, workers=cluster, report=lambda done, _: task.cancel.set() if done >= 4 else None
    )
    with pytest.raises(Cancelled):
        made_pieces.without_groups(problem, groups, stopping)
    finished = len(list(tmp_path.glob("*.npz")))
    assert 4 <= finished < len(groups)
    kept = list[int]()
    rest = made_pieces.without_groups(problem, groups, Task(store=store, workers=cluster, reused=kept.append))
    assert sum(kept) == finished
    np.testing.assert_allclose(rest, whole, rtol=0, atol=1e-12 * np.abs(whole).max())


def test_rows_on_disk_are_read_by_the_workers(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(110, 4)), np.arange(110) % 2
    np.savez(tmp_path / "a.npz", x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    at = streamed(ModelSettings("logistic", 0.1), add(tmp_path / "a.npz", "made"), block=200)
    watched, there = at.watched(np.arange(10)), Task(workers=cluster)
    rows, values = at.strongest(watched, 9, task=there)
    expected, of = at.strongest(watched, 9)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(values, of, rtol=0, atol=1e-12 * np.abs(of).max())
    (at.passes.stored.folder / "ids.npy").unlink()
    with pytest.raises(DataError, match=r"ids\.npy is not there: .* every machine that takes part"):
        at.strongest(watched, 8, task=there)
