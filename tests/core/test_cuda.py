"""One code path for both devices: what a GPU computes equals what the CPU computes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import error
from problems import ESTIMATES, LINEAR, Problem, problem

from influence_core.analysis import analyse
from influence_core.influence.effects import group_change, parameter_change, perturbation_change, relabel_change
from influence_core.influence.estimators import scores, self_influence
from influence_core.influence.watched import Influence
from influence_core.models import Batch, FittedModel
from influence_core.models.fitting import newton
from influence_core.retraining import Question, leave_groups_out, leave_one_out
from influence_core.settings import DataSettings, ModelSettings, Settings
from influence_core.solvers import SOLVERS

if not torch.cuda.is_available():
    pytest.skip("this machine has no CUDA device", allow_module_level=True)

models = pytest.mark.parametrize("name", LINEAR)
folds = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
GROUPS = (np.array([0, 7]), np.arange(10, 30))


def on_both(name, fold=False):
    """The same fit on both devices, so that only what follows may differ."""
    here = problem(name, fold_penalty=fold)
    train, test = (Batch(part.x.cuda(), part.y.cuda()) for part in (here.fitted.train, here.test))
    fit = replace(here.fitted.fit, theta=here.fitted.theta.cuda())
    return here, Problem(FittedModel(here.fitted.model, train, fit), test, here.data)


@models
def test_fits(name):
    here, there = on_both(name)
    found = newton(there.fitted.model, there.fitted.train)
    assert found.converged
    assert found.theta.is_cuda
    np.testing.assert_allclose(found.theta.cpu(), here.fitted.theta, atol=1e-8)


@models
@folds
@pytest.mark.parametrize("estimator", ESTIMATES)
@pytest.mark.parametrize("solver", [name for name, entry in SOLVERS.items() if entry.kind in {"exact", "baseline"}])
def test_scores(name, fold, estimator, solver):
    values = []
    for example in on_both(name, fold):
        if solver == "identity" and estimator == "newton":
            return
        values.append(scores(example.influence(solver, damping=0.01), example.watch(), estimator))
    assert error(values[1], values[0]) < (1e-6 if solver == "cg" else 1e-9)


@models
@folds
def test_leave_one_out(name, fold):
    here, there = on_both(name, fold)
    expected, found = (leave_one_out(e.fitted, Question(e.test), keep=True) for e in (here, there))
    assert found.certified.all()
    assert error(found.change, expected.change) < 1e-6
    if name in {"ridge", "linear"}:
        assert error(found.change, expected.change) < 1e-9
    groups = [leave_groups_out(e.fitted, Question(e.test), GROUPS).change for e in (here, there)]
    assert error(groups[1], groups[0]) < 1e-5


@models
def test_other_effects(name):
    here, there = on_both(name)
    rows = np.arange(5)
    for newton_step in (False, True):
        found = [self_influence(e.influence(), newton_step) for e in (here, there)]
        assert error(found[1], found[0]) < 1e-9
        found = [parameter_change(e.influence(), rows, newton_step) for e in (here, there)]
        assert error(found[1], found[0]) < 1e-9
        found = [group_change(e.influence(), e.watch(), GROUPS, newton_step) for e in (here, there)]
        assert error(found[1], found[0]) < 1e-8
        if here.data.classes:
            labels = (here.data.y + 1) % here.data.classes
            found = [relabel_change(e.influence(), e.watch(), labels, newton_step) for e in (here, there)]
            assert error(found[1], found[0]) < 1e-9
    found = [perturbation_change(e.influence(), e.watch(), rows) for e in (here, there)]
    assert error(found[1], found[0]) < 1e-9


@pytest.mark.parametrize("estimator", ["unrolled", "projection"])
def test_networks(estimator):
    """The same run on both devices, and what is made of it."""
    options = (("activation", "tanh"), ("epochs", 4), ("learning_rate", 0.01), ("precision", "float64"), ("width", 8))
    settings = Settings(DataSettings("blobs", (("n", 80),)), ModelSettings("mlp", 0.001, options=options))
    found = []
    for device in ("cpu", "cuda"):
        analysis = analyse(settings, device)
        found.append(scores(Influence(analysis.problem.fitted, settings.solver), analysis.watched(), estimator))
    assert error(found[1], found[0]) < 1e-8
