"""Modules and oracles that several tests of what people bring share."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from influence_core import wrap

DAMPING, N, M = 0.5, 12, 4


RANDOM = np.random.default_rng(0)


X, SEQUENCES, PICTURES = (RANDOM.normal(size=(N + M, *shape)) for shape in ((4,), (5, 4), (2, 5, 5)))


WORDS = RANDOM.integers(0, 7, (N + M, 3))


Y = np.arange(N + M) * 7 % 3


BITS, REAL, SOFT = Y % 2, RANDOM.normal(size=N + M), RANDOM.uniform(size=N + M)


CE, BCE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()


class Own(nn.Module):
    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


class Doubling(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x) + self.weight[:, 0]


class Blurred(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) + super().forward(x.flip(-1))


def net(outputs=3, *behind):
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs), *behind)


def changed(make, change):
    module = make()
    change(module)
    return module


def hook(module, kind, function):
    getattr(module[0], kind)(function)


def tie(module):
    module.b.weight = module.a.weight


def by_numpy(s, x):
    return s.b(torch.tanh(s.a(x))) + torch.as_tensor(np.sign(x.detach().numpy())[:, :3])


def by_branch(s, x):
    return s.b(torch.stack([torch.tanh(z) if z.sum() > 0 else z for z in s.a(x)]))


def without_grad(s, x):
    with torch.no_grad():
        h = torch.tanh(s.a(x))
    return s.b(h)


def two(run, outputs=3, width=4):
    return Own(run, a=nn.Linear(4, width), b=nn.Linear(width, outputs))


def read_last(kind, **options):
    return Own(lambda s, x: s.b(s.a(x)[0][:, -1]), a=kind(4, 3, batch_first=True, **options), b=nn.Linear(3, 3))


def tripled(self, x):
    return functional.linear(x, self.weight) * 3


def attending(s, x):
    return s.b(s.a(x, x, x, need_weights=False)[0].mean(1))


def by_cells(s, x):
    h = x.new_zeros(len(x), 3), x.new_zeros(len(x), 3)
    for t in range(x.shape[1]):
        h = s.a(x[:, t], h)
    return s.b(h[0])


def low_rank():
    module = Own(
        lambda s, x: s.b(torch.tanh(s.a(x) + x @ s.down @ s.up)), a=nn.Linear(4, 5), b=nn.Linear(5, 3),
        down=nn.Parameter(torch.randn(4, 2)), up=nn.Parameter(torch.randn(2, 5)),
    )  # fmt: skip
    module.a.requires_grad_(False)
    return module


def convolving(*behind):
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 3), *behind)


def made(make):
    torch.manual_seed(1)
    return make().double().eval()


def cross_entropy(f, y):
    return functional.cross_entropy(f, y, reduction="none")


def plain_weight_norm(module):
    """The module with weight norms as elementary operations, because torch's own second derivative is wrong."""
    for part in module.modules():
        if isinstance(part, nn.utils.parametrizations._WeightNorm):
            part.forward = lambda g, v, dim=part.dim: (
                v * g / v.pow(2).sum([k for k in range(2) if k != dim], True) ** 0.5
            )
        for each in part._forward_pre_hooks.values():
            if isinstance(each, nn.utils.weight_norm.__globals__["WeightNorm"]):
                each.compute_weight = lambda m: m.weight_v * m.weight_g / m.weight_v.pow(2).sum(1, True) ** 0.5
    return module


class Oracle:
    """Per-example losses, gradients, and both matrices by plain autograd, one example and one entry at a time."""

    def __init__(self, module, losses, x, y, whole=False):
        self.module, self.losses = module, losses
        self.x = torch.as_tensor(x) if whole else torch.as_tensor(x, dtype=torch.float64)
        self.y = torch.as_tensor(y)
        self.free = [value for value in module.parameters() if value.requires_grad]
        found = torch.autograd.grad(self.outputs(0).sum(), self.free, allow_unused=True)
        self.free = [value for value, g in zip(self.free, found, strict=True) if g is not None]

    def outputs(self, i):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            found = self.module(self.x[i : i + 1])
        while not isinstance(found, torch.Tensor):
            found = found.get("logits", next(iter(found.values()))) if isinstance(found, dict) else found[0]
        return found

    def slope(self, value, keep=False):
        if not value.requires_grad:
            return torch.zeros(sum(p.numel() for p in self.free), dtype=torch.float64)
        found = torch.autograd.grad(value, self.free, create_graph=keep, retain_graph=True, allow_unused=True)
        return torch.cat(
            [(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(found, self.free, strict=True)]
        )

    def loss(self, i, f=None):
        return self.losses(self.outputs(i) if f is None else f, self.y[i : i + 1]).sum()

    def gradients(self, rows):
        return torch.stack([self.slope(self.loss(i)) for i in rows])

    def gauss_newton(self, i):
        f = self.outputs(i)
        j = torch.stack([self.slope(value) for value in f.reshape(-1)])
        c = torch.autograd.functional.hessian(lambda z: self.loss(i, z.view(f.shape)), f.detach().reshape(-1))
        values, sides = torch.linalg.eigh(c)
        return j.T @ (sides * values.clamp(min=0)) @ sides.T @ j

    def hessian(self, i):
        return torch.stack([self.slope(value) for value in self.slope(self.loss(i), keep=True)])

    def scores(self, curvature):
        matrix = sum(map(self.hessian if curvature == "exact" else self.gauss_newton, range(N))) / N
        matrix = matrix + DAMPING * torch.eye(len(matrix), dtype=torch.float64)
        g, q = self.gradients(range(N)), self.gradients(range(N, N + M))
        return (g @ torch.linalg.solve(matrix, q.T) / N).numpy()


def asked(module, criterion, x, y, curvature="gauss_newton", solver="eigh", damping=DAMPING):
    return wrap(module, criterion).analyse(
        x[:N], y[:N], x[N:], y[N:], damping=damping, curvature=curvature, solver=solver
    )


WEIGHT, TWO = torch.tensor([1.0, 5.0, 20.0]).double(), torch.tensor([3.0]).double()


SIGNS, TEXTS = BITS * 2 - 1, np.array(["ant", "bee", "cat"])[Y]


def each(function, **options):
    return lambda f, y: function(f, y, reduction="none", **options)


one, three, pair = (lambda: net(1)), (lambda: net(3)), (lambda: net(2))


def matrix(theta, x, y):
    return torch.logsumexp(theta @ x, 0) - (theta @ x)[1] * y


def dropping(s, x):
    return s.b(functional.dropout(torch.tanh(s.a(x))))
