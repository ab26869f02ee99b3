"""The live part of Home: a prediction that is wrong, whom to blame, and a map that follows every click."""

from __future__ import annotations

from html import escape

import streamlit as st

from pages.components.browser.map import MapView, Reactions, Side, influence_map
from pages.components.charts.scale import colour_limit
from pages.components.home.blame import SETTINGS, Blame, blame, removed, wrong_ones
from pages.components.lenses import lens_of
from pages.components.problem.scene import scene
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import signed

TEST, GONE, SEEN = "home.test", "home.gone", "home.seen"
LARGE, SMALL, MAP = 150, 84, 330  # pixels: card and map fit below the question on a screen of 800
LEGEND = (
    "Filled marks are training images, outlined ones test images, the star is the one asked about; click another. "
    "**change** = its loss without a training image minus its loss with it. :blue[**Helpful**] (> 0): removing the "
    "image hurts the prediction. :orange[**Harmful**] (< 0): removing it improves it."
)


@st.fragment
def live() -> None:
    """Card and map; a click or a button reruns these and nothing else."""
    with guarded(), core.interactive():
        found = blame(st.session_state.get(TEST, wrong_ones()[0]))
        gone = st.session_state.get(GONE) == found.test
        st.subheader(_headline(found, gone), anchor=False)
        card, place = st.columns([1, 1.05], gap="medium")
        with card:
            _card(found, gone)
        with place:
            influence_map(scene(SETTINGS), found.scores, _look(found, gone), Reactions(_clicked), "home-map")
        st.markdown(f":small[{LEGEND}]")


def _card(found: Blame, gone: bool) -> None:
    st.html(_pictures(found, gone))
    _numbers(found, gone)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if gone:
            st.button("Put them back", icon=":material/undo:", on_click=safely(_remove), args=(None,))
        else:
            st.button(
                "Remove and refit",
                icon=":material/delete_sweep:",
                type="primary",
                on_click=safely(_remove),
                args=(found.test,),
            )
        st.button("Another mistake", icon=":material/skip_next:", on_click=safely(_another), args=(found.test,))
        if st.button("Open in Explore", icon=":material/my_location:", type="tertiary"):
            state.put(SETTINGS)
            state.look(test=found.test, train=None, ask="test")
            st.switch_page("pages/3_Explore.py", query_params=state.link())


def _headline(found: Blame, gone: bool) -> str:
    if gone:
        right = removed(found.test).after > 1 / len(cached.problem(SETTINGS).split.test.class_names)
        return f"Without these three it is read as a {found.true}." if right else "Without these three: still wrong."
    if found.wrong:
        return f"This {found.true} was read as a {found.said}. Blame these three training images."
    return f"This {found.true} is read well. These three training images pull hardest against it."


def _pictures(found: Blame, gone: bool) -> str:
    """The test image, and the blamed training images beside it with label and change."""
    split = cached.problem(SETTINGS).split
    lens, train, form = lens_of(split), split.train, signed
    large = lens.small(split.test, found.test, f"Test image {split.test.ids[found.test]}, a {found.true}", LARGE)
    faces = [f"<figure>{large}<figcaption>test image: <b>{escape(found.true)}</b></figcaption></figure>"]
    for row in found.rows:
        label = str(train.class_names[int(train.y[row])])
        words = f"Training image {train.ids[row]}, labelled {label}"
        said = f"<span>labelled {escape(label)}</span><br>{form(float(found.scores[row]))} nats"
        faces.append(f"<figure>{lens.small(train, row, words, SMALL)}<figcaption>{said}</figcaption></figure>")
    return f'<div class="if-blame{" if-gone" * gone}">{"".join(faces)}</div>'


def _numbers(found: Blame, gone: bool) -> None:
    """p of the true label now, and without them: predicted, and measured once it was asked for."""
    refit = removed(found.test) if gone else None
    cells = [
        (f"p({found.true}) now", f"{found.before:.1%}", ""),
        ("without: predicted", f"{found.predicted:.1%}", "One Newton step from the fitted model, no refit."),
        (
            "without: measured",
            f"{refit.after:.1%}" if refit else "–",
            "A refit without the three, run to its minimum and certified." if refit and refit.certified
            else "Remove and refit measures it.",
        ),
    ]  # fmt: skip
    for column, (label, value, help_) in zip(st.columns(3), cells, strict=True):
        column.metric(label, value, help=help_ or None)
    if refit is None:
        said = "Nothing was refitted so far: the prediction takes one Newton step."
    elif not refit.certified:
        said = "The refit reached no certified minimum: do not trust the measured number."
    else:
        off = abs(refit.after - found.predicted)
        said = f"Certified refit; predicted within {100 * off:.1f} points. Gone on this card only."
    st.markdown(f":small[{said}]")


def _look(found: Blame, gone: bool) -> MapView:
    up, down = int(found.scores.argmax()), found.rows[0]
    ids = cached.problem(SETTINGS).split.train.ids
    return MapView(
        selected_test=found.test,
        limit=colour_limit(found.scores),
        group=found.rows,
        height=MAP,
        title="Training images, coloured by influence on the star",
        alt=(
            f"Map of {len(ids)} training images. Most helpful {ids[up]} with {signed(float(found.scores[up]))}, most "
            f"harmful {ids[down]} with {signed(float(found.scores[down]))} nats."
        ),
    )


def _clicked(side: Side, index: int) -> None:
    if side == "test":
        st.session_state[TEST] = index


def _remove(test: int | None) -> None:
    st.session_state[GONE] = test


def _another(test: int) -> None:
    """The next of the misread images, the least certain first."""
    order = wrong_ones()
    at = order.index(test) + 1 if test in order else 0
    st.session_state[TEST] = order[at % len(order)]
