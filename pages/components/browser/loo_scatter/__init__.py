"""Predicted against measured change: equal axes, the 45° line, and numbers that a correlation alone would hide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components.browser.bridge import component, is_index, named, pack
from pages.components.browser.map import Scene, Side
from pages.components.session.errors import safely

if TYPE_CHECKING:
    from influence_core.agreement import Agreement

TOP = 20
SHORT = 16  # letters of a unit beside which there is room along the axis
SENT = ("equal", "sign", "selected", "title", "file", "height", "band")

_scatter = component("loo_scatter", '<div class="if-chart if-loo" role="group"></div>\n', isolated=False)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two changes of every point of one side of the scene, in its order.

    Attributes:
        measured: (n,) by refits; NaN where a refit has no certificate, and such points are left out.
        predicted: (n,).
        side: the points; "test" for the change at each test point as one training point leaves.
        coloured: what a map on the same page shows where that is ``sign`` times ``predicted``, so that the browser has
            them already; else None.
    """

    measured: np.ndarray
    predicted: np.ndarray
    side: Side = "train"
    coloured: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Look:
    """How the points are named and coloured.

    Attributes:
        unit: of the predictions.
        measured: unit of the measurements.
        equal: whether both are changes in one unit, so that equal axes and the 45° line make sense.
        sign: −1 where a fall is helpful (the margin), so that blue stays helpful.
        selected: point with a ring.
        group: points that leave together; each gets a thin square.
        ends: what the negative and the positive side of both axes mean.
        title: of a downloaded picture.
        file: name of a downloaded picture, without its ending.
        about: what a downloaded picture was made of.
        band: half width of the grey band of measured changes that are no more than noise; 0 for none.
        noise: what the band is, in the legend.
        height: pixels.
        told: places of the columns that the box beside the mouse tells.
        beside: the point whose values stand behind those of the one under the mouse.
    """

    unit: str = "nats"
    measured: str = "nats"
    equal: bool = True
    sign: int = 1
    selected: int | None = None
    group: Sequence[int] | np.ndarray = ()
    ends: tuple[str, str] = ("harmful", "helpful")
    title: str = "Predicted change against exact leave-one-out"
    file: str = "loo-scatter"
    about: str = ""
    band: float = 0.0
    noise: str = "noise: ±2σ of other seeds"
    height: int = 520
    told: Sequence[int] = ()
    beside: tuple[Side, int] | None = None


def loo_scatter(scene: Scene, pairs: Pairs, look: Look, on_click: Callable[[int], None], key: str) -> None:
    """x = predicted, y = measured, so that the cloud leans as the slope of measured on predicted says.

    The strongest points are diamonds, and r is named for them and for the others.

    Args:
        scene: parked under its fingerprint on the same page; its labels and thumbnails appear on hover.
        pairs: what is compared.
        look: units, words and marks.
        on_click: called with the index of the clicked point.
        key: of the element.
    """

    def clicked() -> None:
        event = st.session_state[key]["clicked"]
        index = picked(scene, pairs.side, event)
        if index is not None:
            on_click(index)

    _scatter(key=key, data=scatter_message(scene, pairs, look), on_clicked_change=safely(clicked))


def picked(scene: Scene, side: Side, event: Any) -> int | None:
    """The point that a browser's click event names, or None where it is not one of this scene.

    Returns:
        Its index.
    """
    if not isinstance(event, dict) or event.get("fingerprint") != scene.fingerprint:
        return None
    index = event.get("index")
    count = len(scene.train_xy if side == "train" else scene.test_xy)
    return index if is_index(index, count) else None


def scatter_message(scene: Scene, pairs: Pairs, look: Look) -> bytes:
    """The two changes of every point, the strongest ones, and the words around them.

    Returns:
        The packed message.
    """
    rest, top = layers(pairs)
    names = [
        f"{name} (r = {_r(pairs, rows)})" for name, rows in (("other points", rest), (f"{len(top)} strongest", top))
    ]
    known = np.isfinite(pairs.measured) & np.isfinite(pairs.predicted)
    reach = [1.06 * float(np.abs(v[known]).max(initial=0.0)) or 1.0 for v in (pairs.predicted, pairs.measured)]
    reach[1] = max(reach[1], min(1.15 * look.band, 4 * reach[1]))  # a band is one where its edges are seen
    measured = "measured by refits" if len(look.measured) <= SHORT else "measured"
    header = {
        "fingerprint": scene.fingerprint,
        "side": pairs.side,
        "names": names,
        "titles": [f"predicted, {look.unit}", f"{measured}, {look.measured}"],
        "words": f"← {look.ends[0]} | {look.ends[1]} →",
        "reach": [float(f"{limit:.9g}") for limit in ([max(reach)] * 2 if look.equal else reach)],
        **{name: getattr(look, name) for name in SENT},
        **({"told": look.told, "beside": look.beside} if look.told else {}),
    }
    header |= {"noise": look.noise} if look.band else {}
    arrays = {"measured": np.asarray(pairs.measured, float), "top": top, "group": np.asarray(look.group, int)}
    if pairs.coloured is None:
        arrays["predicted"] = np.asarray(pairs.predicted, float)
        header["about"] = look.about
    else:
        header["coloured"] = named(pairs.coloured)
    return pack(header, **arrays)


def layers(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """The points with a measurement: the others, and the ones with the largest |predicted change|.

    Returns:
        Two index arrays; the second has at most ``TOP``, strongest first.
    """
    known = np.flatnonzero(np.isfinite(pairs.measured) & np.isfinite(pairs.predicted))
    order = known[np.argsort(-np.abs(pairs.predicted[known]), kind="stable")]
    return np.sort(order[TOP:]), order[:TOP]


def _r(pairs: Pairs, rows: np.ndarray) -> str:
    a, b = pairs.measured[rows], pairs.predicted[rows]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return "undefined"
    return f"{np.corrcoef(a, b)[0, 1]:.3f}"


def summary(found: Agreement, sized: bool = True) -> str:
    """The box beside the scatter, one line of Markdown.

    Returns:
        r, ρ, slope, sign agreement, overlap of the top lists and n.
    """
    order = f"**r = {found.r}** · ρ = {found.rho} · **slope = {found.slope}**" if sized else f"**ρ = {found.rho}**"
    return (
        f"{order} · same sign {_percent(found.sign.value)} · "
        f"top-{found.k} overlap {_percent(found.top_k.value)} · n = {found.n:,}"
    )


def _percent(share: float | None) -> str:
    return "undefined" if share is None else f"{share:.1%}"
