"""A user's own file: choose it, see what was understood, say what its columns are for, and use it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from influence_core.settings import Options
from pages.components.data.elsewhere import elsewhere
from pages.components.data.representation import CHOSEN, choose_words, chosen_words, options_of
from pages.components.data.upload_form import ASKED, OFFER, FormOffer, asked, choose_form, offer
from pages.components.data.upload_mapping import CHOICES, choose_mapping, choose_missing, preview, say, summary
from pages.components.data.upload_reading import KEPT, MAPPING, RAW, SEEN, choose_reading, understood
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.data.uploads import Upload

FILE, ERROR = "upload.file", "upload.error"
BUILT, SIZE = "upload.built", "upload.size"
FRESH, ONWARD = "upload.fresh", "upload.onward"
MINE, ROUND = "upload.mine", "upload.round"  # fingerprint to title; counts files that were used
LIMIT_MB = 200
FORMS = (
    "**Table**: CSV, TSV, .xlsx, .xls, .xlsb, .ods, JSON lines, ARFF, LibSVM text, Parquet or Feather; one "
    "example per row. It may be packed (.csv.gz, .xz, .zst, .zip), also train.csv and test.csv together.  \n"
    "**NPZ**: `x` (n, d) and `y` (n,), or `x_train`, `y_train`, `x_test`, `y_test`; optional `ids`, `split`, `text`, "
    "`images`, `feature_names`, `class_names`.  \n"
    "**Embeddings**: the same, or a Parquet column of lists of numbers; pictures in a second column are shown.  \n"
    "**Zip of pictures**: a folder per class, such as `cat/1.png` and `dog/2.jpg`, perhaps within `train` and `test`; "
    "or a table of file names and labels beside the pictures."
)


def own_data() -> bool:
    """Everything about uploads that the Data page shows before the data themselves.

    Returns:
        Whether the settings name uploaded data that are to be shown now.
    """
    key = str(dict(state.settings().data.options).get("id", ""))
    mine()
    manifest = held(key) if key else None
    if manifest is not None:
        about(manifest)
        if manifest.get("words"):
            options_of(core.DATASETS["upload"])
    if key:
        words = "Upload another file" if manifest is not None else "Upload the file again"
        with st.expander(words, icon=":material/upload_file:", expanded=manifest is None):
            wizard()
    else:
        wizard()
    return bool(key) and st.session_state.get(RAW) is None


def mine() -> None:
    """Go back to something uploaded earlier in this session; nobody sees what others uploaded."""
    titles: dict[str, str] = st.session_state.setdefault(MINE, {})
    current = str(dict(state.settings().data.options).get("id", ""))
    if len(titles) > (current in titles):
        st.selectbox(
            "Your uploads in this session",
            list(titles),
            index=list(titles).index(current) if current in titles else None,
            format_func=titles.__getitem__,
            placeholder="Choose one to go back to it",
            key="upload.choice",
            on_change=safely(lambda: open_upload(st.session_state["upload.choice"])),
        )


def fresh() -> bool:
    """Whether these data were opened on the run before, so that model and penalty are still to be chosen for them."""
    return bool(st.session_state.pop(FRESH, False))


def go_on() -> None:
    """On to Explore, once, after data were taken into use."""
    if st.session_state.pop(ONWARD, False):
        with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
            st.switch_page("pages/3_Explore.py", query_params=state.link())


def open_upload(key: str | None, words: Options = ()) -> None:
    """Make uploaded data the data of this session; a file that was being mapped is put away."""
    if key:
        state.change("data", name="upload", options=(("id", key), *words), flip_fraction=0.0)
        st.session_state[FRESH] = True
        forget()


def held(key: str) -> dict[str, Any] | None:
    """The manifest of the uploaded data, or None with a sentence that the server does not hold them."""
    try:
        found: dict[str, Any] = core.uploads.upload_store().manifest(key)
    except core.EXPECTED_ERRORS:
        return None  # the page says so when it loads the data
    return found


def about(manifest: dict[str, Any]) -> None:
    """One line on the data in use, and the way on."""
    features = "texts" if manifest.get("words") else f"{len(manifest['feature_names'])} features"
    words = [
        f"**{plain_markdown(manifest['file'])}**",
        f"{manifest['rows']:,} rows, {features}",
        f"target {plain_markdown(manifest['target_name'])} ({manifest['task']})",
    ]
    filled = [f"{plain_markdown(name)}: {plain_markdown(to)}" for name, to in manifest["missing_filled"].items()]
    if filled:
        words.append(f"missing values filled in ({', '.join(filled[:5])}{' …' if len(filled) > 5 else ''})")
    line, way = st.columns([5, 1], vertical_alignment="center")
    line.markdown(" · ".join(words))
    with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
        way.page_link("pages/3_Explore.py", label="Explore", icon=":material/arrow_forward:")


def wizard() -> None:
    """From a file to the button that uses it: preview, mapping, missing values, summary, on one page."""
    receive()
    if st.session_state.get(ERROR):
        say(st.session_state[ERROR])
    raw = st.session_state.get(RAW)
    if raw is None:
        choose_form()
        return
    seen, columns = understood(raw, st.session_state[MAPPING])
    preview(seen, columns)
    choose_form()
    choose_reading(raw, columns, st.session_state[MAPPING])
    mapping = choose_missing(columns, choose_mapping(seen, columns, st.session_state[MAPPING]))
    st.session_state[MAPPING] = mapping
    if mapping.prose:
        choose_words()
    if BUILT not in st.session_state or st.session_state[BUILT][0].mapping != mapping:
        try:
            size = st.session_state.get(SIZE, 0)
            st.session_state[BUILT] = elsewhere("Checking", size, core.uploads.made, raw, mapping, columns)
        except core.EXPECTED_ERRORS as error:
            say(str(error))
            return
    built, warnings = st.session_state[BUILT]
    summary(built, warnings)
    st.button(
        "Use these data", type="primary", key="upload.use", icon=":material/check:", on_click=safely(use), args=(built,)
    )


def receive() -> None:
    """The uploader, which takes any file so that the core says what is wrong with one; a new file is read once."""
    file = st.file_uploader(
        "A table (CSV, Excel, Parquet …), arrays or embeddings (NPZ, Parquet), or a zip of pictures",
        key=f"upload.uploader.{st.session_state.get(ROUND, 0)}",
        max_upload_size=LIMIT_MB,
        help="At most 100,000 rows, 5,000 columns and 100 classes. The file stays on this server, in a private folder; "
        "the link to your view names it by its content.",
    )
    if file is None:
        st.caption(FORMS)
        if st.session_state.get(FILE):
            forget()
        return
    known, form = st.session_state.get(FILE, (None, None))
    if (known, form) == (file.file_id, asked()):
        return
    forget(keep=(ASKED, OFFER) if known == file.file_id else ())
    name, content, now = file.name, file.getvalue(), (file.file_id, asked())
    try:
        taken = elsewhere("Reading the file", len(content), core.uploads.take, name, content, asked())
    except core.EXPECTED_ERRORS as error:
        st.session_state.update({FILE: now, ERROR: str(error)})
        kind = core.uploads.form_kind(name, content)
        st.session_state.setdefault(OFFER, FormOffer(kind) if kind else None)
        return
    # Only now: a run that was ended by another one while it read leaves the file to that one.
    st.session_state.update(
        {FILE: now, RAW: taken.raw, MAPPING: taken.mapping, OFFER: offer(taken.raw), SIZE: len(content)}
    )
    st.session_state[SEEN] = taken.mapping.readings, (taken.raw, taken.columns)
    if taken.built is not None:
        st.session_state[BUILT] = taken.built


def use(built: Upload) -> None:
    """Keep the data on the server and make them the data of this session."""
    try:
        key = core.uploads.upload_store().save(built)
        file = st.session_state.get(f"upload.uploader.{st.session_state.get(ROUND, 0)}")
        if file is not None:
            core.originals.keep_original(key, file.getvalue())
    except core.EXPECTED_ERRORS as error:
        st.session_state[ERROR] = str(error)
        return
    title = f"{built.name} · {built.mapping.target} · {len(built.table.dataset):,} rows · {key[:6]}"
    st.session_state.setdefault(MINE, {})[key] = title
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    st.session_state[ONWARD] = True
    open_upload(key, chosen_words() if built.table.words is not None else ())


def forget(keep: tuple[str, ...] = ()) -> None:
    """Put the file that was being mapped away, with what was chosen for its columns."""
    mine = {
        FILE,
        RAW,
        MAPPING,
        ERROR,
        BUILT,
        SIZE,
        CHOSEN,
        ASKED,
        OFFER,
        *KEPT,
        *(f"upload.{part}" for part in CHOICES),
    }
    for name in mine - {*keep}:
        st.session_state.pop(name, None)
