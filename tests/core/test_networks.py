"""Networks linearised at θ̂: per-layer scores, Hessian and Gauss–Newton against explicit Jacobians and differences."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import LAYERED, MODULES, example
from oracles import error
from torch import nn
from torch.func import grad, jvp

from influence_core.curvature import automatic_damping, curvature_of, network_curvature, roots
from influence_core.influence import similar
from influence_core.influence.effects import group_change, group_step, perturbation_change, relabel_change
from influence_core.influence.estimators import removal_change, scores, self_influence
from influence_core.influence.watched import Influence, watch
from influence_core.models import Batch, FittedModel, Network
from influence_core.models import linearised as linearised_module
from influence_core.models.chain import activations
from influence_core.models.forward import pushed
from influence_core.models.losses import Softmax
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import SOLVERS, SingularError, factor

kinds = pytest.mark.parametrize("kind", MODULES)
layered = pytest.mark.parametrize("kind", LAYERED)


@kinds
def test_objective_is_the_mean_loss_with_its_penalty(kind):
    case = example(kind)
    fitted, theta = case.fitted, case.fitted.theta.numpy()
    a = np.random.default_rng(1).uniform(0, 2, len(fitted.train))
    value, gradient = fitted.model.objective(fitted.theta, fitted.train, torch.as_tensor(a))
    losses = case.losses(theta, fitted.train.x.numpy(), fitted.train.y.numpy())
    expected = a @ losses / len(a) + fitted.model.l2 / 2 * (case.penalised * theta) @ theta
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, case.slope(theta, a), atol=1e-8)


@kinds
def test_per_example_gradients_without_an_array_of_them(kind, monkeypatch):
    case = example(kind)
    fitted, train = case.fitted, case.fitted.train
    truth, v = case.gradients(train), np.random.default_rng(2).normal(size=(fitted.size, 7))
    np.testing.assert_allclose(fitted.linearised.pullback(train.x, fitted.residuals), truth, atol=1e-8)
    np.testing.assert_allclose(
        fitted.linearised.squared_norms(train.x, fitted.residuals), (truth**2).sum(1), rtol=1e-6, atol=1e-12
    )
    for size in (1e9, 4000.0):
        monkeypatch.setattr(linearised_module, "blocks", _blocks_of(size))
        dots = fitted.linearised.gradient_dot(train.x, fitted.residuals, torch.as_tensor(v), 0.5)
        assert error(dots.numpy(), 0.5 * truth @ v) < 1e-7


def _blocks_of(budget):
    original = linearised_module.blocks

    def cut(total, size, *_rest):
        yield from original(total, size, int(budget))

    return cut


@layered
def test_layers_cover_all_parameters_and_their_factors_make_the_gradients(kind, monkeypatch):
    monkeypatch.setattr("influence_core.models.network.PASS_BYTES", 1)  # a tap is one pass whatever a block may hold
    case = example(kind)
    fitted = case.fitted
    at, x = fitted.linearised, fitted.train.x
    tap = at.tap(x)
    gradients = tap.gradients(fitted.residuals)
    columns = torch.full((fitted.size, 1), np.nan, dtype=torch.float64)
    for layer, a, g in zip(at.layers, tap.inputs, gradients, strict=True):
        assert (a.shape[2], g.shape[2]) == (layer.inputs, layer.outputs)
        layer.put(columns, (g[3].T @ a[3])[:, :, None])
        np.testing.assert_allclose(layer.matrix(columns)[:, :, 0], g[3].T @ a[3], rtol=1e-12)
    np.testing.assert_allclose(columns[:, 0], case.gradients(fitted.train)[3], atol=1e-8)


def test_a_module_with_other_parameters_has_no_layer_description():
    fitted = example("normalised").fitted
    assert fitted.linearised.layers == ()
    assert curvature_of(fitted, SolverSettings()).layered is None


PRODUCTS = {"chain": (2**20, 0), "samples": (0, 2**20), "autodiff": (0, 0)}  # what may be kept between products
products = pytest.mark.parametrize("kept", PRODUCTS)


@pytest.fixture
def kept_bytes(kept, monkeypatch):
    chain, samples = PRODUCTS[kept]
    monkeypatch.setattr("influence_core.models.chain.KEPT_BYTES", chain)
    monkeypatch.setattr("influence_core.curvature.matrix.SAMPLE_BYTES", samples)
    return samples


@kinds
@products
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_gauss_newton_products_dense_diagonal_and_traces(kind, damping, kept_bytes):
    """Perceptrons written out, other layers from kept inputs and gradients, and autodiff where those are too large."""
    case = example(kind)
    a = network_curvature(case.fitted, "gauss_newton", damping)
    assert a.layered is None or (a.layered().samples is None) == (kept_bytes == 0)
    truth = case.gauss_newton + damping * np.eye(a.size)
    v = np.random.default_rng(3).normal(size=(a.size, 20))
    assert error(a.matvec(torch.as_tensor(v)).numpy(), truth @ v) < 1e-6
    assert error(a.dense().numpy(), truth) < 1e-6
    if a.diagonal is not None:
        np.testing.assert_allclose(a.diagonal(), np.diag(truth), rtol=1e-5, atol=1e-9)
    penalty = case.fitted.model.l2 * case.penalised.sum()
    assert float(a.samples.norms().mean()) + penalty == pytest.approx(np.trace(case.gauss_newton), rel=1e-6)


def test_perceptrons_are_recognised_and_nothing_else():
    found = {kind: activations(example(kind).fitted.model) for kind in MODULES}
    count = {kind: None if between is None else len(between) for kind, between in found.items()}
    assert {kind for kind in count if count[kind] is None} == {"cnn", "normalised", "positions", "every position"}
    assert {kind: count[kind] for kind in ("mlp", "no bias", "deep", "regression")} == {
        "mlp": 1,
        "no bias": 1,
        "deep": 2,
        "regression": 1,
    }
    for module in (
        nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(3, 2), nn.Tanh()),
    ):
        assert activations(Network(module, Softmax(2), 0.0, (3,))) is None
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert activations(Network(flat, Softmax(2), 0.0, (1, 2, 2))) == ()


@kinds
@products
@pytest.mark.parametrize("budget", [1, 2**20])
def test_products_do_not_depend_on_blocks_or_dead_inputs(kind, kept_bytes, budget, monkeypatch):
    case = example(kind)
    dead = case.fitted.train.x.clone()
    dead[:, 1] = 0
    fitted = FittedModel(case.fitted.model, Batch(dead, case.fitted.train.y), case.fitted.fit)
    v = torch.as_tensor(np.random.default_rng(8).normal(size=(fitted.size, 5)))
    expected = fitted.model.hvp(fitted.theta, fitted.train, v)
    monkeypatch.setattr("influence_core.models.chain.MOVED_BYTES", budget)
    found = network_curvature(unpenalised(fitted), "exact", 0.0).matvec(v)
    assert error(found.numpy(), expected.numpy()) < 1e-10


def unpenalised(fitted):
    return FittedModel(replace(fitted.model, l2=0.0), fitted.train, fitted.fit)


@kinds
@products
def test_hessian_products_are_differences_of_the_gradient(kind, kept_bytes):
    case, h = example(kind), 1e-5
    a = network_curvature(case.fitted, "exact", 0.2)
    theta, v = case.fitted.theta.numpy(), np.random.default_rng(4).normal(size=(a.size, 18))
    found = a.matvec(torch.as_tensor(v)).numpy()
    for k in (0, 17):
        pearlmutter = (case.slope(theta + h * v[:, k]) - case.slope(theta - h * v[:, k])) / (2 * h)
        assert error(found[:, k], pearlmutter + 0.2 * v[:, k]) < 1e-4
    np.testing.assert_allclose(a.dense() @ torch.as_tensor(v), found, atol=1e-8)


@kinds
@pytest.mark.parametrize("curvature", ["exact", "gauss_newton"])
def test_a_sample_of_every_example_is_the_whole(kind, curvature):
    fitted = example(kind).fitted
    a = network_curvature(fitted, curvature, 0.1)
    v = torch.as_tensor(np.random.default_rng(5).normal(size=(a.size, 3)))
    n = len(fitted.train)
    singles = a.samples.matvec(torch.arange(n)[:, None], torch.ones(n, 1, dtype=v.dtype), v.expand(n, *v.shape))
    np.testing.assert_allclose(singles.mean(0), a.matvec(v), atol=1e-10)


@layered
def test_weighted_draws_are_those_of_autodiff(kind, monkeypatch):
    fitted, random = example(kind).fitted, np.random.default_rng(6)
    rows = torch.as_tensor(random.integers(len(fitted.train), size=(3, 5)))
    weights, v = (torch.as_tensor(random.normal(size=shape)) for shape in ((3, 5), (3, fitted.size, 2)))
    found = network_curvature(fitted, "gauss_newton", 0.1).samples.matvec(rows, weights, v)
    monkeypatch.setattr("influence_core.curvature.matrix.SAMPLE_BYTES", 0)
    expected = network_curvature(fitted, "gauss_newton", 0.1).samples.matvec(rows, weights, v)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@layered
def test_blocks_of_layers_add_up_to_the_diagonal(kind):
    case = example(kind)
    a = network_curvature(case.fitted, "gauss_newton", 0.0)
    parts = a.layered()
    last = parts.layers[-1]
    block = torch.zeros(last.outputs * last.inputs, last.outputs * last.inputs, dtype=torch.float64)
    for _, tap, root in parts.blocks():
        for k in range(root.shape[2]):
            g = (tap.gradients(root[:, :, k])[-1].mT @ tap.inputs[-1]).flatten(1)
            block += g.T @ g / parts.n
    rows = np.r_[np.arange(case.fitted.size)[last.weight], np.arange(case.fitted.size)[last.bias]]
    order = torch.as_tensor(rows, dtype=torch.float64)[:, None]
    column = torch.zeros(case.fitted.size, 1, dtype=torch.float64)
    column[rows] = order
    where = last.matrix(column)[:, :, 0].reshape(-1).long().numpy()
    truth = (case.gauss_newton - case.fitted.model.l2 * np.diag(case.penalised))[np.ix_(where, where)]
    assert error(block.numpy(), truth) < 1e-6


def test_roots_rebuild_their_matrices():
    c = example("mlp").fitted.curvatures
    r = roots(c)
    np.testing.assert_allclose(r @ r.mT, c, atol=1e-12)


def test_automatic_damping_is_a_share_of_the_mean_eigenvalue_and_says_so():
    case = example("mlp")
    damping, reason = automatic_damping(case.fitted)
    assert damping == pytest.approx(0.1 * np.linalg.eigvalsh(case.gauss_newton).mean(), rel=0.05)
    assert f"{damping:g}" in reason
    a = curvature_of(case.fitted, SolverSettings())
    assert (a.damping, a.reason, a.name) == (damping, reason, "Gauss–Newton")
    by_hand = curvature_of(case.fitted, SolverSettings(damping=0.7))
    assert (by_hand.damping, by_hand.reason) == (0.7, "")
    assert curvature_of(case.fitted, SolverSettings(curvature="exact")).damping == 0
    with pytest.raises(SettingsError, match="Curvature: expected one of"):
        curvature_of(case.fitted, SolverSettings(curvature="fisher"))


@kinds
@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg"])
def test_influence_is_the_dense_formula(kind, solver):
    case = example(kind)
    influence = Influence(case.fitted, SolverSettings(solver, 0.05))
    watched = watch(case.fitted, case.test)
    g, q = case.gradients(case.fitted.train), case.gradients(case.test)
    solved = np.linalg.solve(case.gauss_newton + 0.05 * np.eye(case.fitted.size), g.T)
    assert error(scores(influence, watched), (q @ solved).T / len(g)) < 1e-5
    assert error(self_influence(influence), (g.T * solved).sum(0) / len(g)) < 1e-5


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "identity"])
def test_more_test_points_than_parameters_leave_no_row_empty(solver):
    case = example("no bias")
    a = network_curvature(case.fitted, "gauss_newton", 0.1)
    b = torch.as_tensor(np.random.default_rng(6).normal(size=(a.size, 3 * a.size)))
    made = factor(SolverSettings(solver, 0.1), a)
    found = made(b).value.numpy()
    assert (np.abs(found).max(0) > 0).all()
    if solver in {"cholesky", "eigh", "cg"}:
        truth = np.linalg.solve(case.gauss_newton + 0.1 * np.eye(a.size), b.numpy())
        assert error(found, truth) < 1e-5


@kinds
@pytest.mark.parametrize("estimator", ["theta_relative", "loss_relative", "gradient_cosine"])
def test_rankings_are_their_formulas(kind, estimator):
    case = example(kind)
    influence = Influence(case.fitted, SolverSettings("cholesky", 0.05))
    g, q = case.gradients(case.fitted.train), case.gradients(case.test)
    a = case.gauss_newton + 0.05 * np.eye(case.fitted.size)
    solved = np.linalg.solve(a, g.T).T
    expected = {
        "theta_relative": solved @ q.T / len(g) / np.linalg.norm(solved, axis=1)[:, None],
        "loss_relative": solved @ q.T / len(g) / np.sqrt((g * solved).sum(1))[:, None],
        "gradient_cosine": g @ q.T / np.linalg.norm(g, axis=1)[:, None] / np.linalg.norm(q, axis=1),
    }
    watched = watch(case.fitted, case.test)
    assert error(scores(influence, watched, estimator), expected[estimator]) < 1e-5
    for row in (0, 11):
        np.testing.assert_allclose(
            removal_change(influence, watched, row, estimator), scores(influence, watched, estimator)[row], atol=1e-9
        )


@layered
def test_tracin_adds_gradient_products_along_the_path(kind):
    case = example(kind)
    thetas = [case.fitted.theta * share for share in (0.3, 0.7, 1.0)]
    fitted = replace(
        case.fitted, fit=replace(case.fitted.fit, checkpoints=tuple(zip((0.4, 0.2, 0.1), thetas, strict=True)))
    )
    influence = Influence(fitted, SolverSettings())
    expected = 0.0
    for rate, theta in fitted.fit.checkpoints:
        there = replace(case, fitted=replace(case.fitted, fit=replace(case.fitted.fit, theta=theta)))
        expected = expected + rate * there.gradients(fitted.train) @ there.gradients(case.test).T
    watched = watch(fitted, case.test)
    assert error(scores(influence, watched, "tracin"), expected) < 1e-6
    mean = watch(fitted, case.test, combine=torch.full((5, 1), 0.2, dtype=torch.float64))
    assert error(scores(influence, mean, "tracin")[:, 0], expected.mean(1)) < 1e-6
    with pytest.raises(SettingsError, match="needs checkpoints"):
        scores(Influence(case.fitted, SolverSettings()), watched, "tracin")


@kinds
@pytest.mark.parametrize("most", [10_000, 0])
def test_projection_scores_are_those_of_whole_gradients(kind, most, monkeypatch):
    """In dual form; also projected, as these layers are so narrow that the projection is the identity."""
    monkeypatch.setattr(similar, "MOST", most)
    monkeypatch.setattr(similar, "_KEPT", {})
    case = example(kind)
    fitted, train = case.fitted, case.fitted.train
    found = scores(Influence(fitted, SolverSettings()), watch(fitted, case.test), "projection")
    jacobian, f = case.jacobian(train.x.numpy()), case.outputs(fitted.theta.numpy(), train.x.numpy())
    if f.shape[1] == 1:
        phi = 2**0.5 * jacobian[:, 0]
    else:
        p, y = case.chances(f), train.y.numpy().astype(int)
        one = np.eye(f.shape[1])[y]
        others = p * (1 - one) / (1 - p[np.arange(len(y)), y])[:, None]
        phi = np.einsum("nk,nkp->np", one - others, jacobian)
    kernel = phi.T @ phi
    kernel += np.trace(kernel) / len(phi) * np.eye(len(kernel))
    expected = case.gradients(train) @ np.linalg.solve(kernel, case.gradients(case.test).T)
    if kind == "normalised":
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.5
    else:
        assert error(found, expected) < 1e-4


def test_the_factor_of_a_network_is_made_once_and_kept_where_there_is_room(monkeypatch):
    case, made = example("cnn"), []
    monkeypatch.setattr(similar, "_KEPT", {})
    kernel = similar._kernel
    monkeypatch.setattr(similar, "_kernel", lambda *given: made.append(1) or kernel(*given))
    for count, room in ((1, 2**20), (1, 2**20), (2, 0), (3, 0)):
        if not room:
            similar._KEPT.clear()
        monkeypatch.setattr(similar, "ROOM", room)
        scores(Influence(case.fitted, SolverSettings()), watch(case.fitted, case.test), "projection")
        assert len(made) == count


def test_projection_scores_average_each_factor_over_networks():
    """Similarity, Q = p − 1 of the training label, and the slope ‖P − Y‖ at the test point, averaged one by one."""
    case, other = example("mlp"), example("mlp", steps=100)
    alike, losses, sizes = [], [], []
    for one in (case, other):
        train, test = (one.fitted.train, case.test)
        alone = scores(Influence(one.fitted, SolverSettings()), watch(one.fitted, test), "projection")
        rows, p = np.arange(len(train)), one.chances(one.outputs(one.fitted.theta.numpy(), train.x.numpy()))
        losses.append(p[rows, train.y.numpy().astype(int)] - 1)
        at = one.chances(one.outputs(one.fitted.theta.numpy(), test.x.numpy()))
        sizes.append(np.linalg.norm(at - np.eye(at.shape[1])[test.y.numpy().astype(int)], axis=1))
        alike.append(alone / losses[-1][:, None] / sizes[-1])
    influence = Influence(case.fitted, SolverSettings(), members=lambda: (other.fitted,))
    both = scores(influence, watch(case.fitted, case.test), "projection")
    expected = np.mean(losses, 0)[:, None] * np.mean(alike, 0) * np.mean(sizes, 0)
    assert error(both, expected) < 1e-6


@pytest.mark.slow
def test_random_signs_keep_inner_products_on_average(monkeypatch):
    monkeypatch.setattr(similar, "OUTPUT_SIDE", 3)
    monkeypatch.setattr(similar, "INPUT_SIDE", 3)
    case = example("mlp")
    g, total = case.gradients(case.fitted.train), 0.0
    for seed in range(3000):
        projected = similar.Sides(case.fitted, seed).of(case.fitted.train.x[:3], case.fitted.residuals[:3])
        total = total + (projected @ projected.T).numpy()
    assert error(total / 3000, g[:3] @ g[:3].T) < 0.15


@kinds
def test_relabelling_and_perturbing_are_derivatives_of_the_gradient(kind):
    case = example(kind)
    fitted, train, n = case.fitted, case.fitted.train, len(case.fitted.train)
    influence, watched = Influence(fitted, SolverSettings("cholesky", 0.05)), watch(fitted, case.test)
    a = case.gauss_newton + 0.05 * np.eye(fitted.size)
    solved = np.linalg.solve(a, case.gradients(case.test).T)
    if fitted.model.loss.outputs > 1:
        labels = (train.y.numpy().astype(int) + 1) % fitted.model.loss.outputs
        moved = case.gradients(Batch(train.x, torch.as_tensor(labels, dtype=torch.float64)))
        expected = -(moved - case.gradients(train)) @ solved / n
        assert error(relabel_change(influence, watched, labels), expected) < 1e-5
        with pytest.raises(SettingsError, match="linear predictor"):
            relabel_change(influence, watched, labels, newton=True)
    rows, h = np.array([3, 8]), 1e-4
    found = perturbation_change(influence, watched, rows)
    for k in (0, train.x.shape[1] - 1):
        ends = []
        for step in (h, -h):
            x = train.x[rows].clone()
            x[:, k] += step
            ends.append(case.gradients(Batch(x, train.y[rows])))
        expected = -((ends[0] - ends[1]) / (2 * h)) @ solved / n
        assert error(found[:, k], expected) < 1e-4


@kinds
def test_groups_add_up_and_have_no_newton_step(kind):
    case = example(kind)
    influence, watched = Influence(case.fitted, SolverSettings("cholesky", 0.05)), watch(case.fitted, case.test)
    rows = np.array([1, 4, 5])
    single = scores(influence, watched)[rows].sum(0)
    np.testing.assert_allclose(group_change(influence, watched, [rows])[0], single, atol=1e-12)
    step = group_step(influence, torch.as_tensor(rows))
    np.testing.assert_allclose(watched.gradient.T @ step, single, atol=1e-9)
    with pytest.raises(SingularError, match="linear predictor"):
        group_step(influence, torch.as_tensor(rows), newton=True)
    with pytest.raises(SettingsError, match="One-step Newton is not for this model"):
        scores(influence, watched, "newton")
    with pytest.raises(SettingsError, match="linear predictor"):
        _ = influence.leverage


def test_threads_do_not_meet_in_forward_mode():
    fitted = example("mlp").fitted
    a = network_curvature(fitted, "gauss_newton", 0.1)
    v = torch.as_tensor(np.random.default_rng(7).normal(size=(a.size, 16)))
    alone = a.matvec(v)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _k: a.matvec(v), range(40)):
            np.testing.assert_allclose(found, alone, rtol=1e-10, atol=1e-12)


def test_what_has_no_forward_mode_goes_backward_twice():
    theta, v = torch.linspace(-1, 1, 5, dtype=torch.float64), torch.eye(5, dtype=torch.float64)[:, :3]
    slope = grad(lambda t: torch.nn.functional.huber_loss(t, 0 * t, reduction="sum", delta=0.7))
    with pytest.raises(NotImplementedError):
        jvp(slope, (theta,), (v[:, 0],))
    expected = torch.diag((theta.abs() <= 0.7).double())[:3]
    np.testing.assert_allclose(pushed(slope, theta, v), expected)
