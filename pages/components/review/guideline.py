"""The labelling guideline: Markdown written by a lead, every version kept, one key away from the card."""

from __future__ import annotations

import streamlit as st

from pages.components.review.activity import day
from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating
from pages.components.session.words import plain_markdown

OPEN, TEXT = "review.guideline", "review.guideline-text"
EMPTY = "There is no guideline yet. A lead writes it under *Team*: what counts as which class, and what to exclude."


def panel(desk: Desk) -> None:
    """The newest version, beside the card."""
    if not st.session_state.get(OPEN):
        return
    found = annotating.guidelines(cached.store(), desk.queue.dataset)
    with st.container(border=True):
        st.markdown(found[0].text if found else EMPTY)
        if found:
            st.caption(f"Version {found[0].version}, {plain_markdown(found[0].created_by)}, {day(found[0].created_at)}")


def editor(desk: Desk) -> None:
    """A new version for everybody; the older ones stay and can be read."""
    found = annotating.guidelines(cached.store(), desk.queue.dataset)
    st.subheader("Labelling guideline", anchor=False)
    with st.form("review-guideline", border=True):
        text = st.text_area("Markdown", found[0].text if found else "", height=180, key=f"{TEXT}-{len(found)}")
        if st.form_submit_button(f"Save as version {len(found) + 1}", icon=":material/save:"):
            annotating.write_guideline(cached.store(), desk.queue.dataset, text, desk.person.name)
            st.rerun()
    if found:
        with st.expander(
            f"All {len(found)} versions" if len(found) > 1 else "The one version", icon=":material/history:"
        ):
            for one in found:
                st.caption(f"Version {one.version}, {plain_markdown(one.created_by)}, {day(one.created_at)}")
                st.markdown(one.text)
