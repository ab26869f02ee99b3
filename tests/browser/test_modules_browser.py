"""How the program of the browser reaches it: as modules that it keeps, and not with every message."""

import re
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.components.browser.bridge import FOLDER
from tests.browser.helpers import DEMO, IMAGES, READY, click, explore, rest, visit

pytestmark = pytest.mark.browser
MOST = 12_000  # bytes, of the four components that a click changes


def _of_components(frames: list[bytes]) -> dict[str, bytes]:
    found = {}
    for frame in frames:
        message = ForwardMsg.FromString(frame)
        if message.delta.new_element.WhichOneof("type") == "bidi_component":
            found[message.delta.new_element.bidi_component.component_name] = frame
    return found


@pytest.mark.parametrize(("query", "most"), [(IMAGES, MOST), ("", MOST)], ids=["270 images", "900 images"])
def test_a_click_sends_numbers_and_not_the_program(page: Any, app: str, query: str, most: int) -> None:
    frames: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
    explore(page, app, query)
    frames.clear()
    click(page, "test", 5)
    page.wait_for_url(re.compile("test=5"))
    rest(page)
    sent = _of_components(frames)
    sizes = {name: len(frame) for name, frame in sent.items()}
    print(f"\n{sum(map(len, frames))} bytes in all, {sum(sizes.values())} for {sizes}")
    assert sizes.keys() == {"influence_map", "influence_loo_scatter", "influence_strips", "influence_gallery"}
    assert sum(sizes.values()) <= most
    assert not any(word in frame for frame in sent.values() for word in (b"Plotly", b"function", b"font:"))


def test_a_part_that_does_not_come_is_said_in_its_place_and_comes_with_a_reload(page: Any, demo: str) -> None:
    """A browser keeps it as failed for as long as the page lives (HTML, "fetch a single module script")."""
    page.route("**/map/figure.js", lambda route: route.abort())
    page.goto(f"{demo}/?n=300")
    said = page.locator(".st-key-map").get_by_role("alert").get_by_text("could not be loaded from the server")
    said.wait_for()
    tiles = page.locator(".if-gallery button")
    tiles.nth(7).click()  # the others work
    page.get_by_text("selected=7").wait_for()
    page.unroute("**/map/figure.js")
    page.reload()
    page.wait_for_function(READY)
    assert said.count() == 0


def test_what_came_once_is_kept(stranger: Any, demo: str) -> None:
    page = stranger()
    for cost in (lambda sizes: min(sizes) > 0, lambda sizes: max(sizes) == 0):
        visit(page, demo)
        sizes = page.evaluate("""() => performance.getEntriesByType('resource')
          .filter(({ name }) => name.includes('/app/static/')).map(({ transferSize }) => transferSize)""")
        assert len(sizes) > 15 and cost(sizes)


def test_under_a_base_path(page: Any, serve: Any) -> None:
    address = serve(DEMO, "--server.baseUrlPath=some/where")
    loaded: list[str] = []
    page.on("response", lambda response: loaded.append(response.url))
    visit(page, address)
    assert f"{address}/app/static/{FOLDER}/map/figure.js" in loaded
    page.locator(".if-gallery button").nth(7).click()
    page.get_by_text("selected=7").wait_for()
