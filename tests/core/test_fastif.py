"""The index against plain distances, restricted scores against full ones, and the search for the cheapest settings."""

import numpy as np
import pytest
import torch
from networks import example
from problems import problem
from scipy import sparse

from influence_core.compute import Cancelled, Task
from influence_core.influence import index, search
from influence_core.influence.candidates import FastSearch, features
from influence_core.influence.estimators import scores
from influence_core.influence.search import FastPlan, fewest, measure
from influence_core.influence.watched import Influence, watch
from influence_core.settings import SolverSettings


def distances(queries, points):
    return np.sqrt(((queries[:, None] - points[None]) ** 2).sum(2))


def test_the_index_finds_what_plain_distances_find():
    random = np.random.default_rng(0)
    points, queries = random.normal(size=(200, 5)), random.normal(size=(7, 5))
    found = index.index(points).nearest(queries, 12)
    expected = np.argsort(distances(queries, points), axis=1)[:, :12]
    np.testing.assert_array_equal(found, expected)
    assert index.index(points).nearest(queries, 500).shape == (7, 200)


def test_sparse_points_are_searched_as_dense_ones_are():
    random = np.random.default_rng(1)
    points, queries = random.poisson(0.3, (60, 30)) * random.uniform(1, 2, (60, 30)), random.normal(size=(7, 30))
    points[3] = 0
    found = index.index(sparse.csr_array(points)).nearest(sparse.csr_array(queries), 12)
    np.testing.assert_array_equal(found, np.argsort(distances(queries, points), axis=1)[:, :12])
    every = index.index(sparse.csr_array(points)).nearest(sparse.csr_array(queries), 500)
    np.testing.assert_array_equal(np.sort(every, axis=1), np.tile(np.arange(60), (7, 1)))


def test_cells_find_most_of_it_and_are_the_choice_for_many_points(monkeypatch):
    random = np.random.default_rng(0)
    points, queries = random.normal(size=(4000, 4)), random.normal(size=(20, 4))
    exact = index.index(points)
    monkeypatch.setattr(index, "MANY", 1000)
    cells = index.index(points)
    assert exact.exact
    assert not cells.exact
    one, other = exact.nearest(queries, 10), cells.nearest(queries, 10)
    assert np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(one, other, strict=True)]) > 0.7


def test_wrong_shapes_are_refused():
    made = index.index(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="queries with 2 features"):
        made.nearest(np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match="at least one point"):
        index.index(np.zeros((0, 2)))


def test_recall_counts_the_largest_sizes_of_either_sign():
    truth = np.array([0.1, -5.0, 3.0, 0.0, -2.0])
    assert index.recall(truth, np.array([1, 2]), 2) == 1
    assert index.recall(truth, np.array([1, 3]), 2) == 0.5
    assert index.recall(truth, np.array([0, 3]), 3) == 0


def test_features_of_a_linear_predictor_are_its_inputs():
    example_ = problem("logistic")
    np.testing.assert_array_equal(features(example_.fitted, example_.fitted.train.x), example_.data.x)


@pytest.mark.parametrize("kind", ["mlp", "no bias", "cnn"])
def test_features_of_a_network_are_what_its_last_layer_reads(kind):
    fitted = example(kind).fitted
    module = fitted.model.module.double()
    torch.nn.utils.vector_to_parameters(fitted.theta.clone(), module.parameters())
    with torch.no_grad():
        expected = module[:-1](fitted.train.x.view(-1, *fitted.model.shape)).numpy()
    np.testing.assert_allclose(features(fitted, fitted.train.x), expected, rtol=1e-9)


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("name", ["logistic", "softmax"])
def test_scores_of_candidates_are_rows_of_all_scores(name, fold):
    example_ = problem(name, fold_penalty=fold)
    influence, watched = example_.influence(), example_.watch()
    search = FastSearch(influence)
    rows = search.candidates(watched.batch, 9)
    assert rows.shape == (6, 9)
    full = scores(influence, watched)
    for j in range(6):
        found = search.scores(influence.solved(watched).value[:, j : j + 1], rows[j])
        np.testing.assert_allclose(found[:, 0], full[rows[j], j], rtol=1e-12)


def test_scores_of_candidates_of_a_network():
    case = example("cnn")
    influence = Influence(case.fitted, SolverSettings("ekfac", 0.1))
    watched = watch(case.fitted, case.test)
    rows = np.array([3, 17, 4])
    found = FastSearch(influence).scores(influence.solved(watched).value, rows)
    np.testing.assert_allclose(found, scores(influence, watched)[rows], rtol=1e-9)


def test_the_smallest_budget_whose_ranking_is_steady():
    goal, asked = np.arange(20.0)[:, None], []

    def run(budget):
        asked.append(budget)
        noise = np.random.default_rng(0).normal(size=(20, 1)) * 100 / budget**3
        return goal + noise, budget / 10

    budget, rho, seconds = fewest(run, (1, 2, 4, 8, 16, 32), goal, 0.99)
    assert asked[-1] == budget
    assert 1 < budget < 32
    assert rho >= 0.99
    assert seconds == budget / 10
    assert fewest(lambda _budget: (-goal, 0.0), (1, 2), goal) == (0, 0.0, 0.0)


def test_the_report_of_one_problem():
    example_ = problem("logistic", n=120)
    plan = FastPlan((5, 40, 500), top=5, rounds=(1, 2, 8), repeats=3)
    report = measure(example_.influence(damping=0.05), example_.watch(), plan)
    assert [one.k for one in report.sizes] == [5, 40, 120]
    recalls = [one.recall for one in report.sizes]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1
    assert report.enough().k <= 120
    assert report.rounds[0] in (1, 2, 8)
    assert report.rho >= search.STEADY
    assert (
        min(
            report.full,
            report.together,
            report.long,
            report.short,
            report.apart,
            *(one.seconds for one in report.sizes),
        )
        > 0
    )


def test_every_way_is_scored_apart_and_all_three_together():
    example_ = problem("logistic", n=120)
    influence, watched = example_.influence(damping=0.05), example_.watch()
    told = []
    plan = FastPlan((5, 40, 120), top=5, rounds=(1, 2, 8), repeats=3, task=Task(report=lambda *at: told.append(at)))
    report = measure(influence, watched, plan)
    assert [way.parts for way in report.ways] == ["none", *search.PARTS, "all three"]
    assert all(way.seconds > 0 for way in report.ways)
    assert told[-1] == (3 + 3 + 2, 3 + 3 + 2) and [at[0] for at in told] == sorted(at[0] for at in told)
    # Repeats one after the other are the same series: their mean is as near to the truth as that side by side.
    truth, k = scores(influence, watched), (report.enough() or report.sizes[-1]).k
    assert min(way.r for way in report.ways) > 0.9
    none, near, few, side, every = report.ways
    assert none.recall >= 0.8 and side.recall >= 0.8
    assert near.recall <= 1 and every.recall <= 1 and few.r > 0.9
    # What the index leaves out is never in its top: an exact solve with it has the recall of its candidates at most.
    exact = search._way(FastSearch(influence), watched, truth, ("x", (influence.solved(watched).value, 0.0), k), 5)
    assert exact.recall == pytest.approx(next(one.recall for one in report.sizes if one.k == k))
    assert exact.r == pytest.approx(1, abs=1e-9)


def test_a_report_can_be_cancelled():
    task = Task()
    task.cancel.set()
    with pytest.raises(Cancelled):
        measure(problem("logistic").influence(), problem("logistic").watch(), FastPlan((5,), task=task))
