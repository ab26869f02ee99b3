"""The Solvers page in AppTest: a row for every solver, failures as sentences, live damping."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core import analysis
from influence_core.agreement import linear_datamodelling
from influence_core.analysis import Halves, trials
from influence_core.analysis.networks import SAME_RUN
from influence_core.analysis.trials import Trial
from influence_core.analysis.truth import CERTIFIED
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings
from influence_core.solvers import SOLVERS
from pages.components.session import cached
from pages.components.session.view import View
from pages.components.solvers import benches
from pages.components.solvers.truth import Yardstick, verdict
from tests import waiting
from tests.waiting import PATIENCE

PAGE = str(Path(__file__).parents[2] / "pages" / "5_Solvers.py")
BLOBS = DataSettings("blobs", (("n", 150),))


def opened(settings):
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = settings, View()
    return app.run()


def rows(app):
    return app.table[0].value


@pytest.mark.parametrize(
    "settings",
    [
        Settings(data=BLOBS, model=ModelSettings("logistic", 0.1)),
        Settings(data=DataSettings("diabetes"), model=ModelSettings("ridge", 0.01)),
        Settings(data=DataSettings("iris", (("classes", "3"),)), model=ModelSettings("softmax", 0.01)),
    ],
    ids=["blobs", "diabetes", "iris"],
)
def test_a_row_for_every_solver_and_they_agree(settings):
    app = opened(settings)
    assert not app.exception
    assert not app.error
    table = rows(app)
    assert len(table) == len(SOLVERS)
    assert len(app.get("plotly_chart")) == 4
    for name in ("cholesky", "eigh", "cg"):
        found = benches.trial(settings, name, 0)
        exact = benches.trial(settings, "cholesky", 0)
        assert found.residual <= 1e-8
        assert trials.relative_error(found.scores, exact.scores) <= 1e-6
    assert "relative residual of at most 1e-8" in app.info[-1].value


def test_singular_system_is_a_sentence_in_the_row(singular):
    app = opened(singular)
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    until(app, lambda app: len(app.table) and len(rows(app)) == len(SOLVERS))  # a job, where it takes a moment
    table = rows(app)
    assert "indefinite" in table["what it says"].iloc[0]


@pytest.fixture
def singular():
    # Away from a minimum the Hessian of a network is indefinite.
    return moons(solver=SolverSettings(curvature="exact"))


@pytest.mark.parametrize(
    ("quantity", "ends", "said"),
    [
        ("loss", "← harmful | helpful →", "it is helpful"),
        ("margin", "← helpful | harmful →", "< 0: removing it lowers this, so it is helpful"),
        ("prediction", "← pushes down | pushes up →", "neither helped nor harmed"),
    ],
)
def test_charts_say_what_a_sign_means_for_the_watched_quantity(quantity, ends, said):
    app = opened(Settings(data=BLOBS, model=ModelSettings("logistic", 0.1), quantity=quantity))
    assert not app.exception and not app.error
    axes = [json.loads(chart.proto.spec)["layout"]["yaxis"]["title"]["text"] for chart in app.get("plotly_chart")]
    assert sum(title.endswith(ends) for title in axes) == 2
    assert sum(said in caption.value.replace("\\", "") for caption in app.caption) == 2


def test_test_point_and_damping_are_bound():
    app = opened(Settings(data=BLOBS, model=ModelSettings("logistic", 0.1)))
    app.number_input(key="solvers.test").set_value(3).run()
    assert app.session_state.view.test == 3
    app.number_input(key="solver.damping").set_value(0.5).run()
    assert app.session_state.settings.solver.damping == 0.5
    app.selectbox(key="solver.name").set_value("cg").run()
    app.number_input(key="solver.cg.max_products").set_value(1).run()
    assert not app.exception
    assert not app.error
    assert app.session_state.settings.solver == SolverSettings("cg", 0.5, (("max_products", 1),))
    assert any("allow more products" in text for text in rows(app)["what it says"])


def test_live_damping_changes_nothing_until_it_is_used():
    app = opened(Settings(data=BLOBS, model=ModelSettings("logistic", 0.1)))
    # AppTest cannot set a slider whose options are numbers shown as words, so what it would choose is set.
    app.session_state.view = replace(app.session_state.view, trial_damping=1.0)
    app.run()
    assert not app.exception
    assert app.session_state.settings.solver.damping == 0
    [button] = [button for button in app.button if button.label == "Use it everywhere"]
    button.click().run()
    assert app.session_state.settings.solver.damping == 1.0


def test_damping_path_is_the_solution_at_every_damping():
    settings = Settings(data=BLOBS, model=ModelSettings("logistic", 0.1))
    path = benches.damping_path(settings, 2, (0.0, 0.1, 10.0), count=4)
    for k, damping in enumerate(path.dampings):
        chosen = Settings(data=BLOBS, model=settings.model, solver=SolverSettings("cholesky", float(damping)))
        exact = benches.trial(chosen, "cholesky", 2).scores[path.rows]
        assert trials.relative_error(path.scores[:, k], exact) < 1e-9


def moons(**more):
    options = (("epochs", 8), ("layers", 1), ("width", 4))
    model = ModelSettings("mlp", 0.001, options=options)
    return Settings(DataSettings("moons", (("n", 60),), test_fraction=0.2), model, **more)


def until(app, ready):
    """Run the page again until it is so, as its polling fragments do."""
    waiting.until(lambda: ready(app) or ready(app.run()), pause=0.1)


def test_a_network_is_compared_with_what_training_again_shows(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    few = ["cholesky", "ekfac", "identity"]  # quick ones
    monkeypatch.setattr(analysis, "applicable_solvers", lambda *_: few)
    settings = moons()
    app = opened(settings)
    until(app, lambda app: app.get("plotly_chart"))
    assert set(rows(app)["to LOO of this run"][:3]) == set(rows(app)["LDS of this run"][:3]) == {"not run"}
    assert "not measured yet" in app.info[-1].value

    app.button_group(key="against").set_value("lds").run()
    [run] = [button for button in app.button if button.label == "Train on 50 random halves"]
    run.click().run()
    until(app, lambda app: "not run" not in set(rows(app)["LDS of this run"]))
    start = cached.problem(settings).start
    found = benches.trial(settings, "cholesky", start)
    halves = cached.problem(settings).truth.stored_halves()
    lds = linear_datamodelling(halves.values[:, [start]], found.scores[:, None], halves.members).mean.value
    table = rows(app).set_index("solver")
    assert table.loc["Cholesky", "LDS of this run"] == f"{lds:.2f}"
    assert f"LDS = {lds:.2f} at this test point" in app.info[-1].value.replace("\\", "")
    assert any("One dot for each of 50 networks" in caption.value for caption in app.caption)

    app.button_group(key="against").set_value("loo").run()
    [run] = [button for button in app.button if button.label == "Train without each point"]
    run.click().run()
    until(app, lambda app: "not run" not in set(rows(app)["to LOO of this run"]))
    assert any("48 of 48 training points were left out" in caption.value for caption in app.caption)
    assert app.session_state.view.against == "loo"
    assert not app.exception and not app.error


@pytest.mark.parametrize("name", ["auto", *SOLVERS])
def test_every_setting_of_a_network_has_an_automatic_choice_with_its_reason_and_can_be_set_by_hand(monkeypatch, name):
    used = "eigh" if name == "auto" else name
    monkeypatch.setattr(analysis, "applicable_solvers", lambda *_: [used])
    quick = (("rounds", 1),) if name == "lissa" else ()
    app = opened(moons(solver=SolverSettings(name, options=quick)))
    said = " ".join(caption.value for caption in app.caption).replace("\\", "")
    assert "Damping" in said and "was chosen: 0.1 of the mean eigenvalue" in said
    assert "The Gauss–Newton matrix stands for H, because" in said
    assert ("The automatic solver here is Eigendecomposition: up to 1,500 parameters" in said) == (name == "auto")
    if name != "auto":
        for option in SOLVERS[name].options:
            app.session_state[f"solver.{name}.{option.name}"]  # its widget
    for button in app.button:
        if button.label == "Compare the solvers":
            button.click().run()
    until(app, lambda app: app.table)
    found = benches.trial(app.session_state.settings, used, 0)
    note = " ".join(text.value for text in app.markdown if text.value.startswith("* **"))
    assert bool(note) == bool(found.note)
    reasons = {
        "cg": ("Preconditioner: ",),
        "taylor": ("Scale s = ", "power iteration"),
        "lissa": ("Scale s = ", "no draw can expand", " steps (", " of "),
        "arnoldi": ("Rank ", "("),
        "nystrom": ("Rank ", "("),
    }
    assert all(part in found.note for part in reasons.get(used, ())), found.note
    app.selectbox(key="solver.curvature").set_value("exact").run()
    app.number_input(key="solver.damping").set_value(2.5).run()
    said = " ".join(caption.value for caption in app.caption)
    assert "was chosen" not in said and "stands for H" not in said
    assert app.session_state.settings.solver == SolverSettings(name, 2.5, quick, "exact")
    assert not app.exception and not app.error


def test_the_verdict_is_what_the_numbers_say():
    random = np.random.default_rng(0)
    members = np.array([random.permutation(40) < 20 for _ in range(50)])
    exact = random.normal(size=40)
    values = (~members).astype(float) @ exact
    halves = Halves(members, values[:, None], 1)
    dear = Trial("cholesky", "Cholesky", 5.0, 1.0, 1e-15, scores=exact)
    close = Trial("nystrom", "Nyström", 0.0, 0.1, 0.3, scores=exact + 0.01 * random.normal(size=40))
    wrong = Trial("identity", "Identity", 0.0, 0.0, 2.0, scores=random.normal(size=40))
    truth = Yardstick(SAME_RUN, halves=halves)
    said = verdict([dear, close, wrong], truth)
    assert "Nyström reaches 1.00 in 100\u00a0ms instead of 6\u00a0s. The difference, 0.00 ± 0.00," in said
    assert "No solver that is clearly cheaper" in verdict([dear, wrong], truth)
    blind = replace(dear, scores=wrong.scores)
    assert "hardly more than chance" in verdict([blind], truth)
    noisy = Yardstick(SAME_RUN, loo=exact, noise=10.0)
    assert "100% of the changes" in verdict([dear], noisy) and "means nothing here" in verdict([dear], noisy)
    assert "r = 1.000 and slope = 1.000" in verdict([dear], Yardstick(SAME_RUN, loo=exact, noise=1e-9))
    assert verdict([dear], Yardstick(CERTIFIED)) == ""


def test_advice_names_the_cheapest_accurate_solver():
    quick = Trial("cg", "CG", 0.0, 1.0, 1e-9)
    dense = Trial("cholesky", "Cholesky", 5.0, 0.1, 1e-15)
    rough = Trial("identity", "Identity", 0.0, 0.0, 0.5)
    assert trials.cheapest([quick, dense, rough], 1) is quick
    assert trials.cheapest([quick, dense, rough], 100) is dense
    assert "CG (1\u00a0s)" in trials.advice([quick, dense, rough], 100)
    assert "Cholesky is the cheapest (15\u00a0s)" in trials.advice([quick, dense, rough], 100)
    assert "No solver" in trials.advice([rough], 100)
