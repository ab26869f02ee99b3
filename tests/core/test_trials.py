"""One trial per solver: what it took, what it says, and that a task can stop it inside a solve."""

from types import SimpleNamespace

import numpy as np
import pytest
from networks import example
from problems import problem

from influence_core.analysis import trials
from influence_core.analysis.trials import expected_seconds, interruptible, prepare, relative_error, trial
from influence_core.compute import Cancelled, Task
from influence_core.curvature import exact_hessian
from influence_core.influence.estimators import scores
from influence_core.influence.watched import watch
from influence_core.settings import SolverSettings
from influence_core.solvers import SOLVERS


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_a_solver_made_of_one_test_point(solver):
    example_ = problem("logistic")
    watched = watch(example_.fitted, example_.test.take(slice(2, 3)))
    found = trial(prepare(example_.fitted, SolverSettings(solver, 0.01)), watched)
    assert found.name == solver
    assert found.title == SOLVERS[solver].title
    expected = scores(example_.influence(solver, 0.01), watched)[:, 0]
    assert relative_error(found.scores, expected) < 1e-8
    assert found.factor_seconds > 0
    assert found.solve_seconds > 0
    assert found.residual >= 0
    assert (found.products > 0) == (solver in {"cg", "taylor", "lissa", "arnoldi", "nystrom"})
    assert bool(found.note) == (solver in {"cg", "taylor", "lissa", "arnoldi", "nystrom"})
    assert (found.spread is not None) == (solver == "lissa")


def test_failures_are_sentences():
    case = example("normalised")
    watched = watch(case.fitted, case.test.take(slice(0, 1)))
    found = trial(prepare(case.fitted, SolverSettings("ekfac", 0.1)), watched)
    assert "linear or convolutional layers, each used once" in found.says
    assert found.scores is None
    singular = problem("linear", n=3, d=3)
    found = trial(prepare(singular.fitted, SolverSettings("cholesky")), watch(singular.fitted, singular.test))
    assert "singular" in found.says


def stopping(after):
    """A task that is cancelled at a tick."""
    ticks = []

    def turn():
        ticks.append(1)
        if len(ticks) >= after:
            task.cancel.set()

    task = Task(turn=turn)
    return task


@pytest.mark.parametrize("solver", ["taylor", "lissa", "cg", "arnoldi", "nystrom"])
def test_a_solve_stops_at_its_next_product(solver):
    example_ = problem("logistic")
    watched = watch(example_.fitted, example_.test.take(slice(0, 1)))
    with pytest.raises(Cancelled):
        trial(prepare(example_.fitted, SolverSettings(solver), stopping(1)), watched, stopping(1))
    prepared = prepare(example_.fitted, SolverSettings(solver))
    if solver in {"taylor", "lissa", "cg"}:
        with pytest.raises(Cancelled):
            trial(prepared, watched, stopping(2))
    assert trial(prepared, watched).scores is not None  # another thread's task is not this one's


def test_waiting_for_others_is_no_time_of_a_solver(monkeypatch):
    """On a clock that moves a microsecond at every look and a second while others go first."""
    example_, waits, now = problem("logistic"), [], [0.0]
    watched = watch(example_.fitted, example_.test.take(slice(0, 1)))

    def clock():
        now[0] += 1e-6
        return now[0]

    def turn():
        waits.append(1)
        now[0] += 1.0

    monkeypatch.setattr(trials, "time", SimpleNamespace(perf_counter=clock))
    found = trial(prepare(example_.fitted, SolverSettings("cg"), Task(turn=turn)), watched, Task(turn=turn))
    assert len(waits) >= 5
    assert 0 < found.factor_seconds + found.solve_seconds < 0.1


def test_the_interruptible_matrix_is_the_same():
    a = exact_hessian(problem("softmax").fitted, 0.1)
    b = interruptible(a)
    np.testing.assert_allclose(b.dense(), a.dense(), rtol=1e-12)
    np.testing.assert_allclose(b.matvec(a.dense()), a.matvec(a.dense()), rtol=1e-12)


def test_expected_seconds_grow_with_the_problem():
    small, large = problem("logistic"), problem("logistic", n=400)
    for solver in SOLVERS:
        assert 0 < expected_seconds(small.fitted, solver) <= expected_seconds(large.fitted, solver) < 10
