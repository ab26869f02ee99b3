"""What helped and what harmed one prediction: two rows of training thumbnails with the test image between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.browser.bridge import component, is_index, pack
from pages.components.browser.gallery import Sprite
from pages.components.session.errors import safely
from pages.components.session.words import Form

Captions = Sequence[str] | Mapping[int, str]

_strip = component("strips", '<div class="if-strip"></div><div class="if-files"></div>\n')


@dataclass(frozen=True)
class OnMap:
    """A scene on the same page that has the pictures and their captions.

    Attributes:
        scene: its fingerprint.
        asked: tiles of what is asked about on its sheet.
        first: tile of training image 0.
        coloured: name of the scores that the map shows, which knows what a file of it was made of.
    """

    scene: str
    asked: tuple[int, ...]
    first: int
    coloured: str


@dataclass(frozen=True, eq=False)
class Strip:
    """What is said of one test image and of the training images that matter most to it.

    Attributes:
        test_caption: what it is, and what the model says it is.
        helpful: training indices, most helpful first.
        harmful: training indices, most harmful first.
        scores: (n,) signed scores of all training points, shown raw.
        form: how the scores are written.
        selected: training index with a ring.
        titles: of the two rows; what stands before a colon names the side in few words.
        heading: above a downloaded picture.
        file: name of downloaded files, without their ending.
        about: what a downloaded picture was made of.
        asked: how many examples are asked about and shown, up to a few; none where the page shows it already.
    """

    test_caption: str
    helpful: Sequence[int]
    harmful: Sequence[int]
    scores: NDArray[np.floating[Any]]
    form: Form = Form(0, "nats")  # noqa: RUF009 - frozen
    selected: int | None = None
    titles: tuple[str, str] = (
        "Helpful: removing one of these would raise the loss",
        "Harmful: removing one of these would lower the loss",
    )
    heading: str = "The training points that matter most"
    file: str = "strongest-points"
    about: str = ""
    asked: int = 1


def strip(
    tiles: Sprite | OnMap,
    captions: Captions,
    content: Strip,
    on_click: Callable[[int], None],
    key: str,
) -> None:
    """Draw the rows; clicking a thumbnail selects that training point.

    Pixels are shown as they are, enlarged by a whole factor: nothing is rescaled or smoothed.

    Args:
        tiles: what is asked about, then those of ``content``, helpful ones first; or where they are already.
        captions: a short text, such as id and label, for the index of each shown image.
        content: what to show.
        on_click: called with the training index.
        key: of the element.
    """
    shown = [int(index) for index in (*content.helpful, *content.harmful)]
    points = [(index, float(f"{content.scores[index]:.9g}")) for index in shown]
    split = len(content.helpful)
    if isinstance(tiles, OnMap):
        where = vars(tiles)
    else:
        own = {index: (place, captions[index]) for place, index in enumerate(shown, content.asked)}
        where = {"sprite": vars(tiles), "asked": list(range(content.asked)), "own": own, "about": content.about}
    header = where | {
        "test": content.test_caption,
        "unit": content.form.scaled_unit,
        "raw_unit": content.form.unit,
        "power": content.form.power,
        "selected": content.selected,
        "rows": [
            {"title": title, "word": title.partition(":")[0].lower(), "points": part}
            for title, part in zip(content.titles, (points[:split], points[split:]), strict=True)
        ],
        "heading": content.heading,
        "file": content.file,
    }

    def clicked() -> None:
        event: Any = st.session_state[key]["clicked"]
        index = event.get("index") if isinstance(event, dict) else None
        if is_index(index, len(content.scores)):
            on_click(index)

    _strip(key=key, data=pack(header), on_clicked_change=safely(clicked))
