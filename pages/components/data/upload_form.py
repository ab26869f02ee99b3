"""How an uploaded table is written in its file: encoding, separator, sheet and first line, as found or as chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.session.door import core
from pages.components.session.errors import safely

if TYPE_CHECKING:
    from influence_core.data.uploads import Raw, TableForm

ASKED, OFFER = "upload.asked", "upload.offer"
GUESSED = "As guessed"
NAMES = {"": "", "yes": "Column names", "no": "A first row"}
DECIMALS = {"": "Guess: by column", ".": "Point (1,234.5)", ",": "Comma (1.234,5)"}


@dataclass(frozen=True)
class FormOffer:
    """What may be chosen about a file.

    Attributes:
        kind: "text" or "spreadsheet".
        found: how it is read now; None where it could not be.
        sheets: of a spreadsheet.
    """

    kind: str
    found: TableForm | None = None
    sheets: tuple[str, ...] = ()


def asked() -> TableForm:
    """What a person has said so far; the guess where nothing was."""
    said: TableForm = st.session_state.get(ASKED) or core.uploads.TableForm()
    return said


def offer(raw: Raw) -> FormOffer | None:
    """What may be chosen about a file that was read; None where it is written in one way only."""
    return None if raw.form is None else FormOffer("spreadsheet" if raw.sheets else "text", raw.form, raw.sheets)


def choose_form() -> None:
    """One row of what may be chosen; another choice reads the file again."""
    shown: FormOffer | None = st.session_state.get(OFFER)
    if shown is None:
        return
    now = shown.found or asked()
    boxes = iter(st.columns([3, 3, 2, 3, 3] if shown.kind == "text" else [4, 2, 4]))
    if shown.kind == "text":
        with next(boxes):
            titles = {name: core.uploads.titled(name) for name in core.uploads.ENCODINGS}
            _select(
                "encoding", "Read as", core.uploads.ENCODINGS | {"": _guess(titles.get(now.encoding, ""), "encoding")}
            )
        with next(boxes):
            words = {**core.uploads.SEPARATORS, core.uploads.BLANKS: "blanks"}
            _select("separator", "Fields between", words | {"": _guess(words.get(now.separator, ""), "separator")})
    elif shown.sheets:
        with next(boxes):
            _select("sheet", "Sheet", {name: name for name in shown.sheets}, now.sheet)
    with next(boxes):
        st.session_state[f"{ASKED}.line"] = asked().line or now.line or 1
        what = "Table begins in " + ("line" if shown.kind == "text" else "row")
        st.number_input(what, 1, step=1, key=f"{ASKED}.line", on_change=safely(_take), args=("line",))
    with next(boxes):
        _select("names", "It holds", NAMES | {"": _guess(NAMES[now.names].lower(), "names")})
    if shown.kind == "text":
        with next(boxes):
            _select("decimal", "Decimal mark", DECIMALS)


def _guess(found: str, name: str) -> str:
    return f"Guess: {found.partition(' (')[0]}" if found and not getattr(asked(), name) else GUESSED


def _select(name: str, label: str, titles: dict[str, str], now: str | None = None) -> None:
    key = f"{ASKED}.{name}"
    options = sorted(titles, key=bool) if "" in titles else [*titles]
    st.session_state[key] = getattr(asked(), name) if now is None else now
    st.selectbox(
        label, options, key=key, format_func=lambda value: titles[value], on_change=safely(_take), args=(name,)
    )


def _take(name: str) -> None:
    """One more choice; another sheet is looked at anew, and a line is one of the sheet that is shown."""
    value = st.session_state[f"{ASKED}.{name}"]
    shown: FormOffer = st.session_state[OFFER]
    new: TableForm = replace(asked(), **{name: value})
    if name == "sheet":
        new = core.uploads.TableForm(sheet=value)
    elif shown.found is not None and shown.sheets:
        new = replace(new, sheet=shown.found.sheet)
    st.session_state[ASKED] = new
