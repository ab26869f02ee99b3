"""Every interaction of the Explore page in a real browser: one selection, and everything follows."""

import re
from typing import Any

import numpy as np
import pytest

from influence_core.analysis import Analysis, analyse
from influence_core.settings import from_query
from pages.components.view import rows_of
from tests.browser.test_app_browser import APP, explore, no_trouble, settled
from tests.browser.test_components_browser import TRACES, click, frame, tool

pytestmark = pytest.mark.browser
BLOBS = "v=1&data.name=blobs&data.n=200&data.test_fraction=0.2&data.flip_fraction=0.05&model.l2=0.01"


@pytest.fixture(scope="session")
def app(serve: Any, tmp_path_factory: Any) -> str:
    return serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path_factory.mktemp("explore"))})


def blobs() -> Analysis:
    settings, problems = from_query(dict(part.split("=") for part in BLOBS.split("&")))
    assert not problems
    return analyse(settings)


def traces(page: Any, name: str) -> list[dict[str, Any]]:
    return [trace for trace in page.evaluate(TRACES) if (trace["name"] or "").startswith(name)]


def coloured(page: Any, side: str) -> dict[int, float]:
    shown = [t for t in page.evaluate(TRACES) if t["meta"] == side and isinstance(t["colour"], list)]
    return {i: c for t in shown for i, c in zip(t["ids"], t["colour"], strict=True)}


def calm(page: Any) -> None:
    settled(page)
    page.wait_for_timeout(1_000)


def lonely(analysis: Analysis, side: str = "train") -> int:
    """The point farthest from all others, so that a click on it is a click on nothing else."""
    places = analysis.problem.positions
    everything = np.concatenate([places.train, places.test])
    gaps = np.linalg.norm((places.train if side == "train" else places.test)[:, None] - everything, axis=2)
    return int(np.sort(gaps, axis=1)[:, 1].argmax())


def test_a_training_point_is_selected_asked_about_and_joins_a_group(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    analysis = blobs()
    row = lonely(analysis)
    click(page, "train", row)
    page.wait_for_url(re.compile(f"train={row}"))
    page.get_by_role("button", name="Add to group").click()
    page.wait_for_url(re.compile(f"group={row}"))
    page.get_by_role("button", name="Ask about it").click()
    page.wait_for_url(re.compile("ask=train"))
    page.get_by_text("leaves the training set").wait_for()
    calm(page)
    scores = analysis.removal(row)
    colours = coloured(page, "test")
    assert sorted(colours) == list(range(len(scores)))
    strongest = int(np.abs(scores).argmax())
    assert np.sign(colours[strongest]) == np.sign(scores[strongest])
    assert not coloured(page, "train")
    other = lonely(analysis, "test")
    page.locator(".if-map").scroll_into_view_if_needed()
    click(page, "test", other)  # a test point is asked about at once
    page.wait_for_function("() => !location.search.includes('ask=train')")
    assert f"test={other}&" in page.url + "&"
    no_trouble(page)


def test_a_point_of_the_scatter_and_a_row_of_the_table_select_too(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    page.get_by_role("tab", name="Table and CSV").click()
    page.get_by_text("Strongest first").wait_for()
    calm(page)
    grid = page.locator('[data-testid="stDataFrame"]').last
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 55)  # the check box of the first row
    strongest = int(np.abs(blobs().scores([0])[:, 0]).argmax())
    page.wait_for_url(re.compile(f"train={strongest}"), timeout=20_000)
    calm(page)
    assert [t["count"] for t in traces(page, "selected training point")] == [1]
    page.get_by_role("button", name="Deselect").click()
    page.wait_for_function("() => !location.search.includes('train=')")
    no_trouble(page)


def test_a_lasso_makes_a_group_with_three_numbers_and_a_boundary_after(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    tool(page, "Lasso Select")
    inside, _ = frame(page, (0.45, 0.3), (0.8, 0.75), steps=True)
    page.wait_for_url(re.compile("group="), timeout=20_000)
    calm(page)
    text = page.evaluate("() => new URL(location.href).searchParams.get('group')")
    assert rows_of(text, 160, {}).tolist() == inside
    assert [t["count"] for t in traces(page, "group that leaves")] == [len(inside)]
    effect = blobs().group(inside)
    metrics = page.locator('[data-testid="stMetricValue"]')
    shown = [float(text.replace("−", "-")) for text in metrics.all_inner_texts()[:2]]
    assert shown == pytest.approx([effect.first_order[0], effect.newton[0]], rel=6e-3)
    assert [t["count"] for t in traces(page, "boundary after")] in ([], [0])
    page.get_by_role("button", name="Refit without these").click()
    page.get_by_text("Test accuracy after").wait_for(timeout=60_000)
    calm(page)
    truth = blobs().problem.group_refit(inside).change[0]
    assert float(metrics.all_inner_texts()[2].replace("−", "-")) == pytest.approx(truth, rel=6e-3)
    assert traces(page, "boundary after")[0]["count"] > 0 and traces(page, "boundary before")[0]["count"] > 0
    no_trouble(page)


def test_a_group_of_test_points_is_chosen_by_lasso_or_by_name(page: Any, app: str) -> None:
    explore(page, app, BLOBS + "&ask=tests&tests=all")
    calm(page)
    tool(page, "Box Select")
    _, inside = frame(page, (0.2, 0.2), (0.7, 0.7))
    page.get_by_text(f"{len(inside)} of 40 test points").first.wait_for(timeout=20_000)
    calm(page)
    scores = blobs().scores(inside, mean=True)[:, 0]
    colours = coloured(page, "train")
    strongest = int(np.abs(scores).argmax())
    assert np.sign(colours[strongest]) == np.sign(scores[strongest])
    page.get_by_role("combobox", name="Group", exact=False).first.click()
    page.get_by_role("option", name="All misclassified").click()
    wrong = int(blobs().problem.misclassified.sum())
    page.get_by_text(f"{wrong} of 40 test points").first.wait_for(timeout=20_000)
    no_trouble(page)


def test_switches_change_the_colours_and_stand_in_the_link(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    scale = "() => document.querySelector('.js-plotly-plot')._fullLayout.coloraxis.colorbar.title.text"
    for label, name, word in (
        ("Symmetric log scale", "symlog", "logarithmic"),
        ("Magnitude only", "magnitude", "strong"),
    ):
        page.get_by_text(label, exact=True).click()
        page.wait_for_url(re.compile(f"{name}=True"), timeout=20_000)
        page.wait_for_function(f"(word) => ({scale})().includes(word)", arg=word)
    no_trouble(page)


def test_the_keyboard_reaches_what_the_mouse_does(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    page.get_by_label("Training point", exact=True).fill("7")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("train=7"))
    page.get_by_text("What if several training points left together?").click()
    page.get_by_label("Training points, numbers and ranges").fill("3-9,12")
    page.keyboard.press("Enter")
    page.get_by_text("8 of 160 training points leave").wait_for(timeout=20_000)
    page.get_by_label("Training points, numbers and ranges").fill("9-3")
    page.keyboard.press("Enter")
    page.get_by_text("lower end first").wait_for(timeout=20_000)
    page.get_by_role("radio", name="One training point").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("ask=train"), timeout=20_000)
    no_trouble(page)
