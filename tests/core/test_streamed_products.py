"""More parameters than H has room for: fits, scores and refits by products are those in memory to what a solve says."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from influence_core.compute import Cancelled, Task
from influence_core.curvature import exact_hessian
from influence_core.influence import scores
from influence_core.influence.effects import group_change, relabel_change
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError
from influence_core.streamed import atlas, fit_cost, leave_each_out, leave_out, leave_together, relabelled, streamed
from influence_core.streamed import products as by
from influence_core.streamed.passes import Passes
from tests.core.test_streamed import LINEAR, both, close, gathered, kind_of, shelf

__all__ = ["shelf"]
models = pytest.mark.parametrize("name", LINEAR)
TESTS = np.arange(12)


@pytest.fixture(autouse=True)
def no_room(monkeypatch):
    monkeypatch.setattr(by, "MOST_PARAMETERS", 5)


def bound(memory, q, found):
    """|q_jᵀA⁻¹g_i − v_jᵀg_i| / n ≤ residual · ‖q_j‖ ‖g_i‖ / (λ_min n), (n, m)."""
    fitted = memory.fitted
    a, n = exact_hessian(fitted, memory.settings.damping).dense(), len(fitted.train)
    least = float(torch.linalg.eigvalsh(a)[0])
    sizes = fitted.model.gradients(fitted.theta, fitted.train).norm(dim=1)
    return (found * q.norm(dim=0) * sizes[:, None] / (least * n)).numpy()


@models
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_fit_and_scores_are_those_in_memory(shelf, name, damping):
    memory, watched, disk = both(shelf, name, damping=damping)
    assert disk.hessian is None and disk.fit.converged
    close(disk.fit.theta.numpy(), memory.fitted.theta.numpy(), 1e-8)
    asked = disk.watched(TESTS)
    expected, found = scores(memory, watched), gathered(disk.scores(asked))
    assert disk.residual(asked) <= 10 * by.TOLERANCE
    allowed = bound(memory, watched.gradient, 10 * by.TOLERANCE) + 1e-8 * np.abs(expected).max()
    assert (np.abs(found - expected) <= allowed).all()
    close(found, expected, 1e-5)
    rows, values = disk.strongest(asked, 5)
    for j in range(12):
        np.testing.assert_array_equal(rows[j], np.argsort(-np.abs(found[:, j]), kind="stable")[:5])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(block=st.integers(1, 6_000), name=st.sampled_from(LINEAR), columns=st.integers(1, 4_000))
def test_neither_blocks_nor_groups_of_columns_change_the_scores(shelf, block, name, columns):
    with pytest.MonkeyPatch.context() as patch:
        _, _, whole = both(shelf, name, 10**9)
        patch.setattr(by, "SOLVED_BYTES", columns)
        _, _, disk = both(shelf, name, block)
        one, other = (gathered(d.scores(d.watched(TESTS))) for d in (disk, whole))
    close(one, other, 1e-5)


@models
def test_a_sample_of_the_rows_makes_the_systems_easy_too(shelf, name, monkeypatch):
    monkeypatch.setattr(by, "FACTORED", 3)
    monkeypatch.setattr(by, "SAMPLED", 40)
    memory, watched, disk = both(shelf, name)
    close(gathered(disk.scores(disk.watched(TESTS))), scores(memory, watched), 1e-5)


def test_the_preconditioner_is_the_inverse_where_all_rows_bend_alike(shelf):
    products = by.Products(Passes(shelf[3], both(shelf, "softmax")[2].model, 3_000))
    bend, b = torch.tensor([[0.5, -0.2], [-0.2, 0.3]], dtype=torch.float64), torch.randn(12, 4, dtype=torch.float64)
    x = torch.cat([batch.x for _, batch in products.passes])
    expected = torch.linalg.solve(torch.kron(bend, x.T @ x / 90) + 0.1 * torch.eye(12, dtype=b.dtype), b)
    close(by.separable(bend, products.axes, 0.1)(b).numpy(), expected.numpy())


@models
def test_refits_groups_and_other_labels_are_those_in_memory(shelf, name):
    memory, watched, disk = both(shelf, name)
    asked, rows = disk.watched(TESTS), np.array([3, 17, 44, 89])
    expected = leave_one_out(
        memory.fitted, Question(memory.fitted.batch(disk.passes.stored.dataset(slice(None)))), rows
    )
    found = leave_out(disk, asked, rows)
    np.testing.assert_array_equal(found.certified, expected.certified)
    close(found.change[found.certified], expected.change[found.certified], 1e-6)
    group = leave_together(disk, asked, rows)
    close(group.first_order, group_change(memory, watched, [rows])[0], 1e-5)
    assert np.isnan(group.newton).all()
    if kind_of(name):
        parts = list(relabelled(disk, asked))
        labels = np.concatenate([label for _, label, _ in parts])
        close(np.concatenate([change for _, _, change in parts]), relabel_change(memory, watched, labels), 1e-5)


def test_what_needs_the_inverse_is_one_sentence(shelf):
    disk = both(shelf, "softmax")[2]
    asked, said = (
        disk.watched(TESTS),
        r"up to 5 parameters; here are 12. First-order influence of test rows, and refits",
    )
    for asking in (
        lambda: next(iter(disk.signals())),
        lambda: next(disk.scores(asked, "newton")),
        lambda: next(relabelled(disk, asked, "newton")),
        lambda: next(leave_each_out(disk, asked, "one")),
        lambda: disk.cost(1, 0),
    ):
        with pytest.raises(SettingsError, match=said):
            asking()
    options = DataSettings("stored", (("set", "kind3"),))
    with pytest.raises(SettingsError, match="explored with at most"):
        atlas(Settings(data=options, model=ModelSettings("softmax", 0.05)), shelf[3])


def test_what_it_takes_is_told_before_and_by_what_solves_took(shelf):
    chosen = ModelSettings("softmax", 0.05)
    assert str(fit_cost(chosen, shelf[3])).startswith(f"{by.USUAL_FIT} passes over 0 MB, about ")
    passes = []
    disk = streamed(chosen, shelf[3], task=Task(report=lambda done, total: passes.append(done >= total)))
    asked, fitted, said = disk.watched(TESTS[:1]), sum(passes), disk.cost(1, 1)
    gathered(disk.scores(asked))
    assert 0.2 < (sum(passes) - fitted) / said.passes < 5
    assert disk.cost(1, 24).memory > disk.cost(1, 12).memory > said.memory


def test_a_solve_can_be_cancelled_in_the_middle_of_a_pass(shelf):
    task = Task()
    disk = both(shelf, "logistic", block=100)[2]
    stopping = streamed(ModelSettings("logistic", 0.05), shelf[2], block=100, task=task)
    assert torch.equal(stopping.fit.theta, disk.fit.theta)
    task.cancel.set()
    with pytest.raises(Cancelled):
        next(stopping.scores(stopping.watched(TESTS)))


def test_a_solve_that_does_not_arrive_is_a_sentence(shelf, monkeypatch):
    monkeypatch.setattr(by, "MOST_PASSES", 1)
    with pytest.raises(SettingsError, match=r"Data on disk: Conjugate gradients stopped .* larger l2"):
        both(shelf, "softmax")
