"""Certified refits against row-deleted refits by scikit-learn and SciPy, and every promise around them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import error, quantity
from problems import CERTIFICATE, CLASSIFIERS, CPU, DEFINED, LINEAR, TOTALS, examples, fitted_on, problem

from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.data import load
from influence_core.influence.effects import parameter_change_norm
from influence_core.influence.estimators import scores
from influence_core.influence.watched import Influence, watch
from influence_core.models import Batch, FittedModel, fit
from influence_core.models.linear import LinearModel
from influence_core.models.losses import Squared
from influence_core.retraining import (
    LeaveOneOut,
    Question,
    SingularRefitError,
    certified,
    leave_groups_out,
    leave_one_out,
    minimise,
    objectives,
    refit_changed,
)
from influence_core.settings import DataSettings, ModelSettings, SolverSettings
from tests.waiting import PATIENCE

models = pytest.mark.parametrize("name", LINEAR)
totals = pytest.mark.parametrize("total", TOTALS)
folds = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
intercepts = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])


def ask(example, *which):
    return Question(example.test, *which)


def check(example, found, tolerance=1e-5):
    """Changes as measured by independent refits, and certificates as recomputed from the returned parameters."""
    assert found.certified.all()
    assert error(found.change, example.truth) < tolerance
    r, n = example.reference, example.reference.n
    own = [r.changes(theta, example.theta, (r.x[[i]], r.y[[i]]))[0] for i, theta in enumerate(example.deleted)]
    assert error(found.self_change, np.array(own)) < tolerance
    floor = 1e-14 * np.linalg.norm(r.dj(np.zeros_like(example.theta)))
    for i in range(n):
        weights = np.ones(n)
        weights[i] = 0
        norm = np.linalg.norm(r.dj(found.parameters[i], weights))
        size = np.linalg.norm(r.gradient(example.theta, r.x[i], r.y[i])) / n
        # Recomputing a sum of n terms rounds differently; the promise itself is 1e-6 or the floor.
        assert norm <= max(CERTIFICATE * size, 10 * floor) * (1 + 1e-6)
        assert abs(norm - found.certificate[i] * size) <= 1e-9 * size + 20 * floor


@models
@totals
@intercepts
@folds
def test_leave_one_out_is_the_refit_without_the_row(name, total, intercept, fold):
    example = problem(name, total=total, intercept=intercept, fold_penalty=fold)
    check(example, leave_one_out(example.fitted, ask(example), keep=True))


@pytest.mark.parametrize(
    ("t", "total", "tolerance"),
    [(0.1, 1, 1e-5), (0.1, 10, 1e-5), (0.01, 1, 1e-4), (0.01, 10, 1e-4), (1e-3, 1, 1e-3)],
)
@pytest.mark.slow
def test_a_nearly_kinked_hinge(t, total, tolerance):
    """Here the one-step start is far off, and plain Newton steps overshoot."""
    example = problem("hinge", total=total, t=t, n=50)
    check(example, leave_one_out(example.fitted, ask(example), keep=True), tolerance)


def test_a_hinge_without_curvature_at_its_intercept():
    """With a strong penalty no example lies in the band, so the Hessian at the fit is singular; refits still exist."""
    example = problem("hinge", total=100, t=0.01, n=50)
    found = leave_one_out(example.fitted, ask(example))
    assert found.certified.all()
    assert np.isfinite(found.change).all()


@models
def test_the_objective_at_the_refit_is_lower_than_anywhere_near(name):
    example = problem(name)
    r, random = example.reference, np.random.default_rng(0)
    found = leave_one_out(example.fitted, keep=True)
    for i in (0, 13, 39):
        weights = np.ones(40)
        weights[i] = 0
        lowest = r.j(found.parameters[i], weights)
        assert lowest < r.j(example.theta, weights)
        for size in (1e-4, 1e-2):
            other = found.parameters[i] + size * random.normal(size=example.fitted.size)
            assert lowest < r.j(other, weights)


@models
@pytest.mark.parametrize("start", ["zero", "noise", "broken"])
def test_the_start_is_never_accepted_untested(name, start, monkeypatch):
    """A loose stop would return the one-step prediction, which then agrees with itself."""
    example = problem(name, total=1)
    noise = torch.as_tensor(np.random.default_rng(0).normal(size=(40, example.fitted.size)))
    if name == "softmax":
        noise = noise - noise.view(40, 3, -1).mean(1).repeat(1, 3)
    step = {"zero": 0 * noise, "noise": noise, "broken": torch.full_like(noise, torch.nan)}[start]
    monkeypatch.setattr(minimise.LeftOut, "_start", lambda _self, leaving: step[leaving.rows].clone())
    found = leave_one_out(example.fitted, ask(example))
    assert found.certified.all()
    assert error(found.change, example.truth) < 1e-5


@models
def test_chord_steps_alone_are_not_trusted_either(name, monkeypatch):
    """With every chord step too long by half, nothing converges by itself and Newton has to finish."""
    example, chord = problem(name, total=1), minimise.LeftOut.chord
    monkeypatch.setattr(minimise.LeftOut, "chord", lambda self, *rest: 2.5 * chord(self, *rest))
    found = leave_one_out(example.fitted, ask(example))
    assert found.certified.all()
    assert error(found.change, example.truth) < 1e-5


@pytest.mark.parametrize(("name", "which"), DEFINED)
@pytest.mark.parametrize("target", [-1, 1])
@folds
def test_other_quantities_and_rows(name, which, target, fold):
    example, rows = problem(name, fold_penalty=fold), np.array([31, 4, 4, 0])
    r, (x, y) = example.reference, example.asked
    found = leave_one_out(example.fitted, ask(example, which, target), rows)
    for i, got in zip(rows, found.change, strict=True):
        if which == "loss":
            np.testing.assert_allclose(got, example.truth[i], rtol=1e-5, atol=1e-8)
            continue
        after, before = (
            [quantity(r.kind, which, r.f(theta, x[j]), y[j], r.t, target) for j in range(6)]
            for theta in (example.deleted[i], example.theta)
        )
        np.testing.assert_allclose(got, np.subtract(after, before), rtol=1e-5, atol=1e-8)


@models
@folds
def test_small_blocks_give_the_same(name, fold, monkeypatch):
    example = problem(name, total=1, fold_penalty=fold)
    whole = leave_one_out(example.fitted, ask(example), keep=True)
    monkeypatch.setattr(certified, "BLOCK_BYTES", 8 * 40 * 3 * 7)
    monkeypatch.setattr(objectives, "PASS_BYTES", 8 * 40 * 3)
    reports = []
    task = Task(report=lambda done, total: reports.append((done, total)))
    parts = LeaveOneOut(example.fitted, task).run(ask(example), keep_parameters=True)
    assert len(reports) > 1
    assert reports[-1] == (40, 40)
    # Blocks sum in another order, so a refit may stop one rounding earlier, still inside its certificate.
    assert error(parts.change, whole.change) < 1e-6
    assert error(parts.self_change, whole.self_change) < 1e-6
    assert error(parts.parameters, whole.parameters) < 1e-6
    assert parts.certified.all()
    assert parts.passes > 0


@models
def test_the_order_of_training_points_does_not_matter(name):
    example, order = problem(name), np.random.default_rng(0).permutation(40)
    options = (("t", 0.5),) if name == "hinge" else ()
    shuffled = fitted_on(name, example.data.take(order), l2=10 / 40, options=options)
    found = leave_one_out(shuffled, ask(example)).change
    assert error(found, leave_one_out(example.fitted, ask(example)).change[order]) < 1e-6


def test_without_a_question_only_own_losses_are_measured():
    example = problem("logistic")
    found = leave_one_out(example.fitted)
    assert found.change.shape == (40, 0)
    assert found.parameters is None
    assert (found.self_change > 0).all()


# --- refits that do not exist


def nearly_separable():
    """One example keeps the classes from being separable."""
    x = np.array([[-3.0], [-2.0], [-1.5], [-1.0], [1.0], [1.5], [2.0], [3.0], [2.5]])
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0])
    return type(examples(2))(x, y, np.arange(9).astype(str), ("x",), ("a", "b"))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_refit_without_a_minimum_is_nan_and_not_certified(name):
    data = nearly_separable()
    fitted = fitted_on(name, data, l2=0.0, options=(("t", 0.5),) if name == "hinge" else ())
    found = leave_one_out(fitted, Question(fitted.train), keep=True)
    assert not found.certified[8]
    assert np.isnan(found.change[8]).all()
    assert np.isnan(found.self_change[8])
    assert found.certified[:8].all()
    assert np.isfinite(found.change[:8]).all()
    penalised = fitted_on(name, data, l2=1e-3, options=(("t", 0.5),) if name == "hinge" else ())
    assert leave_one_out(penalised).certified.all()


def test_the_only_example_with_a_feature_cannot_leave_without_a_penalty():
    data = problem("linear").data
    x = data.x.copy()
    x[:, 2] = 0
    x[5, 2] = 1
    fitted = fitted_on("linear", type(data)(x, data.y, data.ids, data.feature_names, ()))
    found = leave_one_out(fitted, Question(fitted.train))
    others = np.delete(np.arange(40), 5)
    assert found.certified[others].all()
    # Where θ is not unique the change of other predictions may still be right, but no NaN is certified.
    assert np.isfinite(found.change[found.certified]).all()


def test_a_singular_fit_is_named():
    x = np.random.default_rng(0).normal(size=(30, 2))
    x = np.column_stack([x, x[:, 0]])
    fitted = fitted_on("linear", type(examples(0))(x, x[:, 1] ** 2, np.arange(30).astype(str), ("a", "b", "c"), ()))
    try:
        found = leave_one_out(fitted)
    except SingularRefitError as problem_found:
        assert "no unique minimum: choose a larger l2" in str(problem_found)
    else:
        assert np.isfinite(found.change[found.certified]).all()


# --- store, cancel


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(certified, "BLOCK_BYTES", 8 * 40 * 3 * 10)


def counted(monkeypatch):
    """The rows that are refitted from now on."""
    calls, original = [], minimise.LeftOut.minimise

    def minimised(self, rows):
        calls.extend(rows.tolist())
        return original(self, rows)

    monkeypatch.setattr(minimise.LeftOut, "minimise", minimised)
    return calls


def test_a_second_run_reads_what_the_first_one_stored(tmp_path, monkeypatch, small_blocks):
    example, store = problem("softmax"), ResultStore(tmp_path)
    first = LeaveOneOut(example.fitted, Task(store=store), "key").run(ask(example))
    calls = counted(monkeypatch)
    second = LeaveOneOut(example.fitted, Task(store=store), "key").run(ask(example))
    assert calls == []
    for name in ("change", "certificate", "certified", "self_change", "passes"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))
    LeaveOneOut(example.fitted, Task(store=store), "another key").run(ask(example))
    assert len(calls) == 40
    LeaveOneOut(example.fitted, Task(store=store)).run(ask(example))
    assert len(calls) == 80


def test_a_cancelled_run_keeps_its_finished_blocks_and_resumes(tmp_path, monkeypatch, small_blocks):
    example, store = problem("softmax"), ResultStore(tmp_path)
    task = Task(store=store)
    task = Task(report=lambda done, _total: task.cancel.set() if done >= 20 else None, cancel=task.cancel, store=store)
    with pytest.raises(Cancelled):
        LeaveOneOut(example.fitted, task, "key").run(ask(example))
    calls = counted(monkeypatch)
    found = LeaveOneOut(example.fitted, Task(store=store), "key").run(ask(example))
    assert calls == list(range(20, 40))
    assert error(found.change, example.truth) < 1e-5


KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[2])
from problems import problem
from influence_core.compute import ResultStore, Task
from influence_core.retraining import LeaveOneOut, Question, certified
certified.BLOCK_BYTES = 8 * 40 * 3 * 10
example = problem("softmax")
kill = lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if done >= 20 else None
task = Task(report=kill, store=ResultStore(pathlib.Path(sys.argv[1])))
LeaveOneOut(example.fitted, task, "key").run(Question(example.test))
"""


@pytest.mark.slow
def test_a_run_whose_server_was_killed_resumes_at_its_first_missing_block(tmp_path, monkeypatch, small_blocks):
    tests = str(Path(__file__).parent)
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), tests], timeout=PATIENCE).returncode == -9
    example, calls, kept = problem("softmax"), counted(monkeypatch), []
    found = LeaveOneOut(example.fitted, Task(store=ResultStore(tmp_path), reused=kept.append), "key").run(ask(example))
    assert calls == list(range(20, 40))
    assert sum(kept) == 20
    assert error(found.change, example.truth) < 1e-5


def test_cancel_stops_inside_a_block():
    """A block of a large problem may take a while."""
    example, task = problem("softmax"), Task()
    task.cancel.set()
    run = LeaveOneOut(example.fitted, task)
    with pytest.raises(Cancelled):
        run.left_out.minimise(torch.arange(40))
    with pytest.raises(Cancelled):
        leave_groups_out(example.fitted, ask(example), [np.array([1])], task)


def test_a_damaged_store_is_computed_again(tmp_path):
    example, store = problem("logistic"), ResultStore(tmp_path)
    run = LeaveOneOut(example.fitted, Task(store=store), "key")
    first = run.run(ask(example))
    for damage in (b"", b"PK\x03\x04 cut off", b"no archive"):
        for path in tmp_path.glob("*.npz"):
            path.write_bytes(damage)
        assert error(run.run(ask(example)).change, first.change) < 1e-6


# --- groups and other changes

GROUPS = (np.array([3]), np.array([0, 7]), np.arange(10, 22))


@models
@totals
@folds
def test_groups(name, total, fold):
    example = problem(name, total=total, fold_penalty=fold)
    r = example.reference
    found = leave_groups_out(example.fitted, ask(example), GROUPS)
    assert found.certified.all()
    assert (found.certificate < 1e-5).all()
    for rows, change, own, theta in zip(GROUPS, found.change, found.self_change, found.parameters, strict=True):
        expected = r.refit(np.setdiff1d(np.arange(40), rows))
        np.testing.assert_allclose(change, r.changes(expected, example.theta, example.asked), rtol=2e-5, atol=1e-7)
        lost = r.changes(expected, example.theta, (r.x[rows], r.y[rows])).sum()
        assert own == pytest.approx(lost, rel=1e-5)
        weights = np.ones(40)
        weights[rows] = 0
        assert np.linalg.norm(r.dj(theta, weights)) < 1e-6


def test_a_group_of_one_is_leave_one_out():
    for name in LINEAR:
        example = problem(name)
        single = leave_one_out(example.fitted, ask(example), np.array([5, 9]))
        found = leave_groups_out(example.fitted, ask(example), [np.array([5]), np.array([9])])
        assert error(found.change, single.change) < 1e-5
        assert error(found.self_change, single.self_change) < 1e-5


def test_a_group_whose_removal_separates_the_classes():
    fitted = fitted_on("logistic", nearly_separable(), l2=0.0)
    found = leave_groups_out(fitted, Question(fitted.train), [np.array([8]), np.array([0])])
    assert found.certified.tolist() == [False, True]
    assert np.isnan(found.change[0]).all()
    assert np.isfinite(found.change[1]).all()


def test_finished_groups_are_read_back(tmp_path, monkeypatch):
    example, task = problem("logistic"), Task(store=ResultStore(tmp_path))
    first = leave_groups_out(example.fitted, ask(example), GROUPS, task, "key")
    monkeypatch.setattr(certified, "newton", None)  # nothing is left to refit
    second = leave_groups_out(example.fitted, ask(example), GROUPS, task, "key")
    np.testing.assert_array_equal(first.change, second.change)
    np.testing.assert_array_equal(first.certified, second.certified)


def test_leaving_nothing_out_is_refused():
    with pytest.raises(ValueError, match="at least one training point"):
        leave_one_out(problem("logistic").fitted, rows=np.array([], int))


def test_a_group_refit_that_is_not_certified_is_nan(monkeypatch):
    example = problem("logistic")
    unfinished = certified.newton

    def stopped(*arguments):
        return replace(unfinished(*arguments), gradient_norm=1.0)

    monkeypatch.setattr(certified, "newton", stopped)
    found = leave_groups_out(example.fitted, ask(example), GROUPS)
    assert not found.certified.any()
    assert np.isnan(found.change).all()
    assert np.isnan(found.self_change).all()


@models
def test_refit_changed(name):
    """A label and a feature of one example changed."""
    example = problem(name)
    r, train = example.reference, example.fitted.train
    x, y = train.x.clone(), train.y.clone()
    x[3, 1] += 0.5
    y[3] = (y[3] + 1) % max(2, example.data.classes)
    found = refit_changed(example.fitted, ask(example), Batch(x, y))
    theta = replace(r, x=x.numpy(), y=y.numpy()).refit(np.arange(40))
    assert error(found, r.changes(theta, example.theta, example.asked)) < 1e-6


# --- the figure of the linear-regression example


def test_figure_a():
    """The published parameters, and the published orders of points, by leave-one-out and by influence."""
    parts = load(DataSettings("linear_example"), 0)
    fitted = fit(ModelSettings("linear", intercept=False), parts, device="cpu")
    np.testing.assert_allclose(fitted.theta, [0.27816619, 0.71295385], atol=5e-9)
    asked = fitted.batch(parts.test.take(np.array([7])))
    influence, x = Influence(fitted, SolverSettings()), parts.train.x
    assert float(fitted.model.losses(fitted.theta, asked)) == pytest.approx(0.00720099, abs=5e-9)
    measured = leave_one_out(fitted, Question(asked), keep=True)
    assert measured.certified.all()
    loo, predicted = measured.change[:, 0], scores(influence, watch(fitted, asked))[:, 0]
    moves = np.linalg.norm(measured.parameters - fitted.theta.numpy(), axis=1)
    parameters = [
        [0.43758721, 0.891773],
        [0.0202184, 0.83261985],
        [0.7936977, 0.22392469],
        [0.65632959, 0.13818295],
        [0.0641475, 0.69247212],
    ]
    losses = [
        [0.43758721, 0.891773],
        [0.72525428, 0.50132438],
        [0.97861834, 0.79915856],
        [0.5759465, 0.9292962],
        [0.34535168, 0.92808129],
    ]
    for values, order in (
        (moves, parameters),
        (parameter_change_norm(influence), parameters),
        (loo, losses),
        (predicted, losses),
    ):
        np.testing.assert_allclose(x[np.argsort(-values)[:5]], order, atol=5e-9)
    assert np.polyfit(predicted, loo, 1)[0] == pytest.approx(1.02, abs=0.005)
    assert np.corrcoef(predicted, loo)[0, 1] == pytest.approx(0.99994, abs=5e-6)


# --- more parameters than examples


@pytest.mark.parametrize("name", ["logistic", "softmax", "ridge", "hinge"])
def test_more_parameters_than_examples(name):
    example = problem(name, n=20, d=40, total=2)
    found = leave_one_out(example.fitted, ask(example))
    assert found.certified.all()
    assert error(found.change, example.truth) < 1e-5


def test_an_unconverged_fit_does_not_spoil_the_refits():
    """The refits are minima of their own; only the old value comes from θ̂."""
    example = problem("logistic")
    rough = replace(example.fitted.fit, theta=example.fitted.theta + 0.05)
    fitted = FittedModel(example.fitted.model, example.fitted.train, rough)
    found = leave_one_out(fitted, ask(example), keep=True)
    exact = leave_one_out(example.fitted, ask(example), keep=True)
    assert found.certified.all()
    np.testing.assert_allclose(found.parameters, exact.parameters, atol=1e-5)


def test_a_perfectly_fitted_example_certifies_by_the_floor():
    """A regression without noise: every gradient is zero, so there is nothing to change."""
    data = examples(0)
    exact = type(data)(data.x, data.x @ [1.0, 2.0, 3.0] + 1, data.ids, data.feature_names, ())
    model = LinearModel(Squared())
    train = model.batch(exact, CPU)
    fitted = fitted_on("linear", exact)
    found = leave_one_out(FittedModel(model, train, fitted.fit), Question(train))
    assert found.certified.all()
    assert np.abs(found.change).max() < 1e-24


def test_a_full_disk_costs_the_resume_and_not_the_result(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    example = problem("logistic")
    monkeypatch.setattr(ResultStore, "save", full)
    found = LeaveOneOut(example.fitted, Task(store=ResultStore(tmp_path)), "key").run(ask(example))
    assert found.certified.all()
