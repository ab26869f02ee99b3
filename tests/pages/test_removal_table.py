"""Means of the removal test on the Solvers page: measured by a job, the core's numbers, the truth that is on screen."""

from dataclasses import replace

import pytest

from influence_core.analysis import RemovalQuestion, analyse, removal_means
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session.view import View
from pages.components.solvers.removal_table import SHARES, some_tests
from pages.components.widgets.job_panel import jobs
from tests.pages.test_explore_page import words
from tests.pages.test_solvers_page import opened
from tests.waiting import until

BLOBS = Settings(DataSettings("blobs", (("n", 130),), test_fraction=0.2), ModelSettings("logistic", 0.01))
OPTIONS = (("activation", "tanh"), ("epochs", 6), ("layers", 1), ("width", 4))
NETWORK = replace(BLOBS, model=ModelSettings("mlp", 0.001, options=OPTIONS), estimator="unrolled")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def measured(settings, mark=""):
    """The page after its job has run."""
    app = opened(settings)
    next(button for button in app.button if button.label == "Measure the rankings").click()
    app.run()
    key = f"removal means {settings.key()}{mark}"
    until(lambda: jobs().get(key) is not None and not jobs().get(key).active, lambda: words(app))
    assert jobs().get(key).state == "done"
    app.run()
    assert not app.exception
    return app, next(table.value for table in app.table if "ranking" in table.value)


@pytest.mark.parametrize(("settings", "mark", "said"), [
    (BLOBS, "", "rests on a refit without"),
    (NETWORK, ":run", "rests on this very run repeated without"),
])  # fmt: skip
def test_the_table_has_the_core_s_means_of_every_ranking(settings, mark, said):
    app, table = measured(settings, mark)
    analysis = analyse(settings)
    tests = some_tests(len(analysis.problem.split.test), 0)
    assert len(set(tests)) == 10
    found = removal_means(analysis, RemovalQuestion(tests, None, SHARES))
    last = found.table().groupby("ranking").last().sort_values("gain", ascending=False)
    assert [title.replace("\\", "") for title in table["ranking"]] == last.index.tolist()
    assert set(last.index) == set(found.each[0].titles.values())
    assert table["test points beyond chance"].iloc[0] == f"{last['beyond_random'].iloc[0]:.0%}"
    assert len(table.columns) == 2 + len(SHARES)
    assert said in words(app)
    assert "over 10 test points" in words(app)


def test_the_mean_over_seeds_is_another_job():
    settings = replace(NETWORK, estimator="gradient_dot")
    app = opened(settings)
    app.session_state.view = View(truth="seeds")
    app.run()
    assert "training runs (mean over 5 seeds)" in words(app)
    assert jobs().get(f"removal means {settings.key()}:seeds") is None
