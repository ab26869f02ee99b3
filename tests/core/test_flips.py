"""Sets of training points that turn a prediction, against refits by scikit-learn and SciPy and exhaustive search."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from problems import examples, fitted_on, problem

from influence_core.compute import Cancelled, NotStored, ResultStore, Task
from influence_core.retraining import SingularRefitError
from influence_core.retraining.flips import Aim, Limits, fewest, search
from influence_core.retraining.flips.chords import refit
from influence_core.retraining.flips.without import Without

HALF = Limits(20, 2)


def outputs(example, row, theta=None):
    theta = example.theta if theta is None else theta
    return example.reference.f(np.asarray(theta), example.test.x[row].numpy())


def aim_of(example, row, want="flip"):
    """A question about a test point, written out."""
    f, x = outputs(example, row), example.test.x[row]
    if example.reference.kind == "squared":
        middle = float(example.reference.y.mean())
        return Aim(x, 1.0 if f[0] > middle else -1.0, middle)
    if len(f) == 1:
        return Aim(x, float(np.sign(f[0])))
    return Aim(x, 1.0, holder=int(f.argmax())) if want == "flip" else Aim(x, -1.0, holder=int(example.test.y[row]))


def margin(aim, f):
    """How far the outputs are from what is asked for, in plain NumPy."""
    if len(f) == 1:
        return aim.sign * (f[0] - aim.threshold)
    return aim.sign * (f[aim.holder] - np.delete(f, aim.holder).max())


def after(example, row, aim, gone):
    left = np.setdiff1d(np.arange(example.reference.n), gone)
    return margin(aim, outputs(example, row, example.reference.refit(left)))


def settings(name):
    return {"linear": {"total": 0}}.get(name, {"total": 1})


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge", "ridge", "linear"])
def test_the_set_turns_the_prediction_and_no_member_can_be_put_back(name, fold, row):
    """Every claim, refitted by code that is not ours."""
    example = problem(name, fold_penalty=fold, **settings(name))
    aim = aim_of(example, row)
    found = fewest(example.fitted, aim, HALF)
    assert found.before == pytest.approx(margin(aim, outputs(example, row)), rel=1e-7)
    if not found.found:
        assert found.tried > 10
        return
    assert found.held
    assert found.certificate < 1e-9
    assert found.after == pytest.approx(after(example, row, aim, found.rows), rel=1e-7, abs=1e-8)
    assert found.after < 0
    back = [after(example, row, aim, np.delete(found.rows, k)) for k in range(len(found.rows))]
    assert min(back) > 0
    assert found.closest == pytest.approx(min(back), rel=0.2)  # refitted only as far as its sign needs


def test_most_questions_have_an_answer():
    """The test above says nothing where there is none."""
    found = [
        fewest(problem(name, **settings(name)).fitted, aim_of(problem(name, **settings(name)), row), HALF).found
        for name in ("logistic", "softmax", "hinge", "ridge", "linear")
        for row in range(6)
    ]
    assert sum(found) >= 20


@pytest.mark.parametrize("name", ["logistic", "softmax", "ridge"])
def test_exhaustive_search_finds_nothing_smaller(name):
    """All single points and all pairs of a problem with 16 of them, by scikit-learn."""
    compared = 0
    for seed in range(4):
        example = problem(name, total=1, n=16, d=2, seed=seed, m=3)
        for row in range(3):
            aim = aim_of(example, row)
            found = fewest(example.fitted, aim, Limits(4, 2))
            smaller = min(len(found.rows) if found.found else 5, 3)
            compared += found.found
            for size in range(1, smaller):
                for gone in combinations(range(16), size):
                    if _stays(example, gone):
                        assert after(example, row, aim, gone) > 0, (seed, row, gone, found.rows)
    assert compared >= 3


def _stays(example, gone):
    if example.reference.kind == "squared":
        return True
    return np.bincount(np.delete(example.reference.y, gone).astype(int)).min() >= 2


def test_a_misclassified_point_is_made_right():
    example, asked = problem("softmax", total=1, m=40), 0
    for row in range(40):
        f = outputs(example, row)
        if f.argmax() == example.test.y[row]:
            continue
        aim = aim_of(example, row, "right")
        found = fewest(example.fitted, aim, HALF)
        if found.found:
            asked += 1
            left = np.setdiff1d(np.arange(40), found.rows)
            assert outputs(example, row, example.reference.refit(left)).argmax() == example.test.y[row]
    assert asked >= 3


def test_first_order_is_a_sum_of_the_strongest_scores():
    """AMIP: the fewest of the strongest q·H⁻¹g_i/n that add up to the margin, and the refit without them."""
    example = problem("logistic", total=1)
    r, named = example.reference, 0
    h = np.linalg.inv(r.ddj(example.theta))
    for row in range(6):
        aim = aim_of(example, row)
        found = fewest(example.fitted, aim, HALF)
        q = aim.sign * example.test.x[row].numpy()
        change = np.array([q @ h @ r.gradient(example.theta, x, y) / r.n for x, y in zip(r.x, r.y, strict=True)])
        order = np.argsort(change)
        sums = found.before + np.cumsum(np.minimum(change[order], 0))
        count = int(np.argmax(sums < 0)) + 1 if (sums < 0).any() else 0
        named += count > 0
        assert sorted(found.first) == sorted(order[:count])
        if count and np.isfinite(found.first_after):
            assert found.first_after == pytest.approx(after(example, row, aim, found.first), rel=1e-7)
    assert named >= 2


def test_enough_of_every_class_stays():
    example = problem("logistic", total=1)
    for row in range(6):
        found = fewest(example.fitted, aim_of(example, row), Limits(39, 5))
        gone = found.rows if found.found else np.empty(0, int)
        assert np.bincount(np.delete(example.reference.y, gone).astype(int)).min() >= 5


def test_no_set_is_larger_than_allowed():
    example = problem("logistic", total=100)
    found = [fewest(example.fitted, aim_of(example, row), Limits(3, 2)) for row in range(6)]
    assert all(len(one.rows) <= 3 and one.tried <= 3 for one in found)
    none = next(one for one in found if not one.found)
    assert none.after > 0
    assert not none.held
    assert np.isnan(none.closest)


@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge", "ridge"])
@pytest.mark.parametrize("count", [1, 5, 15])
def test_a_refit_from_anywhere_near_is_that_of_scikit_learn(name, count):
    """Chords corrected by Woodbury, a factor of their own, or Newton: the same minimum."""
    example = problem(name, total=1)
    aim, random = aim_of(example, 0), np.random.default_rng(count)
    for start in (0, 4):
        gone, others = random.permutation(40)[:count], random.permutation(40)[:start]
        near = Without(example.fitted, aim, torch.as_tensor(others), example.fitted.theta, Task())
        near = refit(near, torch.as_tensor(others))
        found = refit(near, torch.as_tensor(gone))
        truth = after(example, 0, aim, gone)
        assert abs(found.margin - truth) <= 1e-2 * abs(truth)
        assert abs(found.margin - truth) <= 2 * found.certificate + 1e-12


@pytest.mark.parametrize("name", ["logistic", "softmax", "ridge"])
def test_scores_of_one_point_more_or_less_are_its_refits(name):
    """One Newton step for a point that leaves or comes back: exact for squared loss, near it for the others."""
    example, gone = problem(name, total=100), np.array([3, 8, 21])
    aim = aim_of(example, 1)
    near = Without(example.fitted, aim, torch.as_tensor(gone), example.fitted.theta, Task())
    here = refit(near, near.rows)
    base, leaving, returning = after(example, 1, aim, gone), here.leaving().numpy(), here.returning().numpy()
    tolerance = 1e-6 if name == "ridge" else 0.05
    slack = 0 if name == "ridge" else 0.02 * abs(base)
    for i in (0, 17, 39):
        truth = after(example, 1, aim, np.append(gone, i)) - base
        assert leaving[i] == pytest.approx(truth, rel=tolerance, abs=slack)
    for k in range(3):
        truth = after(example, 1, aim, np.delete(gone, k)) - base
        assert returning[k] == pytest.approx(truth, rel=tolerance, abs=slack)
    assert np.isinf(leaving[gone]).all()


def test_what_is_left_without_a_minimum_ends_the_search_with_a_sentence():
    """Without a penalty two overlapping classes become separable when the right points leave."""
    random = np.random.default_rng(2)
    data = replace(examples(2, n=20, d=2), x=random.normal(size=(20, 2)), y=np.arange(20) % 2)
    data = replace(data, x=data.x + 1.6 * data.y[:, None])
    fitted = fitted_on("logistic", data, l2=0.0)
    far = torch.tensor([6.0, 6.0, 1.0], dtype=torch.float64)
    found = fewest(fitted, Aim(far, 1.0), Limits(16, 2))
    assert not found.found
    assert "no unique minimum" in found.why


def test_a_prediction_on_the_line_is_said_to_be_there():
    example = problem("ridge")
    x = example.test.x[0]
    at = float(example.fitted.model.outputs(example.fitted.theta, x[None])[0, 0])
    found = fewest(example.fitted, Aim(x, 1.0, at), HALF)
    assert not found.found
    assert "on the line" in found.why


def test_a_model_without_a_minimum_is_refused_by_name():
    data = examples(0, n=4, d=6)
    fitted = replace(fitted_on("ridge", data, l2=0.1))
    fitted = replace(fitted, model=replace(fitted.model, l2=0.0))
    with pytest.raises(SingularRefitError, match="choose a larger l2"):
        fewest(fitted, Aim(torch.ones(7, dtype=torch.float64), 1.0), Limits(2, 2))


def same(one, other):
    for name in ("rows", "theta", "f_after", "first"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.after, one.closest, one.held, one.refits) == (other.after, other.closest, other.held, other.refits)


def asked_with_steps():
    """A question whose search takes several steps, and its answer."""
    example = problem("logistic", total=1)
    found = [(aim_of(example, row), fewest(example.fitted, aim_of(example, row), HALF)) for row in range(6)]
    return example, max((pair for pair in found if pair[1].found), key=lambda pair: len(pair[1].rows))


def test_a_cancelled_search_goes_on_where_it_was(tmp_path, monkeypatch):
    example, (aim, whole) = asked_with_steps()
    store, made = ResultStore(tmp_path), []
    steps = dict(search.STEPS)

    def counted(name):
        def step(*arguments):
            made.append(name)
            return steps[name](*arguments)

        return step

    monkeypatch.setattr(search, "STEPS", {name: counted(name) for name in steps})
    task = Task(store=store)
    stopping = replace(task, report=lambda done, _total: task.cancel.set() if done >= 2 else None)
    with pytest.raises(Cancelled):
        fewest(example.fitted, aim, HALF, stopping, "key")
    before, kept = len(made), []
    assert before == 2
    again = Task(store=store, reused=kept.append)
    same(fewest(example.fitted, aim, HALF, again, "key"), whole)
    assert sum(kept) == before
    total = len(made)
    same(fewest(example.fitted, aim, HALF, again, "key"), whole)
    assert len(made) == total  # the answer itself is kept


def test_a_look_into_the_store_computes_nothing(tmp_path):
    example, (aim, whole) = asked_with_steps()
    looking = Task(store=ResultStore(tmp_path, finished=True))
    with pytest.raises(NotStored):
        fewest(example.fitted, aim, HALF, looking, "key")
    fewest(example.fitted, aim, HALF, Task(store=ResultStore(tmp_path)), "key")
    same(fewest(example.fitted, aim, HALF, looking, "key"), whole)


def test_nothing_is_stored_without_a_name(tmp_path):
    example, (aim, _) = asked_with_steps()
    fewest(example.fitted, aim, HALF, Task(store=ResultStore(tmp_path)))
    assert not list(tmp_path.iterdir())
