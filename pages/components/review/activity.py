"""What happened, the newest first, in the time zone of whoever reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from pages.components.review.desk import Desk
from pages.components.session import cached
from pages.components.session.door import annotating

LINES = 1_000
WIDTHS = {"when": 170, "who": 120, "what": 90, "detail": 550}  # pixels


def log(desk: Desk) -> None:
    """The log, filtered."""
    st.subheader("Activity", anchor=False)
    found = annotating.activity(cached.store(), desk.queue.dataset, LINES)
    one, two, three = st.columns(3)
    who = one.multiselect("Who", sorted({line.annotator for line in found}), key="review.log-who")
    what = two.multiselect("What", sorted({line.kind for line in found}), key="review.log-what")
    text = three.text_input("Text", key="review.log-text", placeholder="an id, a label, words of a note")
    kept = [
        line
        for line in found
        if (not who or line.annotator in who)
        and (not what or line.kind in what)
        and text.casefold() in line.text.casefold()
    ]
    table = pd.DataFrame(
        {
            "when": [day(line.at, "%Y-%m-%d %H:%M:%S") for line in kept],
            "who": [line.annotator for line in kept],
            "what": [line.kind for line in kept],
            "detail": [line.text for line in kept],
        }
    )
    widths = {name: st.column_config.TextColumn(width=width) for name, width in WIDTHS.items()}
    st.dataframe(table, hide_index=True, height=36 * min(len(table) + 1, 10) + 2, column_config=widths)
    st.caption(f"{len(kept):,} of the last {len(found):,} entries, times in {zone()}. The whole log is in the export.")


def zone() -> ZoneInfo:
    """The time zone of the browser; UTC where it tells none."""
    try:
        name = st.context.timezone
        return ZoneInfo(name if isinstance(name, str) and name else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def day(seconds: float, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time for the person who reads it.

    Returns:
        For example ``2026-11-25 20:31``.
    """
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone()).strftime(form)
