"""The frame around every picture: title, chart, caption, and its twin as a table and a CSV file."""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.components.browser.pictures import pictures
from pages.components.charts.colours import THEMES
from pages.components.session import state
from pages.components.session.about import about
from pages.components.session.door import core
from pages.components.session.words import plain_markdown
from pages.components.widgets.linked_table import formats

ROWS_SHOWN, NUMBERS_SPOKEN = 12, 4


def show(figure: go.Figure, caption: str, table: pd.DataFrame, key: str) -> None:
    """Draw a figure whose title is a sentence, with its definition below and its numbers behind it.

    Args:
        figure: its layout title becomes the text above the chart, so that it wraps and is read aloud.
        caption: plain text; what is shown, in which unit, with the numbers that matter.
        table: the numbers of the figure.
        key: of the elements, and the name of the CSV file.
    """
    title = html.unescape(figure.layout.title.text or "")
    st.markdown(f"**{plain_markdown(title)}**")
    drawn = go.Figure(figure).update_layout(title=None)
    ink = THEMES[st.context.theme.type or "light"]["text"]
    drawn.update_annotations(font_color=ink)
    drawn.update_xaxes(title_font_color=ink, tickfont_color=ink).update_yaxes(title_font_color=ink, tickfont_color=ink)
    st.plotly_chart(drawn, key=key, alt=spoken(title, caption, table), config={"displaylogo": False})
    st.caption(plain_markdown(caption))
    twin(table, key, title)


def spoken(title: str, caption: str, table: pd.DataFrame) -> str:
    """A picture for those who hear it: its sentence, its definition, how far its numbers reach or its first rows."""
    ranges = [
        f"{str(name).replace('_', ' ')} from {column.min():.3g} to {column.max():.3g}"
        for name, column in table.select_dtypes("number").items()
        if column.notna().any() and name not in {"row", "id"}
    ]
    cells = ["; ".join(" ".join(map(str, row)) for row in table.head(ROWS_SHOWN).itertuples(index=False))]
    return f"{title}. {caption} {len(table):,} rows: {', '.join(ranges[:NUMBERS_SPOKEN] or cells)}."


def twin(table: pd.DataFrame, key: str, title: str | None = None) -> None:
    """The numbers behind a picture, closed until asked for.

    Args:
        table: the numbers.
        key: of the elements, and the name of the files.
        title: of the ``st.plotly_chart`` of that key, which can then be downloaded as PNG and SVG; None for other
            pictures.
    """
    with st.expander("Table and CSV" if title is None else "Table, CSV, PNG and SVG", icon=":material/table:"):
        height = 36 * (1 + min(len(table), ROWS_SHOWN)) + 2
        st.dataframe(
            table, hide_index=True, height=height, column_config=formats(table), alt=f"Table of {len(table)} rows"
        )
        st.download_button(
            "Download CSV",
            lambda: core.cells.to_csv(table),
            f"{key}.csv",
            "text/csv",
            key=f"{key}-csv",
            on_click="ignore",
            icon=":material/download:",
        )
        if title is not None:
            pictures(key, title, about(state.settings()))
