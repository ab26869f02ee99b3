"""The parts of the upload wizard: what a file holds, what its columns are for, what fills gaps, what to know before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.data.uploads import Column, ColumnMapping, Raw, Upload

ROWS, WIDTH, NOTES, IMAGES = 20, 30, 6, 8
SHORT = 20  # different texts up to which a column is a category
NONE = "—"
TASKS = {"classification": "Classes", "regression": "A number (regression)"}
NUMBER_FILLS = {
    "indicator": "The median, with a 0/1 feature",
    "median": "The median of the column",
    "mean": "The mean of the column",
    "drop": "Leave those rows out",
}
TEXT_FILLS = {
    "category": "A category of its own: missing",
    "frequent": "The most frequent text of the column",
    "drop": "Leave those rows out",
}
TARGET_FILLS = {"drop": "Leave those rows out", "refuse": "Refuse the file"}
ROLES = {
    "id": "Names of the rows (optional)",
    "split": "Train or test (optional)",
    "hover": "Text shown beside a point (optional)",
}
HEADS = {
    "name": "column", "kind": "read as", "missing": "missing", "gaps": "counts as missing",
    "doubts": "counts as a value", "distinct": "different values", "example": "first value",
    "note": "what was understood",
}  # fmt: skip
CHOICES = ("target", "task", "left_out", "prose", "numbers", "texts", "target_gaps", *ROLES)


def say(sentence: str) -> None:
    """An error in one sentence, beside the uploader."""
    st.error(plain_markdown(sentence), icon=":material/warning:")


def preview(raw: Raw, columns: Sequence[Column]) -> None:
    """The first rows, and what was understood of every column."""
    st.markdown(f"**1 · {plain_markdown(raw.name)}**: {len(raw):,} rows, {len(columns):,} columns")
    if raw.notes:
        st.caption("  \n".join(map(plain_markdown, raw.notes[:NOTES])))
    if len(raw.notes) > NOTES:
        with st.expander(f"{len(raw.notes) - NOTES} more notes"):
            st.caption("  \n".join(map(plain_markdown, raw.notes[NOTES:])))
    rows, kinds = st.tabs([f"First {min(ROWS, len(raw))} rows", "Columns as they are read"])
    with rows:
        if len(raw.frame.columns) > WIDTH:
            st.caption(f"The first {WIDTH} of {len(raw.frame.columns):,} columns.")
        st.dataframe(_as_text(raw.frame.iloc[:ROWS, :WIDTH]), hide_index=True, height=178)
        if raw.images is not None:
            st.image([*raw.images[:IMAGES]], width=64)
    with kinds:
        table = pd.DataFrame([vars(column) for column in columns])
        for words in ("gaps", "doubts"):
            table[words] = table[words].map(", ".join)
        st.dataframe(table.rename(columns=HEADS)[[*HEADS.values()]], hide_index=True, height=178)


def choose_mapping(raw: Raw, columns: Sequence[Column], mapping: ColumnMapping) -> ColumnMapping:
    """Which column is the target, which are features, and which name, part or describe the rows."""
    st.markdown("**2 · What the columns are for**")
    single = [column.name for column in columns if column.kind != "numbers"]
    target_box, task_box, out_box = st.columns([2, 2, 4])
    with target_box:
        target = _pick("Target: what to predict", single, mapping.target, "target")
        _other_targets(core.uploads.guess_targets(raw, tuple(columns)), target)
    if target != mapping.target:
        mapping = _retarget(raw, columns, mapping, target)
    with task_box:
        task: Any = _pick("The target is", list(TASKS), mapping.task, "task", TASKS)
    with out_box:
        prose = _prose(columns, mapping)
        features = () if prose else _features(columns, mapping)
    boxes = st.columns(3)
    chosen: dict[str, Any] = {}
    for box, (role, label) in zip(boxes, ROLES.items(), strict=True):
        with box:
            picked = _pick(label, [NONE, *single], getattr(mapping, role) or NONE, role)
            chosen[role] = "" if picked == NONE else picked
    mapping = replace(mapping, task=task, features=features, prose=prose, **chosen)
    if said := core.uploads.left_out(raw, tuple(columns), mapping):
        st.caption("  \n".join(map(plain_markdown, said)))
    return mapping


def choose_missing(columns: Sequence[Column], mapping: ColumnMapping) -> ColumnMapping:
    """What happens to missing values, shown only where there are some, with a usual answer chosen."""
    gaps = core.uploads.gaps(columns, mapping)
    numbers, texts = core.uploads.gap_names(columns, mapping)
    asked = [
        ("numbers", f"{_counted(gaps.numbers, 'missing number')} in {_named(numbers)}", gaps.numbers, NUMBER_FILLS),
        ("texts", f"{_counted(gaps.texts, 'missing text')} in {_named(texts)}", gaps.texts, TEXT_FILLS),
        ("target_gaps", f"{_counted(gaps.target, 'row')} without a target", gaps.target, TARGET_FILLS),
    ]
    asked = [question for question in asked if question[2]]
    if not asked:
        return mapping
    st.markdown("**Missing values**")
    for box, (name, label, _, fills) in zip(st.columns(3), asked, strict=False):
        with box:
            fill: Any = _pick(plain_markdown(label), list(fills), getattr(mapping, name), name, fills)
            mapping = replace(mapping, **{name: fill})
    st.caption(
        "Median, mean and most frequent text are taken over all rows, or over the training rows of a fixed split."
    )
    return mapping


def summary(built: Upload, warnings: Sequence[str]) -> None:
    """The data set as it would be used, and what to know before."""
    data, table = built.table.dataset, built.table
    parts = "by your column" if table.train is not None else "at random"
    features = f"{data.x.shape[1]:,}" if data.texts is None else "of texts"
    facts = {
        "Rows": f"{len(data):,}",
        "Features": features,
        "Classes": f"{data.classes:,}" if data.classes else "– (regression)",
        "Test part": parts,
    }
    st.markdown("**3 · Summary**")
    for column, (name, fact) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, fact)
    if data.classes:
        counts = np.bincount(data.y, minlength=data.classes)
        words = [f"{name}: {count:,}" for name, count in zip(data.class_names[:10], counts, strict=False)]
        st.caption(plain_markdown(f"{', '.join(words)}{' …' if data.classes > 10 else ''}"))
    for sentence in warnings:
        st.warning(plain_markdown(sentence), icon=":material/info:")
    if not warnings:
        st.caption(
            "No repeated rows, constant features, rare classes or features that give the target away were found."
        )


def _other_targets(guesses: Sequence[str], target: str) -> None:
    """The best guesses as buttons, the target in force left out."""
    others = [name for name in guesses if name != target]
    if not others:
        return
    st.caption("A guess. Others in one click:" if target in guesses else "Guesses in one click:")
    for place, (box, name) in enumerate(zip(st.columns(len(others)), others, strict=True)):
        box.button(
            plain_markdown(name[:24]), key=f"upload.guess.{place}", width="stretch",
            on_click=safely(st.session_state.update), args=({"upload.target": name},),
        )  # fmt: skip


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")


def _pick(label: str, names: list[str], current: str, key: str, titles: dict[str, str] | None = None) -> str:
    words, key = titles or {}, f"upload.{key}"
    if st.session_state.get(key) not in names:
        st.session_state[key] = current if current in names else names[0]
    return str(st.selectbox(label, names, key=key, format_func=lambda name: words.get(name, name)))


def _retarget(raw: Raw, columns: Sequence[Column], mapping: ColumnMapping, target: str) -> ColumnMapping:
    # The old target becomes a feature; the new one has no other role.  The widgets below start anew from this.
    features = [c.name for c in columns if c.name in {*mapping.features, mapping.target} and c.name != target]
    roles: dict[str, Any] = {role: "" for role in ROLES if getattr(mapping, role) == target}
    for key in ("task", "left_out", *roles):
        st.session_state.pop(f"upload.{key}", None)
    task = core.uploads.guess_task(raw, target)
    return replace(mapping, target=target, features=tuple(features), task=task, **roles)


def _features(columns: Sequence[Column], mapping: ColumnMapping) -> tuple[str, ...]:
    names = [column.name for column in columns if column.name != mapping.target]
    st.session_state.setdefault("upload.left_out", [name for name in names if name not in mapping.features])
    left_out = st.multiselect(
        "Left out of the features",
        names,
        key="upload.left_out",
        placeholder="Nothing: all other columns are features",
        help="All columns but the target and these are features. Texts become one 0/1 feature per value.",
    )
    return tuple(name for name in names if name not in left_out)


def _prose(columns: Sequence[Column], mapping: ColumnMapping) -> tuple[str, ...]:
    """Columns of texts whose words are the features; asked only where a column may hold texts to be read."""
    names = [c.name for c in columns if c.kind == "text" and c.distinct > SHORT and c.name != mapping.target]
    if not names:
        return ()
    taken = st.session_state.get("upload.prose", mapping.prose)
    st.session_state["upload.prose"] = [name for name in names if name in taken]
    chosen = st.multiselect(
        "Texts to be read: what they say is the features",
        names,
        key="upload.prose",
        placeholder="None: other columns are the features",
        help="Their words, or an embedding, in place of all other columns; several columns are joined.",
    )
    return tuple(name for name in names if name in chosen)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, everything else as plain text."""
    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    return frame.assign(**{name: [_cell(value) for value in frame[name].astype(object)] for name in texts})


def _cell(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)[:200].removesuffix(" 00:00:00")
