"""A data set whose file is not here yet: fetched once, as a job with progress and Cancel."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs


def offer_to_fetch(name: str, source: Any) -> None:
    """Say which file is missing, and fetch it when asked; the page runs again when it is there."""
    work = job_panel.Work(
        f"fetch:{name}",
        f"Fetching {source.title}",
        "MB",
        source.fetch,
        seconds=0.0,
        lead="It is fetched once from OpenML, checked against a checksum, and kept for every session.",
        button="Fetch it now",
        cancelled="Cancelled. Nothing was stored.",
        computes=False,
    )
    st.info(
        f"{source.title} needs the file {source.file}, which is not in the data folder yet.",
        icon=":material/cloud_download:",
    )
    job = jobs().get(work.key)
    if job is not None and job.state == "done":  # fetched, and deleted since
        jobs().forget(work.key)
    job_panel.panel(work)
