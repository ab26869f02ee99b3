"""Every interaction of the Explore page in a real browser: one selection, and everything follows."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import Analysis, analyse
from influence_core.settings import from_query
from pages.components.session.view import rows_of
from tests.browser.helpers import (
    BLOBS,
    IMAGES,
    LOO_PLACE,
    PLACE,
    ask,
    click,
    coloured,
    explore,
    frame,
    hover,
    more,
    named,
    no_trouble,
    pick_row,
    push,
    rest,
    tool,
    zoom,
)

pytestmark = pytest.mark.browser
ASKED = BLOBS + "&test=0"  # not the least certain one


def analysed(link: str) -> Analysis:
    """The same problem, computed here."""
    settings, _ = from_query(dict(part.split("=") for part in link.split("&")))
    return analyse(settings)


def blobs() -> Analysis:
    return analysed(BLOBS)


def lonely(analysis: Analysis, side: str = "train") -> int:
    """The point farthest from all others, so that a click on it is a click on nothing else."""
    places = analysis.problem.positions
    everything = np.concatenate([places.train, places.test])
    gaps = np.linalg.norm((places.train if side == "train" else places.test)[:, None] - everything, axis=2)
    return int(np.sort(gaps, axis=1)[:, 1].argmax())


def test_a_training_point_is_selected_asked_about_and_joins_a_group(page: Any, app: str) -> None:
    explore(page, app, ASKED)
    analysis = blobs()
    row = lonely(analysis)
    click(page, "train", row)
    page.wait_for_url(re.compile(f"train={row}"))
    push(page, page.get_by_role("button", name="Add to group"))
    page.wait_for_url(re.compile(f"group={row}"))
    push(page, page.get_by_role("button", name="Ask about it"))
    page.wait_for_url(re.compile("ask=train"))
    page.get_by_text("leaves the training set").wait_for()
    rest(page)
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
    explore(page, app, ASKED)
    push(page, page.get_by_role("tab", name="Table and CSV"))
    page.get_by_text("Strongest first").wait_for()
    rest(page)
    pick_row(page, page.locator('[data-testid="stDataFrame"]').last, 1)  # below what is asked about
    strongest = int(np.abs(blobs().scores([0])[:, 0]).argmax())
    page.wait_for_url(re.compile(f"train={strongest}"))
    rest(page)
    assert [t["count"] for t in named(page, "selected training point")] == [1]
    push(page, page.get_by_role("button", name="Deselect"))
    page.wait_for_function("() => !location.search.includes('train=')")
    no_trouble(page)


def follow(page: Any, analysis: Analysis, row: int) -> None:
    """Every pane shows this training point as the selected one."""
    name, scores = str(analysis.problem.split.train.ids[row]), analysis.scores([0])[:, 0]
    page.wait_for_url(re.compile(f"train={row}(&|$)"))
    for pane, word in ((".if-map", "selected_train"), (".if-loo", "selected")):
        script = "([pane, word, row]) => document.querySelector(pane).state.message[word] === row"
        page.wait_for_function(script, arg=[pane, word, row])
    rest(page)
    assert [t["count"] for t in named(page, "selected training point")] == [1]
    assert page.get_by_label("Training point", exact=True).input_value() == str(row)
    page.locator(
        '[data-testid="stDataFrame"]'
    ).last.scroll_into_view_if_needed()  # rows out of sight are not in the page
    picked = page.locator('[data-testid="stDataFrame"] [role="row"][aria-selected="true"]')
    if np.abs(scores[row]) >= np.sort(np.abs(scores))[-10]:
        picked.filter(has_text=name).wait_for(state="attached")
        assert picked.count() == 1
    cards = [text for text in page.locator(".if-strip button").all_inner_texts() if name in text]
    pressed = page.locator('.if-strip button[aria-pressed="true"]').all_inner_texts()
    assert pressed == cards


def test_one_selection_in_map_strips_table_scatter_and_box(page: Any, app: str) -> None:
    explore(page, app, IMAGES + "&details=table")
    page.get_by_text("Strongest first").wait_for()
    analysis = analysed(IMAGES)
    scores = analysis.scores([0])[:, 0]
    order = np.argsort(-np.abs(scores), kind="stable")

    push(page, page.locator(".if-strip .side").first.locator("button").first)
    follow(page, analysis, int(scores.argmax()))

    pick_row(page, page.locator('[data-testid="stDataFrame"]').last, 3)  # the first row is what is asked about
    follow(page, analysis, int(order[2]))

    page.locator(".if-loo").scroll_into_view_if_needed()
    page.mouse.click(*hover(page, LOO_PLACE, int(order[0])))
    follow(page, analysis, int(order[0]))

    page.locator(".if-map").scroll_into_view_if_needed()
    row = lonely(analysis)
    click(page, "train", row)
    follow(page, analysis, row)

    page.get_by_label("Training point", exact=True).fill(str(order[5]))
    page.keyboard.press("Enter")
    follow(page, analysis, int(order[5]))
    no_trouble(page)


def test_a_lasso_makes_a_group_with_three_numbers_and_a_boundary_after(page: Any, app: str) -> None:
    explore(page, app, ASKED)
    tool(page, "Lasso Select")
    inside, _ = frame(page, (0.45, 0.3), (0.8, 0.75), steps=True)
    page.wait_for_url(re.compile("group="))
    rest(page)
    text = page.evaluate("() => new URL(location.href).searchParams.get('group')")
    assert rows_of(text, 160, {}).tolist() == inside
    assert [t["count"] for t in named(page, "group that leaves")] == [len(inside)]
    effect = blobs().group(inside)
    metrics = page.locator('[data-testid="stMetricValue"]')
    shown = [float(text.replace("−", "-")) for text in metrics.all_inner_texts()[:2]]
    assert shown == pytest.approx([effect.first_order[0], effect.newton[0]], rel=6e-3)
    assert [t["count"] for t in named(page, "boundary after")] in ([], [0])
    push(page, page.get_by_role("button", name="Refit without these"))
    page.get_by_text("Test accuracy after").wait_for()
    rest(page)
    truth = blobs().problem.group_refit(inside).change[0]
    assert float(metrics.all_inner_texts()[2].replace("−", "-")) == pytest.approx(truth, rel=6e-3)
    assert named(page, "boundary after")[0]["count"] > 0 and named(page, "boundary before")[0]["count"] > 0
    no_trouble(page)


def test_a_group_of_test_points_is_chosen_by_lasso_or_by_name(page: Any, app: str) -> None:
    explore(page, app, ASKED + "&ask=tests&tests=all")
    rest(page)
    tool(page, "Box Select")
    _, inside = frame(page, (0.2, 0.2), (0.7, 0.7))
    page.get_by_text(f"{len(inside)} of 40 test points").first.wait_for()
    rest(page)
    scores = blobs().scores(inside, mean=True)[:, 0]
    colours = coloured(page, "train")
    strongest = int(np.abs(scores).argmax())
    assert np.sign(colours[strongest]) == np.sign(scores[strongest])
    problem = blobs().problem
    first = problem.split.test.y == 0
    for name, rows in (
        ("All misclassified", problem.misclassified),
        ("Class", first),
        ("All test points", first | True),
    ):
        push(page, page.get_by_role("combobox", name="Group", exact=False).first)
        page.get_by_role("option", name=re.compile(f"^{name}")).first.click()
        page.get_by_text(f"{int(rows.sum())} of 40 test points").first.wait_for()
        rest(page)
        asked = [t["count"] for t in named(page, "test points asked about")]
        assert asked == [int(rows.sum())]
    no_trouble(page)


def test_switches_change_the_colours_and_stand_in_the_link(page: Any, app: str) -> None:
    explore(page, app, ASKED)
    scale = "() => document.querySelector('.js-plotly-plot')._fullLayout.coloraxis.colorbar.title.text"
    for label, name, word in (
        ("Symmetric log scale", "symlog", "logarithmic"),
        ("Magnitude only", "magnitude", "strong"),
    ):
        if not page.get_by_text(label, exact=True).is_visible():
            more(page)
        push(page, page.get_by_text(label, exact=True))
        page.wait_for_url(re.compile(f"{name}=True"))
        page.wait_for_function(f"(word) => ({scale})().includes(word)", arg=word)
    no_trouble(page)


def test_a_locked_scale_is_the_same_for_every_test_point(page: Any, app: str) -> None:
    limit = "() => document.querySelector('.if-map').state.message.limit"

    def limits() -> list[float]:
        found = []
        for test in (3, 11):
            ask(page, test)
            found.append(page.evaluate(limit))
        return found

    explore(page, app, ASKED)
    free = limits()
    assert free[0] != free[1]
    more(page)
    push(page, page.get_by_text("Lock colour scale", exact=True))
    page.wait_for_url(re.compile("lock=True"))
    page.keyboard.press("Escape")
    rest(page)
    locked = limits()
    assert locked[0] == locked[1]
    no_trouble(page)


def test_the_table_is_a_csv_file_with_every_training_point(page: Any, app: str) -> None:
    explore(page, app, ASKED + "&details=table")
    with page.expect_download() as file:
        page.get_by_role("button", name=re.compile("Download all 160 rows as CSV")).click()
    assert file.value.suggested_filename == "influence-blobs-test-0.csv"
    frame = pd.read_csv(file.value.path())
    (column,) = [name for name in frame if name.startswith("predicted change")]
    (own,) = [name for name in frame if name.startswith("id")]
    analysis = blobs()
    scores = dict(zip(map(str, analysis.problem.split.train.ids), analysis.scores([0])[:, 0], strict=True))
    assert len(frame) == 160
    np.testing.assert_allclose(frame[column], [scores[name] for name in frame[own]], rtol=1e-6, atol=1e-12)


def test_hovering_the_map_shows_the_picture_under_the_mouse(page: Any, app: str) -> None:
    explore(page, app, IMAGES)
    row = lonely(analysed(IMAGES))
    hover(page, PLACE, ["train", row])
    tip = page.locator(".if-map .if-tip")
    tip.locator(".if-label").get_by_text(str(analysed(IMAGES).problem.split.train.ids[row])).wait_for()
    assert tip.locator(".if-thumb").is_visible()
    assert tip.locator(".if-thumb").evaluate("(thumb) => thumb.style.backgroundImage").startswith('url("data:image/png')


def test_the_keyboard_reaches_what_the_mouse_does(page: Any, app: str) -> None:
    explore(page, app, ASKED)
    page.get_by_label("Training point", exact=True).fill("7")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("train=7"))
    push(page, page.get_by_text("What if several training points left together?"))
    rest(page)
    page.get_by_label("Training points, numbers and ranges").fill("3-9,12")
    page.keyboard.press("Enter")
    page.get_by_text("8 of 160 training points leave").wait_for()
    rest(page)
    page.get_by_label("Training points, numbers and ranges").fill("9-3")
    page.keyboard.press("Enter")
    page.get_by_text("lower end first").wait_for()
    rest(page)
    page.get_by_role("radio", name="One training point").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("ask=train"))
    no_trouble(page)


@pytest.mark.parametrize("query", [IMAGES, BLOBS + "&test=0&train=3"], ids=["pictures", "a plane"])
def test_map_truth_and_the_reasons_fit_the_first_screen(page: Any, app: str, query: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    explore(page, app, query)
    top = {name: page.locator(name).bounding_box()["y"] for name in (".if-map", ".if-loo")}
    assert max(top.values()) <= 260
    for name in (".if-map", ".if-loo"):
        box = page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= 800
    assert page.get_by_text("Why does it matter?").bounding_box()["y"] <= 780


def test_the_wheel_scrolls_the_page_and_zooms_with_ctrl(page: Any, app: str) -> None:
    explore(page, app, ASKED)
    ranges = "() => document.querySelector('.if-map .js-plotly-plot')._fullLayout.xaxis.range"
    before, scrolled = page.evaluate(ranges), "() => document.querySelector('[data-testid=\"stMain\"]').scrollTop"
    hover(page, PLACE, ["train", lonely(blobs())])
    page.mouse.wheel(0, 200)
    page.wait_for_function(f"() => ({scrolled})() > 0")
    rest(page)
    assert page.evaluate(ranges) == before
    page.locator(".if-map").scroll_into_view_if_needed()
    hover(page, PLACE, ["train", lonely(blobs())])
    assert zoom(page, ranges, -200) != before
