"""PNG and SVG of a Streamlit chart, with its title and the ground of the page."""

from __future__ import annotations

from pages.components.browser.bridge import component

_pictures = component("pictures", '<div class="if-pictures"></div>\n', isolated=False)


def pictures(chart: str, title: str, about: str = "") -> None:
    """Two buttons that download a chart; the browser draws the file, so that no picture travels.

    Args:
        chart: key of the ``st.plotly_chart`` on the same page, and the name of the files.
        title: plain text above the picture.
        about: what the picture was made of, below it.
    """
    _pictures(key=f"{chart}-pictures", data={"chart": chart, "title": title, "file": chart, "about": about})
