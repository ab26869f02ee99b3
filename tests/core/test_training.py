"""Training networks against torch.optim, curves and early stopping; refits against an independent loop over models."""

import copy

import numpy as np
import pytest
import torch
from problems import examples
from torch import nn

from influence_core.analysis import Draw, Problem
from influence_core.analysis.problem import Given
from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.data import Dataset, Split, load
from influence_core.data.split import identity_scaling
from influence_core.models import MODELS, NETWORK, NoMinimumError, build, fit
from influence_core.models.checkpoints import load_fit, save_fit
from influence_core.models.training import Optimiser, Program, train
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError

NETWORKS = [name for name, entry in MODELS.items() if entry.kind is NETWORK]
CPU = torch.device("cpu")
OPTIONS = {"epochs": 6, "batch_size": 8, "precision": "float64", "checkpoints": 3}
OWN = {"mlp": {"layers": 2, "width": 5, "activation": "tanh"}, "cnn": {"channels": 2, "activation": "tanh"}}
networks = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))


def data(name, n, seed=0):
    if name != "cnn":
        return examples(3, n=n, d=4, seed=seed)
    flat = examples(3, n=n, d=36, seed=seed)
    images = np.zeros((n, 6, 6), np.uint8)
    return Dataset(flat.x, flat.y, flat.ids, flat.feature_names, flat.class_names, images=images)


def split_of(name, n=30, seed=0, validation=10):
    everything = data(name, n + 20, seed)
    train_, rest = everything.take(np.arange(n)), everything.take(np.arange(n, n + validation))
    test = everything.take(np.arange(n + 10, n + 20))
    scaling = identity_scaling(everything.x.shape[1])
    return Split(train_, rest, test, np.zeros(n, bool), train_.y, scaling)


def settings(name, l2=0.01, how="auto", **options):
    chosen = OPTIONS | OWN[name] | options
    return ModelSettings(name, l2, fit=how, options=tuple(sorted(chosen.items())))


def reference(model, batch, plan, seed=0, weights=None, start=None):
    """Plain torch.optim on a plain module, one model, gradients by autograd."""
    module = copy.deepcopy(model.module).double()
    nn.utils.vector_to_parameters(model.start() if start is None else start.clone(), module.parameters())
    decay = [{"params": [p for p in module.parameters() if p.dim() > 1], "weight_decay": model.l2}]
    decay += [{"params": [p for p in module.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    if plan.method == "sgd":
        step = torch.optim.SGD(decay, lr=plan.learning_rate, momentum=plan.momentum)
    else:
        step = torch.optim.AdamW(decay, lr=plan.learning_rate)
    random = torch.Generator().manual_seed(seed)
    for epoch in range(plan.epochs):
        for group in step.param_groups:
            group["lr"] = plan.learning_rate * 0.5 * (1 + np.cos(np.pi * epoch / plan.epochs))
        order = torch.randperm(len(batch), generator=random)
        for rows in order.split(plan.batch_size):
            f = module(batch.x[rows].view(len(rows), *model.shape))
            losses = nn.functional.cross_entropy(f, batch.y[rows].long(), reduction="none")
            a = torch.ones(len(rows), dtype=torch.float64) if weights is None else weights[rows]
            step.zero_grad()
            ((a * losses).sum() / len(rows)).backward()
            step.step()
    return nn.utils.parameters_to_vector(module.parameters()).detach()


@networks
@pytest.mark.parametrize("how", ["sgd", "adamw"])
def test_training_is_that_of_torch(name, how):
    parts = split_of(name)
    fitted = fit(settings(name, how=how, learning_rate=0.01), parts, seed=3)
    expected = reference(fitted.model, fitted.train, fitted.program.optimiser, 3)
    np.testing.assert_allclose(fitted.theta, expected, atol=1e-10)
    assert fitted.fit.history[-1] == pytest.approx(fitted.model.objective(fitted.theta, fitted.train)[0], rel=1e-9)
    held = fitted.batch(parts.validation)
    assert fitted.fit.validation[-1] == pytest.approx(float(fitted.model.losses(fitted.theta, held).mean()), rel=1e-9)


@networks
def test_seeds_decide_first_parameters_and_order(name):
    parts = split_of(name)
    thetas = [fit(settings(name), parts, seed=seed).theta for seed in (1, 2)]
    assert float((thetas[0] - thetas[1]).abs().max()) > 1e-3
    again = build(settings(name), parts.train, 1).start()
    assert torch.equal(again, build(settings(name), parts.train, 1).start())


def test_early_stopping_takes_the_lowest_validation_loss():
    parts = split_of("mlp")
    fitted = fit(settings("mlp", 0.0, epochs=200, patience=5, learning_rate=0.3, schedule="constant"), parts)
    curve = np.array(fitted.fit.validation)
    assert fitted.fit.epochs == curve.argmin() + 1
    assert len(curve) == fitted.fit.epochs + 5 < 200
    held = fitted.batch(parts.validation)
    assert curve.min() == pytest.approx(float(fitted.model.losses(fitted.theta, held).mean()), rel=1e-9)


def test_checkpoints_carry_the_learning_rates_since_the_one_before():
    fitted = fit(settings("mlp"), split_of("mlp"))
    plan, checkpoints = fitted.program.optimiser, fitted.fit.checkpoints
    assert len(checkpoints) == 3
    assert torch.equal(checkpoints[-1][1], fitted.theta)
    rates = sum(plan.rate(epoch) for epoch in range(plan.epochs))
    n = len(fitted.train)
    sizes = [min(plan.batch_size, n - first) for first in range(0, n, plan.batch_size)]
    assert sizes[-1] < plan.batch_size
    share = sum(size / n / size for size in sizes)  # an example is in a batch with probability size / n
    assert sum(rate for rate, _ in checkpoints) == pytest.approx(rates * share / (1 - plan.momentum))


def test_a_fit_comes_back_from_safetensors_and_nothing_else_is_read(tmp_path):
    parts = split_of("mlp")
    first = fit(settings("mlp"), parts)
    (path,) = (tmp_path / "networks").glob("*.safetensors")
    again = load_fit(path.stem, CPU)
    assert torch.equal(again.theta, first.theta)
    assert (again.history, again.validation, again.epochs) == (
        first.fit.history,
        first.fit.validation,
        first.fit.epochs,
    )
    assert [rate for rate, _ in again.checkpoints] == [rate for rate, _ in first.fit.checkpoints]
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert load_fit(path.stem, CPU) is None
    np.testing.assert_allclose(fit(settings("mlp"), parts).theta, first.theta, atol=1e-10)
    save_fit(first.fit, "other", tmp_path)
    assert torch.equal(load_fit("other", CPU, tmp_path).theta, first.theta)


def test_training_that_diverges_is_a_sentence():
    parts = load(DataSettings("diabetes"), 0)  # a target of the size of 100
    for _ in range(2):  # nothing of it is kept
        with pytest.raises(NoMinimumError, match="of 50: choose a learning rate below 0.05"):
            fit(ModelSettings("mlp", 0.001), parts, device="cpu")


def test_cancel_ends_training_at_the_next_step():
    task = Task()
    task.cancel.set()
    with pytest.raises(Cancelled):
        fit(settings("mlp"), split_of("mlp"), task=task)


def test_a_way_of_fitting_that_the_model_does_not_know_is_refused():
    with pytest.raises(SettingsError, match="expected one of sgd, adamw"):
        fit(settings("mlp", how="newton"), split_of("mlp"))


@networks
@pytest.mark.parametrize("how", ["sgd", "adamw"])
def test_refits_are_those_of_an_independent_loop(name, how):
    parts = split_of(name)
    fitted = fit(settings(name, how=how, learning_rate=0.01), parts, seed=2)
    test, groups = fitted.batch(parts.test), [np.array([4]), np.array([0, 7, 9]), np.array([29])]
    refits = Repeated(fitted).without(Question(test), groups, keep_parameters=True)
    plan = fitted.program.optimiser
    base = fitted.model.losses(fitted.theta, test).numpy()
    for k, rows in enumerate(groups):
        weights = torch.ones(len(fitted.train), dtype=torch.float64)
        weights[rows] = 0
        theta = reference(fitted.model, fitted.train, plan, 2, weights)
        np.testing.assert_allclose(refits.parameters[k], theta, atol=1e-9)
        measured = fitted.model.losses(theta, test).numpy() - base
        np.testing.assert_allclose(refits.change[k], measured, atol=1e-8)
        left = fitted.train.take(torch.as_tensor(rows))
        own = float((fitted.model.losses(theta, left) - fitted.model.losses(fitted.theta, left)).sum())
        assert refits.self_change[k] == pytest.approx(own, abs=1e-7)


def test_blocks_are_stored_resumed_and_cancelled(tmp_path, monkeypatch):
    parts = split_of("mlp")
    fitted = fit(settings("mlp"), parts)
    question, groups = Question(fitted.batch(parts.test)), [np.array([i]) for i in range(12)]
    whole = Repeated(fitted).without(question, groups)
    monkeypatch.setattr("influence_core.retraining.networks.MOST", 3)
    store, seen = ResultStore(tmp_path / "store"), []
    task = Task(store=store, report=lambda done, total: seen.append((done, total)))
    first = Repeated(fitted, task, "key").without(question, groups)
    np.testing.assert_allclose(first.change, whole.change, atol=1e-12)
    assert seen[-1] == (12, 12)
    monkeypatch.setattr(Program, "run", None)  # nothing is trained again
    np.testing.assert_array_equal(Repeated(fitted, task, "key").without(question, groups).change, first.change)
    monkeypatch.undo()
    task.cancel.set()
    with pytest.raises(Cancelled):
        Repeated(fitted, task, "other").without(question, groups)


def test_noise_is_what_other_seeds_change():
    parts = split_of("mlp")
    fitted = fit(settings("mlp"), parts)
    test = fitted.batch(parts.test)
    found = Repeated(fitted).noise(Question(test), 3)
    for k, row in enumerate(found):
        other = fit(settings("mlp"), parts, seed=7919 * (k + 1))
        np.testing.assert_allclose(row, fitted.model.losses(other.theta, test), atol=1e-9)


def test_members_on_a_share_see_a_random_subset_of_their_own():
    """Some half of 24 examples, weighted twice, is what an independent loop needs to arrive at the same θ."""
    fitted = fit(settings("mlp", epochs=2), split_of("mlp", 24))
    (found, other), seed = Repeated(fitted).members(2, 0.5), 7919
    half = np.random.default_rng([seed, 13]).permutation(24) < 12
    weights = torch.as_tensor(2.0 * half)
    start = fitted.program.network.drawn(seed).to(fitted.theta)
    expected = reference(fitted.model, fitted.train, fitted.program.optimiser, seed, weights, start)
    np.testing.assert_allclose(found.theta, expected, atol=1e-9)
    assert float((found.theta - other.theta).norm()) > 1e-3
    assert half.sum() == 12


def test_subsets_weigh_their_members_so_that_the_loss_is_their_mean():
    parts = split_of("mlp")
    fitted = fit(settings("mlp"), parts)
    test, members = fitted.batch(parts.test), np.random.default_rng(0).random((3, 30)) < 0.5
    found = Repeated(fitted).on_subsets(Question(test), members, seeds=1)
    for row, chosen in zip(found, members, strict=True):
        weights = torch.as_tensor(chosen * (30 / chosen.sum()))
        theta = reference(fitted.model, fitted.train, fitted.program.optimiser, 0, weights)
        np.testing.assert_allclose(row, fitted.model.losses(theta, test), atol=1e-8)
    both = Repeated(fitted).on_subsets(Question(test), members, seeds=2)
    assert np.abs(both - found).max() > 1e-6


def test_a_warm_start_stays_near_the_fit():
    parts = split_of("mlp")
    fitted = fit(settings("mlp", epochs=60), parts)
    weights = torch.ones(2, 30, dtype=torch.float64)
    weights[1, 3] = 0
    theta = Repeated(fitted, warm=True).trained(weights)
    far = fitted.theta.norm()
    assert 0 < float((theta[1] - theta[0]).norm()) < 0.1 * far
    assert float((theta[0] - fitted.theta).norm()) < 0.1 * far


def test_a_network_trained_elsewhere_cannot_be_repeated():
    fitted = fit(settings("mlp"), split_of("mlp"))
    bare = type(fitted)(fitted.model, fitted.train, fitted.fit)
    with pytest.raises(SettingsError, match="was not trained here"):
        Repeated(bare).trained(torch.ones(1, 30, dtype=torch.float64))


def test_optimiser_of_options_and_its_steps():
    plan = Optimiser.of("sgd", {"epochs": 3, "batch_size": 8, "width": 5})
    assert (plan.epochs, plan.batch_size, plan.steps(17)) == (3, 8, 9)
    assert plan.rate(0) == plan.learning_rate


@networks
def test_many_models_at_a_time_equal_one_at_a_time(name):
    parts = split_of(name)
    fitted = fit(settings(name), parts)
    program = fitted.program
    weights = torch.ones(4, 30, dtype=torch.float64)
    weights[torch.arange(4), torch.arange(4)] = 0
    start = fitted.start.expand(4, -1)
    many = program.run(start, weights)
    for k in range(4):
        np.testing.assert_allclose(program.run(start[:1], weights[k : k + 1])[0], many[k], atol=1e-12)
    np.testing.assert_allclose(train(program).theta, fitted.theta, atol=1e-12)


def test_the_mean_over_seeds_is_that_of_runs_from_other_starts_and_orders(monkeypatch):
    """And never that of this very run alone, which is the other truth."""
    parts = split_of("mlp", 24)
    settings_ = Settings(model=settings("mlp"))
    fitted = fit(settings_.model, parts)
    problem = Problem(settings_, "cpu", given=Given(parts, fitted, "own"))
    monkeypatch.setattr("influence_core.analysis.networks.SEEDS", 2)
    assert list(problem.truths) == ["run", "seeds"]
    run, seeds = (problem.truths[name].loo() for name in ("run", "seeds"))
    test, plan = fitted.batch(parts.test), fitted.program.optimiser
    start = fitted.program.network.drawn(104_729)
    without = torch.ones(24, dtype=torch.float64)
    without[4] = 0
    here = [reference(fitted.model, fitted.train, plan, 0, weights) for weights in (None, without)]
    there = [reference(fitted.model, fitted.train, plan, 104_729, weights, start) for weights in (None, without)]
    each = [fitted.model.losses(b, test) - fitted.model.losses(a, test) for a, b in (here, there)]
    np.testing.assert_allclose(run.change[4], each[0], atol=1e-9)
    np.testing.assert_allclose(seeds.seeds[:, 4], torch.stack(each), atol=1e-9)
    np.testing.assert_allclose(seeds.change[4], (each[0] + each[1]) / 2, atol=1e-9)
    alone = np.stack([values[:, 3] for values in seeds.seeds])
    assert seeds.noise_of([3]) == pytest.approx(np.sqrt(alone.var(0, ddof=1).mean() / 2))


def test_halves_of_the_same_run_leave_out_and_those_over_seeds_weigh_anew():
    parts = split_of("mlp", 24)
    settings_ = Settings(model=settings("mlp"))
    fitted = fit(settings_.model, parts)
    problem = Problem(settings_, "cpu", given=Given(parts, fitted, "own"))
    run, seeds = (problem.truths[name].halves(draw=Draw(3, 2, 0.25)) for name in ("run", "seeds"))
    test, plan = fitted.batch(parts.test), fitted.program.optimiser
    assert (run.seeds, seeds.seeds, run.members.sum(1).tolist()) == (1, 2, [18, 18, 18])
    base = fitted.model.losses(fitted.theta, test)
    for k, members in enumerate(run.members):
        theta = reference(fitted.model, fitted.train, plan, 0, torch.as_tensor(members.astype(float)))
        np.testing.assert_allclose(run.values[k], fitted.model.losses(theta, test) - base, atol=1e-8)
    weights = torch.as_tensor(seeds.members[0] * (24 / 18))
    start = fitted.program.network.drawn(104_729)
    ends = [reference(fitted.model, fitted.train, plan, 0, weights)]
    ends += [reference(fitted.model, fitted.train, plan, 104_729, weights, start)]
    mean = torch.stack([fitted.model.losses(theta, test) for theta in ends]).mean(0)
    np.testing.assert_allclose(seeds.values[0], mean, atol=1e-8)
