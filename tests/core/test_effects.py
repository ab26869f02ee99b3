"""Groups, relabelled points, moved features and the change of θ itself, against the refits they predict."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import error, fourth_order, slope
from problems import CLASSIFIERS, LINEAR, TOTALS, fitted_on, problem

from influence_core.influence.effects import (
    group_change,
    parameter_change,
    parameter_change_norm,
    perturbation_change,
    relabel_change,
)
from influence_core.influence.estimators import scores
from influence_core.influence.watched import Influence, watch
from influence_core.settings import SolverSettings
from influence_core.solvers import SingularError

models = pytest.mark.parametrize("name", LINEAR)
folds = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
ROWS = np.arange(40)
GROUPS = (np.array([3]), np.array([0, 7]), np.array([1, 2, 5]), np.arange(10, 22))


def in_one_frame(theta, name):
    """For softmax: the part that counts, without equal changes of all classes."""
    if name != "softmax":
        return theta
    classes = theta.reshape(len(theta), 3, -1)
    return (classes - classes.mean(1, keepdims=True)).reshape(theta.shape)


# --- θ


@models
@pytest.mark.parametrize("total", TOTALS)
@folds
def test_parameter_change_against_refits(name, total, fold):
    """θ without i minus θ̂, in this order: slope, relative error, and the sign that DFBETA turns round."""
    example = problem(name, total=total, fold_penalty=fold)
    influence = example.influence()
    truth = in_one_frame(np.array(example.deleted) - example.theta, name)
    first = in_one_frame(parameter_change(influence, ROWS), name)
    one_step = in_one_frame(parameter_change(influence, ROWS, newton=True), name)
    assert first.shape == one_step.shape == (40, example.fitted.size)
    assert 0.9 < slope(truth, first) < 1.6
    assert error(first, truth) < 0.6
    assert 0.9 < slope(truth, one_step) < 1.15
    if example.reference.kind == "squared":
        assert error(one_step, truth) < 1e-9
    else:
        assert error(one_step, truth) < 0.3


@models
@folds
def test_parameter_change_is_its_formula(name, fold):
    example = problem(name, fold_penalty=fold)
    r, theta, influence = example.reference, example.theta, example.influence(damping=0.1)
    h, eye = r.ddj(theta), np.eye(len(theta))
    gradients = [r.gradient(theta, *pair) for pair in zip(r.x, r.y, strict=True)]
    first = np.array([r.solve(h + 0.1 * eye, g) / 40 for g in gradients])
    np.testing.assert_allclose(parameter_change(influence, ROWS), first, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(parameter_change_norm(influence), np.linalg.norm(first, axis=1), rtol=1e-9)
    hessians = [r.hessian_of(theta, *pair) for pair in zip(r.x, r.y, strict=True)]
    one_step = [r.solve(h + 0.1 * eye - h_i / 40, g) / 40 for g, h_i in zip(gradients, hessians, strict=True)]
    np.testing.assert_allclose(parameter_change(influence, ROWS, newton=True), one_step, rtol=1e-8, atol=1e-12)
    some = np.array([5, 2, 39])
    np.testing.assert_allclose(parameter_change(influence, some), first[some], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(parameter_change(influence, some, newton=True), np.array(one_step)[some], atol=1e-11)


# --- groups


def group_truth(example, groups):
    kept = [np.setdiff1d(ROWS, rows) for rows in groups]
    return np.stack([example.reference.changes(example.reference.refit(k), example.theta, example.asked) for k in kept])


@models
@folds
def test_first_order_group_changes_add(name, fold):
    example = problem(name, fold_penalty=fold)
    influence, watched = example.influence(), example.watch()
    single = scores(influence, watched)
    found = group_change(influence, watched, GROUPS)
    np.testing.assert_allclose(found, [sum(single[i] for i in rows) for rows in GROUPS], rtol=1e-12, atol=1e-15)


@models
@folds
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_newton_group_changes_are_their_formula(name, fold, damping):
    """(H + δI − H_S/n)⁻¹ g_S/n by np.linalg.solve; the groups take the Woodbury path and the dense one."""
    example = problem(name, d=6, fold_penalty=fold)
    r, theta = example.reference, example.theta
    found = group_change(example.influence(damping=damping), example.watch(), GROUPS, newton=True)
    for rows, got in zip(GROUPS, found, strict=True):
        h, g = r.ddj(theta) + damping * np.eye(len(theta)), 0
        for i in rows:
            h, g = h - r.hessian_of(theta, r.x[i], r.y[i]) / 40, g + r.gradient(theta, r.x[i], r.y[i])
        expected = r.changes(theta + r.solve(h, g) / 40, theta, example.asked)
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-10)


@models
@folds
def test_a_group_of_one_is_the_single_change(name, fold):
    example = problem(name, fold_penalty=fold)
    influence, watched = example.influence(), example.watch()
    singles = [np.array([i]) for i in (0, 5, 17)]
    for newton, estimator in ((False, "influence"), (True, "newton")):
        found = group_change(influence, watched, singles, newton)
        np.testing.assert_allclose(found, scores(influence, watched, estimator)[[0, 5, 17]], rtol=1e-8, atol=1e-12)


@models
@pytest.mark.parametrize("total", TOTALS)
@folds
def test_group_changes_against_refits(name, total, fold):
    example = problem(name, total=total, fold_penalty=fold)
    influence, watched, truth = example.influence(), example.watch(), group_truth(example, GROUPS)
    first, one_step = (group_change(influence, watched, GROUPS, newton) for newton in (False, True))
    assert error(one_step, truth) < error(first, truth)
    if example.reference.kind == "squared":
        assert error(one_step, truth) < 1e-8
    else:
        # The softened kink of the hinge moves with twelve of forty points gone.
        assert 0.6 < slope(truth, one_step) < 1.4
        assert error(one_step, truth) < 0.5
    small = first[:3]
    assert 0.7 < slope(truth[:3], small) < 2
    assert (np.sign(small) == np.sign(truth[:3]))[np.abs(truth[:3]) > 0.1 * np.abs(truth[:3]).max()].all()


def test_groups_of_training_points_seen_from_groups_of_test_points():
    example = problem("softmax")
    combine = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 2)))
    for newton in (False, True):
        single = group_change(example.influence(), example.watch(), GROUPS, newton)
        found = group_change(example.influence(), example.watch(combine=combine), GROUPS, newton)
        np.testing.assert_allclose(found, single @ combine.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("rest", [6, 30], ids=["Woodbury", "dense"])
def test_a_group_that_alone_determines_a_coefficient_is_refused(rest):
    """Two examples carry a feature that no other has; without a penalty nothing is left when they leave."""
    data = problem("linear", n=40, d=8).data
    x = data.x.copy()
    x[:, 2] = 0
    x[:2, 2] = [1, 2]
    alone = type(data)(x, data.y, data.ids, data.feature_names, ())
    fitted = fitted_on("linear", alone)
    group = np.array([0, 1]) if rest == 6 else np.arange(20)
    influence = Influence(fitted, SolverSettings())
    with pytest.raises(SingularError, match="damping"):
        group_change(influence, watch(fitted, fitted.train), [group], newton=True)


# --- labels


def relabelled(data, i, label):
    y = data.y.copy()
    y[i] = label
    return replace(data, y=y)


def relabel_truth(example, labels, rows):
    changed = []
    for i in rows:
        y = example.reference.y.copy()
        y[i] = labels[i]
        theta = replace(example.reference, y=y).refit(ROWS)
        changed.append(example.reference.changes(theta, example.theta, example.asked))
    return np.array(changed)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("total", TOTALS)
def test_relabel_change_against_refits(name, total):
    example = problem(name, total=total)
    classes = 3 if name == "softmax" else 2
    labels = (example.data.y + 1) % classes
    influence, watched, rows = example.influence(), example.watch(), np.arange(0, 40, 2)
    truth = relabel_truth(example, labels, rows)
    first = relabel_change(influence, watched, labels)[rows]
    one_step = relabel_change(influence, watched, labels, newton=True)[rows]
    assert 0.7 < slope(truth, first) < 1.5
    assert error(first, truth) < 0.6
    assert 0.75 < slope(truth, one_step) < 1.25
    assert error(one_step, truth) < 0.35
    large = np.abs(truth) > 0.1 * np.abs(truth).max()
    assert (np.sign(first) == np.sign(truth))[large].mean() > 0.95
    assert (np.sign(one_step) == np.sign(truth))[large].mean() > 0.97


@pytest.mark.parametrize("name", CLASSIFIERS)
@folds
def test_relabel_change_is_its_formula(name, fold):
    """−qᵀ(H + δI)⁻¹(g(x, y′) − g(x, y))/n; the Newton step has H + (H′_i − H_i)/n."""
    example = problem(name, fold_penalty=fold)
    r, theta = example.reference, example.theta
    labels = (example.data.y + 1) % (3 if name == "softmax" else 2)
    influence, watched = example.influence(damping=0.1), example.watch()
    first = relabel_change(influence, watched, labels)
    one_step = None if fold else relabel_change(influence, watched, labels, newton=True)
    h = r.ddj(theta) + 0.1 * np.eye(len(theta))
    for i in range(0, 40, 5):
        new, old = (r.gradient(theta, r.x[i], label) for label in (labels[i], r.y[i]))
        moved = -r.solve(h, new - old) / 40
        q = [r.gradient(theta, *pair) for pair in zip(*example.asked, strict=True)]
        np.testing.assert_allclose(first[i], [row @ moved for row in q], rtol=1e-8, atol=1e-12)
        if one_step is not None:
            bend = r.hessian_of(theta, r.x[i], labels[i]) - r.hessian_of(theta, r.x[i], r.y[i])
            step = -r.solve(h + bend / 40, new - old) / 40
            expected = r.changes(theta + step, theta, example.asked)
            np.testing.assert_allclose(one_step[i], expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_same_label_changes_nothing(name):
    example = problem(name)
    for newton in (False, True):
        change = relabel_change(example.influence(), example.watch(), example.data.y, newton)
        np.testing.assert_allclose(change, 0, atol=1e-13)  # a few roundings of losses of about one nat


def test_relabel_change_for_groups_of_test_points():
    example = problem("softmax")
    combine = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 2)))
    labels = (example.data.y + 1) % 3
    for newton in (False, True):
        single = relabel_change(example.influence(), example.watch(), labels, newton)
        found = relabel_change(example.influence(), example.watch(combine=combine), labels, newton)
        np.testing.assert_allclose(found, single @ combine.numpy(), rtol=1e-9, atol=1e-13)


def test_newton_relabel_with_a_folded_penalty_is_refused():
    example = problem("logistic", fold_penalty=True)
    with pytest.raises(ValueError, match="not defined with fold_penalty: use first order"):
        relabel_change(example.influence(), example.watch(), 1 - example.data.y, newton=True)


# --- features


@models
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])
def test_perturbation_change_is_the_derivative_of_refits(name, total, intercept):
    example = problem(name, total=total, intercept=intercept)
    rows = np.array([4, 11, 0])
    found = perturbation_change(example.influence(), example.watch(), rows)
    assert found.shape == (3, 3, 6)
    reference = example.reference

    def moved(i, k, step):
        x = reference.x.copy()
        x[i, k] += step
        theta = replace(reference, x=x).refit(ROWS)
        return reference.changes(theta, example.theta, example.asked)

    expected = [[fourth_order(lambda s, i=i, k=k: moved(i, k, s), 3e-3) for k in range(3)] for i in rows]
    assert error(found, np.array(expected)) < 1e-4


@models
def test_perturbation_change_with_a_folded_penalty_and_groups(name):
    """The penalty's share of a loss moves with θ̂, so the loss of a test point sees it too."""
    example = problem(name, fold_penalty=True)
    combine = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 2)))
    rows, reference = np.array([4]), example.reference
    single = perturbation_change(example.influence(), example.watch(), rows)
    found = perturbation_change(example.influence(), example.watch(combine=combine), rows)
    np.testing.assert_allclose(found, single @ combine.numpy(), rtol=1e-9, atol=1e-14)

    def moved(step):
        x = reference.x.copy()
        x[4, 1] += step
        return reference.changes(replace(reference, x=x).refit(ROWS), example.theta, example.asked)

    assert error(single[0, 1], fourth_order(moved, 3e-3)) < 1e-4
