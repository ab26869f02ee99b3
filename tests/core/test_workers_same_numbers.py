"""What other processes compute is what one process computes, and is kept and shown in the same way."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from influence_core.analysis import (
    Curve,
    Problem,
    Scheduler,
    Settings,
    Unrolling,
    analyse,
    checking_curve,
    compared,
    solve_seconds,
)
from influence_core.analysis.trials import Trial, expected_seconds, relative_error
from influence_core.compute import ResultStore, Task, known
from influence_core.compute.executor import configured, executor
from influence_core.compute.task import Call
from influence_core.compute.workers import Workers, local
from influence_core.retraining import LeaveOneOut, Question, Repeated, certified
from influence_core.settings import DataSettings, ModelSettings, SolverSettings
from influence_core.wrapping import wrap
from tests.core import made_pieces
from tests.waiting import until

LINEAR = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.1))
NETWORK = replace(LINEAR, model=ModelSettings("mlp", 1e-3, options=(("epochs", 3), ("layers", 1), ("width", 8))))


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    found = Workers(2)
    found.run([Call(made_pieces.process)] * 2, Task())  # begun by a job, they would start as far back as it stands
    yield found
    found.close()


def test_leave_one_out(two: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(certified, "BLOCK_BYTES", 8 * 512 * 100)  # a handful of blocks
    problem, store, told = Problem(LINEAR), ResultStore(tmp_path), list[tuple[float, float]]()
    question, n = Question(problem.test), len(problem.split.train)
    alone = LeaveOneOut(problem.fitted).run(question)
    task = Task(lambda done, total: told.append((done, total)), store=store, workers=two)
    there = LeaveOneOut(problem.fitted, task, "test").run(question)
    np.testing.assert_allclose(there.change, alone.change, rtol=0, atol=1e-12 * np.abs(alone.change).max())
    np.testing.assert_array_equal(there.certified, alone.certified)
    assert told == sorted(told) and told[-1] == (n, n) and len(list(tmp_path.glob("*.npz"))) > 3
    again = LeaveOneOut(problem.fitted, Task(store=store), "test").stored(question)
    assert again is not None
    np.testing.assert_array_equal(again.change, there.change)


def test_trainings_and_unrolled_columns(two: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "alone"))
    alone = Problem(NETWORK)
    question, groups = Question(alone.test), [np.array([k]) for k in range(6)]
    one = Repeated(alone.fitted).without(question, groups), Repeated(alone.fitted).members(2, 0.5)
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "together"))
    there, task = Problem(NETWORK), Task(workers=two)
    assert torch.equal(there.fit(task).theta, alone.fitted.theta)  # trained in another process, found on disk
    run = Repeated(there.fitted, task)
    np.testing.assert_array_equal(run.without(question, groups).change, one[0].change)
    for found, expected in zip(run.members(2, 0.5), one[1], strict=True):
        assert torch.equal(found.theta, expected.theta)
    columns = [Unrolling(analyse(replace(NETWORK, estimator="unrolled")), range(4)) for _ in range(2)]
    monkeypatch.setattr(type(columns[0].analysis.problem), "smoothness", lambda _problem, _task: 1.0)
    columns[0].run(Task(store=ResultStore(tmp_path / "one")))
    columns[1].run(Task(store=ResultStore(tmp_path / "two"), workers=two))
    names = sorted(path.name for path in (tmp_path / "one").glob("*.npz"))
    assert len(names) == 5 and names == sorted(path.name for path in (tmp_path / "two").glob("*.npz"))
    for name in names:
        expected, found = (np.load(tmp_path / folder / name)["change"] for folder in ("one", "two"))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())  # float32


def test_curves_over_seeds_are_shown_as_they_come(two: Workers) -> None:
    settings = replace(LINEAR, data=replace(LINEAR.data, flip_fraction=0.1))
    shown = list[Curve]()
    alone = checking_curve(settings, seeds=(0, 1, 2), fractions=(0.0, 0.2, 1.0))
    task = Task(workers=two, show=shown.append)
    there = checking_curve(settings, seeds=(0, 1, 2), fractions=(0.0, 0.2, 1.0), task=task)
    for name in alone.found:
        np.testing.assert_array_equal(there.found[name], alone.found[name])
        np.testing.assert_array_equal(there.accuracy[name], alone.accuracy[name])
    assert shown[-1].seeds == (0, 1, 2) and all(curve.seeds == (0, 1, 2)[: len(curve.seeds)] for curve in shown)


def test_long_jobs_of_a_queue_run_elsewhere_and_short_ones_here(two: Workers, tmp_path: Path) -> None:
    queue = Scheduler(lambda: ResultStore(tmp_path), workers=lambda: two)
    long = queue.submit("where:long", made_pieces.where, cost=60.0)
    short = queue.submit("where:short", made_pieces.where, cost=1.0)
    until(lambda: not long.active and not short.active)
    assert short.result == [os.getpid()] * 3 and os.getpid() not in long.result


def test_a_question_of_a_network_is_solved_elsewhere_with_the_same_answer(two: Workers) -> None:
    settings = replace(NETWORK, solver=SolverSettings("cg"))
    here, there = analyse(settings), analyse(settings)
    found = there.asked([2], Task(workers=two))
    assert not known(there.influence, "solve")  # nothing was factored or solved in this process
    expected = here.asked([2])
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5 * np.abs(expected.scores).max())
    assert found.solution.converged == expected.solution.converged and found.solution.products > 0
    assert there.asked([2]) is found


def test_seconds_are_those_of_what_is_solved_anew_for_every_question() -> None:
    network = replace(NETWORK, solver=SolverSettings("cg"))
    assert solve_seconds(analyse(network)) == expected_seconds(analyse(network).problem.fitted, "cg") > 0
    once_and_for_all = replace(network, solver=SolverSettings("ekfac"))
    unsolved = replace(network, estimator="gradient_dot")
    assert [solve_seconds(analyse(one)) for one in (once_and_for_all, unsolved, LINEAR)] == [0, 0, 0]


def test_solvers_are_compared_elsewhere_and_shown_as_they_come(two: Workers) -> None:
    problem, shown = analyse(LINEAR).problem, list[Trial]()
    solvers, about = [SolverSettings(name, 0.01) for name in ("cholesky", "cg", "lissa", "identity")], ("loss", -1)
    batch = problem.test.take(slice(3, 4))
    told = list[float]()
    task = Task(lambda done, _total: told.append(done), show=shown.append, workers=two)
    found = compared(problem.fitted, solvers, batch, about, task)
    assert [one.name for one in shown] == [one.name for one in found] == [one.name for one in solvers]
    for one, expected in zip(found, compared(problem.fitted, solvers, batch, about, Task()), strict=True):
        assert relative_error(one.scores, expected.scores) < 1e-9 and one.says == expected.says
    assert told[-1] == 4


def test_a_network_that_a_program_has_made_is_trained_here(two: Workers) -> None:
    class Own(nn.Linear):  # of this function: no other process can find it
        pass

    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    torch.manual_seed(0)
    problem = wrap(Own(3, 2), nn.CrossEntropyLoss(), fit="sgd", epochs=2).analyse(x, y, x[:4], y[:4]).problem
    question = Question(problem.test)
    expected = Repeated(problem.fitted).without(question, [np.array([3])]).change
    found = Repeated(problem.fitted, Task(workers=two)).without(question, [np.array([3])]).change
    np.testing.assert_array_equal(found, expected)


def test_who_computes_is_said_by_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUENCE_SCHEDULER", "threads")
    assert configured() is None
    monkeypatch.delenv("INFLUENCE_SCHEDULER")
    assert configured() is local()
    found = executor("local:3")
    assert isinstance(found, Workers) and found.width == 3 and not found.processes
