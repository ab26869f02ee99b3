"""Export and import: how many rows, what each file is for, one zip or single files, and Label Studio back in."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.review import shelf
from pages.components.review.activity import day
from pages.components.review.desk import Desk
from pages.components.session import cached, state
from pages.components.session.door import annotating, core
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from influence_core.annotations import Answers, Resolved
    from influence_core.annotations.exports.files import Selection
    from influence_core.reviewing import Recipe

KEPT = "review.files"
IMPORTED = "review.imported"
MEGABYTES = 64  # of a Label Studio export
OUTCOMES = {"": "open", "keep": "keep", "re-label": "re-label", "exclude": "exclude"}
WHAT = {
    "label_issues.csv": "one row per row of your data, in their order, for `CleanLearning.fit(label_issues=…)`",
    "label_issues.parquet": "the same with types",
    "labels_multiannotator.csv": "one column per annotator, rows with a label, for `cleanlab.multiannotator`",
    "labels_multiannotator_rows.csv": "which rows those are: number and id",
    "label_studio_tasks.json": "tasks with predictions and annotations, for Label Studio",
    "label_config.xml": "the labelling configuration that reads them",
    "dataset_clean": "the data with corrected labels, without what was excluded",
    "audit_log.jsonl": "every decision and event ever stored",
    "manifest.json": "hashes, seeds, versions, signs and row counts",
}


@dataclass(frozen=True, eq=False)
class Bundle:
    """Files of one export, kept in the session until the next."""

    queue: int
    rows: str
    count: int
    at: float
    files: dict[str, bytes]


def export(desk: Desk, recipe: Recipe) -> None:
    """Files out, annotations in.  They hold everybody's answers, so they are for leads."""
    del recipe
    if not desk.person.lead:
        st.info("Exports hold everybody's answers: they are for leads.", icon=":material/lock:")
        return
    st.subheader("Export", anchor=False)
    said = annotating.answers(cached.store(), desk.queue.dataset)
    found = annotating.resolve(said)
    rows, words, count = choose(said, found)
    table = _original()
    if st.button(f"Prepare the files: {count:,} rows", type="primary", icon=":material/inventory_2:", key="prepare"):
        with st.spinner("Writing the files …"), told():
            files = prepare(desk, rows, table)
            st.session_state[KEPT] = Bundle(desk.queue.id, words, count, cached.store().clock(), files)
    downloads(desk)
    imports(desk)


def _original() -> tuple[str, bytes] | None:
    """The uploaded file, which the server has kept; files uploaded before it did so are asked for.

    Returns:
        Name and content; None for other data.
    """
    data = state.settings().data
    if data.name != "upload":
        return None
    kept: tuple[str, bytes] | None = core.originals.kept_original(str(dict(data.options)["id"]))
    if kept is not None:
        return kept
    table = st.file_uploader(
        "The file these data were uploaded from, for a dataset_clean that differs in corrected labels only (optional)",
        key="review.original",
    )
    return None if table is None else (table.name, table.getvalue())


@contextmanager
def told() -> Generator[None]:
    """What was expected and what came, beside the button that asked for it.

    Yields:
        Nothing.
    """
    try:
        yield
    except cached.expected_errors() as error:
        st.error(plain_markdown(str(error)), icon=":material/warning:")


def choose(said: Answers, found: Resolved) -> tuple[Selection, str, int]:
    """All rows, those of a filter, or those that are decided.

    Returns:
        Rows for the export, in words, and how many.
    """
    one, two = st.columns(2)
    given = one.multiselect("Only with the given label", said.class_names, key="review.export-given")
    outcomes = two.multiselect("Only with the outcome", list(OUTCOMES.values()), key="review.export-outcome")
    filtered = np.flatnonzero(chosen(said, found, given, outcomes))
    decided = int((found.action != "").sum())
    counts = {"all": len(said.ids), "filtered": len(filtered), "decided": decided}
    titles = {"all": "All rows", "filtered": "Filtered", "decided": "Decided only"}
    which = st.radio(
        "Rows",
        list(counts),
        format_func=lambda name: f"{titles[name]}: {counts[name]:,}",
        key="review.export-rows",
        horizontal=True,
    )
    rows: dict[str, Selection] = {"all": "all", "filtered": filtered, "decided": "decided"}
    return rows[which], titles[which].lower(), counts[which]


def chosen(said: Answers, found: Resolved, given: list[str], outcomes: list[str]) -> NDArray[np.bool_]:
    """(n,) rows that pass both filters; an empty filter passes all."""
    labels = np.array([name in given for name in said.class_names])[said.given] if given else True
    words = np.array([OUTCOMES[str(action)] for action in found.action])
    return np.ones(len(said.ids), dtype=bool) & labels & (np.isin(words, outcomes) if outcomes else True)


def prepare(desk: Desk, rows: Selection, table: tuple[str, bytes] | None) -> dict[str, bytes]:
    """All files.

    Returns:
        File name to content.
    """
    settings = state.settings()
    split = shelf.whole(settings).split
    contents = core.contents
    sheet = contents.assembled(split) if table is None else contents.uploaded(settings.data, split, *table)
    original = None if sheet is None else annotating.Original(**vars(sheet))
    context = annotating.Context(items=contents.items(split), original=original)
    return annotating.export(cached.store(), desk.queue.id, desk.person.name, rows, context)


def downloads(desk: Desk) -> None:
    """One zip, and every file by itself."""
    found: Bundle | None = st.session_state.get(KEPT)
    if found is None or found.queue != desk.queue.id:
        st.caption("Files are written when you ask for them; the log notes it.")
        return
    st.markdown(f"**{found.rows.capitalize()}, {found.count:,} rows**, as of {day(found.at)}.")
    counts = {name: one["rows"] for name, one in json.loads(found.files["manifest.json"])["files"].items()}
    st.download_button(
        "Download everything as a zip",
        lambda: annotating.zipped(found.files),
        f"mislabels_queue{desk.queue.version}.zip",
        "application/zip",
        on_click="ignore",
        icon=":material/folder_zip:",
        key="review-zip",
    )
    for name, content in found.files.items():
        button, words = st.columns([3, 5], vertical_alignment="center")
        button.download_button(
            name, content, name, on_click="ignore", icon=":material/download:", key=f"review-file-{name}",
            width="stretch",
        )  # fmt: skip
        size = f"{counts[name]:,} rows, " if counts.get(name) else ""
        words.caption(f"{size}{len(content) / 1024:,.1f} KB: {WHAT.get(name) or WHAT[name.partition('.')[0]]}.")


def imports(desk: Desk) -> None:
    """Annotations that were made in Label Studio, as first-pass answers of their authors."""
    st.subheader("Import", anchor=False)
    file = st.file_uploader(
        "JSON or JSON-MIN export of Label Studio", type="json", max_upload_size=MEGABYTES, key="review.import",
        help="Tasks are matched by their id. The same file again adds nothing; newer answers replace older ones.",
    )  # fmt: skip
    if file is not None and st.button("Import these annotations", icon=":material/upload:", key="review-import"):
        with told():
            found = annotating.import_label_studio(cached.store(), desk.queue.id, file.getvalue(), desk.person.name)
            left = [f"{count} left out: {sentence}" for sentence, count in found.left_out.items()]
            st.session_state[IMPORTED] = [f"{found.stored:,} answers stored, {found.known:,} known already.", *left]
    for line in st.session_state.pop(IMPORTED, []):
        st.info(plain_markdown(line), icon=":material/move_to_inbox:")
