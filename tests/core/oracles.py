"""Slow, obvious NumPy versions of what the core computes; they share no code with it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC


def sigma(z):
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def softmax(f):
    e = np.exp(f - f.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def value(kind, f, y, t=0.5):
    """ℓ for one example, f (K,), or for many, f (n, K)."""
    if kind == "squared":
        return (f[..., 0] - y) ** 2
    if kind == "logistic":
        return np.logaddexp(0, f[..., 0]) - y * f[..., 0]
    if kind == "hinge":
        return t * np.logaddexp(0, (1 - (2 * y - 1) * f[..., 0]) / t)
    return -np.log((softmax(f) * truths(f, y)).sum(-1))


def truths(f, y):
    """One-hot labels."""
    return np.eye(f.shape[-1])[np.asarray(y, dtype=int)]


def residual(kind, f, y, t=0.5):
    """∂ℓ/∂f, like f."""
    if kind == "squared":
        return 2 * (f - np.expand_dims(y, -1))
    if kind == "logistic":
        return sigma(f) - np.expand_dims(y, -1)
    if kind == "hinge":
        sign = np.expand_dims(2 * y - 1, -1)
        return -sign * sigma((1 - sign * f) / t)
    return softmax(f) - truths(f, y)


def curvature(kind, f, y, t=0.5):
    """∂²ℓ/∂f², (..., K, K)."""
    if kind == "squared":
        return np.full((*f.shape, 1), 2.0)
    if kind == "logistic":
        return (sigma(f) * sigma(-f))[..., None]
    if kind == "hinge":
        z = (1 - np.expand_dims(2 * y - 1, -1) * f) / t
        return (sigma(z) * sigma(-z) / t)[..., None]
    p = softmax(f)
    return np.eye(p.shape[-1]) * p[..., None] - p[..., :, None] * p[..., None, :]


def quantity(kind, name, f, y, t=0.5, target=-1):
    """The watched quantity, written out for every kind of model."""
    if name == "loss":
        return value(kind, f, y, t)
    if name == "margin":
        return (2 * y - 1) * f[0] if kind != "softmax" else np.log(softmax(f)[int(y)] / (1 - softmax(f)[int(y)]))
    if kind in {"squared", "hinge"}:
        return f[0]
    chances = softmax(f) if kind == "softmax" else np.array([sigma(-f[0]), sigma(f[0])])
    if name == "probability":
        return chances[int(y) if target < 0 else target]
    return chances[target]


def centred(function, x, step=1e-6):
    """Central differences of a scalar function, one coordinate after the other."""
    x = np.asarray(x, dtype=float)
    result = np.empty_like(x)
    for k in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[k] += step
        down[k] -= step
        result[k] = (function(up) - function(down)) / (2 * step)
    return result


def fourth_order(function, h):
    """Derivative at 0 with an error of h⁴."""
    return (8 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / (12 * h)


@dataclass(frozen=True)
class Reference:
    """J(θ; a) = (1/n) Σ a_i ℓ_i + (l2/2)‖θ_penalised‖², as it is written; x has its intercept column."""

    kind: str
    x: np.ndarray
    y: np.ndarray
    l2: float
    intercept: bool = True
    fold: bool = False
    t: float = 0.5
    outputs: int = 1

    @property
    def n(self):
        return len(self.x)

    @property
    def penalised(self):
        mask = np.ones((self.outputs, self.x.shape[1]))
        if self.intercept:
            mask[:, -1] = 0
        return mask.ravel()

    def f(self, theta, x):
        return theta.reshape(self.outputs, -1) @ x

    def loss(self, theta, x, y):
        return value(self.kind, self.f(theta, x), y, self.t) + self.share(theta)

    def share(self, theta):
        """What ``fold_penalty`` adds to every loss."""
        return self.l2 / 2 * (self.penalised * theta) @ theta if self.fold else 0.0

    def gradient(self, theta, x, y):
        data = np.kron(residual(self.kind, self.f(theta, x), y, self.t), x)
        return data + (self.l2 * self.penalised * theta if self.fold else 0.0)

    def hessian_of(self, theta, x, y):
        data = np.kron(curvature(self.kind, self.f(theta, x), y, self.t), np.outer(x, x))
        return data + (self.l2 * np.diag(self.penalised) if self.fold else 0.0)

    def left(self, a):
        return self.l2 * (np.mean(a) if self.fold else 1.0)

    def all_f(self, theta):
        return self.x @ theta.reshape(self.outputs, -1).T

    def j(self, theta, a=None):
        a = np.ones(self.n) if a is None else a
        data = a @ value(self.kind, self.all_f(theta), self.y, self.t)
        return data / self.n + self.left(a) / 2 * (self.penalised * theta) @ theta

    def dj(self, theta, a=None):
        a = np.ones(self.n) if a is None else a
        data = np.einsum("n,nk,nd->kd", a, residual(self.kind, self.all_f(theta), self.y, self.t), self.x)
        return data.ravel() / self.n + self.left(a) * self.penalised * theta

    def ddj(self, theta, a=None):
        a = np.ones(self.n) if a is None else a
        c = curvature(self.kind, self.all_f(theta), self.y, self.t) * a[:, None, None]
        data = np.einsum("nab,nd,ne->adbe", c, self.x, self.x).reshape(len(theta), -1)
        return data / self.n + self.left(a) * np.diag(self.penalised)

    def solve(self, h, b):
        """h⁻¹b; for softmax on the complement of the direction that changes nothing."""
        if self.kind != "softmax":
            return np.linalg.solve(h, b)
        shift = np.zeros((self.outputs, self.x.shape[1]))
        shift[:, -1] = 1
        shift = shift.ravel() / np.sqrt(self.outputs)
        return np.linalg.solve(h + np.outer(shift, shift), b)

    def minimise(self, a, start):
        """SciPy's trust region with these gradients and Hessians, then Newton steps to rounding."""
        arguments = {"method": "trust-exact", "jac": self.dj, "hess": self.ddj, "args": (a,)}
        theta = minimize(self.j, start, options={"gtol": 1e-9, "maxiter": 2000}, **arguments).x
        for _ in range(6):
            if np.linalg.norm(self.dj(theta, a)) > 1e-15:
                theta = theta - self.solve(self.ddj(theta, a), self.dj(theta, a))
        assert np.linalg.norm(self.dj(theta, a)) < 1e-12
        return theta

    def from_smoother(self, a):
        """A nearly kinked hinge, reached through smoother ones."""
        theta = np.zeros(self.x.shape[1])
        for t in (0.3, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001):
            if t > self.t:
                theta = replace(self, t=t).minimise(a, theta)
        return self.minimise(a, theta)

    def refit(self, rows):
        """θ fitted by scikit-learn (hinge: SciPy) on these rows alone, with the total penalty of the experiment."""
        total = self.l2 * (len(rows) if self.fold else self.n)
        x, y = self.x[rows][:, : self.x.shape[1] - int(self.intercept)], self.y[rows]
        if self.kind == "hinge":
            a = np.zeros(self.n)
            a[rows] = 1
            return self.minimise(a, self.whole) if self.t >= 0.1 else self.from_smoother(a)
        if self.kind == "squared":
            if self.l2 == 0:
                return np.linalg.lstsq(self.x[rows], y, rcond=None)[0]
            fit = Ridge(alpha=total / 2, fit_intercept=self.intercept, solver="cholesky", tol=1e-12).fit(x, y)
        else:
            c = 1 / total if total else np.inf
            fit = LogisticRegression(
                C=c, fit_intercept=self.intercept, solver="newton-cholesky", tol=1e-12, max_iter=500
            ).fit(x, y)
        coefficients = np.atleast_2d(fit.coef_)
        if self.intercept:
            coefficients = np.hstack([coefficients, np.reshape(fit.intercept_, (-1, 1))])
        return coefficients.ravel()

    @cached_property
    def whole(self):
        """SciPy's own fit of the hinge on all examples, from zero."""
        return self.minimise(np.ones(self.n), np.zeros(self.x.shape[1]))

    def without(self, i):
        return self.refit(np.delete(np.arange(self.n), i))

    def changes(self, new, old, test, name="loss", target=-1):
        """Quantity at θ_new minus at θ_old for the test points (x̃, y)."""
        x, y = test
        result = np.empty(len(x))
        for j in range(len(x)):
            after, before = (
                quantity(self.kind, name, self.f(theta, x[j]), y[j], self.t, target) for theta in (new, old)
            )
            result[j] = after - before
            if name == "loss":
                result[j] += self.share(new) - self.share(old)
        return result


def svc_outputs(x, y, total, test):
    """Decision values of the exact hinge, x without the intercept column."""
    fit = SVC(kernel="linear", C=1 / total, tol=1e-10).fit(x, y)
    return fit.decision_function(test)


def slope(measured, predicted):
    """Least-squares slope with intercept of measured on predicted."""
    measured, predicted = np.ravel(measured), np.ravel(predicted)
    return np.polyfit(predicted, measured, 1)[0]


def error(found, truth):
    """Largest difference, relative to the largest true value."""
    return np.abs(np.asarray(found) - truth).max() / np.abs(truth).max()
