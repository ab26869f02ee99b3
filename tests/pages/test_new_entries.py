"""A registry entry made of one function is offered by the pages and gives the right numbers, with no other edit."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.agreement import agreement
from influence_core.analysis import Review, analyse
from influence_core.data import DATASETS, Dataset, Source, Table
from influence_core.influence.estimators import ESTIMATORS, Estimator, loss_change
from influence_core.mislabels import SIGNALS, Signal
from influence_core.models import QUANTITIES, Quantity
from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings
from influence_core.solvers import SOLVERS, SolverEntry, cholesky, chosen_solver
from pages.components.session import cached
from pages.components.session.view import View

PAGES = Path(__file__).parents[2] / "pages"
BLOBS = Settings(data=DataSettings("blobs", (("n", 90),)), model=ModelSettings("logistic", 0.1))


def press(app, label):
    next(button for button in app.button if button.label.startswith(label)).click().run()


def opened(page, settings=BLOBS, **view):
    app = AppTest.from_file(str(PAGES / page), default_timeout=90)
    app.session_state.settings, app.session_state.view = settings, View(**view)
    app.run()
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    return app


def reviewed(**view):
    app = opened("4_Mislabels.py", **view)
    app.text_input(key="review.typed").set_value("Ada")
    press(app, "Review the current data")
    return app


@pytest.mark.parametrize("model", ["logistic", "mlp"])
def test_an_estimator(monkeypatch, model):
    entry = Estimator(title="Half of it", help="Half of it.", scores=lambda i, w: loss_change(i, w) / 2, predicts=False)
    monkeypatch.setitem(ESTIMATORS, "half", entry)
    options = (("epochs", 2), ("width", 4)) if model == "mlp" else ()
    plain = replace(BLOBS, model=ModelSettings(model, 0.1, options=options))
    whole, half = analyse(plain), analyse(replace(plain, estimator="half"))
    np.testing.assert_allclose(half.all_scores, whole.all_scores / 2, rtol=1e-6)
    np.testing.assert_allclose(half.removal(3), half.all_scores[3], rtol=1e-6)
    np.testing.assert_allclose(half.self_influence, whole.self_influence, rtol=1e-6)
    assert set(half.trust(0).codes) - {"ranking"} == set(whole.trust(0).codes)
    app = opened("3_Explore.py", replace(plain, estimator="half"))
    assert app.selectbox(key="estimator").value == "half"
    assert "Half of it" in app.selectbox(key="estimator").options


def test_a_solver(monkeypatch):
    entry = SolverEntry(title="Mine", factor=lambda a, _options: cholesky(a))
    monkeypatch.setitem(SOLVERS, "mine", entry)
    mine = replace(BLOBS, solver=SolverSettings("mine"))
    np.testing.assert_allclose(analyse(mine).all_scores, analyse(BLOBS).all_scores, rtol=1e-9)
    assert analyse(mine).trust(0).codes == analyse(BLOBS).trust(0).codes
    assert {chosen_solver("auto", p, dear) for p in (3, 2_000, 30_000) for dear in (False, True)} == {
        "eigh",
        "cholesky",
        "cg",
    }
    app = opened("5_Solvers.py", mine)
    assert app.selectbox(key="solver.name").value == "mine"
    row = app.table[0].value.set_index("solver").loc["Mine"]
    assert float(row["error"]) < 1e-6


def test_a_quantity(monkeypatch):
    """Squared outputs of ridge regression: one Newton step is what a refit gives."""
    entry = Quantity(title="squared output", values=lambda _loss, f, _y, _target: f[..., 0] ** 2, unit="cm²")
    monkeypatch.setitem(QUANTITIES, "square", entry)
    data = DataSettings("linear_example")
    settings = Settings(data=data, model=ModelSettings("ridge", 0.1), estimator="newton", quantity="square")
    found = analyse(settings)
    np.testing.assert_allclose(found.all_scores, found.problem.loo("square").change, rtol=1e-6, atol=1e-9)
    app = opened("3_Explore.py", settings)
    assert app.selectbox(key="quantity").value == "square"
    assert "change = squared output without" in " ".join(caption.value for caption in app.caption)


def test_a_signal(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    entry = Signal(title="Twice the loss", meaning="The same order.", suspicion=lambda m: 2 * m.losses)
    monkeypatch.setitem(SIGNALS, "twice", entry)
    review = Review(analyse(BLOBS))
    assert "twice" in review.signals
    np.testing.assert_array_equal(review.ranked("twice"), review.ranked("loss"))
    np.testing.assert_array_equal(review.suspicions(["twice"])["twice"], 2 * review.suspicion("loss"))
    press(reviewed(), "Make the queue")
    end, app = time.monotonic() + 60, reviewed(panel="team")
    while "review.plan.strategy" not in [box.key for box in app.selectbox]:
        assert time.monotonic() < end
        app = reviewed(panel="team")
    assert "Twice the loss" in app.selectbox(key="review.plan.strategy").options
    cached.store().close()


def test_a_data_set(monkeypatch):
    def make(_options, seed):
        x = np.random.default_rng(seed).normal(size=(60, 2))
        y = (x @ [1.0, -1.0] > 0).astype(np.int64)
        return Table(Dataset(x, y, np.array([f"r{k}" for k in range(60)]), ("u", "v"), ("below", "above")))

    monkeypatch.setitem(
        DATASETS, "half-plane", Source(title="Half plane", summary="A test.", task="classification", make=make)
    )
    settings = replace(BLOBS, data=DataSettings("half-plane", test_fraction=0.2))
    found = analyse(settings)
    assert agreement(found.problem.loo().change[:, 0], found.scores([0])[:, 0]).r.value > 0.9
    app = opened("1_Data.py", settings)
    assert app.selectbox(key="data.name").value == "half-plane"
    assert "Half plane" in app.selectbox(key="data.name").options
