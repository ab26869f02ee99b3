"""Small networks in float64 and slow references: a plain module holds the parameters, derivatives are differences."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from problems import examples
from torch import nn

from influence_core.models import Batch, FittedModel, Network
from influence_core.models.fitting import Fit
from influence_core.models.losses import Softmax, Squared

MODULES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)), (3,), 3),
    "no bias": (lambda: nn.Sequential(nn.Linear(3, 5, bias=False), nn.Tanh(), nn.Linear(5, 2)), (3,), 2),
    "deep": (
        lambda: nn.Sequential(
            nn.Linear(3, 4),
            nn.ReLU(inplace=True),
            nn.Sequential(nn.Linear(4, 3, bias=False), nn.Dropout(), nn.GELU()),
            nn.Linear(3, 3),
        ),
        (3,),
        3,
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(2 * 2 * 2, 3)
        ),
        (1, 4, 4),
        3,
    ),
    "normalised": (lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)), (3,), 3),
    "positions": (
        lambda: nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6, 3)),
        (2, 2),
        3,
    ),
    "every position": (lambda: nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), (2, 2), 4),
    "regression": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), (3,), 0),
}
LAYERED = [name for name in MODULES if name != "normalised"]


@dataclass(frozen=True)
class Example:
    """A network near a minimum, with n training and m test points."""

    fitted: FittedModel
    test: Batch

    def outputs(self, theta, x):
        """f by a plain module that holds θ."""
        module = MODULES_OF[id(self.fitted.model)]().double().eval()
        nn.utils.vector_to_parameters(torch.as_tensor(theta), module.parameters())
        with torch.no_grad():
            return module(torch.as_tensor(x).view(len(x), *self.fitted.model.shape)).flatten(1).numpy()

    def jacobian(self, x, step=1e-6):
        """(n, K, p) by central differences."""
        theta, columns = self.fitted.theta.numpy(), []
        for k in range(len(theta)):
            shift = np.zeros_like(theta)
            shift[k] = step
            columns.append((self.outputs(theta + shift, x) - self.outputs(theta - shift, x)) / (2 * step))
        return np.stack(columns, -1)

    def chances(self, f):
        e = np.exp(f - f.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def losses(self, theta, x, y):
        f = self.outputs(theta, x)
        if f.shape[1] == 1:
            return (f[:, 0] - y) ** 2
        return -np.log(self.chances(f)[np.arange(len(y)), y.astype(int)])

    @cached_property
    def penalised(self):
        parts = [np.full(v.numel(), float(v.dim() > 1)) for v in self.fitted.model.module.parameters()]
        return np.concatenate(parts)

    def slope(self, theta, a=None, step=1e-5):
        """∇J by central differences."""
        x, y = self.fitted.train.x.numpy(), self.fitted.train.y.numpy()
        a = np.ones(len(y)) if a is None else a

        def j(z):
            return a @ self.losses(z, x, y) / len(y) + self.fitted.model.l2 / 2 * (self.penalised * z) @ z

        found = np.empty_like(theta)
        for k in range(len(theta)):
            shift = np.zeros_like(theta)
            shift[k] = step
            found[k] = (j(theta + shift) - j(theta - shift)) / (2 * step)
        return found

    def residuals(self, f, y):
        return 2 * (f - y[:, None]) if f.shape[1] == 1 else self.chances(f) - np.eye(f.shape[1])[y.astype(int)]

    def gradients(self, batch):
        """(n, p) from explicit Jacobians."""
        x, y = batch.x.numpy(), batch.y.numpy()
        return np.einsum("nk,nkp->np", self.residuals(self.outputs(self.fitted.theta.numpy(), x), y), self.jacobian(x))

    @cached_property
    def gauss_newton(self):
        """(1/n) Σ JᵀCJ + l2·D from explicit Jacobians."""
        x = self.fitted.train.x.numpy()
        f, jacobian = self.outputs(self.fitted.theta.numpy(), x), self.jacobian(x)
        p = self.chances(f)
        c = (
            np.full((*f.shape, 1), 2.0)
            if f.shape[1] == 1
            else p[:, :, None] * np.eye(f.shape[1]) - p[:, :, None] * p[:, None]
        )
        h = np.einsum("nap,nab,nbq->pq", jacobian, c, jacobian) / len(x)
        return h + self.fitted.model.l2 * np.diag(self.penalised)


MODULES_OF = {}


@cache
def example(kind, n=30, m=5, l2=0.01, steps=200, seed=0):
    make, shape, classes = MODULES[kind]
    torch.manual_seed(seed)
    module = make()
    data = examples(classes, n=n + m, d=int(np.prod(shape)), seed=seed)
    model = Network(module, Softmax(classes) if classes else Squared(), l2, shape, torch.float64)
    MODULES_OF[id(model)] = make
    everything = model.batch(data, torch.device("cpu"))
    train, test = everything.take(slice(0, n)), everything.take(slice(n, None))
    theta = model.start()
    for _ in range(steps):
        theta = theta - 0.2 * model.objective(theta, train)[1]
    norm = float(model.objective(theta, train)[1].norm())
    return Example(FittedModel(model, train, Fit(theta, "descent", norm, 1e-6, ())), test)
