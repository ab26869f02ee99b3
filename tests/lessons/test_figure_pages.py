"""Figures on the Lessons page: every entry of the registry renders, its charts hold the numbers of its tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.analysis import Task
from influence_core.teaching.figures import FIGURES, Figure, compute
from pages.components.lessons import LESSONS
from pages.components.lessons.figures.pages import FIGURE_PAGES
from pages.components.lessons.parts.tuning import tune_text, tuned
from pages.components.session.view import View
from pages.components.widgets.job_panel import jobs
from tests.lessons.frames import every_picture_has_its_twins
from tests.waiting import PATIENCE, until

PAGE = str(Path(__file__).parents[2] / "pages" / "6_Lessons.py")
QUICK = {
    "B": (("runs", 2),),
    "C": (("steps", 200),),
    "E": (("draws", 6),),
    "I": (("tests", 2),),
    "H": (("seeds", 2), ("data", "digits")),
}


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    return app.run()


@cache
def shown(name: str) -> list[Figure]:
    """What the figure shows of itself while it is computed, and then the whole of it."""
    parts: list[Figure] = []
    whole = compute(name, QUICK.get(name, ()), Task(show=parts.append))
    return [*parts, whole]


def figure(name: str) -> Figure:
    return shown(name)[-1]


def pictures(name: str) -> list:
    page = FIGURE_PAGES[name]
    drawing = {item.name: item.default for item in (*FIGURES[page.figure].options, *page.options)}
    drawing |= dict(QUICK.get(page.figure, ()))
    return list(page.draw(figure(page.figure), drawing))


def test_every_figure_of_the_core_has_a_page() -> None:
    assert {page.figure for page in FIGURE_PAGES.values()} == set(FIGURES)
    for name, page in FIGURE_PAGES.items():
        assert name == f"figure-{page.figure.lower()}"
        assert LESSONS[name] is page


@pytest.mark.parametrize("name", FIGURE_PAGES)
def test_a_figure_opens_from_its_link_with_charts_numbers_and_no_error(name: str) -> None:
    tune = ",".join(f"{option}:{value}" for option, value in QUICK.get(FIGURE_PAGES[name].figure, ()))
    app = opened(lesson=name, **({"tune": tune} if tune else {}))
    until(lambda: not any(job.active for job in jobs()._jobs.values()))
    app.run()
    assert not app.exception and not app.error and not app.warning
    assert len(app.get("plotly_chart")) == len(pictures(name))
    every_picture_has_its_twins(app)
    assert len(app.table[0].value) == len(figure(FIGURE_PAGES[name].figure).numbers)
    assert app.query_params["lesson"] == name


@pytest.mark.parametrize("name", FIGURE_PAGES)
def test_titles_are_sentences_axes_have_titles_and_nothing_is_lost(name: str) -> None:
    found = pictures(name)
    assert len({picture.name for picture in found}) == len(found)
    for picture in found:
        assert picture.caption.endswith(".")
        assert len(picture.figure.layout.title.text) > 20
        assert len(picture.table)
        x, y = picture.figure.layout.xaxis.title.text, picture.figure.layout.yaxis.title.text
        assert x or y or "image" in picture.figure.layout.title.text


@pytest.mark.parametrize("name", [name for name, page in FIGURE_PAGES.items() if page.keeps])
def test_what_a_figure_has_finished_is_drawn_before_it_is_whole(name: str) -> None:
    page = FIGURE_PAGES[name]
    first, drawing = shown(page.figure)[0], {item.name: item.default for item in FIGURES[page.figure].options}
    for one, whole in zip(page.draw(first, drawing | dict(QUICK[page.figure])), pictures(name), strict=True):
        assert one.name == whole.name and one.caption.endswith(".") and len(one.table) and len(one.figure.data)


def values_of(drawn, axis: str) -> np.ndarray:
    """All marker coordinates of a chart, lines left out."""
    return np.concatenate([np.asarray(t[axis], float) for t in drawn.data if t.mode == "markers"])


def test_charts_hold_the_tables() -> None:
    loss, moved = pictures("figure-a")
    points = figure("A").tables["points"]
    np.testing.assert_allclose(loss.figure.data[1].y, points.loo_loss_change)
    np.testing.assert_allclose(loss.figure.data[1].x, points.loss_change)
    np.testing.assert_allclose(moved.figure.data[1].x, points.parameter_change_norm)
    rings = loss.figure.data[2]
    np.testing.assert_allclose(sorted(rings.y), sorted(points.loo_loss_change.nlargest(5)))
    (both,) = pictures("figure-f")
    np.testing.assert_allclose(np.sort(values_of(both.figure, "y")), np.sort(figure("F").tables["points"].loss_change))
    joined = np.asarray(both.figure.data[0].x, float).reshape(-1, 3)
    assert np.isnan(joined[:, 2]).all() and len(joined) == len(figure("F").tables["points"]) / 2
    draws, *_ = pictures("figure-e")
    shown = figure("E").tables["draws"].query("t > 0").r
    np.testing.assert_allclose(np.sort(values_of(draws.figure, "x")), np.sort([*shown, 0.8602, 0.77]))
    curve, _ = pictures("figure-j")
    path = figure("J").tables["path"]
    np.testing.assert_allclose(np.concatenate([t.y for t in curve.figure.data[::2]]), path.loss)
    np.testing.assert_allclose(np.concatenate([t.y for t in curve.figure.data[1::2]]), path.tangent)


def test_colours_are_the_sign_of_the_score() -> None:
    loss, _ = pictures("figure-a")
    for colour, score in zip(loss.figure.data[1].marker.color, loss.figure.data[1].y, strict=True):
        assert colour == ("#0072B2" if score > 0 else "#D55E00")
    (both,) = pictures("figure-f")
    for trace in both.figure.data[1:]:
        tiny = np.abs(np.asarray(trace.y)) < 1e-12 * np.abs(trace.y).max()
        assert {colour for colour, zero in zip(trace.marker.color, tiny, strict=True) if zero} <= {"#9AA0AC"}


def test_figure_b_needs_no_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    found = compute("B", (("runs", 2), ("row", 40)))
    assert found.tables["panels"].groupby("solver").size().eq(516).all()
    assert not list(tmp_path.iterdir())


def test_options_travel_in_the_link_and_change_the_figure() -> None:
    app = opened(lesson="figure-a", tune="test:3")
    assert app.number_input(key="tune.figure-a.test").value == 3
    app.number_input(key="tune.figure-a.test").set_value(5).run()
    assert not app.exception and app.session_state.view.tune == "test:5"
    assert "point 5" in app.table[0].value["number"].str.cat()


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"lesson": "nothing"}, "Unknown lesson"),
        ({"lesson": "figure-a", "step": "7"}, "Step 7 does not exist: expected 1 to 1"),
        ({"lesson": "figure-a", "step": "0"}, "steps of a lesson count from 1, got 0"),
        ({"lesson": "figure-a", "tune": "colour:3"}, "expected some of test"),
        ({"lesson": "figure-a", "tune": "test:3000"}, "The default is used"),
        ({"lesson": "figure-a", "hide": "walls"}, "expected some of pages"),
    ],
)
def test_a_tampered_link_gives_one_sentence_and_a_default(query: dict[str, str], word: str) -> None:
    app = opened(**query)
    assert not app.exception and not app.error
    (sentence,) = [warning.value.replace("\\", "") for warning in app.warning]
    assert word in sentence


def test_the_list_opens_figures() -> None:
    app = opened()
    assert app.session_state.view.lesson == ""
    app.button(key="open-figure-a").click().run()
    assert not app.exception and app.session_state.view == View(lesson="figure-a")
    [back] = [button for button in app.button if button.label == "All lessons"]
    back.click().run()
    assert app.session_state.view.lesson == ""


def test_tuning_round_trip() -> None:
    described = FIGURES["F"].options
    values, problems = tuned("t:0.1,seed:3", described)
    assert values == {"test": 1, "t": 0.1, "seed": 3} and not problems
    assert tune_text(values, described) == "t:0.1,seed:3"
    assert tuned("", described)[0] == {item.name: item.default for item in described}
