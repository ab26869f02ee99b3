"""What the published figures say must come out, against scikit-learn and closed forms that share no code with them."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from influence_core.analysis import Cancelled, Task, analyse
from influence_core.compute import ResultStore
from influence_core.mislabels import SIGNALS
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError
from influence_core.teaching.figures import FIGURES, Figure, compute, perturbation_tensor
from influence_core.teaching.figures.derivative import SETTINGS as DERIVATIVE_SETTINGS
from influence_core.teaching.figures.solved import truncated
from influence_core.teaching.figures.svm import iris, measured


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {}


@pytest.fixture
def figure(figures, request, tmp_path) -> Figure:
    """A figure; those that keep their parts are cancelled after the first one and taken up again."""
    name = request.param
    if name not in figures:
        kept = KEPT.get(name, ())
        store = ResultStore(tmp_path)
        if kept:
            first = cancelled_after_one_part(name, store)
            assert set(first.tables) == set(kept) and all(len(table) for table in first.tables.values())
        reused, shown = list[int](), list[Figure]()
        task = Task(store=store, reused=reused.append, show=shown.append)
        figures[name] = compute(name, QUICK.get(name, ()), task)
        assert bool(kept) == bool(reused) == bool(shown)
        if kept:
            some, most, whole = (one.tables[kept[0]] for one in (first, shown[-1], figures[name]))
            assert len(some) < len(most)
            pd.testing.assert_frame_equal(most, whole.head(len(most)))
    return figures[name]


def cancelled_after_one_part(name: str, store: ResultStore) -> Figure:
    shown, cancel = list[Figure](), threading.Event()
    task = Task(store=store, cancel=cancel, show=lambda found: (shown.append(found), cancel.set()))
    with pytest.raises(Cancelled):
        compute(name, QUICK.get(name, ()), task)
    (found,) = shown
    return found


# Tables of the figures that keep their parts; the first one grows with every part.
KEPT = {
    "B": ("panels", "summary", "choices"),
    "C": ("panels", "summary", "pictures", "sides"),
    "E": ("draws", "pairs", "curves"),
    "H": ("auc", "curves"),
}
QUICK = {"C": (("steps", 3_000),), "E": (("draws", 12),), "H": (("data", "digits"), ("seeds", 3)), "I": (("tests", 2),)}
one = pytest.mark.parametrize


@one("figure", sorted(FIGURES), indirect=True)
def test_every_figure_has_finite_tables_and_worded_numbers(figure):
    assert figure.tables and figure.numbers
    for name, table in figure.tables.items():
        assert len(table) and table.index.nlevels == 1
        if name == "pictures":  # the test digit has no score
            continue
        numbers = table.select_dtypes("number")
        assert np.isfinite(numbers.to_numpy(dtype=float)).all()
    for number in figure.numbers:
        assert number.words and np.isfinite(number.ours)
        if np.isfinite(number.printed) and abs(number.difference) > 0.02 * abs(number.printed):
            assert number.why.endswith("."), f"{number.words} differs from print and does not say why"


def test_an_unknown_figure_or_option_is_one_sentence():
    with pytest.raises(SettingsError, match="expected one of A"):
        compute("Z")
    with pytest.raises(SettingsError, match="from 0 to 99"):
        compute("A", (("test", 100),))


@one("figure", ["A"], indirect=True)
def test_a_finds_the_published_points_in_the_published_order(figure):
    points = figure.tables["points"]
    for words, tolerance in (
        ("θ̂₁", 5e-9),
        ("θ̂₂", 5e-9),
        ("loss at point 7", 5e-9),
        ("slope of LOO on influence, loss", 0.005),
    ):
        assert abs(figure.number(words).difference) < tolerance
    assert figure.number("r of LOO and influence, loss").ours == pytest.approx(0.99994, abs=5e-6)
    for prefix in ("", "loo_"):
        found = points.loc[points[f"{prefix}parameter_change_norm"].nlargest(5).index, ["x1", "x2"]]
        expected = [
            [0.43758721, 0.891773],
            [0.0202184, 0.83261985],
            [0.7936977, 0.22392469],
            [0.65632959, 0.13818295],
            [0.0641475, 0.69247212],
        ]
        np.testing.assert_allclose(found, expected, atol=5e-9)
        found = points.loc[points[f"{prefix}loss_change"].nlargest(5).index, ["x1", "x2"]]
        expected = [
            [0.43758721, 0.891773],
            [0.72525428, 0.50132438],
            [0.97861834, 0.79915856],
            [0.5759465, 0.9292962],
            [0.34535168, 0.92808129],
        ]
        np.testing.assert_allclose(found, expected, atol=5e-9)


@one("figure", ["B"], indirect=True)
def test_b_has_the_published_agreement_of_every_solver(figure):
    summary = figure.tables["summary"].set_index("solver")
    for name in ("cholesky", "cg"):
        assert summary.r[name] == pytest.approx(0.995, abs=1e-3)
        assert summary.slope[name] == pytest.approx(0.88, abs=5e-3)
    assert 0.03 < summary.relative_residual["taylor"] < 0.08
    assert summary.r["taylor"] == pytest.approx(0.988, abs=2e-3)
    runs = summary[summary.index.str.startswith("lissa")]
    assert runs.slope.max() - runs.slope.min() > 0.05
    assert (runs.relative_residual > 2 * summary.relative_residual["taylor"]).all()
    newton = figure.tables["panels"].query("solver == 'one-step Newton'")
    np.testing.assert_allclose(newton.loss_change, newton.loo_loss_change, rtol=1e-6, atol=1e-12)
    choices = figure.tables["choices"].set_index(["encoding", "held_out_row"]).r
    assert choices["ordinal", 42] == pytest.approx(-0.74, abs=0.01)
    assert choices["one-hot", 42] > 0.8


def test_c_full_taylor_in_the_eigenbasis_is_the_series_itself():
    settings = Settings(DataSettings("blobs", (("n", 80),)), ModelSettings("logistic", 0.02, fold_penalty=True))
    analysis, scale, depth = analyse(settings), 3.0, 25
    train, test = analysis.problem.split.train, analysis.problem.split.test
    x, theta = np.column_stack([train.x, np.ones(len(train))]), analysis.problem.fitted.theta.numpy()
    p, penalty = 1 / (1 + np.exp(-x @ theta)), np.array([0.02, 0.02, 0.0])
    hessian = (x * (p * (1 - p))[:, None]).T @ x / len(x) + np.diag(penalty)
    at = np.append(test.x[1], 1.0)
    q = (1 / (1 + np.exp(-at @ theta)) - test.y[1]) * at + penalty * theta
    state = q.copy()
    for _ in range(depth):
        state = q + state - hessian @ state / scale
    expected = (((p - train.y)[:, None] * x + penalty * theta) @ state) / scale / len(x)
    found = truncated(analysis, 1, scale, depth)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-8, atol=1e-14)
    assert found.residual == pytest.approx(np.linalg.norm(hessian @ state / scale - q) / np.linalg.norm(q), rel=1e-8)


@one("figure", ["C"], indirect=True)
def test_c_averaging_removes_noise_and_keeps_the_bias(figure):
    ours = {number.words: number.ours for number in figure.numbers}
    assert ours["r of CG"] > 0.97 and ours["slope of LOO on CG"] == pytest.approx(1.03, abs=0.05)
    single, mean = (figure.number(f"noise of {words}").ours for words in ("one run", "the mean of ten runs"))
    assert mean < 0.7 * single
    assert figure.number("bias of these settings").ours > 0.1
    assert ours["r of full Taylor at these settings"] < ours["r of CG"] - 0.005
    assert ours["r of LiSSA with automatic settings"] > ours["r of CG"] - 0.003
    assert ours["slope of LOO on LiSSA with automatic settings"] == pytest.approx(ours["slope of LOO on CG"], abs=0.02)
    sides = figure.tables["sides"]
    assert (sides.helpful > 0).all() and (sides.harmful > 0).all()
    pictures = figure.tables["pictures"].set_index("what").loss_change
    assert pictures["most harmful (hard)"] < 0 and abs(pictures["smallest |score| (easy)"]) < 1e-3 * abs(
        pictures["most harmful (hard)"]
    )


@one("figure", ["D"], indirect=True)
def test_d_variants_equal_their_formulas_and_lose_what_the_paper_says(figure):
    points = figure.tables["points"]
    settings = Settings(DataSettings("mnist"), ModelSettings("logistic", 0.1))
    analysis = analyse(settings)
    train, test = analysis.problem.split.train, analysis.problem.split.test
    x = np.column_stack([train.x, np.ones(len(train))])
    theta, at = analysis.problem.fitted.theta.numpy(), np.append(test.x[6], 1.0)
    sign = 2.0 * train.y - 1
    p = 1 / (1 + np.exp(-x @ theta))
    penalty = 0.1 * np.diag(np.append(np.ones(784), 0.0))
    hessian = (x * (p * (1 - p))[:, None]).T @ x / len(x) + penalty
    q = (1 / (1 + np.exp(-at @ theta)) - test.y[6]) * at
    solved = np.linalg.solve(hessian, q)
    rows = points[points.scaling == "standardised"]
    expected = {
        "score": (p - train.y) * (x @ solved),
        "without σ(−y f)": -sign * (x @ solved),
        "without H⁻¹": (p - train.y) * (x @ q),
        "without both": -sign * (x @ q),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(rows[name], values / len(x), rtol=1e-6, atol=1e-9 * np.abs(values).max())
    assert figure.number("share over-estimated without σ(−y f), standardised").ours > 0.99
    assert figure.number("share whose sign without H⁻¹ is 'same class', unscaled").ours == 1.0
    assert figure.number("share whose sign of the score is 'same class', unscaled").ours < 0.9


def test_e_measured_changes_are_those_of_refits_without_the_shortcut():
    parts = iris(1)
    found = measured(parts)
    whole = SVC(kernel="linear", C=0.5, tol=1e-9).fit(parts.train.x, parts.train.y)
    sign = 2 * parts.test.y - 1
    for row in [0, 17, 40, int(np.abs(found).sum(1).argmax())]:
        kept = np.delete(np.arange(len(parts.train)), row)
        refit = SVC(kernel="linear", C=0.5, tol=1e-9).fit(parts.train.x[kept], parts.train.y[kept])
        before, after = (np.maximum(0, 1 - sign * m.decision_function(parts.test.x)) for m in (whole, refit))
        np.testing.assert_allclose(found[row], after - before, atol=1e-6)


@one("figure", ["E"], indirect=True)
def test_e_has_the_printed_values_inside_the_spread_of_draws(figure):
    draws = figure.tables["draws"]
    first = draws[draws.estimator == "influence"]
    for t, printed in ((0.01, 0.8602), (0.1, 0.7700)):
        r = first[first.t == t].r
        assert r.min() < printed < r.max() + 0.02
        assert figure.number(f"median r at t = {t}").printed == printed
    assert first[first.t == 0.01].r.median() > first[first.t == 0.1].r.median()
    assert figure.number("times too large at t = 0").ours > 100
    slopes = draws[(draws.estimator == "newton") & (draws.t == 0.01)].slope
    assert 0.5 < slopes.median() < 1.5
    curves = figure.tables["curves"]
    hinge = curves[curves.t == 0]
    np.testing.assert_allclose(hinge.loss, np.maximum(0, 1 - hinge.margin), atol=1e-15)


@one("figure", ["F"], indirect=True)
def test_f_far_points_are_unused_by_the_svc_and_small_for_logistic(figure):
    points = figure.tables["points"]
    hinge, logistic = (points[points.model == name].reset_index() for name in ("hinge", "logistic"))
    assert (hinge.id == logistic.id).all()
    far = hinge.distance.abs() > hinge.distance.abs().median()
    assert hinge.loss_change[far].abs().max() < 1e-12 * hinge.loss_change.abs().max()
    shares = logistic.loss_change[far].abs() / logistic.loss_change.abs().max()
    assert (shares > 1e-6).all()
    assert figure.number("share of the farther half in the summed |score|, logistic").ours < 0.2


@one("figure", ["G"], indirect=True)
def test_g_flips_are_harmful_solvers_agree_and_adamw_is_no_minimum(figure):
    assert figure.number("largest difference of direct and CG").ours < 1e-6
    assert figure.number("slope of direct on CG").ours == pytest.approx(1, abs=1e-6)
    assert figure.number("share of flipped labels that are harmful").ours > 0.9
    assert figure.number("share of the other labels that are harmful").ours < 0.3
    assert figure.number("‖∇J‖ after AdamW").ours > 1e-4 > 1e-9 > figure.number("‖∇J‖ after Newton").ours
    bayes, examples = figure.number("Bayes error").ours, figure.tables["examples"]
    # Everybody's error by the optimal rule, counted: within four standard errors of the formula.
    optimal = figure.tables["boundaries"].query("fit == 'optimal'").iloc[0]
    kept = examples[~examples.flipped]
    second = kept.x1 * optimal.w1 + kept.x2 * optimal.w2 > optimal.offset
    wrong = (second != (kept["class"] == "class 2")).mean()
    assert abs(wrong - bayes) < 4 * np.sqrt(bayes * (1 - bayes) / len(kept))
    confusion = figure.tables["confusion"]
    assert confusion.groupby("fit")["count"].sum().tolist() == [(examples.part == "test").sum()] * 2
    assert len(figure.tables["curves"]) == 50 and len(figure.tables["influence"]) == 100


def test_g_perturbation_tensor_predicts_a_moved_feature():
    settings = Settings(DataSettings("blobs", (("n", 60),)), ModelSettings("logistic", 0.05))
    tensor, analysis = perturbation_tensor(settings), analyse(settings)
    train, test = analysis.problem.split.train, analysis.problem.split.test
    assert tensor.shape == (len(test), len(train), 2)

    def losses(x):
        fit = LogisticRegression(C=1 / (0.05 * len(x)), tol=1e-12, max_iter=10_000, solver="newton-cholesky")
        f = fit.fit(x, train.y).decision_function(test.x)
        return np.logaddexp(0, -(2 * test.y - 1) * f)

    for row, feature in ((0, 0), (11, 1)):
        step = np.zeros_like(train.x)
        step[row, feature] = 1e-4
        slope = (losses(train.x + step) - losses(train.x - step)) / 2e-4
        np.testing.assert_allclose(tensor[:, row, feature], slope, rtol=1e-4, atol=1e-8)


@one("figure", ["H"], indirect=True)
def test_h_suspicious_labels_are_found_early_and_accuracy_recovers(figure):
    curves = figure.tables["curves"].set_index(["signal", "checked"])
    for name in ("self_influence", "loss", "confident_learning"):
        assert figure.number(f"mean AUC, {SIGNALS[name].title}").ours > 0.9
        assert curves.found[name, 0.1] > 0.7
        assert curves.found[name].is_monotonic_increasing
        assert (curves.found[name, 0.0], curves.found[name, 1.0]) == (0, 1)
        assert curves.accuracy[name, 0.2] > curves.accuracy[name, 0.0]
    assert abs(figure.number("mean AUC, Random").ours - 0.5) < 0.12
    ends = [curves.accuracy[name, 1.0] for name in curves.index.levels[0]]
    assert max(ends) == min(ends)


def _refit(weights: np.ndarray, penalty: float, test: int) -> float:
    problem = analyse(DERIVATIVE_SETTINGS).problem
    train, asked = problem.split.train, problem.split.test
    model = LogisticRegression(C=1 / (penalty * len(train)), tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    f = model.fit(train.x, train.y, sample_weight=weights).decision_function(asked.x[test : test + 1])[0]
    return float(np.logaddexp(0, -(2 * asked.y[test] - 1) * f))


@one("figure", ["J"], indirect=True)
def test_j_tangents_are_derivatives_of_independent_refits(figure):
    path, row = figure.tables["path"], int(figure.number("training point").ours)
    n = len(analyse(DERIVATIVE_SETTINGS).problem.split.train)
    unit, step = np.eye(n)[row], 1e-4
    first, second = (rows for _, rows in path.groupby("way", sort=False))

    def mixture(h):
        return np.full(n, 1 - h) + n * h * unit

    by_epsilon = (_refit(1 + n * step * unit, 0.01, 0) - _refit(1 - n * step * unit, 0.01, 0)) / (2 * step)
    by_h = (_refit(mixture(step), 0.01, 0) - _refit(mixture(-step), 0.01, 0)) / (2 * step)
    assert _slope(first) == pytest.approx(by_epsilon, rel=1e-4)
    assert _slope(second) == pytest.approx(by_h, rel=1e-4)
    assert figure.number("predicted loss change").ours == pytest.approx(-by_epsilon / n, rel=1e-4)
    removed = _refit(1 - unit, 0.01, 0) - _refit(np.ones(n), 0.01, 0)
    assert figure.number("LOO loss change").ours == pytest.approx(removed, rel=1e-5)
    for rows in (first, second):
        assert rows.step.iloc[0] == pytest.approx(-1 / n)
    for k in (5, -1):
        assert second.loss.iloc[k] == pytest.approx(_refit(mixture(second.step.iloc[k]), 0.01, 0), rel=1e-6)


def _slope(rows: pd.DataFrame) -> float:
    return float((rows.tangent.iloc[-1] - rows.tangent.iloc[0]) / (rows.step.iloc[-1] - rows.step.iloc[0]))


def _recall_of_brute_force(sizes, train, test, scores):
    for row in sizes.itertuples():
        shares = []
        for j in range(2):
            near = np.argsort(((train - test[j]) ** 2).sum(1), kind="stable")[: row.candidates]
            shares.append(np.isin(np.argsort(-np.abs(scores[:, j]))[:10], near).mean())
        assert row.recall == pytest.approx(np.mean(shares), abs=0.051)


@one("figure", ["I"], indirect=True)
def test_i_recall_is_that_of_brute_force_neighbours_and_ends_at_one(figure):
    sizes = figure.tables["sizes"]
    analysis = analyse(Settings(DataSettings("mnist"), ModelSettings("logistic", 0.1)))
    split = analysis.problem.split
    _recall_of_brute_force(sizes, split.train.x, split.test.x, analysis.scores([0, 1]))
    assert sizes.recall.iloc[-1] == 1 and (sizes.recall.diff().dropna() >= 0).all() and (sizes.seconds > 0).all()
    parts = figure.tables["parts"]
    np.testing.assert_allclose(parts.times_faster, parts.seconds_without / parts.seconds_with)
    assert figure.number("ρ of the short run").ours >= 0.99
    assert 1 <= figure.number("rounds of LiSSA that keep").ours <= figure.number("rounds of LiSSA in the long").ours


def test_i_also_holds_on_mails_with_the_three_parts_alone_and_together():
    figure = compute("I", (("data", "mails"), ("tests", 2)))
    settings = FIGURES["I"].asked({"data": "mails", "model": "logistic", "l2": 0.0, "tests": 2})
    assert settings == Settings(DataSettings("spam_assassin"), ModelSettings("logistic", 0.01))
    analysis = analyse(settings)
    split, scores = analysis.problem.split, analysis.scores([0, 1])
    _recall_of_brute_force(figure.tables["sizes"], split.train.x.toarray(), split.test.x[:2].toarray(), scores)
    ways = figure.tables["ways"].set_index("parts")
    np.testing.assert_allclose(ways.times_faster, ways.seconds["none"] / ways.seconds)
    # Repeats one after the other or side by side, the long run is the exact answer up to its own noise.
    assert min(ways.r["none"], ways.r["repeats side by side"]) > 0.99
    assert min(ways.recall["none"], ways.recall["repeats side by side"]) >= 0.9
    assert ways.r.min() > 0.9 and ways.recall.min() >= 0.5
    assert figure.number("times faster by all three").ours == ways.times_faster["all three"]
