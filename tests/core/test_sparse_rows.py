"""Sparse rows against the dense tensor they stand for: every operation, and every answer made of them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_texts import TARGETS, dense, pair, parts
from scipy import sparse

from influence_core.analysis import Analysis, FlipQuestion, Problem, Review, fragility
from influence_core.analysis.problem import Given
from influence_core.compute import SparseRows, gram, product
from influence_core.compute import sparse as module
from influence_core.curvature import exact_hessian
from influence_core.data import load
from influence_core.influence import effects
from influence_core.influence.estimators import ESTIMATORS, removal_change, scores, self_influence
from influence_core.influence.watched import Influence, watch
from influence_core.models.registry import fit
from influence_core.models.sampling import sampled_products
from influence_core.retraining import LeaveOneOut, Question, leave_groups_out
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError, SolverSettings
from influence_core.solvers import SOLVERS, cholesky, factor
from influence_core.solvers.dual import DualFactor

CLOSE = {"rtol": 1e-10, "atol": 1e-14}
KEPT = torch.tensor([4, 0, 4, 7])
OPERATIONS = {
    "times a matrix": lambda x: product(x, torch.arange(18.0, dtype=torch.float64).view(6, 3)),
    "matmul with a vector": lambda x: x @ torch.arange(6.0, dtype=torch.float64),
    "a matrix times it": lambda x: product(torch.arange(18.0, dtype=torch.float64).view(2, 9), x),
    "transposed": lambda x: product(x.T, torch.arange(9.0, dtype=torch.float64)[:, None]),
    "both": lambda x: product(x, x.T),
    "gram": gram,
    "weighted gram": lambda x: gram(torch.arange(9.0, dtype=torch.float64).sqrt()[:, None] * x),
    "rows": lambda x: x[KEPT],
    "a mask of rows": lambda x: x[torch.arange(9) % 2 == 0],
    "a slice of rows": lambda x: x[2:5],
    "a slice of columns": lambda x: x[:, 1:4],
    "one row": lambda x: x[3],
    "one column": lambda x: x[:, 2],
    "lists of rows": lambda x: x[torch.tensor([[1, 2], [3, 4]])],
    "squares": lambda x: x**2,
    "sums of rows": lambda x: x.square().sum(1),
    "sums of columns": lambda x: x.sum(0),
    "the sum": lambda x: x.sum(),
    "lengths": lambda x: x.norm(dim=1),
    "lengths kept": lambda x: torch.linalg.vector_norm(x, dim=1, keepdim=True),
    "scaled rows": lambda x: x * torch.arange(9.0, dtype=torch.float64)[:, None],
    "scaled columns": lambda x: x * torch.arange(6.0, dtype=torch.float64),
    "a number": lambda x: 2.5 * x,
    "each scaled": lambda x: torch.arange(54.0, dtype=torch.float64).view(9, 6) * x,
    "outer": lambda x: torch.ones(9, 2, 1, dtype=torch.float64) * x[:, None, :],
    "einsum": lambda x: torch.einsum("nd,md->nm", x[:4], x),
    "new": lambda x: x.new_zeros(2, 3) + x.new_ones(2, 3) + x.new_full((2, 3), 4.0),
    "detached": lambda x: x.detach().clone(),
}


def rows():
    matrix = sparse.random_array((9, 6), density=0.4, rng=np.random.default_rng(1), format="csr")
    return SparseRows(matrix), torch.from_numpy(matrix.toarray())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_what_it_gives_for_the_dense_tensor(name):
    x, whole = rows()
    found = OPERATIONS[name](x)
    torch.testing.assert_close(torch.as_tensor(module.dense(found)), OPERATIONS[name](whole), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["rows", "a mask of rows", "a slice of rows", "squares", "scaled rows", "transposed"])
def test_what_keeps_its_zeros_stays_sparse(name):
    inner = {"transposed": lambda x: x.T}.get(name, OPERATIONS[name])
    assert isinstance(inner(rows()[0]), SparseRows)


def test_sparse_rows_are_read_only_and_large_copies_are_refused(monkeypatch):
    x, whole = rows()
    with pytest.raises(TypeError, match="stay as they are"):
        x.mul_(2)
    with pytest.raises(TypeError, match="stay as they are"):
        x[0] = 1.0
    torch.testing.assert_close(module.dense(x), whole)
    monkeypatch.setattr(module, "DENSE_BYTES", 8 * 53)
    with pytest.raises(SettingsError, match="9 texts × 6 words are too many"):
        x.exp()


def both(model, solver="auto", **options):
    return [Influence(fitted, SolverSettings(solver)) for fitted, _ in pair(model, **options)]


def asked(model, which=slice(None), name="loss", **options):
    return [watch(fitted, fitted.batch(made.test).take(which), name) for fitted, made in pair(model, **options)]


@pytest.mark.parametrize("model", TARGETS)
def test_the_fit_is_the_same(model):
    (ours, _), (theirs, _) = pair(model)
    assert isinstance(ours.train.x, SparseRows)
    assert not isinstance(theirs.train.x, SparseRows)
    torch.testing.assert_close(ours.theta, theirs.theta, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "estimator", [name for name, entry in ESTIMATORS.items() if entry.curvature or not entry.seeds]
)
@pytest.mark.parametrize("model", TARGETS)
def test_every_estimator_is_the_same(model, estimator):
    ours, theirs = both(model)
    if not ESTIMATORS[estimator].applies(ours.fitted):
        with pytest.raises(SettingsError):
            scores(ours, asked(model)[0], estimator)
        return
    first, second = (scores(i, w, estimator) for i, w in zip((ours, theirs), asked(model), strict=True))
    size = np.abs(second).max()
    np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-10 * size)
    rows = [removal_change(i, w, 5, estimator) for i, w in zip((ours, theirs), asked(model), strict=True)]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-10, atol=1e-10 * size)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_is_the_same(solver):
    ours, theirs = both("logistic", solver)
    first, second = (scores(i, w) for i, w in zip((ours, theirs), asked("logistic", slice(0, 3)), strict=True))
    # Which eigenpairs have settled by the last step of Arnoldi hangs on rounding, for dense rows too.
    close = 0.05 if SOLVERS[solver].kind == "approximate" else 1e-7
    np.testing.assert_allclose(first, second, rtol=close, atol=close * np.abs(second).max())


@pytest.mark.parametrize("outputs", [1, 3])
def test_products_with_drawn_rows_are_the_same_and_need_no_dense_copy(outputs, monkeypatch):
    random = np.random.default_rng(1)
    x = random.poisson(0.4, (9, 6)).astype(float)
    x[4] = 0
    rows, weights = torch.tensor([[4, 0, 4, 8], [7, 7, 1, 2]]), torch.from_numpy(random.uniform(1, 2, (2, 4)))
    roots = torch.from_numpy(random.normal(size=(9, outputs, outputs)))
    c, v = roots @ roots.mT, torch.from_numpy(random.normal(size=(2, 6 * outputs, 5)))
    expected = torch.zeros_like(v)
    for r in range(2):
        for row, weight in zip(rows[r], weights[r], strict=True):
            h = torch.kron(c[row], torch.outer(*[torch.from_numpy(x[row])] * 2))
            expected[r] += weight * (h @ v[r]) / 4
    monkeypatch.setattr(module, "DENSE_BYTES", 0)
    found = sampled_products(SparseRows(sparse.csr_array(x)), c, (rows, weights), v)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("model", TARGETS)
def test_every_effect_and_diagnostic_is_the_same(model):
    ours, theirs = both(model)
    some = np.array([0, 3, 9])
    watched = asked(model, slice(0, 4))
    calls = {
        "self_influence": lambda i, _w: self_influence(i),
        "newton self_influence": lambda i, _w: self_influence(i, newton=True),
        "leverage": lambda i, _w: i.leverage.numpy(),
        "parameter_change": lambda i, _w: effects.parameter_change(i, some),
        "parameter_change_norm": lambda i, _w: effects.parameter_change_norm(i),
        "group_change": lambda i, w: effects.group_change(i, w, [some], newton=True),
        "perturbation_change": lambda i, w: effects.perturbation_change(i, w, some),
    }
    if TARGETS[model]:
        other = (ours.fitted.train.y.numpy().astype(int) + 1) % TARGETS[model]
        calls["relabel_change"] = lambda i, w: effects.relabel_change(i, w, other, newton=True)
    for name, call in calls.items():
        first, second = (call(i, w) for i, w in zip((ours, theirs), watched, strict=True))
        np.testing.assert_allclose(first, second, rtol=1e-8, atol=1e-10 * np.abs(second).max(), err_msg=name)


@pytest.mark.parametrize("model", TARGETS)
def test_refits_are_the_same(model):
    found = []
    for fitted, made in pair(model):
        question = Question(fitted.batch(made.test).take(slice(0, 4)))
        single = LeaveOneOut(fitted).run(question, np.arange(12))
        group = leave_groups_out(fitted, question, [np.array([1, 5, 8])])
        assert single.certified.all()
        found.append((single.change, single.self_change, group.change))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7 * np.abs(theirs).max())


@pytest.mark.parametrize("l2", [0.0, 0.003])
def test_without_intercept_and_with_a_folded_penalty(l2):
    made = parts(0)
    settings = ModelSettings("ridge", 0.003, intercept=False, fold_penalty=bool(l2))
    fitted = [fit(settings, one) for one in (made, dense(made))]
    first, second = (
        scores(Influence(f, SolverSettings()), watch(f, f.batch(one.test)), "newton")
        for f, one in zip(fitted, (made, dense(made)), strict=True)
    )
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12 * np.abs(second).max())


WIDE = {"vocabulary": 2_500}


@pytest.mark.parametrize("damping", [0.0, 0.01])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_dual_form_solves_the_same_system(intercept, damping):
    (fitted, _), _ = pair("logistic", intercept=intercept, **WIDE)
    curvature = exact_hessian(fitted, damping)
    n, p = fitted.train.x.shape
    assert n < p
    found = factor(SolverSettings("cholesky", damping), curvature)
    assert isinstance(found, DualFactor)
    direct = cholesky(replace(curvature, dual=None))
    b = torch.from_numpy(np.random.default_rng(0).normal(size=(p, 3)))
    solution = found(b)
    torch.testing.assert_close(solution.value, direct(b).value, rtol=1e-9, atol=1e-9)
    assert solution.converged
    assert "form of the system" in solution.note
    h = curvature.dense().numpy()
    x = module.dense(fitted.train.x).numpy()
    expected = np.einsum("ip,pi->i", x, np.linalg.solve(h, x.T))
    np.testing.assert_allclose(found.energies(fitted.train.x).numpy(), expected, rtol=1e-9)


def test_multiples_of_a_column_that_was_solved_lately_cost_no_solve():
    (fitted, _), _ = pair("logistic", **WIDE)
    curvature, asked = exact_hessian(fitted), []
    found = factor(SolverSettings("cholesky"), curvature)
    small = found.small
    counted = replace(small, apply=lambda t: (asked.append(t.shape), small.apply(t))[1])
    found = replace(found, small=counted)
    columns = torch.from_numpy(np.random.default_rng(0).normal(size=(len(found.back), 6)))
    direct = cholesky(replace(curvature, dual=None))(columns).value
    for k in (0, 1, 0):
        for times in (1.0, -3.7, 0.1):
            torch.testing.assert_close(
                found(times * columns[:, [k]]).value, times * direct[:, [k]], rtol=1e-9, atol=1e-9
            )
    assert len(asked) == 2 + 1  # and the intercept once
    near = columns[:, [0]] + 1e-9 * columns[:, [2]]
    torch.testing.assert_close(
        found(near).value - found(columns[:, [0]]).value, 1e-9 * direct[:, [2]], rtol=1e-3, atol=1e-12
    )
    assert len(asked) == 4
    assert not bool(found(torch.zeros_like(near)).value.any())
    for k in range(6):
        found(columns[:, [k]])
    assert len(found.lately) == 4


def test_many_words_and_few_texts_are_scored_in_the_dual_form_and_fitted_by_products():
    (ours, made), (theirs, other) = pair("logistic", **WIDE)
    assert made.train.x.shape[1] > 1_500
    torch.testing.assert_close(ours.theta, theirs.theta, rtol=1e-7, atol=1e-9)
    first = scores(Influence(ours, SolverSettings()), watch(ours, ours.batch(made.test)), "newton")
    dense_solver = replace(exact_hessian(theirs), dual=None)
    influence = Influence(theirs, SolverSettings())
    influence.__dict__["solve"] = cholesky(dense_solver)
    second = scores(influence, watch(theirs, theirs.batch(other.test)), "newton")
    np.testing.assert_allclose(first, second, rtol=1e-7, atol=1e-9 * np.abs(second).max())


def test_scoring_needs_little_beyond_the_rows_and_the_matrix():
    made = load(DataSettings("state_of_the_union"), 0)
    fitted, stored = fit(ModelSettings("logistic", 0.001), made), made.train.x
    influence, watched = Influence(fitted, SolverSettings("cholesky")), watch(fitted, fitted.batch(made.test).take([0]))
    size = sum(part.nbytes for part in (stored.data, stored.indices, stored.indptr)), 8 * fitted.size**2
    tracemalloc.start()
    scores(influence, watched)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # NumPy and SciPy report here, torch does not; p × p is torch's, once as H and once as its factor.
    assert peak <= 3 * size[0] + size[1]


@pytest.mark.parametrize("options", [{}, {"intercept": False}, {"fold_penalty": True}])
@pytest.mark.parametrize("model", ["logistic", "ridge"])
def test_refits_with_fewer_texts_than_words_need_no_matrix_of_words(model, options):
    made = parts(TARGETS[model], vocabulary=2_500)
    fitted = fit(ModelSettings(model, 0.003, **options), made)
    assert fitted.size > 1_500 > len(made.train)
    question, some = Question(fitted.batch(made.test).take(slice(0, 4))), np.arange(8)
    run = LeaveOneOut(fitted)
    found = run.run(question, some, keep_parameters=True)
    assert run.left_out.wide is not None
    assert "inverse" not in run.left_out.__dict__
    assert found.certified.all()
    other = LeaveOneOut(fitted)
    other.left_out.__dict__["wide"] = None  # the p × p inverse
    expected = other.run(question, some)
    np.testing.assert_allclose(found.change, expected.change, rtol=1e-5, atol=1e-8 * np.abs(expected.change).max())
    weights = torch.ones_like(fitted.train.y)
    weights[3] = 0
    _, gradient = fitted.linear.objective(torch.from_numpy(found.parameters[3]), fitted.train, weights)
    own = fitted.linear.gradients(fitted.theta, fitted.train.take(slice(3, 4))).norm() / len(made.train)
    assert float(gradient.norm()) <= 1.01e-6 * float(own)


def test_what_flips_a_prediction_and_who_is_suspicious_is_the_same():
    found, suspicions = [], []
    for _, made in pair("logistic"):
        problem = Problem(Settings(model=ModelSettings("logistic", 0.003)), given=Given(made))
        test = problem.start
        answer = fragility.fragility(problem, FlipQuestion(test, fragility.wants(problem, test)[0]))
        found.append((test, answer.sentence))
        review = Review(Analysis(problem.settings, problem))
        suspicions.append(review.suspicions(None))
    assert found[0] == found[1]
    assert suspicions[0].keys() == suspicions[1].keys()
    for name, ours in suspicions[0].items():
        np.testing.assert_allclose(ours, suspicions[1][name], rtol=1e-6, atol=1e-9, err_msg=name)
