"""How far the queue is, what it still finds, and whether to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Found, Progress


FEW = 5  # answers, before which a pace says nothing


def read(desk: Desk) -> Progress | None:
    """How far the queue is.

    Returns:
        Numbers; None where the database is in trouble.
    """
    try:
        return annotating.progress(cached.store(), desk.queue.id, desk.person.name)
    except annotating.StoreUnavailable:
        return None  # the card has said so


def mine(found: Progress) -> str:
    """What belongs beside the number of the card.

    Returns:
        For example ``12 % done, 40 by you, 31 a minute: 9 min left``.
    """
    parts = [f"{found.answers / max(found.wanted, 1):.0%} done"]
    parts += [f"{found.mine:,} by you"] if found.mine else []
    if found.mine >= FEW and found.per_minute:
        left = (found.wanted - found.answers) / found.per_minute
        parts.append(f"about {left:,.0f} min left" if left >= 1 else "nearly there")
    return ", ".join(parts)


def strip(found: Progress | None) -> None:
    """The progress strip, and the advice to stop once the queue finds no more than chance does."""
    if found is None:
        return
    bar(found, counts(found))
    said(found)


def bar(found: Progress, text: str) -> None:
    """The share of the answers that are there, and words above it."""
    st.progress(min(found.answers / max(found.wanted, 1), 1.0), text=plain_markdown(text))


def said(found: Progress) -> None:
    """What the queue has found so far, and the advice."""
    st.caption(plain_markdown(" · ".join(rates(found))))
    if found.advice:
        st.info(found.advice, icon=":material/flag:")


def counts(found: Progress) -> str:
    """Cards and answers.

    Returns:
        One line.
    """
    people = f", {found.mine:,} by you" if found.mine else ""
    pace = f", {found.per_minute:.1f} a minute" if found.per_minute else ""
    return f"{found.done:,} of {found.size:,} cards have all their answers{people}{pace}"


def rates(found: Progress) -> list[str]:
    """What flagged and random cards held, and what waits for a second pass.

    Returns:
        Parts of one line.
    """
    parts = [f"Flagged: {_rate(found.flagged)}", f"random controls: {_rate(found.controls)}"]
    if found.disagreements:
        parts.append(f"{found.disagreements} disagreement{'s' * (found.disagreements > 1)}")
    if found.needs_review:
        parts.append(f"{found.needs_review} need{'s' * (found.needs_review == 1)} review")
    return parts


def _rate(found: Found) -> str:
    return f"{found.errors} of {found.checked} wrong ({found.rate:.0%})" if found.checked else "none checked yet"
