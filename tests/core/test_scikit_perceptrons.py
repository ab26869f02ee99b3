"""Perceptrons of scikit-learn against autograd and their own minimum."""

import numpy as np
import pytest
import torch
from made_estimators import REAL, THREE, TWO, M, N, X, analysed, binary, entropy, logistic, numeric, squares
from oracles import error
from sklearn.neural_network import MLPClassifier, MLPRegressor

from influence_core.settings import SettingsError


def mlp(estimator):
    """The network as its documentation writes it, on tensors that autograd follows."""
    free = [torch.tensor(value).requires_grad_() for value in (*estimator.coefs_, *estimator.intercepts_)]
    layers = len(estimator.coefs_)
    bend = {"tanh": torch.tanh, "relu": torch.relu, "logistic": torch.sigmoid, "identity": lambda z: z}
    order = [value for k in range(layers) for value in (free[k], free[layers + k])]

    def f(values, rows):
        h = torch.as_tensor(X[rows])
        for k in range(layers):
            h = h @ values[2 * k] + values[2 * k + 1]
            h = bend[estimator.activation](h) if k < layers - 1 else h
        return h

    return f, tuple(value.detach() for value in order)


LBFGS = {"alpha": 0.5, "solver": "lbfgs", "max_iter": 20_000, "tol": 1e-14}


MLPS = {
    "three classes": (MLPClassifier((4,), activation="tanh", **LBFGS), THREE),
    "two classes": (MLPClassifier((4, 3), activation="logistic", **LBFGS), TWO),
    "target": (MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", **LBFGS), REAL),
    "batches": (MLPClassifier((4,), activation="relu", alpha=0.5, batch_size=12, max_iter=50), THREE),
    "linear": (MLPRegressor(hidden_layer_sizes=(2,), activation="identity", alpha=0.5, max_iter=50), REAL),
}  # fmt: skip


@pytest.mark.parametrize("name", MLPS)
def test_perceptrons_against_autograd_and_their_penalty_against_their_minimum(name):
    estimator, y = MLPS[name]
    estimator = estimator.set_params(random_state=0).fit(X[:N], y[:N])
    analysis = analysed(estimator, y, curvature="exact", damping=9.0)
    f, values = mlp(estimator)
    targets = torch.as_tensor(y)
    loss = {"three classes": entropy, "batches": entropy, "two classes": binary(logistic)}.get(name, numeric(squares))
    fitted = analysis.problem.fitted
    l2 = 0.5 / (12 if name == "batches" else N) * (2 if y is REAL else 1)
    np.testing.assert_allclose(fitted.model.l2, l2)
    if "lbfgs" in estimator.solver:
        assert fitted.fit.gradient_norm < 1e-3 * (2 if y is REAL else 1)

    def unpacked(theta):
        parts = torch.split(theta, [v.numel() for v in values])
        return [part.view(v.T.shape).T if v.dim() == 2 else part for part, v in zip(parts, values, strict=True)]

    def j(theta):
        own = unpacked(theta)
        return loss(f(own, slice(N)), targets[:N]).mean() + l2 / 2 * sum((v**2).sum() for v in own[::2])

    theta = torch.cat([v.T.reshape(-1) for v in values])
    np.testing.assert_array_equal(fitted.theta, theta)
    h = torch.autograd.functional.hessian(j, theta) + 9.0 * torch.eye(len(theta), dtype=torch.float64)
    g, q = (
        torch.autograd.functional.jacobian(lambda t, rows=rows: loss(f(unpacked(t), rows), targets[rows]), theta)
        for rows in (slice(N), slice(N, N + M))
    )
    assert error(analysis.scores(), (g @ torch.linalg.solve(h, q.T) / N).numpy()) < 1e-8
    if y is REAL:
        np.testing.assert_allclose(analysis.problem.predictions[:, 0], estimator.predict(X[N:]))
    else:
        np.testing.assert_allclose(analysis.problem.predictions, estimator.predict_proba(X[N:]), rtol=1e-9)


def test_a_perceptron_can_be_trained_on_and_then_be_refitted():
    estimator = MLPClassifier((4,), max_iter=20, random_state=0).fit(X[:N], TWO[:N])
    analysis = analysed(estimator, TWO, fit="sgd", epochs=3, learning_rate=0.01)
    assert analysis.problem.fitted.program is not None
    assert analysis.problem.loo().change.shape == (N, M)
    with pytest.raises(SettingsError, match="was not trained here"):
        analysed(estimator, TWO).problem.loo()
