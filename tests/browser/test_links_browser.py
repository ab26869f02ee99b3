"""Links in a real browser: copied and opened on another server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.helpers import APP, ask, coloured, explore, no_trouble, push, rest

pytestmark = pytest.mark.browser
LINK = "v=1&data.name=blobs&data.n=200&model.l2=0.1&test=0"


def choose(page: Any, label: str, option: str) -> None:
    push(page, page.get_by_label(label, exact=True))
    page.get_by_role("option", name=option, exact=True).click()


def picture(page: Any) -> tuple[dict[int, float], str, str]:
    """Colours of the map, the number box, and the words about exact leave-one-out."""
    agreement = page.get_by_text("slope =").first.inner_text()
    return coloured(page, "train"), page.get_by_label("Test point", exact=True).input_value(), agreement


def test_a_copied_link_restores_the_picture_on_a_fresh_server(
    page: Any, stranger: Any, app: str, serve: Any, tmp_path_factory: Any
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app)
    explore(page, app, LINK + "&data.flip_fraction=0.05")
    choose(page, "Watch the", "margin of the true class")
    page.wait_for_url(re.compile("quantity=margin"))
    choose(page, "Predict its change by", "One-step Newton")
    page.wait_for_url(re.compile("estimator=newton"))
    rest(page)
    ask(page, 7)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("status").get_by_text("Copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    before = picture(page)

    fresh = serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path_factory.mktemp("empty"))})
    assert fresh != app
    other = stranger()
    explore(other, fresh, link.split("?")[1])
    colours, *said = picture(other)
    assert colours == pytest.approx(before[0], abs=1e-4) and said == list(before[1:])
    no_trouble(other)
