"""Every solver of SOLVERS against numpy.linalg.solve on the damped matrix; awkward columns, honest failures."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from problems import LINEAR, fitted_on, problem

from influence_core.curvature import Curvature, Layered, SampledProducts, exact_hessian
from influence_core.data import Dataset
from influence_core.models import LinearModel
from influence_core.models.linearised import LinearAt
from influence_core.models.losses import Squared
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import (
    SOLVERS,
    SingularError,
    applicable_solvers,
    chosen_solver,
    dense,
    energies,
    factor,
    refusal,
    why_chosen,
)

# These promise the solution to rounding or to 1e-10; the others are compared with Cholesky in test_approximate_solvers.
BASELINES = {name for name, entry in SOLVERS.items() if entry.kind == "baseline"}
EXACT = [name for name, entry in SOLVERS.items() if entry.kind == "exact"]
solvers = pytest.mark.parametrize("solver", EXACT)
models = pytest.mark.parametrize("name", LINEAR)


def solve(solver, a, b, damping=0.0, **options):
    made = factor(SolverSettings(solver, damping, tuple(options.items())), a)
    return made(torch.as_tensor(b))


def right_hand_sides(p, k=5, seed=0):
    return np.random.default_rng(seed).normal(size=(p, k))


def matrix(values, damping=0.0, seed=0, diagonal=True):
    """A curvature with these eigenvalues (of H), and its array."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    a = torch.as_tensor((q * (np.asarray(values) + damping)) @ q.T)
    a = (a + a.T) / 2
    shown = (lambda: a.diagonal().clone()) if diagonal else None
    like, roots = torch.empty(0, dtype=a.dtype), torch.as_tensor(q * np.sqrt(np.maximum(values, 0) * len(values)))

    def sampled(rows, weights, v):
        near = roots.T[rows]  # H is the mean of p examples of rank one
        f = torch.einsum("rbp,rpk->rbk", near, v) * weights[..., None] / rows.shape[1]
        return torch.einsum("rbp,rbk->rpk", near, f) + damping * v

    samples = SampledProducts(len(values), sampled, lambda: roots.square().sum(0))
    at = LinearAt(LinearModel(Squared()), torch.zeros(len(values), dtype=a.dtype))
    parts = Layered(at, roots.T, torch.ones(len(values), 1, 1, dtype=a.dtype), torch.zeros(len(values), dtype=a.dtype))
    product, dense = (lambda v: a @ v), a.clone
    return Curvature(len(values), damping, product, dense, like, shown, samples, layered=lambda: parts), a


@solvers
@models
@pytest.mark.parametrize("damping", [0.0, 0.01, 3.0])
def test_solution_of_the_damped_system(solver, name, damping):
    """A V = B with A = H + damping·I, the damping counted exactly once."""
    example = problem(name)
    a, b = exact_hessian(example.fitted, damping), right_hand_sides(example.fitted.size)
    found = solve(solver, a, b, damping)
    h = example.reference.ddj(example.theta) + damping * np.eye(len(b))
    if name == "softmax":
        u = np.kron(np.ones(3), [0, 0, 0, 1]) / np.sqrt(3)
        h += np.outer(u, u)
    expected = np.linalg.solve(h, b)
    np.testing.assert_allclose(found.value, expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())
    assert found.converged
    assert found.advice == ""


@solvers
def test_more_right_hand_sides_than_parameters(solver):
    a, dense = matrix(np.linspace(0.1, 5, 6), 0.05)
    b = right_hand_sides(6, 50)
    b[:, 7], b[:, 9], b[:, 11] = 0, b[:, 8], -2 * b[:, 8]
    found = solve(solver, a, b, 0.05)
    np.testing.assert_allclose(found.value, np.linalg.solve(dense, b), rtol=1e-7, atol=1e-9)
    assert not found.value[:, 7].any()
    assert (found.value.abs().sum(1) > 0).all()
    np.testing.assert_allclose(found.value[:, 9], found.value[:, 8], rtol=1e-12)
    np.testing.assert_allclose(found.value[:, 11], -2 * found.value[:, 8], rtol=1e-9)
    assert found.converged


@solvers
@pytest.mark.parametrize("columns", [0, 1, 2, 3, 4])
def test_few_right_hand_sides(solver, columns):
    a, dense = matrix(np.linspace(0.1, 5, 6))
    b = right_hand_sides(6, columns)
    found = solve(solver, a, b)
    assert found.value.shape == (6, columns)
    assert found.residual.shape == (columns,)
    np.testing.assert_allclose(found.value, np.linalg.solve(dense, b), rtol=1e-8)
    assert found.converged


@solvers
def test_only_zeros(solver):
    found = solve(solver, matrix(np.linspace(0.1, 5, 6))[0], np.zeros((6, 3)))
    assert not found.value.any()
    assert not found.residual.any()
    assert found.converged


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_right_hand_side_is_left_alone(solver):
    b = right_hand_sides(6)
    tensor = torch.as_tensor(b.copy())
    found = factor(SolverSettings(solver), matrix(np.linspace(0.1, 5, 6))[0])(tensor)
    assert found.value.shape == tensor.shape
    np.testing.assert_array_equal(tensor, b)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_reported_residual_is_the_true_one(solver):
    a, dense = matrix(np.geomspace(1e-3, 10, 12), 0.01)
    b = right_hand_sides(12)
    b[:, 2] = 0
    options = {"max_products": 3} if solver == "cg" else {}
    found = solve(solver, a, b, 0.01, **options)
    error = np.linalg.norm(dense.numpy() @ found.value.numpy() - b, axis=0)
    norms = np.linalg.norm(b, axis=0)
    np.testing.assert_allclose(found.residual, error / np.where(norms > 0, norms, 1), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_scaled_right_hand_sides_give_scaled_solutions(solver):
    """Gradients of confident test points are tiny; that must not end an iteration early."""
    a, _ = matrix(np.linspace(0.1, 5, 6))
    b = right_hand_sides(6)
    large, small = solve(solver, a, 1e6 * b), solve(solver, a, 1e-30 * b)
    np.testing.assert_allclose(large.value / 1e6, small.value * 1e30, rtol=1e-8)
    np.testing.assert_allclose(large.residual, small.residual, atol=1e-9)


def promised(solver):
    """Relative error with default options: those that iterate stop at 1e-3."""
    return 1e-2 if SOLVERS[solver].kind == "iterative" else 1e-7


@pytest.mark.parametrize("solver", SOLVERS)
def test_inverse(solver):
    a, dense = matrix(np.linspace(0.1, 5, 7), 0.2)
    found = factor(SolverSettings(solver, 0.2), a).inverse().numpy()
    expected = np.eye(7) if solver in BASELINES else np.linalg.inv(dense.numpy())
    close = promised(solver)
    np.testing.assert_allclose(found, expected, rtol=close, atol=close)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("solver", SOLVERS)
def test_energies(solver):
    """BᵀA⁻¹B column by column, whether by half a solve or by a whole one."""
    a, full = matrix(np.linspace(0.1, 5, 7), 0.2)
    b = right_hand_sides(7)
    found = energies(factor(SolverSettings(solver, 0.2), a), torch.as_tensor(b))
    inverse = np.eye(7) if solver in BASELINES else np.linalg.inv(full.numpy())
    np.testing.assert_allclose(found, np.diag(b.T @ inverse @ b), rtol=promised(solver))


def test_a_large_cholesky_factor_in_the_memory_of_its_matrix(monkeypatch):
    """Solve, half a solve, residual and inverse from the one array, the mirror in several strips."""
    monkeypatch.setattr(dense, "LARGE", 0)
    whole = dense.blocks
    monkeypatch.setattr(dense, "blocks", lambda total, item: whole(total, item, 3 * item))
    a, full = matrix(np.linspace(0.1, 5, 8), 0.2)
    b = right_hand_sides(8)
    made = factor(SolverSettings("cholesky", 0.2), a)
    found, inverse = made(torch.as_tensor(b)), np.linalg.inv(full.numpy())
    np.testing.assert_allclose(found.value, inverse @ b, rtol=1e-9)
    assert found.residual.max() < 1e-12
    np.testing.assert_allclose(energies(made, torch.as_tensor(b)), np.diag(b.T @ inverse @ b), rtol=1e-9)
    np.testing.assert_allclose(made.inverse(), inverse, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(made.inverse(), made.inverse().T)


def test_identity_returns_the_right_hand_side_and_shows_its_error():
    a, dense = matrix(np.linspace(0.1, 5, 6))
    b = right_hand_sides(6)
    found = solve("identity", a, b)
    np.testing.assert_array_equal(found.value, b)
    expected = np.linalg.norm(dense.numpy() @ b - b, axis=0) / np.linalg.norm(b, axis=0)
    np.testing.assert_allclose(found.residual, expected, rtol=1e-12)
    assert not found.converged
    assert "No system was solved" in found.advice


@pytest.mark.parametrize("diagonal", [True, False])
def test_a_cap_on_products_is_reported_with_advice(diagonal):
    a, _ = matrix(np.geomspace(1e-4, 10, 40), diagonal=diagonal)
    b = right_hand_sides(40, 3)
    found = solve("cg", a, b, max_products=5)
    assert not found.converged
    assert "after 5 products" in found.advice
    assert "allow more products, or raise the damping" in found.advice
    assert found.products == 15
    assert float(found.residual.max()) > 1e-3
    enough = solve("cg", a, b)
    assert enough.converged
    assert enough.products < 3 * 1000


def test_columns_that_are_done_cost_nothing_more():
    """Zeros, one eigenvector, a mix of three, a hard one: each is in the products until it has arrived."""
    a, _ = matrix(np.r_[np.ones(20), np.geomspace(0.01, 10, 20)], diagonal=False)
    q = torch.linalg.eigh(a.dense())[1].numpy()
    b = np.column_stack([np.zeros(40), q[:, -1], q[:, [-2, -7, -15]].sum(1), right_hand_sides(40, 1)])
    given = []
    seen = replace(a, matvec=lambda v: (given.append(v.shape[1]), a.matvec(v))[1])
    found = solve("cg", seen, b)
    *products, check = given  # the last one measures the residuals of all
    assert found.converged and check == 4
    assert found.products == sum(products)
    assert products[:4] == [3, 2, 2, 1]
    assert set(products[4:]) == {1} and len(products) > 8


def test_right_hand_sides_share_what_they_find():
    a, _ = matrix(np.geomspace(1e-2, 10, 400), diagonal=False)
    one, many = (solve("cg", a, right_hand_sides(400, columns)) for columns in (1, 40))
    assert many.converged
    assert float(many.residual.max()) <= 1e-9
    assert many.products / 40 < one.products / 4
    more = solve("cg", a, right_hand_sides(400, 500))
    assert more.converged
    assert more.products == 400


def test_equal_right_hand_sides_and_very_different_lengths_do_no_harm():
    a, _ = matrix(np.geomspace(1e-3, 10, 40))
    b = right_hand_sides(40, 3)[:, [0, 1, 1, 2, 2]] * np.array([1.0, 1e-9, 1e9, 1.0, 1.0])
    found = solve("cg", a, b)
    assert found.converged
    np.testing.assert_allclose(found.value, np.linalg.solve(a.dense().numpy(), b), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("apart", [1e-1, 1e-4, 1e-9, 0.0])
def test_many_right_hand_sides_that_are_nearly_one(apart):
    a, dense = matrix(np.geomspace(1e-2, 10, 60), diagonal=False)
    b = right_hand_sides(60, 1) + apart * right_hand_sides(60, 20, seed=1)
    found = solve("cg", a, b)
    assert found.converged
    np.testing.assert_allclose(found.value, np.linalg.solve(dense.numpy(), b), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("smallest", "reached"), [(0.1, True), (1e-3, False)])
def test_what_single_precision_leaves_is_said(smallest, reached):
    _, dense = matrix(np.geomspace(smallest, 10, 60))
    single = dense.float()
    a = Curvature(60, 0.0, lambda v: single @ v, single.clone, single.new_empty(0))
    b = right_hand_sides(60, 3)
    found = factor(SolverSettings("cg"), a)(torch.as_tensor(b, dtype=torch.float32))
    true = np.linalg.norm(dense.numpy() @ found.value.double().numpy() - b, axis=0) / np.linalg.norm(b, axis=0)
    assert (true.max() < 2e-5) == found.converged == reached
    said = (
        f"Rounding in single precision leaves conjugate gradients at a relative residual of {found.residual.max():.1e}"
    )
    assert found.advice.startswith("" if reached else said)
    assert bool(found.advice) != reached


def test_a_looser_tolerance_costs_fewer_products():
    a, _ = matrix(np.geomspace(1e-3, 10, 40))
    b = right_hand_sides(40, 3)
    loose, tight = solve("cg", a, b, tolerance=1e-2), solve("cg", a, b, tolerance=1e-12)
    assert loose.products < tight.products
    assert loose.converged
    assert 1e-8 < float(loose.residual.max()) <= 1e-2
    assert float(tight.residual.max()) <= 1e-11


@pytest.mark.parametrize("damping", [0.0, 0.1, 7.0])
def test_an_eigendecomposition_serves_any_damping(damping):
    a, dense = matrix(np.linspace(0, 5, 6) + 0.01, 0.5)
    made = factor(SolverSettings("eigh", 0.5), a)
    b = right_hand_sides(6)
    found = made(torch.as_tensor(b), damping)
    shifted = dense.numpy() + (damping - 0.5) * np.eye(6)
    np.testing.assert_allclose(found.value, np.linalg.solve(shifted, b), rtol=1e-9)
    assert float(found.residual.max()) < 1e-11
    np.testing.assert_allclose(made.eigenvalues, np.linspace(0, 5, 6) + 0.01, atol=1e-13)


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg"])
@pytest.mark.parametrize("smallest", [0.0, -0.5], ids=["singular", "indefinite"])
def test_singular_and_indefinite_matrices_are_named_with_advice(solver, smallest):
    a, _ = matrix(np.r_[smallest, np.linspace(1, 4, 5)], diagonal=False)
    b = right_hand_sides(6, 3)
    if solver == "cg" and smallest == 0:  # zero up to rounding: it may stall instead, and then says so
        with contextlib.suppress(SingularError):
            assert not solve(solver, a, b).converged
        return
    with pytest.raises(SingularError, match="damping"):
        solve(solver, a, b)


@pytest.mark.parametrize("solver", ["cholesky", "eigh"])
def test_no_inverse_of_a_singular_matrix(solver):
    a, _ = matrix(np.r_[0.0, np.linspace(1, 4, 5)])
    with pytest.raises(SingularError, match="Set the damping to at least"):
        factor(SolverSettings(solver), a).inverse()


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "arnoldi"])
@pytest.mark.parametrize("smallest", [-1e-3, -3.6, -40.0])
@pytest.mark.parametrize("damping", [0.0, 2.0])
@pytest.mark.parametrize("size", [8, 90])
def test_the_advised_damping_makes_an_indefinite_matrix_positive_definite(solver, smallest, damping, size, monkeypatch):
    monkeypatch.setattr(refusal, "FORMED", 50)  # above it the smallest eigenvalue comes from products
    values = np.r_[smallest, np.linspace(1, 4, size - 1)]
    if smallest + damping > 0:
        damping = -smallest / 2
    a, _ = matrix(values, damping, diagonal=False)
    with pytest.raises(SingularError, match="indefinite") as caught:
        solve(solver, a, right_hand_sides(size, 3), rank=size) if solver == "arnoldi" else solve(
            solver, a, right_hand_sides(size, 3)
        )
    advised = float(str(caught.value).split("at least ")[1].split(",")[0])
    assert -smallest < advised < -1.2 * smallest + 0.01
    mended, _ = matrix(values, advised, diagonal=False)
    found = solve("cholesky", mended, right_hand_sides(size, 3), advised)
    assert found.converged, found.advice


@pytest.mark.parametrize(
    ("value", "told"), [(3.61, "3.7e+00"), (3.6, "3.6e+00"), (9.91e-7, "1.0e-06"), (0.0, "0.0e+00")]
)
def test_advice_is_rounded_up(value, told):
    assert refusal.rounded_up(value) == told


@solvers
def test_the_advised_damping_works(solver):
    a, _ = matrix(np.r_[0.0, np.linspace(1, 4, 5)])
    with pytest.raises(SingularError) as caught:
        solve("cholesky", a, right_hand_sides(6))
    advised = float(str(caught.value).split("at least ")[1].split(",")[0])
    mended, _ = matrix(np.r_[0.0, np.linspace(1, 4, 5)], advised)
    found = solve(solver, mended, right_hand_sides(6), advised)
    assert found.converged, found.advice


def test_a_redundant_feature_without_a_penalty_is_named():
    x = np.random.default_rng(0).normal(size=(30, 2))
    x = np.column_stack([x, x[:, 0] - x[:, 1]])
    data = Dataset(x, x[:, 0] + 0.1 * x[:, 1] ** 2, np.arange(30).astype(str), ("a", "b", "c"), ())
    fitted = fitted_on("linear", data)
    assert fitted.model.held == (2,)  # a model that holds it back has an answer; here it may not
    fitted = replace(fitted, model=replace(fitted.model, held=()), train=replace(fitted.train, x=torch.tensor(x)))
    fitted = replace(
        fitted, model=replace(fitted.model, intercept=False), fit=replace(fitted.fit, theta=torch.ones(3).double())
    )
    for solver in ("cholesky", "eigh"):
        with pytest.raises(SingularError, match="depend on each other.*choose ridge regression"):
            solve(solver, exact_hessian(fitted), right_hand_sides(3))


@pytest.mark.parametrize("solver", ["cholesky", "eigh"])
def test_a_bad_condition_that_still_factors_is_reported_by_its_residual(solver):
    a, dense = matrix(np.geomspace(1e-12, 1, 12))
    try:
        found = solve(solver, a, right_hand_sides(12))
    except SingularError:
        return
    error = dense.numpy() @ found.value.numpy() - right_hand_sides(12)
    assert (
        found.converged == (np.linalg.norm(error, axis=0) <= 1e-8 * np.linalg.norm(right_hand_sides(12), axis=0)).all()
    )


def test_unknown_solvers_and_too_many_parameters_are_refused():
    a, _ = matrix(np.ones(3))
    with pytest.raises(SettingsError, match="Unknown solver 'qr': expected .*cholesky"):
        factor(SolverSettings("qr"), a)
    with pytest.raises(SettingsError, match="Unknown option 'steps'"):
        factor(SolverSettings("cg", options=(("steps", 3),)), a)
    big = Curvature(5_000, 0.0, a.matvec, a.dense, a.like)
    with pytest.raises(SettingsError, match="offered up to 3,000 parameters, this model has 5,000: choose one of chol"):
        factor(SolverSettings("eigh"), big)
    assert "eigh" not in applicable_solvers(5_000)
    assert applicable_solvers(10) == list(SOLVERS)


@pytest.mark.parametrize("solver", [dense.cholesky, dense.eigh])
def test_a_float32_matrix_keeps_a_damping_below_its_own_rounding(solver):
    """A network's matrix: half of it flat, δ below p·eps·λ_max of float32; against NumPy on the same numbers."""
    p, damping, random = 600, 5e-5, np.random.default_rng(0)
    q = np.linalg.qr(random.normal(size=(p, p)))[0]
    a = (q * np.r_[np.zeros(p // 2), np.linspace(1e-3, 1, p // 2)]) @ q.T + damping * np.eye(p)
    stored = torch.tensor((a + a.T) / 2, dtype=torch.float32)
    b = torch.tensor(random.normal(size=(p, 3)), dtype=torch.float32)
    assert damping < p * torch.finfo(torch.float32).eps
    curvature = Curvature(p, damping, lambda v: stored @ v, lambda: stored.clone(), b.new_empty(0))
    solution = solver(curvature)(b)
    expected = np.linalg.solve(stored.double().numpy(), b.double().numpy())
    true = np.linalg.norm(stored.double().numpy() @ solution.value.double().numpy() - b.numpy(), axis=0)
    assert solution.value.dtype == torch.float32
    assert (solution.residual.numpy() > true / np.linalg.norm(b.numpy(), axis=0) / 2).all()
    assert not solution.converged  # the right answer, rounded to float32, is what leaves this residual
    np.testing.assert_allclose(solution.value, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_few_examples_beside_many_parameters_are_factored_exactly_whatever_their_number():
    assert chosen_solver("auto", 20_001, wide=True) == "cholesky"
    assert "n × n" in why_chosen(20_001, wide=True)
    assert chosen_solver("auto", 20_001) == "cg"
    assert "cholesky" in applicable_solvers(20_001, wide=True)
    assert {"cholesky", "eigh"}.isdisjoint(applicable_solvers(20_001))
    assert "eigh" not in applicable_solvers(20_001, wide=True)


@pytest.mark.parametrize(
    ("size", "network", "title", "why"),
    [
        (1_500, True, "Eigendecomposition", "spectrum costs little"),
        (1_501, False, "Cholesky", "one dense factor"),
        (1_501, True, "Conjugate gradients", "dear to form"),
        (10**6, False, "Conjugate gradients", "too many parameters"),
    ],
)
def test_the_automatic_solver_has_a_reason(size, network, title, why):
    said = why_chosen(size, network)
    assert SOLVERS[chosen_solver("auto", size, network)].title == title
    assert title in said and why in said
