"""Small problems of every kind that the registries offer, with their slow reference beside them."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from oracles import Reference

from influence_core.data import Dataset
from influence_core.influence.estimators import ESTIMATORS
from influence_core.influence.watched import Influence, watch
from influence_core.models import LINEAR as LINEAR_KIND
from influence_core.models import MODELS, QUANTITIES, Batch, FittedModel, build
from influence_core.models.fitting import newton
from influence_core.models.losses import Logistic, SmoothedHinge, Softmax, Squared
from influence_core.settings import ModelSettings, SolverSettings

CPU = torch.device("cpu")
T = 0.5
# A new model is tested everywhere as soon as its loss has a slow reference in oracles.py and a line here.
KINDS = {Squared: "squared", Logistic: "logistic", SmoothedHinge: "hinge", Softmax: "softmax"}
LINEAR = [name for name, entry in MODELS.items() if entry.kind is LINEAR_KIND]  # networks have tests of their own
ESTIMATES = [name for name, entry in ESTIMATORS.items() if LINEAR_KIND in entry.kinds]
CLASSIFIERS = [name for name in LINEAR if name not in {"ridge", "linear"}]
TOTALS = (1, 10, 1000)  # n·l2
CERTIFICATE = 1e-6


def examples(classes, n=40, d=3, seed=0):
    """Overlapping classes, or a noisy plane for ``classes`` = 0."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, d)) * np.linspace(0.5, 2, d)
    theta = random.normal(size=(d, max(classes, 1)))
    if classes == 0:
        y = x @ theta[:, 0] + 0.5 + 0.7 * random.normal(size=n)
    else:
        y = (0.5 * x @ theta + random.gumbel(size=(n, classes))).argmax(1)
        y[: 2 * classes] = np.arange(2 * classes) % classes
    ids = np.array([f"row-{row}" for row in range(n)])
    return Dataset(x, y, ids, tuple(f"x{k}" for k in range(d)), tuple(f"class {k}" for k in range(classes)))


def fitting_data(name, **size):
    """Data that the model is for; of several kinds the one with most classes."""
    offered = [examples(classes, **size) for classes in (0, 2, 3)]
    return [data for data in offered if MODELS[name].applies(data)][-1]


@dataclass(frozen=True)
class Problem:
    """A fitted model, test examples, and the slow reference of the same objective."""

    fitted: FittedModel
    test: Batch
    data: Dataset

    @cached_property
    def reference(self):
        model, train = self.fitted.model, self.fitted.train
        return Reference(
            KINDS[type(model.loss)],
            train.x.numpy(),
            train.y.numpy(),
            model.l2,
            model.intercept,
            model.fold_penalty,
            getattr(model.loss, "t", T),
            model.loss.outputs,
        )

    @property
    def theta(self):
        return self.fitted.theta.numpy()

    @property
    def asked(self):
        return self.test.x.numpy(), self.test.y.numpy()

    @cached_property
    def truth(self):
        """(n, m) loss changes measured by refits on row-deleted data."""
        reference = self.reference
        return np.stack([reference.changes(theta, self.theta, self.asked) for theta in self.deleted])

    @cached_property
    def deleted(self):
        """θ without every row."""
        return [self.reference.without(i) for i in range(self.reference.n)]

    def influence(self, solver="cholesky", damping=0.0, **options):
        return Influence(self.fitted, SolverSettings(solver, damping, tuple(options.items())))

    def watch(self, quantity="loss", target=-1, combine=None):
        return watch(self.fitted, self.test, quantity, target, combine)


def fitted_on(name, data, **settings):
    model = build(ModelSettings(name, **settings), data)
    train = model.batch(data, CPU)
    return FittedModel(model, train, newton(model, train))


@cache
def problem(name, total=10.0, n=40, d=3, seed=0, m=6, t=T, **settings):
    """A model on its small data with n·l2 = ``total`` and m test points; shared by all tests, which only read it."""
    data = fitting_data(name, n=n + m, d=d, seed=seed)
    train, test = data.take(np.arange(n)), data.take(np.arange(n, n + m))
    options = (("t", t),) if "t" in {option.name for option in MODELS[name].options} else ()
    fitted = fitted_on(name, train, l2=total / n, options=options, **settings)
    return Problem(fitted, fitted.batch(test), train)


# Which quantities each model defines.
DEFINED = [
    (name, key)
    for name in LINEAR
    for key, quantity in QUANTITIES.items()
    if quantity.applies(build(ModelSettings(name), fitting_data(name)).loss)
]
