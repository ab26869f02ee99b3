"""Near-duplicates of the card: shown, and answered along with one key."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.lenses import lens_of
from pages.components.lenses.text import start
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session.errors import safely

if TYPE_CHECKING:
    from influence_core.data import Split

SHOWN, SIDE = 12, 64
BEGINNING = 120  # characters of a text


def twins(desk: Desk, served: Served, split: Split) -> None:
    """The near-duplicates that are open to this annotator too."""
    peers = served.card.peers
    if not peers:
        return
    along = bool(st.session_state.get(desks.ALONG))
    many = f"{len(peers)} near-duplicate{'s' * (len(peers) > 1)}"
    st.button(
        f"{many}: answered along" if along else f"Answer {many} along",
        key="review-A",
        shortcut="A",
        type="primary" if along else "secondary",
        icon=":material/check_box:" if along else ":material/check_box_outline_blank:",
        on_click=safely(desks.flip),
        args=(desks.ALONG,),
        disabled=not served.held,
    )
    shown = "".join(_one(desk, split, position) for position in peers[:SHOWN])
    more = f"<span>and {len(peers) - SHOWN} more</span>" if len(peers) > SHOWN else ""
    st.html(f'<div class="if-twins">{shown}{more}</div>')


def _one(desk: Desk, split: Split, position: int) -> str:
    train = split.train
    name, label = str(train.ids[position]), desk.queue.class_names[int(train.y[position])]
    said = f"{name}: {label}"
    image = lens_of(train).small(train, position, said, SIDE)
    if train.texts is not None:
        image = html.escape(start(str(train.texts[position]), BEGINNING))
    return f"<figure>{image}<figcaption>{html.escape(said)}</figcaption></figure>"
