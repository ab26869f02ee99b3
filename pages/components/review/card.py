"""What is under review: the example, its label, and why it was flagged."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.lenses import lens_of
from pages.components.review.desk import Desk
from pages.components.session.door import core
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Card
    from influence_core.data import Split

BARS = ("self_influence", "loss")  # side by side, always first


def item(desk: Desk, card: Card, split: Split) -> None:
    """The example itself, as large as one needs to decide."""
    name = desk.queue.class_names[card.given]
    st.markdown(f"### {plain_markdown(name)} :small[given label of {plain_markdown(card.name)}]")
    lens_of(split).full(split, card.position, card.name, name)


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
