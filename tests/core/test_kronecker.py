"""K-FAC and EK-FAC against the same matrices built from plain loops, and against the system they stand for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import example
from problems import problem
from torch import nn

from influence_core.curvature import curvature_of, exact_hessian, matrix, network_curvature
from influence_core.influence.estimators import scores
from influence_core.influence.watched import Influence, watch
from influence_core.models import FittedModel, Network
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import PRECONDITIONERS, SingularError, factor

KINDS = ["mlp", "no bias", "cnn", "regression"]
kinds = pytest.mark.parametrize("kind", KINDS)
corrections = pytest.mark.parametrize("solver", ["kfac", "ekfac"])
DAMPING = 0.05


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def patches(part, x):
    """What a convolution reads at every output position, by loops."""
    pad, step, (high, wide) = part.padding[0], part.stride[0], part.kernel_size
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows, columns = (x.shape[2] - high) // step + 1, (x.shape[3] - wide) // step + 1
    found = [
        x[:, :, i * step : i * step + high, j * step : j * step + wide].reshape(len(x), -1)
        for i in range(rows)
        for j in range(columns)
    ]
    return np.stack(found, 1)


def layer_tensors(case, residuals):
    """Per layer: parameters' places, inputs (n, T, q̄) and output gradients (n, T, o) for residuals of the outputs."""
    module = case.fitted.model.module.double()
    nn.utils.vector_to_parameters(case.fitted.theta.clone(), module.parameters())
    x = case.fitted.train.x.view(-1, *case.fitted.model.shape)
    kept, offset = [], 0
    for part in module:
        read, x = x, part(x)
        if not isinstance(part, nn.Linear | nn.Conv2d):
            continue
        x.retain_grad()
        a = patches(part, read.detach().numpy()) if isinstance(part, nn.Conv2d) else read.detach().numpy()[:, None]
        o, q = part.weight.shape[0], part.weight[0].numel()
        places = offset + np.arange(o * q).reshape(o, q)
        offset += o * q
        if part.bias is not None:
            a = np.concatenate([a, np.ones((*a.shape[:2], 1))], 2)
            places, offset = np.hstack([places, offset + np.arange(o)[:, None]]), offset + o
        kept.append((places, a, x))
    x.backward(torch.as_tensor(residuals))
    return [
        (places, a, (y.grad.flatten(2).mT if y.dim() == 4 else y.grad[:, None]).numpy().copy()) for places, a, y in kept
    ]


def classes(case):
    """√p_y (P − e_y) for every class y: the model's own expectation; the squared loss has one column, √2."""
    f = case.outputs(case.fitted.theta.numpy(), case.fitted.train.x.numpy())
    if f.shape[1] == 1:
        return [np.full_like(f, np.sqrt(2))]
    p = case.chances(f)
    return [np.sqrt(p[:, [y]]) * (p - np.eye(f.shape[1])[y]) for y in range(f.shape[1])]


def dense(case, corrected, transposed=False):
    """The whole matrix, (p, p), block by block: Q diag Qᵀ with Q = U_G ⊗ U_A."""
    columns, p = [layer_tensors(case, r) for r in classes(case)], case.fitted.size
    total, data = np.zeros((p, p)), np.zeros((p, p))
    rest = np.diag(case.fitted.model.l2 * case.penalised + DAMPING)
    for k, (places, a, _) in enumerate(columns[0]):
        gs, n, positions = [column[k][2] for column in columns], len(a), a.shape[1]
        reads = sum(np.einsum("tq,tr->qr", row, row) for row in a) / n
        writes = sum(np.einsum("ntq,ntr->qr", g, g) for g in gs) / (n * positions)
        (small, left), (large, right) = np.linalg.eigh(writes), np.linalg.eigh(reads)
        vectors = np.stack(
            [sum(np.outer(g[i, t], a[i, t]) for t in range(positions)).ravel() for g in gs for i in range(n)]
        )
        block = vectors.T @ vectors / n
        q = np.kron(left, right)
        values = np.diag(q.T @ block @ q) if corrected else np.kron(small, large)
        at = np.ix_(places.ravel(), places.ravel())
        values = values + np.diag(q.T @ rest[at] @ q)
        q = q.T if transposed else q
        total[at], data[at] = q @ np.diag(values) @ q.T, block
    return total, data


def made(case, solver, damping=DAMPING):
    a = network_curvature(case.fitted, "gauss_newton", damping)
    return factor(SolverSettings(solver, damping), a)


@kinds
def test_the_oracle_knows_the_gauss_newton_matrix(kind):
    case = example(kind)
    _, blocks = dense(case, True)
    here = blocks != 0
    assert error(blocks[here] + (case.fitted.model.l2 * np.diag(case.penalised))[here], case.gauss_newton[here]) < 1e-6


@kinds
@corrections
def test_the_same_matrix_as_built_densely(kind, solver):
    case = example(kind)
    expected, _ = dense(case, solver == "ekfac")
    b = np.random.default_rng(0).normal(size=(len(expected), 12))
    found = made(case, solver)(torch.as_tensor(b))
    assert error(found.value.numpy(), np.linalg.solve(expected, b)) < 1e-8
    assert error(made(case, solver).inverse().numpy(), np.linalg.inv(expected)) < 1e-8
    wrong, _ = dense(case, solver == "ekfac", transposed=True)
    assert error(np.linalg.solve(wrong, b), np.linalg.solve(expected, b)) > 0.1


@kinds
def test_measured_eigenvalues_bring_every_block_closer_to_its_own(kind):
    case = example(kind)
    (kfac, block), (ekfac, _) = dense(case, False), dense(case, True)
    truth = block + np.diag(case.fitted.model.l2 * case.penalised + DAMPING) * (block != 0)
    here = block != 0
    assert np.linalg.norm((ekfac - truth)[here]) < np.linalg.norm((kfac - truth)[here])


@kinds
@corrections
def test_scores_against_conjugate_gradients_on_the_damped_gauss_newton(kind, solver):
    """Size and sign are right too, not the ranking alone; what damping drowns in both is no longer wrong at all."""
    case, errors = example(kind, n=60), []
    watched = watch(case.fitted, case.test)
    for damping in (DAMPING, 1.0, 1000.0):
        truth, predicted = (
            scores(Influence(case.fitted, SolverSettings(name, damping, options, "gauss_newton")), watched).ravel()
            for name, options in (("cg", (("tolerance", 1e-6),)), (solver, ()))
        )
        errors.append(error(predicted, truth))
        slope = np.polyfit(predicted, truth, 1)[0]
        assert np.corrcoef(truth, predicted)[0, 1] > 0.7
        assert 0.25 < slope < 1.6
        assert (np.sign(predicted) == np.sign(truth)).mean() > 0.65
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02
    assert slope == pytest.approx(1, abs=0.02)


@corrections
def test_the_residual_is_measured_on_the_true_system(solver):
    case = example("mlp")
    a = network_curvature(case.fitted, "gauss_newton", DAMPING)
    b = np.random.default_rng(1).normal(size=(a.size, 12))
    b[:, 10] = 0
    found = factor(SolverSettings(solver, DAMPING), a)(torch.as_tensor(b))
    h = case.gauss_newton + DAMPING * np.eye(a.size)
    expected = np.linalg.norm(h @ found.value.numpy() - b, axis=0)[:8] / np.linalg.norm(b, axis=0)[:8]
    np.testing.assert_allclose(found.residual[:8], expected, rtol=1e-5)
    assert float(found.residual[11]) == float(found.residual[:8].max())
    assert float(found.residual[10]) == 0
    assert not found.value[:, 10].any()
    assert not found.converged
    assert "measured on 8 of 12 columns" in found.advice
    assert "Conjugate gradients solve the system itself" in found.advice


@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge", "ridge"])
@pytest.mark.parametrize("solver", ["kfac", "ekfac"])
def test_a_linear_predictor_is_a_network_of_one_layer(name, solver):
    """Softmax without damping too: its null space is no singular block, because the projector counts here as well."""
    example_ = problem(name)
    fitted, x = example_.fitted, example_.fitted.train.x.numpy()
    c, n, width = fitted.curvatures.numpy(), len(x), x.shape[1]
    block = np.einsum("nab,nq,nr->aqbr", c, x, x).reshape(c.shape[1] * width, -1) / n
    (small, left), (large, right) = np.linalg.eigh(c.mean(0)), np.linalg.eigh(x.T @ x / n)
    q = np.kron(left, right)
    rest = np.diag(fitted.model.l2 * fitted.model.penalised(fitted.train.x).numpy())
    if name == "softmax":
        u = np.kron(np.ones(3), [0, 0, 0, 1]) / np.sqrt(3)
        rest = rest + np.outer(u, u)
    values = (np.diag(q.T @ block @ q) if solver == "ekfac" else np.kron(small, large)) + np.diag(q.T @ rest @ q)
    b = np.random.default_rng(0).normal(size=(len(q), 4))
    found = factor(SolverSettings(solver), exact_hessian(fitted))(torch.as_tensor(b)).value.numpy()
    assert error(found, q @ ((q.T @ b) / values[:, None])) < 1e-8


def test_single_precision_is_good_to_1e_4():
    case = example("mlp")
    model = case.fitted.model
    single = Network(model.module, model.loss, model.l2, model.shape, torch.float32)
    train = type(case.fitted.train)(case.fitted.train.x.float(), case.fitted.train.y)
    fit = replace(case.fitted.fit, theta=case.fitted.theta.float())
    b = torch.as_tensor(np.random.default_rng(0).normal(size=(case.fitted.size, 5)))
    a = network_curvature(FittedModel(single, train, fit), "gauss_newton", DAMPING)
    found = factor(SolverSettings("ekfac", DAMPING), a)(b.float()).value
    assert found.dtype == torch.float32
    expected, _ = dense(case, True)
    assert error(found.numpy(), np.linalg.solve(expected, b.numpy())) < 1e-4


def test_blocks_of_examples_do_not_matter(monkeypatch):
    case = example("cnn")
    b = torch.as_tensor(np.random.default_rng(0).normal(size=(case.fitted.size, 3)))
    whole = made(case, "ekfac").apply(b)
    monkeypatch.setattr(matrix, "LAYER_BYTES", 5_000)
    assert len(list(network_curvature(case.fitted, "gauss_newton", 0.1).layered().blocks())) > 3
    np.testing.assert_allclose(made(case, "ekfac").apply(b), whole, rtol=1e-9, atol=1e-11)


@corrections
def test_without_layers_or_without_damping_a_sentence(solver):
    case = example("normalised")
    with pytest.raises(SettingsError, match="with linear or convolutional layers"):
        factor(SolverSettings(solver), curvature_of(case.fitted, SolverSettings())).apply(
            torch.zeros(case.fitted.size, 1)
        )
    bare = example("mlp", l2=0.0)
    with pytest.raises(SingularError, match="set a damping"):
        made(bare, solver, 0.0).apply(torch.zeros(bare.fitted.size, 1, dtype=torch.float64))


@pytest.mark.parametrize("name", PRECONDITIONERS)
def test_conjugate_gradients_with_any_preconditioner_solve_the_same_system(name):
    case = example("mlp", n=60)
    a = network_curvature(case.fitted, "gauss_newton", 0.01)
    b = torch.as_tensor(np.random.default_rng(2).normal(size=(a.size, 4)))
    b[:, 2] = 0
    h = case.gauss_newton + 0.01 * np.eye(a.size)
    found = factor(SolverSettings("cg", 0.01, (("preconditioner", name),)), a)(b)
    assert found.converged
    assert error(found.value.numpy(), np.linalg.solve(h, b.numpy())) < 1e-4  # as exact as differences of f are
    assert found.note.startswith("Preconditioner") and "(set by hand)" in found.note


def test_ekfac_can_save_products_but_is_no_automatic_choice():
    case = example("cnn", n=60)
    a = network_curvature(case.fitted, "gauss_newton", 1e-4)
    b = torch.as_tensor(np.random.default_rng(2).normal(size=(a.size, 1)))
    plain, better, best, chosen = (
        factor(SolverSettings("cg", 1e-4, (("preconditioner", name), ("tolerance", 1e-5))), a)(b)
        for name in ("none", "ekfac", "leading", "auto")
    )
    assert "EK-FAC" in better.note
    assert better.products < 0.9 * plain.products
    assert best.products < better.products
    assert chosen.note == best.note.replace(
        "set by hand", "they hold most of a network's curvature and cost no product"
    )
