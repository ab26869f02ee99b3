"""What is under review: the picture or the row, its label, and why it was flagged."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from pages.components.review.desk import Desk
from pages.components.session.door import core
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Card
    from influence_core.data import Split

SIDE = 300  # pixels of the large image's longer side
FEATURES = 40  # of a row; the others are behind a click
BARS = ("self_influence", "loss")  # side by side, always first


def item(desk: Desk, card: Card, split: Split) -> None:
    """The example itself, as large as one needs to decide."""
    train, name = split.train, desk.queue.class_names[card.given]
    st.markdown(f"### {plain_markdown(name)} :small[given label of {plain_markdown(card.name)}]")
    if train.hover is not None and train.hover[card.position]:
        st.caption(plain_markdown(str(train.hover[card.position])))
    if train.images is not None:
        st.html(picture(train.images[card.position], f"Training image {card.name}, given label {name}"))
    else:
        row(desk, card, split)


def picture(image: np.ndarray, alt: str, side: int = SIDE) -> str:
    """An image as HTML, pixel for pixel: enlarged by the browser without smoothing, and without a second request.

    Returns:
        One ``img`` element.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    scale = side / max(image.shape[:2])
    width = round(image.shape[1] * (max(1, int(scale)) if scale >= 1 else scale))
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{width}" '
        'style="image-rendering:pixelated;border:1px solid #8886;border-radius:4px;max-width:100%">'
    )


def row(desk: Desk, card: Card, split: Split) -> None:
    """The row beside what is usual in its given class, the most unusual features first."""
    table = row_table(split, card.position)
    st.table(table.iloc[:FEATURES].set_index("feature"))
    if len(table) > FEATURES:
        with st.expander(f"The other {len(table) - FEATURES} features"):
            st.dataframe(table.iloc[FEATURES:], hide_index=True)
    st.caption(
        f"In the units of the source, the most unusual first. Usual: median of the training rows labelled "
        f"{plain_markdown(desk.queue.class_names[card.given])}; distance from it in standard deviations of all rows."
    )


def row_table(split: Split, position: int) -> pd.DataFrame:
    """Features of one training row and how far each lies from the median of its class.

    Returns:
        Columns feature, value, usual, distance.
    """
    train, usual = split.train, medians(split.train.fingerprint, split)
    x, middle = train.x[position], usual[int(train.y[position])]
    spread = split.train.x.std(0)
    distance = np.divide(x - middle, spread, out=np.zeros_like(x), where=spread > 0)
    raw, typical = split.scaling.invert(np.stack([x, middle]))
    order = np.argsort(-np.abs(distance), kind="stable")
    return pd.DataFrame(
        {
            "feature": np.array(train.feature_names, dtype=object)[order],
            "value": [f"{value:.4g}" for value in raw[order]],
            "usual": [f"{value:.4g}" for value in typical[order]],
            "distance": [f"{value:+.1f}".replace("-", "−") for value in distance[order]],
        }
    )


@st.cache_resource(max_entries=6, show_spinner=False)
def medians(fingerprint: str, _split: Split) -> np.ndarray:
    """(c, d) median of every feature in every class, as labelled."""
    train = _split.train
    return np.stack([np.median(train.x[train.y == label], axis=0) for label in range(train.classes)])


def why(card: Card, class_names: tuple[str, ...], cross_validated: bool) -> None:
    """Percentile of every signal, probability of the given label, and the best alternative."""
    st.markdown("**Why it was flagged**")
    signals = core.SIGNALS
    names = sorted(card.percentiles, key=lambda name: (name not in BARS, list(signals).index(name)))
    lines = [_line(signals[name], card.percentiles[name], card.scores[name]) for name in names if name != "random"]
    given, other = html.escape(class_names[card.given]), html.escape(class_names[card.suggested])
    source = "models that have not seen it" if cross_validated else "the fitted model, which has learnt this label"
    st.html(
        f'<table class="if-why">{"".join(lines)}</table>'
        f"<p class='if-why-p'>p({given}) = <b>{card.p_given:.3g}</b> · best alternative <b>{other}</b>, "
        f"p = <b>{card.p_suggested:.3g}</b><br><small>Probabilities by {source}.</small></p>"
    )
    st.caption("Percentile among all training points. High self-influence also marks rare but correct points: keeping "
               "the label is an expected answer.")  # fmt: skip


def _line(signal: Any, share: float, value: float) -> str:
    title, meaning = html.escape(signal.title), html.escape(signal.meaning)
    percent, number = 100 * share, f"{value:.3g}".replace("-", "−")
    return (
        f'<tr title="{meaning}"><th scope="row">{title}</th>'
        f'<td class="bar"><i style="width:{percent:.1f}%"></i></td>'
        f'<td class="number">{percent:.1f} %</td><td class="number">{number}</td></tr>'
    )


def style() -> None:
    """The look of the card, once a page."""
    st.html(Path(__file__).with_name("card.css"))
