"""Broken, huge, lying and malicious spreadsheets, packed files, Arrow files and archives."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from tests.data.workbooks import ods, open_document, with_sheet, xlsx, zipped
from tests.hostile.files import LABELS, ROWS, Case, folders, npz, picture, png_declaring, table
from tests.hostile.files import zipped as archive

CELL = '<c r="{}"><v>1</v></c>'
VALUE = '<table:table-cell office:value-type="float" office:value="1" {}/>'
GRID = [["x", "label"], *([k, LABELS[k]] for k in range(ROWS))]


def arrow(**how: str) -> bytes:
    buffer = io.BytesIO()
    feather.write_feather(pa.table({"x": np.arange(ROWS), "label": LABELS}), buffer, **how)
    return buffer.getvalue()


def contradictory_footer() -> bytes:
    """A column whose schema says that none is missing, so that its statistics are too long: libraries end over it."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": range(ROWS), "label": LABELS}), buffer)
    content = buffer.getvalue()
    assert b"%\x02\x18\x05label" in content
    return content.replace(b"%\x02\x18\x05label", b"%\x00\x18\x05label")


def arrow_bomb() -> bytes:
    """80 million zeros, 640 MB once unpacked, in a few kB."""
    buffer = io.BytesIO()
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(80_000_000, np.int64)), 8_000)
    feather.write_feather(pa.table({"x": zeros}), buffer, compression="zstd")
    return buffer.getvalue()


def one_text_in_many_views() -> bytes:
    """20,000 views of the same 100,000 letters: 2 GB once they are texts of their own."""
    one = pa.array(["z" * 100_000], pa.string_view()).buffers()
    views = pa.Array.from_buffers(pa.string_view(), 20_000, [None, pa.py_buffer(one[1].to_pybytes() * 20_000), one[2]])
    buffer = io.BytesIO()
    feather.write_feather(pa.table({"x": np.arange(20_000) % 7, "t": views}), buffer)
    return buffer.getvalue()


def lying_buffer() -> bytes:
    """A buffer that declares 2 ** 60 bytes; where it stands is found by its true length."""
    content = bytearray(arrow(compression="zstd"))
    place = content.find(struct.pack("<q", 8 * ROWS))
    content[place : place + 8] = struct.pack("<q", 2**60)
    return bytes(content)


def directory_elsewhere() -> bytes:
    """An Arrow file whose directory names no part that stands in it."""
    content = arrow()
    size = int.from_bytes(content[-10:-6], "little")
    return content[: -10 - size] + bytes(size) + content[-10:]


def repeated(rows: int, columns: int, value: str = "") -> bytes:
    cell = VALUE.format(f'table:number-columns-repeated="{columns}"')
    return open_document(
        f'<table:table table:name="S"><table:table-row table:number-rows-repeated="{rows}">{cell}{value}'
        "</table:table-row></table:table>"
    )


def row(*places: str) -> str:
    return f'<row r="1">{"".join(CELL.format(place) for place in places)}</row>'


def shared(length: int, cells: int) -> bytes:
    """So many cells that refer to one text of this length."""
    rows = "".join(f'<row r="{k}"><c r="A{k}" t="s"><v>0</v></c></row>' for k in range(1, cells + 1))
    return with_sheet(rows, f"<si><t>{'z' * length}</t></si>")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def encrypted_member() -> bytes:
    content = bytearray(xlsx({"S": GRID}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + place] |= 1
    return bytes(content)


def billion_laughs() -> bytes:
    steps = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
    content = xlsx({"S": GRID})
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{steps}]>'
    sheet = parts["xl/worksheets/sheet1.xml"].replace(">x<", ">&l9;<")
    return zipped(parts | {"xl/worksheets/sheet1.xml": bomb + sheet})


WORKBOOKS = (
    Case("cut workbook", "a.xlsx", lambda: cut(xlsx({"S": GRID})), "damaged or cut"),
    Case("workbook of nothing", "a.xlsx", lambda: xlsx({"S": []}), "at least 2 columns"),
    Case("two far corners", "a.xlsx", lambda: with_sheet(row("A1", "XFD1048576")), "cells between the first and the last"),
    Case("far corner in small letters", "a.xlsx", lambda: with_sheet(row("A1", "xfd1048576")), "cells between"),
    Case("far corner behind a >", "a.xlsx",
         lambda: with_sheet(row("A1").replace("</row>", '<c q=">" r="XFD1048576"><v>1</v></c></row>')), "damaged"),
    Case("far row", "a.xlsx", lambda: with_sheet('<row r="1048576"><c><v>1</v></c><c><v>1</v></c></row>' + row("XFD1")), "cells between"),
    Case("far corner with a prefix", "a.xlsx",
         lambda: with_sheet(row("A1") + '<x:row r="1048576"><x:c r="XFD1048576"><v>1</v></x:c></x:row>'), "cells between"),
    Case("one text in every cell", "a.xlsx", lambda: shared(1_000_000, 2_000), "MB of text in a sheet"),
    Case("entities within entities", "a.xlsx", billion_laughs, "damaged"),
    Case("encrypted member", "a.xlsx", encrypted_member, "without a password"),
    Case("a letter for a number", "a.xlsx", lambda: with_sheet('<row r="1"><c r="A1"><v>x</v></c></row>'), "at least 2 columns"),
    Case("no such text", "a.xlsx", lambda: with_sheet('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'), "damaged"),
    Case("XML of two bytes a letter", "a.xlsx",
         lambda: archive([("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", "<workbook/>".encode("utf-16"))]), "damaged"),
    Case("zip bomb in a workbook", "a.xlsx",
         lambda: archive([("xl/workbook.xml", b"<x/>"), ("xl/worksheets/sheet1.xml", bytes(60_000_000))]), "times its size"),
    Case("a path out of a workbook", "a.xlsx", lambda: archive([("xl/workbook.xml", b"<x/>"), ("../../x.xml", b"")]), "leads out"),
    Case("formulas and markup", "a.xlsx",
         lambda: xlsx({"S": [["<img src=x onerror=alert(1)>", "label"], *([f"=cmd|{k % 3}", LABELS[k]] for k in range(ROWS))]})),
    Case("200,000 rows of a sheet", "a.xlsx", lambda: with_sheet(
        "".join(f'<row r="{k}"><c><v>1</v></c><c><v>2</v></c></row>' for k in range(1, 130_000))), "at most 100,000 rows"),
    Case("cut ods", "a.ods", lambda: cut(ods(GRID)), "damaged or cut"),
    Case("a cell repeated", "a.ods", lambda: repeated(1_000_000, 16_384), "cells between"),
    Case("a row repeated", "a.ods", lambda: repeated(999_999_999, 2, VALUE.format("")), "cells between"),
    Case("a text repeated", "a.ods", lambda: open_document(
        '<table:table table:name="S"><table:table-row table:number-rows-repeated="90000"><table:table-cell '
        f'office:value-type="string"><text:p>{"z" * 50_000}</text:p></table:table-cell></table:table-row></table:table>'),
         "MB of text in a sheet"),
    Case("repeated without a number", "a.ods", lambda: open_document(
        '<table:table table:name="S"><table:table-row><table:table-cell table:number-columns-repeated="&#57;9999999" '
        'office:value-type="float" office:value="1"/></table:table-row></table:table>'), "damaged"),
    Case("another document", "a.odt", lambda: zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"}),
         "got another document"),
)  # fmt: skip

PACKED = (
    Case("gzip bomb", "a.csv.gz", lambda: gzip.compress(bytes(60_000_000)), "times its size"),
    Case("bzip2 bomb", "a.csv.bz2", lambda: bz2.compress(bytes(60_000_000)), "times its size"),
    Case("cut gzip", "a.csv.gz", lambda: cut(gzip.compress(table())), "damaged or cut"),
    Case("gzip of nothing", "a.csv.gz", lambda: gzip.compress(b""), "got an empty file"),
    Case("gzip of a zip", "a.gz", lambda: gzip.compress(folders()), "unpack it first"),
    Case("gzip of a pickle", "a.pkl.gz", lambda: gzip.compress(b"\x80\x04N."), "pickled files can run code"),
    Case("zip bomb with a table", "a.zip", lambda: archive([("a.csv", b"1,2\n" * 15_000_000)]), "times its size"),
    Case("zip of a zip", "a.zip", lambda: archive([("a.zip", folders())]), "unpack it first"),
    Case("zip of a zip under another name", "a.zip", lambda: archive([("a.csv", folders())]), "unpack it first"),
    Case("zip of a pickle", "a.zip", lambda: archive([("a.csv", b"\x80\x04N.")]), "pickled files can run code"),
    Case("zip of arrays", "a.zip", lambda: archive([("a.csv", npz(x=np.arange(9)[:, None], y=np.arange(9) % 3))])),
    Case("a table out of the archive", "a.zip", lambda: archive([("../a.csv", table())]), "leads out of it"),
    Case("cut feather", "a.feather", lambda: cut(arrow()), "damaged or cut"),
    Case("arrow of zeros", "a.feather", arrow_bomb, "MB in the unpacked file"),
    Case("one text in many views", "a.feather", one_text_in_many_views, "MB of text in a column"),
    Case("lying buffer", "a.feather", lying_buffer, "in the unpacked file"),
    Case("contradictory footer", "a.parquet", contradictory_footer, "damaged or cut"),
    Case("lying directory", "a.feather", directory_elsewhere),
    Case("arrow of noise", "a.feather", lambda: b"ARROW1\0\0" + np.random.default_rng(0).bytes(900), "damaged or cut"),
    Case("JSON 50,000 deep", "a.json", lambda: b"[" * 50_000, "too deep"),
    Case("JSON of 6,000 keys", "a.jsonl", lambda: ("{" + ",".join(f'"k{k}":1' for k in range(6_000)) + "}").encode(), "at most 5,000"),
    Case("JSON of 200,000 rows", "a.jsonl", lambda: b'{"a":1,"b":2}\n' * 200_000, "at most 100,000 rows"),
    Case("ARFF of long quotes", "a.arff", lambda: b"@relation x\n@attribute 'a numeric\n@data\n" + b"'" * 100_000, "quotation marks"),
    Case("LibSVM of a far place", "a.svm", lambda: b"1 1:1 4000000000:1\n" * 9, "at most 5,000 features"),
    Case("labels beside a giant", "a.zip",
         lambda: archive([("1.png", png_declaring(60_000, 60_000)), ("2.png", picture()), ("l.csv", b"file,label\n1.png,a\n2.png,b\n")]),
         "16,000,000 pixels"),
    Case("a label file that is hostile", "a.zip", lambda: folders([("l.csv", b"\x80\x04N.")])),
)  # fmt: skip

CASES = {
    f"{kind}: {case.name}": case for kind, cases in (("workbooks", WORKBOOKS), ("packed", PACKED)) for case in cases
}
