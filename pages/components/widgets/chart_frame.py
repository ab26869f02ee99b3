"""The frame around every picture: title, chart, caption, and in its corner its numbers and its files."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.components.browser.pictures import pictures
from pages.components.charts.base import INK
from pages.components.charts.colours import THEMES
from pages.components.session import state
from pages.components.session.about import about, one_line
from pages.components.session.door import core
from pages.components.session.words import plain_markdown
from pages.components.widgets.linked_table import formats

ROWS_SHOWN, NUMBERS_SPOKEN = 10, 4


def show(figure: go.Figure, caption: str, table: pd.DataFrame, key: str, made: Mapping[str, str] | None = None) -> None:
    """Draw a figure whose title is a sentence, with its definition below and its numbers behind it.

    Args:
        figure: its layout title becomes the text above the chart, so that it wraps and is read aloud.
        caption: plain text; what is shown, in which unit, with the numbers that matter.
        table: the numbers of the figure.
        key: of the elements, and the name of the CSV file.
        made: what the numbers were made of, for columns of the file that are the same in every row.
    """
    title = html.unescape(figure.layout.title.text or "")
    headed(f"**{plain_markdown(title)}**", table, key, title, made)
    draw(figure, key, spoken(title, caption, table))
    st.caption(plain_markdown(caption))


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """A chart without its title, its words in the ink of the page: Streamlit's grey has too little contrast."""
    ink = THEMES[st.context.theme.type or "light"]["text"]
    drawn = go.Figure(figure).update_layout(title=None, font_color=ink, legend_font_color=ink)
    drawn.update_layout(modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": ink})
    drawn.update_coloraxes(colorbar_tickfont_color=ink, colorbar_title_font_color=ink)
    drawn.update_annotations(font_color=ink)
    drawn.update_xaxes(title_font_color=ink, tickfont_color=ink).update_yaxes(title_font_color=ink, tickfont_color=ink)
    st.plotly_chart(drawn, key=key, alt=alt, config={"displaylogo": False})


def headed(
    words: str, table: pd.DataFrame, key: str, title: str | None = None, made: Mapping[str, str] | None = None
) -> None:
    """The line above a chart or a table: its title, and in the corner what it is made of.

    Args:
        words: Markdown.
        table: the numbers.
        key: of the chart, and the name of its files.
        title: above the pictures of a chart; None for a table.
        made: what the numbers were made of, for columns of the file that are the same in every row.
    """
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small", key=f"frame-{key}"):
        st.markdown(words)
        twin(table, key, title, made)


def spoken(title: str, caption: str, table: pd.DataFrame) -> str:
    """A picture for those who hear it: its sentence, its definition, how far its numbers reach or its first rows."""
    ranges = [
        f"{str(name).replace('_', ' ')} from {column.min():.3g} to {column.max():.3g}"
        for name, column in table.select_dtypes("number").items()
        if column.notna().any() and name not in {"row", "id"}
    ]
    cells = ["; ".join(" ".join(map(str, row)) for row in table.head(ROWS_SHOWN).itertuples(index=False))]
    return f"{title}. {caption} {len(table):,} rows: {', '.join(ranges[:NUMBERS_SPOKEN] or cells)}."


def twin(table: pd.DataFrame, key: str, title: str | None = None, made: Mapping[str, str] | None = None) -> None:
    """The numbers behind a picture and its files, behind an icon.

    Args:
        table: the numbers.
        key: of the elements, and the name of the files.
        title: of the ``st.plotly_chart`` of that key, which can then be downloaded as PNG and SVG; None for other
            pictures.
        made: what the numbers were made of, for columns of the file that are the same in every row.
    """
    words = "Table and CSV" if title is None else "Table, CSV, PNG and SVG"
    with st.popover(words, icon=":material/download:", type="tertiary", help=words, key=f"twin-{key}"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"files-{key}"):
            st.download_button(
                "Download CSV",
                lambda: core.cells.to_csv(_with_origin(table, made or {})),
                f"{key}.csv",
                "text/csv",
                key=f"{key}-csv",
                on_click="ignore",
            )
            if title is not None:
                pictures(key, title, one_line(made) if made else about(state.settings()))
        height = 36 * (1 + min(len(table), ROWS_SHOWN)) + 2
        st.dataframe(
            table, hide_index=True, height=height, column_config=formats(table), alt=f"Table of {len(table)} rows"
        )


def _with_origin(table: pd.DataFrame, made: Mapping[str, str]) -> pd.DataFrame:
    """The table with what it was made of."""
    return table.assign(**{f"made of: {name}": said for name, said in made.items()})
