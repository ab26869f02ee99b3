"""Models of one's own: risks against SciPy refits, modules against ours, packages through entry points."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import error, slope
from scipy.optimize import minimize
from torch import nn

from influence_core import wrap
from influence_core.analysis import MODELS
from influence_core.influence.effects import perturbation_change, relabel_change
from influence_core.models import NETWORK
from influence_core.models.criteria import OwnLoss
from influence_core.models.losses import Softmax, Squared
from influence_core.settings import SettingsError

ROOT = Path(__file__).parents[2]
L2 = 0.02


def poisson(theta, x, y):
    return (x @ theta).exp() - y * (x @ theta)


def huber(theta, x, y):
    return nn.functional.huber_loss(x @ theta, y, delta=0.7)


def logcosh(theta, x, y):
    return (x @ theta - y).cosh().log()


VALUES = {
    "poisson": lambda f, y: np.exp(f) - y * f,
    "huber": lambda f, y: np.where(np.abs(f - y) <= 0.7, (f - y) ** 2 / 2, 0.7 * (np.abs(f - y) - 0.35)),
    "logcosh": lambda f, y: np.log(np.cosh(f - y)),
}
RISKS = {"poisson": poisson, "huber": huber, "logcosh": logcosh}
risks = pytest.mark.parametrize("name", RISKS)


def arrays(name, n=60, m=8):
    random = np.random.default_rng(1)
    x = np.hstack([random.normal(size=(n + m, 2)), np.ones((n + m, 1))])
    f = x @ [0.5, -0.4, 0.3]
    y = random.poisson(np.exp(f)).astype(float) if name == "poisson" else f + random.standard_t(3, size=n + m)
    return (x[:n], y[:n]), (x[n:], y[n:])


def reference(name, x, y, a):
    def j(theta):
        return a @ VALUES[name](x @ theta, y) / len(x) + L2 / 2 * theta @ theta

    theta = np.zeros(3)
    for _ in range(5):
        theta = minimize(j, theta, method="BFGS", options={"gtol": 1e-10}).x
    return theta


@risks
def test_a_risk_is_fitted_to_its_minimum(name):
    (x, y), test = arrays(name)
    problem = wrap(RISKS[name], np.zeros(3), l2=L2).analyse(x, y, *test).problem
    assert problem.fitted.fit.converged
    np.testing.assert_allclose(problem.fitted.theta, reference(name, x, y, np.ones(len(x))), atol=1e-5)
    np.testing.assert_allclose(
        problem.fitted.model.losses(problem.fitted.theta, problem.test),
        VALUES[name](test[0] @ problem.fitted.theta.numpy(), test[1]),
        rtol=1e-12,
    )


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_risk_in_any_unit_is_fitted(scale):
    (x, y), test = arrays("huber")
    found = wrap(lambda t, x, y: (x @ t - y) ** 2, np.zeros(3), l2=L2).analyse(x, y * scale, test[0], test[1] * scale)
    assert found.problem.fitted.fit.converged
    expected = np.linalg.solve(x.T @ x / len(x) * 2 + L2 * np.eye(3), x.T @ y / len(x) * 2)
    np.testing.assert_allclose(found.problem.fitted.theta / scale, expected, rtol=1e-8)


@risks
def test_influence_of_a_risk_against_refits_and_its_refits_against_scipy(name):
    (x, y), test = arrays(name)
    analysis = wrap(RISKS[name], np.zeros(3), l2=L2).analyse(x, y, *test)
    refits = analysis.problem.loo()
    base = VALUES[name](test[0] @ reference(name, x, y, np.ones(len(x))), test[1])
    for row in (0, 17):
        a = np.ones(len(x))
        a[row] = 0
        expected = VALUES[name](test[0] @ reference(name, x, y, a), test[1]) - base
        assert error(refits.change[row], expected) < 1e-3
    everywhere = [slope(refits.change[:, j], analysis.scores([j])[:, 0]) for j in range(len(test[1]))]
    assert 0.95 < np.median(everywhere) < 1.4  # few points, some of high leverage: first order under-estimates them
    assert np.median([analysis.agreement(refits, j).r.value for j in range(len(test[1]))]) > 0.95


@pytest.mark.parametrize("name", ["poisson", "logcosh"])
def test_relabelling_and_perturbing_a_risk(name):
    (x, y), test = arrays(name)
    analysis = wrap(RISKS[name], np.zeros(3), l2=L2).analyse(x, y, *test)
    influence, watched, h = analysis.influence, analysis.watched(), 1e-3
    labels = np.zeros(len(y), dtype=np.int64)
    found = relabel_change(influence, watched, labels)
    model, fitted = analysis.problem.fitted.model, analysis.problem.fitted
    solved = influence.solve(watched.gradient).value
    ones = torch.ones(len(y), 1, dtype=torch.float64)
    moved = model.relabelled(fitted.train, torch.zeros(len(y), dtype=torch.float64))
    there = fitted.linearised.pullback(moved.x, ones) - fitted.linearised.pullback(fitted.train.x, ones)
    assert error(found, (-(there @ solved) / len(y)).numpy()) < 1e-8
    ends = []
    for step in (h, -h):
        shifted = x.copy()
        shifted[4, 1] += step
        theta = reference(name, shifted, y, np.ones(len(x)))
        ends.append(VALUES[name](test[0] @ theta, test[1]))
    assert error(perturbation_change(influence, watched, np.array([4]))[0, 1], (ends[0] - ends[1]) / (2 * h)) < 0.02


def test_a_module_as_it_is_scores_but_cannot_be_refitted():
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    y = np.arange(30) % 3
    module = nn.Sequential(nn.Linear(4, 3))
    analysis = wrap(module, nn.CrossEntropyLoss()).analyse(x[:20], y[:20], x[20:], y[20:], damping=0.1)
    assert isinstance(analysis.problem.fitted.model.loss, Softmax)
    logits = module(torch.as_tensor(x[20:])).detach()
    np.testing.assert_allclose(analysis.problem.predictions, torch.softmax(logits, 1), atol=1e-6)
    assert np.isfinite(analysis.scores()).all()
    with pytest.raises(SettingsError, match="was not trained here"):
        analysis.problem.loo()


def test_an_unknown_criterion_gives_the_scores_of_the_known_one():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 2)), random.integers(0, 3, 30)
    module = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3)).double()

    def own(f, target):
        return -torch.log_softmax(f, 1)[torch.arange(len(f)), target].mean()

    known, mine = (
        wrap(module, criterion).analyse(x[:20], y[:20], x[20:], y[20:], damping=0.05)
        for criterion in (nn.functional.cross_entropy, own)
    )
    assert isinstance(mine.problem.fitted.model.loss, OwnLoss)
    assert error(mine.scores(), known.scores()) < 1e-9
    np.testing.assert_array_equal(mine.problem.misclassified, known.problem.misclassified)


def test_pictures_and_regression_modules():
    random = np.random.default_rng(0)
    pictures, y = random.normal(size=(24, 1, 6, 6)), random.normal(size=24)
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 1))
    analysis = wrap(module, nn.MSELoss(), fit="adamw", epochs=3).analyse(pictures[:20], y[:20], pictures[20:], y[20:])
    assert isinstance(analysis.problem.fitted.model.loss, Squared)
    assert len(analysis.problem.fitted.linearised.layers) == 2
    assert analysis.scores().shape == (20, 4)


def test_what_cannot_be_wrapped_says_why():
    module, x, y = nn.Linear(3, 2), np.zeros((4, 3)), np.zeros(4, dtype=int)
    with pytest.raises(SettingsError, match="fit: expected one of given, sgd, adamw, got 'newton'"):
        wrap(module, nn.CrossEntropyLoss(), fit="newton")
    with pytest.raises(SettingsError, match="Unknown option 'lr'"):
        wrap(module, nn.CrossEntropyLoss(), lr=0.1)
    with pytest.raises(SettingsError, match="does not take examples of shape"):
        wrap(module, nn.CrossEntropyLoss()).analyse(x[:, :2], y, x[:, :2], y)
    with pytest.raises(SettingsError, match="expected 2 to 2 classes"):
        wrap(module, nn.CrossEntropyLoss()).analyse(x, y + 5, x, y)
    with pytest.raises(SettingsError, match=r"Expected y of shape \(4,\)"):
        wrap(module, nn.CrossEntropyLoss()).analyse(x, y[:3], x, y)


PLUGIN = """
import numpy as np, torch
from influence_core import wrap
from influence_core.data import Dataset, Source, Table

cubic = wrap(lambda theta, x, y: (x @ theta - y).abs() ** 3, torch.zeros(2), l2=0.1)

def make(options, seed):
    x = np.random.default_rng(seed).normal(size=(40, 2))
    ids = np.array([f"own-{k}" for k in range(40)])
    return Table(Dataset(x, x @ [1.0, -1.0], ids, ("a", "b"), ()))

spiral = Source(title="Own data", summary="made up", task="regression", make=make)
"""
ASK = """
from influence_core.analysis import DATASETS, MODELS, analyse
from influence_core.settings import DataSettings, ModelSettings, Settings
found = analyse(Settings(DataSettings("own_data"), ModelSettings("own_cubic", 0.1)))
print(found.scores([0]).shape, found.problem.fitted.fit.converged, "broken" in MODELS, DATASETS["own_data"].title)
"""


@pytest.mark.slow
def test_a_package_adds_models_and_data_through_entry_points(tmp_path):
    (tmp_path / "own_models.py").write_text(PLUGIN, encoding="utf-8")
    facts = tmp_path / "own_models-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own-models\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text(
        "[influence_explorer.models]\nown_cubic = own_models:cubic\nbroken = no_such_module:thing\n"
        "logistic = own_models:cubic\n[influence_explorer.datasets]\nown_data = own_models:spiral\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        timeout=300,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": "", "INFLUENCE_DATA_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["(36,", "1)", "True", "False", "Own", "data"]
    assert "could not be loaded" in done.stderr
    assert "logistic is no ModelEntry or its name is taken" in done.stderr


def test_the_wrapped_entry_is_a_model_of_the_registry():
    entry = wrap(poisson, np.zeros(3), l2=L2).entry
    assert isinstance(entry, type(MODELS["mlp"]))
    assert entry.kind is NETWORK
    assert (entry.fits, entry.l2) == (("newton",), L2)
