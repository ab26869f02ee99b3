"""The unrolled run against central differences of plain torch.optim runs in the weights of the examples."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from problems import examples
from torch import nn

from influence_core.analysis import analyse
from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.influence.estimators import applicable_estimators, scores
from influence_core.influence.unrolled import adjoint, announced, metasmoothness
from influence_core.influence.unrolled import scores as columns
from influence_core.influence.unrolled.adjoint import slopes
from influence_core.influence.unrolled.products import FreeProducts, products_of
from influence_core.influence.unrolled.replay import Replay
from influence_core.influence.watched import Influence, watch
from influence_core.models import Batch, FittedModel, Network
from influence_core.models.losses import Logistic, Softmax, Squared
from influence_core.models.normalised import by_batch
from influence_core.models.training import Optimiser, Program, train
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError, SolverSettings

CPU = torch.device("cpu")
PLAN = Optimiser("sgd", epochs=5, learning_rate=0.1, momentum=0.9, batch_size=8)
STEP = 1e-4


def flat(outputs, activation=nn.Tanh):
    return nn.Sequential(nn.Linear(4, 5), activation(), nn.Linear(5, 4), activation(), nn.Linear(4, outputs))


MODULES = {
    "softmax": (lambda: flat(3), Softmax(3), (4,)),
    "binary": (lambda: flat(1, nn.Softplus), Logistic(), (4,)),
    "squared": (lambda: flat(1, nn.GELU), Squared(), (4,)),
    "relu": (lambda: flat(3, nn.ReLU), Softmax(3), (4,)),
    "no bias": (
        lambda: nn.Sequential(nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)),
        Softmax(3),
        (4,),
    ),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(2, 3)),
        Softmax(3),
        (1, 2, 2),
    ),
    "normalised": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)),
        Softmax(3),
        (4,),
    ),
}
PLANS = {
    "sgd": PLAN,
    "sgd, constant": replace(PLAN, schedule="constant"),
    "sgd, no momentum": replace(PLAN, momentum=0.0, learning_rate=0.3),
    "sgd, whole batch": replace(PLAN, batch_size=100),
    "adamw": replace(PLAN, method="adamw", learning_rate=0.01),
    "adamw, constant": replace(PLAN, method="adamw", learning_rate=0.01, schedule="constant"),
}
VALUES = {
    Softmax: lambda f, y: nn.functional.cross_entropy(f, y.long(), reduction="none"),
    Logistic: lambda f, y: nn.functional.binary_cross_entropy_with_logits(f[:, 0], y, reduction="none"),
    Squared: lambda f, y: (f[:, 0] - y) ** 2,
}


@dataclass(frozen=True)
class Run:
    """A network trained here, and the same run by torch.optim alone, under weights of the examples."""

    fitted: FittedModel
    test: Batch
    module: nn.Module

    def values(self, weights):
        """Losses of the test points at the end of the run."""
        module, model = self.trained(weights), self.fitted.model
        with torch.no_grad():
            f = module(self.test.x.view(len(self.test), *model.shape))
            return VALUES[type(model.loss)](f, self.test.y).numpy()

    def theta(self, weights):
        """Parameters at the end of the run."""
        return nn.utils.parameters_to_vector(self.trained(weights).parameters()).detach()

    def trained(self, weights):
        """The module after the run."""
        plan, model, batch = self.fitted.program.optimiser, self.fitted.model, self.fitted.train
        module = self.module().double()
        nn.utils.vector_to_parameters(model.start(), module.parameters())
        groups = [
            {"params": [p for p in module.parameters() if p.dim() > 1], "weight_decay": model.l2},
            {"params": [p for p in module.parameters() if p.dim() == 1], "weight_decay": 0.0},
        ]
        sgd = plan.method == "sgd"
        step = torch.optim.SGD(groups, lr=1.0, momentum=plan.momentum) if sgd else torch.optim.AdamW(groups, lr=1.0)
        random, values = torch.Generator().manual_seed(self.fitted.program.seed), VALUES[type(model.loss)]
        for epoch in range(self.fitted.fit.epochs):
            share = 0.5 * (1 + np.cos(np.pi * epoch / plan.epochs)) if plan.schedule == "cosine" else 1.0
            for group in step.param_groups:
                group["lr"] = plan.learning_rate * share
            for rows in torch.randperm(len(batch), generator=random).split(plan.batch_size):
                step.zero_grad()
                losses = values(module(batch.x[rows].view(len(rows), *model.shape)), batch.y[rows])
                ((torch.as_tensor(weights)[rows] * losses).sum() / len(rows)).backward()
                step.step()
        return module

    def differences(self, rows):
        """−∂ℓ_j/∂a_i by central differences, (rows, m)."""
        found = []
        for i in rows:
            shift = np.zeros(len(self.fitted.train))
            shift[i] = STEP
            found.append(-(self.values(1 + shift) - self.values(1 - shift)) / (2 * STEP))
        return np.array(found)


def run(kind="softmax", plan=PLAN, l2=0.02, n=30, seed=3):
    make, loss, shape = MODULES[kind]
    torch.manual_seed(seed)
    classes = 0 if isinstance(loss, Squared) else max(2, loss.outputs)
    data = examples(classes, n=n + 14, d=4, seed=seed)
    network = Network(make(), loss, l2, shape, torch.float64)
    everything = network.batch(data, CPU)
    batch = everything.take(slice(0, n))
    program = Program(network, batch, plan, seed)
    fit = train(program, everything.take(slice(n, n + 8)))
    return Run(FittedModel(network, batch, fit, program), everything.take(slice(n + 8, None)), make)


def found(case, task=None, name=""):
    influence = Influence(case.fitted, SolverSettings(), task or Task(), run=name)
    return scores(influence, watch(case.fitted, case.test), "unrolled")


def agree(mine, truth):
    assert np.abs(truth).max() > 1e-6
    assert np.abs(mine - truth).max() <= 1e-5 * np.abs(truth).max()


@pytest.mark.parametrize("plan", PLANS)
def test_every_optimiser_and_schedule_is_differentiated_by_the_weights(plan):
    case, rows = run(plan=PLANS[plan]), [0, 7, 29]
    np.testing.assert_allclose(case.values(np.ones(30)), case.fitted.model.losses(case.fitted.theta, case.test))
    agree(found(case)[rows], case.differences(rows))


@pytest.mark.parametrize("method", ["sgd", "adamw"])
@pytest.mark.parametrize("kind", MODULES)
def test_every_loss_and_kind_of_module_is_differentiated_by_the_weights(kind, method):
    case, rows = run(kind, replace(PLANS[method], epochs=3)), [2, 11]
    written = not isinstance(products_of(case.fitted.model, case.fitted.train.x), FreeProducts)
    assert written == (kind not in {"convolution", "normalised"})
    agree(found(case)[rows], case.differences(rows))


@pytest.mark.parametrize("method", ["sgd", "adamw"])
def test_a_run_that_stopped_early_is_followed_to_the_step_that_was_kept(method):
    plan = replace(PLANS[method], epochs=60, patience=3, learning_rate=0.1 if method == "sgd" else 0.02)
    case = run(plan=replace(plan, schedule="constant"), l2=0.0)
    assert 1 < case.fitted.fit.epochs < len(case.fitted.fit.history) < 60
    agree(found(case)[:3], case.differences(range(3)))


def test_written_out_products_are_those_of_autodiff_traced_or_not(monkeypatch):
    case = run()
    written = found(case)
    for traced in (True, False):
        network = replace(case.fitted.model, traced=traced)
        free = replace(case.fitted, model=network, program=replace(case.fitted.program, network=network))
        monkeypatch.setattr(adjoint, "products_of", lambda network, _x: FreeProducts(network))
        np.testing.assert_allclose(found(replace(case, fitted=free)), written, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("method", ["sgd", "adamw"])
def test_states_to_go_on_from_give_what_keeping_all_gives(method, monkeypatch):
    case = run(plan=PLANS[method])
    whole = found(case)
    replay = Replay(case.fitted.program, case.fitted.start, case.fitted.fit.epochs)
    assert (len(replay.stretches), replay.computed) == (1, replay.steps)
    size = len(case.fitted.theta) * 8
    for room in (0, 8 * size, 15 * size):
        small = replace(replay, room=room)
        assert len(small.stretches) > 1
        assert small.steps < small.computed < 2 * small.steps
        assert small.kept_bytes <= 28 * size
        q = watch(case.fitted, case.test).gradient
        mine = -slopes(small, lambda _end, q=q: q, len(case.test), Task())
        np.testing.assert_allclose(mine, whole, rtol=1e-9, atol=1e-14)


def test_columns_do_not_depend_on_those_beside_them(monkeypatch):
    case = run()
    whole = found(case)
    monkeypatch.setattr(adjoint, "WIDTH", 1)
    monkeypatch.setattr(columns, "MOST", 2)
    np.testing.assert_allclose(found(case), whole, rtol=1e-9, atol=1e-14)
    influence = Influence(case.fitted, SolverSettings())
    mean = torch.full((len(case.test), 1), 1 / len(case.test), dtype=torch.float64)
    watched = watch(case.fitted, case.test, combine=mean)
    np.testing.assert_allclose(scores(influence, watched, "unrolled")[:, 0], whole.mean(1), rtol=1e-9, atol=1e-14)
    monkeypatch.setattr("influence_core.influence.unrolled.products.MOVED_BYTES", 1)  # one example at a time
    np.testing.assert_allclose(found(case), whole, rtol=1e-9, atol=1e-14)


def test_an_example_that_every_pixel_of_is_dark_is_no_special_case():
    case = run()
    x = case.fitted.train.x.clone()
    x[:, 2] = 0
    x[5] = 0
    program = replace(case.fitted.program, batch=Batch(x, case.fitted.train.y))
    dark = replace(case, fitted=FittedModel(case.fitted.model, program.batch, train(program), program))
    agree(found(dark)[[5, 6]], dark.differences([5, 6]))


def test_other_quantities_change_as_they_do_under_weights():
    case = run()
    influence = Influence(case.fitted, SolverSettings())
    margin = scores(influence, watch(case.fitted, case.test, "margin"), "unrolled")
    loss = found(case)
    p = np.exp(-case.fitted.model.losses(case.fitted.theta, case.test).numpy())
    np.testing.assert_allclose(loss, -(1 - p) * margin, rtol=1e-8, atol=1e-12)  # dℓ = −(1 − p) d(log-odds)


def test_leaving_one_out_of_the_same_run_is_predicted_in_size():
    case = run("softmax", replace(PLAN, epochs=8, learning_rate=0.05), n=60)
    measured = Repeated(case.fitted).without(Question(case.test), [np.array([i]) for i in range(60)]).change
    predicted = found(case)
    for j in range(len(case.test)):
        assert np.corrcoef(measured[:, j], predicted[:, j])[0, 1] > 0.95
        assert 0.8 < np.polyfit(predicted[:, j], measured[:, j], 1)[0] < 1.2


def test_finished_columns_are_stored_and_cancel_keeps_them(tmp_path, monkeypatch):
    case, store = run(), ResultStore(tmp_path)
    monkeypatch.setattr(columns, "MOST", 2)
    told = []
    task = Task(store=store)

    def report(done, total):
        told.append((done, total))
        if done > 2.5:
            task.cancel.set()

    with pytest.raises(Cancelled):
        found(case, replace(task, report=report), "run")
    assert 0 == told[0][0] < told[-1][0] < told[-1][1] == len(case.test)
    kept = len(list(tmp_path.glob("*.npz")))
    assert kept == 2
    first = found(case, Task(store=store), "run")
    np.testing.assert_allclose(first, found(case), rtol=1e-9, atol=1e-14)
    monkeypatch.setattr(columns, "computed", None)  # nothing is computed again
    np.testing.assert_array_equal(found(case, Task(store=store), "run"), first)


def test_cancel_ends_within_a_stretch():
    case, task = run(), Task()
    task.cancel.set()
    with pytest.raises(Cancelled):
        found(case, task)


def test_time_and_memory_are_announced():
    fitted = run().fitted
    one, many = announced(fitted, 1), announced(fitted, 50)
    assert 1 < one.runs < 4 < many.runs < 50
    assert 0 < one.gigabytes < many.gigabytes < 1


def test_runs_that_cannot_be_repeated_are_not_offered():
    fitted = run().fitted
    assert "unrolled" in applicable_estimators(fitted)
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    norms = replace(fitted.model, module=module)
    assert by_batch(norms) is not None
    for other in (
        replace(fitted, program=None),
        replace(fitted, program=replace(fitted.program, network=norms)),
        replace(fitted, program=replace(fitted.program, optimiser=replace(PLAN, method="newton"))),
        replace(fitted, program=replace(fitted.program, network=replace(fitted.model, bends=False))),
    ):
        assert "unrolled" not in applicable_estimators(other)


def test_a_run_that_ends_elsewhere_is_refused():
    case = run()
    moved = replace(case.fitted, fit=replace(case.fitted.fit, theta=1.1 * case.fitted.theta))
    with pytest.raises(SettingsError, match=r"got others \(9% off\)"):
        found(replace(case, fitted=moved))


def by_hand(case, length):
    """Metasmoothness at one length from four plain runs of the module."""
    fitted = case.fitted
    signs = torch.randint(0, 2, (len(fitted.train),), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    ends = [case.theta((1 + k * length * signs).double()) for k in range(3)]
    one, two = ends[1] - ends[0], ends[2] - ends[1]
    return float((one.abs() * torch.sign(one) * torch.sign(two)).sum() / one.abs().sum())


def test_metasmoothness_is_the_share_of_parameters_that_go_on():
    for plan in (PLAN, replace(PLAN, learning_rate=0.5)):
        case = run(plan=plan)
        expected = min(by_hand(case, 30**-0.5), by_hand(case, 0.1**0.5))
        assert metasmoothness(case.fitted) == pytest.approx(expected, abs=1e-6)
    assert metasmoothness(run().fitted) > 0.97 > 0.8 > metasmoothness(run(plan=replace(PLAN, learning_rate=2.0)).fitted)


def test_the_trust_line_says_whether_the_run_is_smooth(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    data = DataSettings("blobs", (("n", 60),), test_fraction=0.2)
    smooth = (("activation", "tanh"), ("epochs", 5), ("learning_rate", 0.01), ("width", 4))
    rough = (("activation", "relu"), ("epochs", 40), ("learning_rate", 3.0), ("width", 4))
    for options, found in ((smooth, False), (rough, True)):
        analysis = analyse(Settings(data, ModelSettings("mlp", 0.001, options=options), estimator="unrolled"))
        trust = analysis.trust(0)
        assert ("metasmooth" in trust.codes) == found
        assert f"metasmoothness of the run {analysis.problem.smoothness():.2f}" in trust.line
        assert not {"network", "baseline", "unchecked"} & {*trust.codes}
        if not found:
            refits = analysis.problem.loo()
            measured = analysis.trust(0, refits)
            assert measured.measured and measured.word == "agrees"
            over = analysis.problem.truths["seeds"]
            assert not analysis.trust(0, refits, over).measured  # seeds have noise of their own
