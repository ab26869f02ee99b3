"""The trust line: what scores rest on, amber with advice where an assumption is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Trust

BROKEN, SOUND = ":orange[:material/error:] ", ":green[:material/check_circle:] "


def trust_line(found: Trust) -> None:
    """Advice about every broken assumption, then the facts."""
    if found.warnings:
        st.warning("  \n".join(plain_markdown(sentence) for sentence in found.warnings), icon=":material/warning:")
    st.caption((BROKEN if found.warnings else SOUND) + plain_markdown(found.line))
