"""What is under review: the example, its label, and why it was flagged."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.review import desk as desks
from pages.components.review.desk import Desk
from pages.components.review.example import html_table
from pages.components.session.door import core, reviewing
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Card, Said

USUAL = 0.5  # share of rows that are less suspicious, below which a signal says nothing
BARS = ("self_influence", "loss")  # side by side, always first


def title(desk: Desk, card: Card) -> None:
    """The label in question, and whose it is."""
    name = desk.queue.class_names[card.given]
    st.markdown(f"### {plain_markdown(name)} :small[given label of {plain_markdown(card.name)}]")


def why(card: Card, class_names: tuple[str, ...], cross_validated: bool) -> None:
    """Percentile of every signal, probability of the given label, and the best alternative."""
    st.markdown("**What the signals say**")
    signals = core.SIGNALS
    there = [name for name in signals if name in card.percentiles and name != "random"]
    names = sorted(there, key=lambda name: name not in BARS)
    if card.scores.get(reviewing.CONTRADICTION):
        st.warning("A near-duplicate has another label: one of the two is surely wrong.", icon=":material/difference:")
    lines = [_line(signals[name], card.percentiles[name], card.scores[name]) for name in names]
    given, other = html.escape(class_names[card.given]), html.escape(class_names[card.suggested])
    source = "models that have not seen it" if cross_validated else "the fitted model, which has learnt this label"
    st.html(
        f'<table class="if-why">{"".join(lines)}</table>'
        f"<p class='if-why-p'>p({given}) = <b>{card.p_given:.3g}</b> · best alternative <b>{other}</b>, "
        f"p = <b>{card.p_suggested:.3g}</b><br><small>Probabilities by {source}.</small></p>"
    )
    st.caption("Percentile among all rows. Rare but correct examples stand out too: keeping is an expected answer.")


def _line(signal: Any, share: float, value: float) -> str:
    title, meaning = html.escape(signal.title), html.escape(signal.meaning)
    if share < USUAL:  # a random control is not to be told from a card that one signal alone has flagged
        return f'<tr title="{meaning}"><th scope="row">{title}</th><td class="usual" colspan="3">not unusual</td></tr>'
    percent, number = 100 * share, f"{value:.3g}".replace("-", "−")
    return (
        f'<tr title="{meaning}"><th scope="row">{title}</th>'
        f'<td class="bar"><i style="width:{percent:.1f}%"></i></td>'
        f'<td class="number">{percent:.1f} %</td><td class="number">{number}</td></tr>'
    )


def others(desk: Desk, card: Card, said: tuple[Said, ...]) -> None:
    """What was said so far, with the notes, for whoever settles it."""
    lines = [
        (one.annotator, desks.outcome(desk, card, one) + (", second pass" if one.round != 1 else ""), one.note)
        for one in said
    ]
    st.html(html_table(("who", "answer", "note"), lines))


def style() -> None:
    """The look of the card, once a page."""
    st.html(Path(__file__).with_name("card.css"))
