"""The newcomer's path through the real app: open it, click a test digit, see everything follow; work and Cancel."""

import re
from typing import Any

import pytest

from tests.browser.helpers import (
    PAGES,
    READY,
    ask,
    click,
    coloured,
    explore,
    measured,
    more,
    no_trouble,
    predicted,
    push,
    rest,
    settled,
)

pytestmark = pytest.mark.browser
# 1,500 images of five digits: seconds of refits, which are not shown unasked.
LONG = "v=1&data.digits=0,1,2,3,4&data.size=1500&model.name=softmax&model.l2=0.1"


def predicted_size(page: Any) -> float:
    """Sum of the |predicted changes| on the y axis of the LOO scatter."""
    return sum(abs(y) for trace in predicted(page)[1:3] for y in trace)


def strip_images(page: Any) -> str:
    return page.get_by_text("Helpful: removing one of these").locator("xpath=../..").first.inner_text()


def test_home_offers_presets_that_open_explore(page: Any, app: str) -> None:
    page.goto(app)
    page.get_by_role("heading", name="Influence Explorer").wait_for()
    push(page, page.get_by_role("button", name="Explore 1 and 7"))
    page.get_by_role("heading", name="Explore", exact=True).wait_for()
    page.wait_for_function(READY)
    no_trouble(page)


def test_clicking_a_test_digit_changes_colours_strips_scatter_and_link(page: Any, app: str) -> None:
    explore(page, app)
    assert "test=0" in page.url
    colours, truth, strips = coloured(page, "train"), measured(page), strip_images(page)
    assert len(colours) == 900
    assert sum(len(t) for t in truth[1:3]) == 900
    click(page, "test", 37)
    page.wait_for_url(re.compile("test=37"))
    page.wait_for_function("(old) => !document.body.innerText.includes(old)", arg=strips)
    rest(page)
    assert coloured(page, "train") != colours
    assert measured(page) != truth
    no_trouble(page)


def test_gallery_buttons_and_number_box_select_too(page: Any, app: str) -> None:
    explore(page, app)
    push(page, page.get_by_role("button", name=re.compile("^mnist-")).nth(20))  # strips and gallery are buttons
    rest(page)
    colours, truth = coloured(page, "train"), measured(page)
    push(page, page.get_by_label("Test images").get_by_role("button").nth(12))
    page.wait_for_url(re.compile("test=12"))
    rest(page)
    assert coloured(page, "train") != colours
    assert measured(page) != truth
    push(page, page.get_by_role("button", name="Next", exact=True))
    page.wait_for_url(re.compile("test=13"))
    push(page, page.get_by_role("button", name="Next misclassified"))
    page.get_by_text("✗ misclassified").first.wait_for()
    rest(page)
    ask(page, 5)
    no_trouble(page)


def test_a_link_restores_the_view(page: Any, app: str) -> None:
    explore(page, app, "v=1&test=8&estimator=newton&quantity=margin&data.flip_fraction=0.05")
    assert all(part in page.url for part in ("test=8", "estimator=newton", "quantity=margin", "flip_fraction=0.05"))
    page.get_by_text("flipped", exact=False).first.wait_for()
    explore(page, app, "v=1&test=nonsense&model.l2=minus&data.name=mnist")
    page.get_by_text("The default is used").first.wait_for()
    no_trouble(page)


def test_dragging_the_damping_slider_recolours(page: Any, app: str) -> None:
    explore(page, app)
    before, colours = predicted_size(page), coloured(page, "train")
    more(page)
    thumb = page.get_by_role("slider", name="Damping δ of (H + δI)⁻¹")
    thumb.scroll_into_view_if_needed()
    rest(page)
    box = thumb.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.wait_for_url(re.compile("solver.damping="))
    rest(page)
    assert predicted_size(page) < 0.9 * before  # more damping, smaller changes
    assert coloured(page, "train") != colours
    no_trouble(page)


def test_loo_runs_as_a_job_can_be_cancelled_and_finishes(page: Any, app: str) -> None:
    page.goto(f"{app}/Explore?{LONG}")
    run = page.get_by_role("button", name="Run exact leave-one-out")
    push(page, run)
    page.get_by_text("Exact leave-one-out:").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. Finished blocks are kept").wait_for()
    push(page, run)
    page.get_by_text("slope =").first.wait_for(timeout=600_000)
    rest(page)
    assert sum(len(t) for t in measured(page)[1:3]) == 1350
    no_trouble(page)


def test_every_page_opens_by_its_own_link(page: Any, app: str) -> None:
    for name in PAGES:
        page.goto(f"{app}/{name}")
        page.get_by_role("heading", name=re.compile(f"^{name}")).first.wait_for()
        settled(page)
        no_trouble(page)
