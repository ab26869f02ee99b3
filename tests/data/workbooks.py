"""Workbooks written cell by cell, so that tests know what stands in them."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Style 1 is a date, style 2 a duration.
_STYLES = (
    f'<styleSheet {_MAIN}><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/></numFmts><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="46"/></cellXfs></styleSheet>'
)


@dataclass(frozen=True)
class Error:
    """A cell such as #N/A."""

    word: str = "#N/A"


@dataclass(frozen=True)
class Formula:
    """A formula whose result was not stored."""

    words: str = "A1+1"


def letters(column: int) -> str:
    """A, B, …, Z, AA, … for 0, 1, …"""
    return ("" if column < 26 else letters(column // 26 - 1)) + chr(65 + column % 26)


def xlsx(
    sheets: Mapping[str, Sequence[Sequence[object]]], joined: Iterable[str] = (), hidden: Iterable[str] = ()
) -> bytes:
    """A workbook; ``joined`` are areas of the first sheet such as A2:A4, ``hidden`` names of sheets."""
    names = list(sheets)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_REL}"><sheets>'
        + "".join(_sheet_entry(k, name, name in {*hidden}) for k, name in enumerate(names, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{k}" Type="{_REL}/worksheet" Target="worksheets/sheet{k}.xml"/>'
            for k in range(1, len(names) + 1)
        )
        + f'<Relationship Id="rIdS" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _STYLES,
    }
    areas = [f'<mergeCell ref="{area}"/>' for area in joined]
    for k, rows in enumerate(sheets.values(), 1):
        merged = f"<mergeCells>{''.join(areas)}</mergeCells>" if areas and k == 1 else ""
        parts[f"xl/worksheets/sheet{k}.xml"] = worksheet("".join(_row(r, row) for r, row in enumerate(rows, 1)), merged)
    return zipped(parts)


def _sheet_entry(place: int, name: str, hidden: bool) -> str:
    state = ' state="hidden"' if hidden else ""
    return f'<sheet name="{escape(name)}" sheetId="{place}"{state} r:id="rId{place}"/>'


def worksheet(rows: str, after: str = "") -> str:
    """The XML of one sheet."""
    return f"<worksheet {_MAIN}><sheetData>{rows}</sheetData>{after}</worksheet>"


def with_sheet(rows: str, shared: str = "") -> bytes:
    """A workbook of one sheet whose XML may say anything."""
    with zipfile.ZipFile(io.BytesIO(xlsx({"S": [["a"]]}))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = worksheet(rows)
    if shared:
        parts["xl/sharedStrings.xml"] = f"<sst {_MAIN}>{shared}</sst>"
    return zipped(parts)


def zipped(parts: Mapping[str, str]) -> bytes:
    """A zip of texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _row(place: int, cells: Sequence[object]) -> str:
    return f'<row r="{place}">' + "".join(_cell(f"{letters(k)}{place}", c) for k, c in enumerate(cells)) + "</row>"


def _cell(place: str, cell: object) -> str:
    if cell is None:
        return f'<c r="{place}"/>'
    if isinstance(cell, Error):
        return f'<c r="{place}" t="e"><v>{cell.word}</v></c>'
    if isinstance(cell, Formula):
        return f'<c r="{place}"><f>{cell.words}</f><v></v></c>'
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, dt.date):
        return f'<c r="{place}" s="1"><v>{(cell - dt.date(1899, 12, 30)).days}</v></c>'
    if isinstance(cell, dt.timedelta):
        return f'<c r="{place}" s="2"><v>{cell.total_seconds() / 86400!r}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    return f'<c r="{place}"><v>{cell!r}</v></c>'


def ods(rows: Sequence[Sequence[object]], tail: str = "", name: str = "Data") -> bytes:
    """A sheet of OpenDocument; ``tail`` is XML behind its rows."""
    body = "".join(f"<table:table-row>{''.join(map(_open_cell, row))}</table:table-row>" for row in rows)
    return open_document(f'<table:table table:name="{name}">{body}{tail}</table:table>')


def open_document(tables: str) -> bytes:
    """An .ods whose tables may say anything."""
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{n}="{urn}:{n}:1.0"' for n in ("office", "table", "text"))
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0"/>',
        "content.xml": f'<office:document-content {spaces} xmlns:calcext="urn:org:documentfoundation:names:experimental'
        f':calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>'
        "</office:document-content>",
    })  # fmt: skip


def _open_cell(cell: object) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, Error):
        kind = 'office:value-type="string" office:string-value="" calcext:value-type="error"'
        return f"<table:table-cell {kind}><text:p>{cell.word}</text:p></table:table-cell>"
    kind, value = (
        ("boolean", str(cell).lower()) if isinstance(cell, bool)
        else ("date", cell.isoformat()) if isinstance(cell, dt.date)
        else ("string", str(cell)) if isinstance(cell, str)
        else ("float", repr(cell))
    )  # fmt: skip
    name = "value" if kind == "float" else f"{kind}-value"
    given = "" if kind == "string" else f' office:{name}="{value}"'
    return f'<table:table-cell office:value-type="{kind}"{given}><text:p>{escape(value)}</text:p></table:table-cell>'


def named(value: object) -> str | None:
    """The id of a parameter: the bytes of a zip hold the time, and would name another test in every process."""
    return "content" if isinstance(value, bytes) else None
