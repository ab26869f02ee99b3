"""What stands around every picture of a lesson or figure."""

from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest


def every_picture_has_its_twins(app: AppTest) -> None:
    """Words with numbers for those who hear it, a table, a CSV file, and PNG and SVG; each under a name of its own."""
    charts = app.get("plotly_chart")
    for chart in charts:
        assert re.search(r"\. \d[\d,]* rows: \S.*\d.*\.$", chart.proto.alt), chart.proto.alt
    tables = [one for one in app.get("popover") if one.proto.popover.label == "Table, CSV, PNG and SVG"]
    assert len(tables) == len(charts)
    for one in tables:
        assert len(one.dataframe) == 1 and len(one.dataframe[0].value)
        assert [button.label for button in one.get("download_button")] == ["Download CSV"]
        assert [part.proto.component_name for part in one.get("bidi_component")] == ["influence_pictures"]
    names = [one.get("download_button")[0].proto.id for one in tables]
    assert len(set(names)) == len(names)
