"""Scores in chunks, in memory and on disk: processes find what one finds, and a process that dies costs its chunk."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from influence_core.analysis import Settings, analyse
from influence_core.analysis.chunks import in_chunks
from influence_core.compute import ResultStore, Task
from influence_core.compute.serving import Process
from influence_core.compute.task import Call
from influence_core.compute.workers import Workers
from influence_core.data.stored import Stored, add
from influence_core.settings import DataSettings, ModelSettings, SolverSettings
from influence_core.streamed import Streamed, leave_each_out, streamed
from tests.core import made_pieces

LINEAR = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1))
OPTIONS = (("epochs", 3), ("layers", 1), ("width", 8), ("models", 2))
NETWORK = replace(LINEAR, model=ModelSettings("mlp", 1e-3, options=OPTIONS))
CG = SolverSettings("cg", 0.05, (("tolerance", 1e-6),))


class Killing(Workers):
    """Kills the process of one piece, and counts those that were begun."""

    def __init__(self, victim: int) -> None:
        super().__init__(2)
        self.begun, self.victim = 0, victim

    def take(self) -> Process | None:
        process = super().take()
        self.begun += process is not None
        if process is not None and self.begun == self.victim:
            os.kill(process.number, signal.SIGKILL)
        return process


@pytest.fixture(scope="module")
def two() -> Iterator[Killing]:
    found = Killing(0)
    found.run([Call(made_pieces.process)] * 2, Task())
    yield found
    found.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    x = random.normal(size=(112, 5)) * [1, 10, 0.1, 1, 1]
    y = np.digitize(x[:, 0] + x[:, 3] + random.normal(size=112), [-0.7, 0.7])
    np.savez(folder / "a.npz", x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_DATA_DIR", str(folder))
        yield add(folder / "a.npz", "made")


def on_disk(stored: Stored) -> Streamed:
    return streamed(ModelSettings("softmax", 0.05), stored, block=200)  # four rows: pieces of 32


def close(found: np.ndarray, expected: np.ndarray, of: float = 1e-12) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=of * np.abs(expected).max())


@pytest.mark.parametrize("estimator", ["influence", "newton", "gradient_cosine", "loss_relative"])
def test_chunks_of_a_linear_model(two: Killing, estimator: str) -> None:
    settings, told = replace(LINEAR, estimator=estimator), list[float]()
    tests = list(range(40))
    there = in_chunks(
        analyse(settings), [tests[:16], tests[16:32], tests[32:]], Task(lambda d, _: told.append(d), workers=two)
    )
    assert [part.shape[1] for part in there] == [16, 16, 8] and told == sorted(told) and told[-1] == 40
    close(np.hstack(there), analyse(settings).scores(tests))


@pytest.mark.parametrize(("estimator", "of"), [("influence", 1e-4), ("tracin", 1e-5), ("projection", 1e-4)])
def test_chunks_of_a_network_are_kept(two: Killing, estimator: str, of: float, tmp_path: Path) -> None:
    analysis = analyse(replace(NETWORK, estimator=estimator, solver=CG))
    store, kept = ResultStore(tmp_path), list[int]()
    there = in_chunks(analysis, [range(8), range(8, 16)], Task(store=store, workers=two))
    close(np.hstack(there), np.hstack([analysis.scores(range(8)), analysis.scores(range(8, 16))]), of)
    again = in_chunks(analysis, [range(8), range(8, 16)], Task(store=store, reused=kept.append))
    assert sum(kept) == 16
    for one, other in zip(again, there, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_killed_process_costs_a_chunk(two: Killing) -> None:
    killing, chunks = Killing(2), [range(12 * k, 12 * k + 12) for k in range(4)]
    there = in_chunks(analyse(LINEAR), chunks, Task(workers=killing))
    killing.close()
    assert killing.begun == len(chunks) + 1
    close(np.hstack(there), analyse(LINEAR).scores(range(48)))


@pytest.mark.parametrize("estimator", ["influence", "newton"])
def test_a_pass_on_disk(two: Killing, stored: Stored, estimator: str) -> None:
    at, told = on_disk(stored), list[float]()
    watched, task = at.watched(np.arange(12)), Task(lambda done, _: told.append(done), workers=two)
    before = two.begun
    parts = list(at.scores(watched, estimator, task))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 32), (32, 64), (64, 96), (96, 100)]
    assert two.begun == before + 4 and told == sorted(told) and told[-1] == 100
    alone = np.concatenate([found for _, found in at.scores(watched, estimator)])
    close(np.concatenate([found for _, found in parts]), alone)
    rows, values = at.strongest(watched, 7, estimator, task)
    expected, of = at.strongest(watched, 7, estimator)
    np.testing.assert_array_equal(rows, expected)
    close(values, of)


def test_signals_and_refits_on_disk_where_a_process_dies(stored: Stored, tmp_path: Path) -> None:
    at, killing = on_disk(stored), Killing(3)
    there = [found for _, found in at.signals(Task(workers=killing))]
    assert killing.begun == 5
    alone = [found for _, found in at.signals()]
    for name in alone[0]:
        one, other = (np.concatenate([part[name] for part in parts]) for parts in (there, alone))
        close(one, other)
    watched, task = at.watched(np.arange(2)), Task(store=ResultStore(tmp_path), workers=killing)
    refits, expected = list(leave_each_out(at, watched, "one", task)), list(leave_each_out(at, watched, "one"))
    killing.close()
    assert len(refits) > 3 and np.concatenate([found.certified for _, found in refits]).all()
    for (part, found), (other, one) in zip(refits, expected, strict=True):
        assert part == other
        close(found.change, one.change, 1e-7)
    kept = list[int]()
    list(leave_each_out(at, watched, "one", Task(store=ResultStore(tmp_path), reused=kept.append)))
    assert sum(kept) == 100
