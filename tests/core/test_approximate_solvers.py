"""Taylor, LiSSA, Arnoldi, Nyström against dense algebra: slope, relative error, and the traps others fell into."""

import numpy as np
import pytest
import torch
from problems import LINEAR, problem
from test_solvers import matrix, right_hand_sides, solve

from influence_core.curvature import Curvature, SampledProducts, exact_hessian
from influence_core.influence.estimators import scores
from influence_core.settings import Settings, SettingsError, SolverSettings, from_query, to_query
from influence_core.solvers import SOLVERS, SingularError, factor
from influence_core.solvers.lanczos import lanczos, largest_eigenvalue
from influence_core.solvers.lissa import _share

TIGHT = {"tolerance": 1e-6}
FULL = {
    "taylor": {"tolerance": 1e-9, "max_products": 100_000},
    "lissa": {"tolerance": 1e-7, "rounds": 1000},
    "arnoldi": {},
    "nystrom": {"rank": 5000},
}


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def slope(truth, predicted):
    return np.polyfit(np.ravel(predicted), np.ravel(truth), 1)[0]


def test_every_approximate_solver_is_here():
    others = {name for name, entry in SOLVERS.items() if entry.kind in {"iterative", "approximate"}}
    assert others == set(FULL) | {"kfac", "ekfac"}  # those have an oracle of their own in test_kronecker


@pytest.mark.parametrize("solver", FULL)
@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("fold", [False, True], ids=["", "folded"])
def test_scores_are_those_of_cholesky(solver, name, fold):
    """Same damped system, penalty and damping counted once, softmax's null space included."""
    example = problem(name, fold_penalty=fold)
    found = scores(example.influence(solver, 0.01, **FULL[solver]), example.watch())
    expected = scores(example.influence("cholesky", 0.01), example.watch())
    assert error(found, expected) < 1e-5
    assert slope(expected, found) == pytest.approx(1, abs=1e-5)
    assert (np.sign(found) == np.sign(expected)).mean() > 0.99


@pytest.mark.parametrize("solver", FULL)
def test_default_settings_come_close_and_say_what_they_chose(solver):
    example = problem("logistic")
    a, b = exact_hessian(example.fitted, 0.05), example.watch().gradient
    found, exact = solve(solver, a, b, 0.05), solve("cholesky", a, b, 0.05)
    assert error(found.value.numpy(), exact.value.numpy()) < 2e-2
    assert slope(exact.value.numpy(), found.value.numpy()) == pytest.approx(1, abs=0.02)
    assert found.converged, found.advice
    assert found.note


@pytest.mark.parametrize("solver", FULL)
def test_zero_columns_and_more_columns_than_parameters(solver):
    a, dense = matrix(np.linspace(0.5, 5, 6), 0.05)
    b = right_hand_sides(6, 40)
    b[:, [3, 17]] = 0
    found = solve(solver, a, b, 0.05, **FULL[solver])
    assert not found.value[:, [3, 17]].any()
    assert (found.value.abs().sum(0) > 0).sum() == 38
    assert (found.value.abs().sum(1) > 0).all()
    np.testing.assert_allclose(found.value, np.linalg.solve(dense, b), rtol=1e-4, atol=1e-5)
    assert found.converged


@pytest.mark.parametrize("solver", FULL)
def test_damping_counts_once(solver):
    a, _ = matrix(np.linspace(0.5, 5, 6), 0.7)
    h = matrix(np.linspace(0.5, 5, 6))[1].numpy()
    b = right_hand_sides(6, 3)
    found = solve(solver, a, b, 0.7, **FULL[solver]).value.numpy()
    assert error(found, np.linalg.solve(h + 0.7 * np.eye(6), b)) < 1e-5
    assert error(found, np.linalg.solve(h + 1.4 * np.eye(6), b)) > 0.05
    assert error(found, np.linalg.solve(h, b)) > 0.05


def test_taylor_is_the_published_recursion_divided_by_its_scale():
    """V_k = B + (I − A/s) V_{k−1}, V_0 = B, and V_m / s: without the division scores are wrong by a factor."""
    a, dense = matrix(np.linspace(0.5, 5, 6), 0.1)
    b, s, m = right_hand_sides(6, 3), 7.5, 9
    v = b.copy()
    for _ in range(m):
        v = b + v - dense.numpy() @ v / s
    found = solve("taylor", a, b, 0.1, scale=s, max_products=m, tolerance=1e-14)
    np.testing.assert_allclose(found.value, v / s, rtol=1e-9)
    assert found.products == 3 * m
    assert not found.converged
    assert "more at this rate" in found.advice


@pytest.mark.parametrize("share", [0.55, 0.45])
def test_taylor_converges_iff_its_scale_is_above_half_the_largest_eigenvalue(share):
    a, _ = matrix(np.linspace(0.5, 5, 6))
    found = solve("taylor", a, right_hand_sides(6), scale=share * 5)
    assert found.converged == (share > 0.5)
    assert ("diverges" in found.advice) == (share < 0.5)
    assert np.isfinite(found.value.numpy()).all()


@pytest.mark.parametrize("solver", ["taylor", "lissa"])
def test_an_indefinite_matrix_is_reported(solver):
    a, _ = matrix(np.r_[-0.5, np.linspace(1, 4, 5)])
    found = solve(solver, a, right_hand_sides(6, 3))
    assert not found.converged
    assert found.advice


def test_the_predicted_number_of_missing_products_is_about_right():
    a, _ = matrix(np.geomspace(0.05, 5, 30))
    b = right_hand_sides(30, 1)
    short = solve("taylor", a, b, max_products=300, tolerance=1e-6)
    missing = int(short.advice.split("about ")[1].split(" more")[0].replace(",", ""))
    needed = solve("taylor", a, b, max_products=100_000, tolerance=1e-6).products
    assert 300 + missing == pytest.approx(needed, rel=0.1)


SPIKED = problem("logistic", total=1.0, n=60, d=3, seed=3)


def spiked():
    """One example in sixty is a hundred times as steep as the others: λ_max is far below its own curvature."""
    x = SPIKED.fitted.train.x.clone()
    x[0] *= 20
    c = SPIKED.fitted.curvatures.clone()
    c[0] = 0.25

    def sampled(rows, weights, v):
        f = torch.einsum("rbp,rpk->rbk", x[rows], v) * (c[rows, 0] * weights[..., None] / rows.shape[1])
        return torch.einsum("rbp,rbk->rpk", x[rows], f) + 0.1 * v

    dense = x.T @ (c[:, :, 0] * x) / 60 + 0.1 * torch.eye(4, dtype=x.dtype)
    norms = c[:, 0, 0] * x.square().sum(1)
    samples = SampledProducts(60, sampled, lambda: norms)
    return Curvature(4, 0.1, lambda v: dense @ v, dense.clone, x.new_empty(0), None, samples), dense.numpy(), norms


PLAIN = {"sampling": "uniform", "batch": 1, "rounds": 1}


def test_the_largest_eigenvalue_is_no_safe_scale_for_lissa_and_that_is_said():
    a, dense, norms = spiked()
    b = right_hand_sides(4, 3)
    largest = float(np.linalg.eigvalsh(dense)[-1])
    assert largest < 0.1 * float(norms.max())
    found = solve("lissa", a, b, 0.1, scale=1.05 * largest, depth=2000, **PLAIN)
    assert not found.converged
    assert "LiSSA diverges: the scale" in found.advice
    assert np.isfinite(found.value.numpy()).all()
    safe = solve("lissa", a, b, 0.1, depth=2000, **PLAIN)
    assert "diverges" not in safe.advice
    assert "no draw can expand" in safe.note
    made = factor(SolverSettings("lissa", 0.1, tuple(PLAIN.items())), a)
    assert made.recursion.scale == pytest.approx(float(norms.max()) + 0.1)


def test_drawing_by_norm_needs_a_far_smaller_scale():
    a, dense, norms = spiked()
    by_norm = factor(SolverSettings("lissa", 0.1, (("batch", 1),)), a)
    assert by_norm.recursion.scale == pytest.approx(float(norms.mean()) + 0.1)
    b = right_hand_sides(4, 3)
    found = by_norm(torch.as_tensor(b))
    assert found.converged, found.advice
    assert error(found.value.numpy(), np.linalg.solve(dense, b)) < 5e-3


@pytest.mark.parametrize("sampling", ["norm", "uniform"])
@pytest.mark.parametrize("batch", [1, 8])
def test_draws_are_unbiased(sampling, batch):
    """The mean of weighted draws is A itself: not a sum of per-batch inverses, and no scale slips in."""
    a, dense, _ = spiked()
    made = factor(SolverSettings("lissa", 0.1, (("batch", batch), ("repeats", 100), ("sampling", sampling))), a)
    v, generator = torch.as_tensor(right_hand_sides(4, 2)), torch.Generator().manual_seed(1)
    total = (
        sum(
            made.samples.matvec(*(part[0] for part in made.draw(generator, (1, 100, batch))), v.expand(100, 4, 2)).mean(
                0
            )
            for _ in range(300)
        )
        / 300
    )
    assert error(total.numpy(), dense @ v.numpy()) < 0.06


def test_lissa_inverts_the_mean_and_not_batch_by_batch():
    """Two kinds of examples along two axes: (mean of H_i)⁻¹ is far from the mean of H_i⁻¹."""
    x = torch.eye(2, dtype=torch.float64).repeat(30, 1) * torch.tensor([2.0, 1.0])
    dense = x.T @ x / 60 + 0.1 * torch.eye(2, dtype=x.dtype)

    def sampled(rows, weights, v):
        f = torch.einsum("rbp,rpk->rbk", x[rows], v) * (weights[..., None] / rows.shape[1])
        return torch.einsum("rbp,rbk->rpk", x[rows], f) + 0.1 * v

    a = Curvature(2, 0.1, lambda v: dense @ v, dense.clone, x.new_empty(0), None, SampledProducts(60, sampled))
    b = np.ones((2, 1))
    found = solve("lissa", a, b, 0.1, batch=1, repeats=50, **TIGHT).value.numpy()
    each = np.mean([np.linalg.solve(np.outer(row, row) + 0.1 * np.eye(2), b) for row in x.numpy()], axis=0)
    assert error(found, np.linalg.solve(dense, b)) < 1e-4
    assert error(each, np.linalg.solve(dense, b)) > 1


def test_the_mean_over_repeats_is_the_taylor_series():
    """E V_m / s of LiSSA is V_m / s of Taylor at the same scale and depth, biased or not."""
    a, dense, norms = spiked()
    b, s, m = right_hand_sides(4, 2), float(norms.max()) + 0.1, 1000
    found = solve("lissa", a, b, 0.1, scale=s, depth=m, repeats=100, **PLAIN)
    series = solve("taylor", a, b, 0.1, scale=s, max_products=m, tolerance=1e-14).value.numpy()
    assert error(series, np.linalg.solve(dense, b)) > 0.02
    assert error(found.value.numpy(), series) < 5 * float(found.spread.max())
    assert float(found.spread.max()) < 0.1


def test_the_reported_spread_is_that_over_other_seeds():
    a, _, _ = spiked()
    b = right_hand_sides(4, 1)
    runs = [solve("lissa", a, b, 0.1, rounds=1, repeats=8, batch=2, depth=150, draw=seed) for seed in range(40)]
    values = np.stack([run.value.numpy() for run in runs])
    measured = np.linalg.norm(values.std(0)) / np.linalg.norm(values.mean(0))
    assert np.mean([float(run.spread) for run in runs]) == pytest.approx(measured, rel=0.4)
    assert solve("lissa", a, b, 0.1, rounds=1, repeats=1).spread.isnan().all()


def test_the_same_seed_gives_the_same_solution():
    a, _, _ = spiked()
    b = right_hand_sides(4, 2)
    one, two, other = (solve("lissa", a, b, 0.1, draw=seed, rounds=1).value.numpy() for seed in (1, 1, 2))
    assert error(two, one) < 1e-9
    assert error(other, one) > 1e-6


def test_a_starved_lissa_says_so():
    a, _, _ = spiked()
    found = solve("lissa", a, right_hand_sides(4, 2), 0.1, depth=2, rounds=2)
    assert not found.converged
    assert "LiSSA stopped at a relative residual of" in found.advice
    assert found.products >= 4


def test_rounds_make_lissa_as_accurate_as_wanted():
    a, dense, _ = spiked()
    b = right_hand_sides(4, 2)
    errors = [
        error(solve("lissa", a, b, 0.1, tolerance=goal, rounds=500).value.numpy(), np.linalg.solve(dense, b))
        for goal in (1e-1, 1e-4, 1e-8)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6


def test_without_norms_the_scale_comes_from_sampled_batches():
    a, dense, _ = spiked()
    bare = Curvature(4, 0.1, a.matvec, a.dense, a.like, None, SampledProducts(60, a.samples.matvec))
    found = solve("lissa", bare, right_hand_sides(4, 2), 0.1, batch=20, rounds=60)
    assert "sampled batches" in found.note
    assert error(found.value.numpy(), np.linalg.solve(dense, right_hand_sides(4, 2))) < 2e-2


def test_lissa_without_single_examples_is_refused_in_words():
    a, _ = matrix(np.ones(3))
    bare = Curvature(3, 0.0, a.matvec, a.dense, a.like)
    with pytest.raises(SettingsError, match="products with single examples, which this model does not offer"):
        solve("lissa", bare, np.ones((3, 1)))


def test_arnoldi_keeps_the_dominant_space_and_drops_the_rest():
    values = np.geomspace(1e-3, 10, 40)
    a, dense = matrix(values)
    b = right_hand_sides(40, 3)
    found = solve("arnoldi", a, b, rank=6)
    top, vectors = np.linalg.eigh(dense.numpy())
    expected = vectors[:, -6:] @ (vectors[:, -6:].T @ b / top[-6:, None])
    assert error(found.value.numpy(), expected) < 1e-4
    assert not found.converged
    assert "come out too small" in found.advice
    exact = np.linalg.solve(dense, b)
    assert np.linalg.norm(found.value) < np.linalg.norm(exact)
    assert error(solve("arnoldi", a, b, rank=40).value.numpy(), exact) < 1e-8


def test_lanczos_finds_repeated_eigenvalues():
    a, dense = matrix(np.r_[np.ones(8), 2 * np.ones(8), 5.0])
    found = lanczos(a, 17)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(dense), atol=1e-10)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(17), atol=1e-10)
    assert largest_eigenvalue(a)[0] == pytest.approx(5.0)


def test_nystrom_is_exact_where_the_data_part_has_low_rank():
    a, dense = matrix(np.r_[np.zeros(30), np.linspace(1, 4, 10)], 0.01)
    found = solve("nystrom", a, right_hand_sides(40, 3), 0.01)
    assert error(found.value.numpy(), np.linalg.solve(dense, right_hand_sides(40, 3))) < 1e-6
    assert found.converged
    assert "Rank 32" in found.note


def test_nystrom_doubles_until_the_rest_is_below_the_ridge():
    a, dense = matrix(np.geomspace(1e-9, 10, 200), 1e-3)
    automatic = factor(SolverSettings("nystrom", 1e-3), a)
    assert 32 < automatic.sketch.rank < 200
    assert automatic.sketch.smallest <= 1e-3
    b = right_hand_sides(200, 3)
    exact = np.linalg.solve(dense, b)
    small, large = (solve("nystrom", a, b, 1e-3, rank=rank) for rank in (10, 150))
    assert error(large.value.numpy(), exact) < 0.05 < error(small.value.numpy(), exact)
    assert not small.converged
    assert "a higher rank" in small.advice


def test_nystrom_keeps_an_unpenalised_intercept_exact():
    """The ridge is zero at the intercept: a floor there would bend every score."""
    example = problem("logistic", total=10.0, n=60, d=12)
    found = scores(example.influence("nystrom", rank=13), example.watch())
    expected = scores(example.influence("cholesky"), example.watch())
    assert error(found, expected) < 1e-7


def test_nystrom_without_any_ridge_needs_all_of_a_regular_matrix():
    a, dense = matrix(np.linspace(1, 5, 8))
    assert (
        error(solve("nystrom", a, right_hand_sides(8)).value.numpy(), np.linalg.solve(dense, right_hand_sides(8)))
        < 1e-8
    )
    flat, _ = matrix(np.r_[np.zeros(4), np.ones(4)])
    with pytest.raises(SingularError, match="set a damping or a larger l2"):
        solve("nystrom", flat, right_hand_sides(8))


def test_hand_set_options_travel_in_a_link():
    settings = Settings(solver=SolverSettings("lissa", 0.1, (("depth", 50), ("scale", 3.0))))
    found, problems = from_query(to_query(settings))
    assert problems == ()
    assert found.key() == settings.key()


def test_a_round_is_stretched_to_leave_the_least_residual():
    random = np.random.default_rng(0)
    r, image = random.normal(size=(6, 3)), random.normal(size=(6, 3))
    found = _share(torch.as_tensor(r), torch.as_tensor(image))
    for k in range(3):
        assert float(found[k]) == pytest.approx(np.linalg.lstsq(image[:, [k]], r[:, k], rcond=None)[0][0])
    assert float(_share(torch.ones(2, 1), torch.zeros(2, 1))[0]) == 0
