"""An uploaded file written again: byte for byte the same but for corrected labels and excluded rows."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from influence_core.analysis import uploads

CLASSES = ("yes", "no", "NA")


def rewritten(
    name: str, content: bytes, target: str = "label", changes: dict[int, int] | None = None, out: tuple[int, ...] = ()
) -> tuple[str, bytes]:
    """The file after some rows took the label of others, and some left."""
    raw = uploads.read_upload(name, content)
    way = uploads.rewriting(name, content, raw, target)
    assert way is not None
    stays = np.ones(len(raw), dtype=bool)
    stays[list(out)] = False
    return way.ending, way.edit(changes or {}, stays)


CLEAN = "".join(
    f"{k:05d},{('01730', '02138', '90210')[k % 3]},{('None', 'Brick')[k % 2]},{('NA', 'ZA', 'BW')[k % 3]},"
    f"{('TRUE', 'FALSE')[k % 2]},{k % 4 + 1}e5,{'ab'[k % 2]}\n"
    for k in range(20)
)


def test_only_the_corrected_cell_and_the_excluded_row_differ() -> None:
    content = f"id,zip,veneer,country,flag,code,label\n{CLEAN}".encode()
    assert rewritten("clean.csv", content) == (".csv", content)
    lines = content.decode().splitlines(keepends=True)
    lines[3] = lines[3][:-2] + "b\n"
    del lines[8]
    assert rewritten("clean.csv", content, changes={2: 1}, out=(7,))[1] == "".join(lines).encode()


STYLES: dict[str, tuple[bytes, str, str]] = {
    # content, the cell of row 1 that becomes the label of row 0, and what it becomes
    "plain": (b"a,label\n1,yes\n2,no\n3,yes\n", "2,no", "2,yes"),
    "all quoted": (b'"a","label"\n"1","yes"\n"2","no"\n"3","yes"\n', '"2","no"', '"2","yes"'),
    "old one quoted": (b'a,label\n1,yes\n2,"no"\n3,yes\n', '2,"no"', '2,"yes"'),
    "new one quoted": (b'a,label\n1,"y, s"\n2,no\n3,"y, s"\n', "2,no", '2,"y, s"'),
    "quotes in it": (b'a,label\n1,"y ""s"""\n2,no\n3,no\n', "2,no", '2,"y ""s"""'),
    "line end in it": (b'a,label\n1,"y\ns"\n2,no\n3,no\n', "2,no", '2,"y\ns"'),
    "returns": (b"a,label\r\n1,yes\r\n2,no\r\n3,yes\r\n", "2,no", "2,yes"),
    "old returns": (b"a,label\r1,yes\r2,no\r3,yes\r", "2,no", "2,yes"),
    "mixed ends": (b"a,label\r\n1,yes\n2,no\r\n3,yes", "2,no", "2,yes"),
    "no end": (b"a,label\n1,yes\n3,no", "3,no", "3,yes"),
    "semicolons": (b"a;label;b\n1,5;yes;x\n2,5;no;y\n3,5;yes;z\n", ";no;", ";yes;"),
    "tabs": (b"a\tlabel\n1\tyes\n2\tno\n3\tyes\n", "\tno", "\tyes"),
    "bars": (b"a|label\n1|yes\n2|no\n3|yes\n", "|no", "|yes"),
    "hint": (b"sep=;\na;label\n1;yes\n2;no\n3;yes\n", ";no", ";yes"),
    "UTF-8 with a mark": (b"\xef\xbb\xbfa,label\n1,\xc3\xa9\n2,no\n3,\xc3\xa9\n", "2,no", "2,é"),
    "Windows-1252": ("a,label\n1,10€\n2,no\n3,10€\n".encode("cp1252"), "2,no", "2,10€"),
    "UTF-16": ("\ufeffa\tlabel\n1\té\n2\tno\n3\té\n".encode("utf-16-le"), "\tno", "\té"),
    "UTF-16, big": ("\ufeffa\tlabel\n1\té\n2\tno\n3\té\n".encode("utf-16-be"), "\tno", "\té"),
    "padded": (b"a, label, b\n1, yes, 2\n2, no, 3\n3, yes, 4\n", " no,", " yes,"),
    "padded quotes": (b'"a", "label", "b"\n"1", "y s", "2"\n"2", "no", "3"\n"3", "y s", "4"\n', ' "no",', ' "y s",'),
    "blanks": (b"a   label  b\n1   yes    2\n2   no     3\n3   yes    4\n", " no ", " yes "),
    "comments and titles": (b"# made by hand\n\na,label,b\n1,yes,x\n# no\n2,no,y\n\n3,yes,z\n", "2,no", "2,yes"),
    "empty rows": (b"a,label,b\n1,yes,x\n,,\n2,no,y\n,,\n3,yes,z\n", "2,no", "2,yes"),
    "totals below": (b"id,v,label\n1,2,yes\n2,3,no\n3,4,yes\nTotal,9,\n", "2,3,no", "2,3,yes"),
    "separators at the end": (b"a,label\n1,yes,\n2,no,\n3,yes,\n", "2,no,", "2,yes,"),
    "short rows": (b"a,label,b,c\n1,yes,x,y\n2,no\n3,yes,z,w\n", "2,no", "2,yes"),
    "apostrophes": (b"a,label\n1,'=y\n2,no\n3,'=y\n", "2,no", "2,'=y"),
    "two of a name": (b"label,a,label\n1,2,yes\n2,3,no\n3,4,yes\n", "1,2,yes\n2", "1,2,yes\n1"),
    "spaced apart": (b"a, label\n1,yes\n2,no \n3,yes\n", "2,no ", "2,yes"),
}


def _target(content: bytes) -> str:
    """The first column that is called label, however the reader took the blanks and marks around it."""
    return next(str(name) for name in uploads.read_upload("x.csv", content).frame if "label" in str(name))


@pytest.mark.parametrize("name", STYLES)
def test_the_edited_cell_is_written_in_the_style_of_the_file(name: str) -> None:
    content, old, new = STYLES[name]
    target = _target(content)
    assert rewritten("x.csv", content, target)[1] == content
    encoding = {"UTF-16": "utf-16-le", "UTF-16, big": "utf-16-be", "Windows-1252": "cp1252"}.get(name, "utf-8")
    text = content.decode(encoding)
    assert text.count(old) == 1
    found = rewritten("x.csv", content, target, {1: 0})[1]
    assert found.decode(encoding) == text.replace(old, new)
    assert uploads.read_upload("x.csv", found).frame.shape == uploads.read_upload("x.csv", content).frame.shape


@pytest.mark.parametrize("name", STYLES)
def test_an_excluded_row_is_absent_and_the_others_keep_their_bytes(name: str) -> None:
    content = STYLES[name][0]
    raw, target = uploads.read_upload("x.csv", content), _target(content)
    found = rewritten("x.csv", content, target, out=(0,))[1]
    start = next(k for k, pair in enumerate(zip(content, found, strict=False)) if pair[0] != pair[1])
    gone = len(content) - len(found)  # bytes of one row, cut out in one piece
    assert 0 < gone < 20 and found[start:] == content[start + gone :]
    if len(raw) > 2:
        left = uploads.read_upload("x.csv", found)
        assert uploads.row_names(left, target) == uploads.row_names(raw, target)[1:]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff", exclude_categories=["Cs"]), max_size=6)
CELLS = st.one_of(
    TEXTS,
    st.sampled_from(["00000", "01730", "None", "NA", "TRUE", "1e5", "1,5", "1.5", "-1", "=x", "'=x", "#1", '"', "a b"]),
    st.integers(-9, 9999).map(str),
)
DIALECTS: list[tuple[dict[str, object], str]] = [
    ({"delimiter": ",", "lineterminator": "\n"}, "utf-8"),
    ({"delimiter": ",", "lineterminator": "\r\n", "quoting": csv.QUOTE_ALL}, "utf-8"),
    ({"delimiter": ";", "lineterminator": "\r\n"}, "utf-8"),
    ({"delimiter": "\t", "lineterminator": "\n"}, "utf-8"),
    ({"delimiter": "|", "lineterminator": "\n"}, "utf-8"),
    ({"delimiter": ",", "lineterminator": "\r\n"}, "utf-8-sig"),
    ({"delimiter": "\t", "lineterminator": "\r\n", "quoting": csv.QUOTE_ALL}, "utf-16"),
    ({"delimiter": ",", "lineterminator": "\n", "quoting": csv.QUOTE_NONNUMERIC}, "utf-16-be"),
    ({"delimiter": ";", "lineterminator": "\n", "quoting": csv.QUOTE_ALL}, "cp1252"),
    ({"delimiter": ",", "lineterminator": "\r\n"}, "cp1252"),
]


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, st.sampled_from(CLASSES)), min_size=6, max_size=12),
    dialect=st.sampled_from(DIALECTS),
    seed=st.integers(0, 99),
)
def test_a_frame_goes_round_in_ten_dialects(
    rows: list[tuple[str, str, str]], dialect: tuple[dict[str, object], str], seed: int
) -> None:
    """Frame -> CSV -> read -> written again: the same bytes; after corrections, the same cells but for those."""
    options, encoding = dialect
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, **options)  # type: ignore[arg-type]
    writer.writerows([("first", "second", "label"), *rows])
    content = buffer.getvalue().encode(encoding, errors="replace")
    if encoding == "utf-16-be":
        content = b"\xfe\xff" + content
    try:
        raw = uploads.read_upload("x.csv", content)
    except ValueError:  # such as one that begins with what looks like a comment
        assume(False)
    assume("label" in raw.frame)
    way = uploads.rewriting("x.csv", content, raw, "label")
    assume(way is not None)
    assert way is not None
    whole = np.ones(len(raw), dtype=bool)
    assert way.edit({}, whole) == content
    random = np.random.default_rng(seed)
    row, like = random.integers(0, len(raw), 2).tolist()
    stays = random.random(len(raw)) < 0.7
    stays[[row, like]] = True
    found = way.edit({row: like}, stays)
    decode = "utf-16" if encoding == "utf-16-be" else encoding
    reader = {key: value for key, value in options.items() if key != "quoting"}
    before, after = (list(csv.reader(io.StringIO(c.decode(decode), newline=""), **reader)) for c in (content, found))  # type: ignore[arg-type]
    assume(len(before) == len(raw) + 1)
    before[row + 1][2] = before[like + 1][2]
    assert after == [before[0], *(line for line, kept in zip(before[1:], stays, strict=True) if kept)]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("x.csv.gz", gzip.compress),
        ("x.csv.bz2", bz2.compress),
        ("x.zip", lambda content: _zipped({"inner/x.csv": content, "README.txt": b"hello"})),
    ],
)
def test_a_packed_table_comes_out_as_the_table(name: str, pack: Callable[[bytes], bytes]) -> None:
    content = STYLES["returns"][0]
    assert rewritten(name, pack(content)) == (".csv", content)
    assert rewritten(name, pack(content), changes={1: 0})[1] == content.replace(b"2,no", b"2,yes")


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _table() -> pa.Table:
    labels = pa.array(["yes", "no", None, "yes", "no", "yes"]).dictionary_encode()
    columns = {
        "zip": pa.array(["00000", "01730", "None", "NA", "TRUE", "1e5"]),
        "when": pa.array(pd.date_range("2020", periods=6).to_numpy()),
        "count": pa.array([1, None, 3, 4, 5, 6], pa.int16()),
        "label": labels,
        "vector": pa.array([[1.0, 2.0]] * 6, pa.list_(pa.float32(), 2)),
    }
    schema = pa.schema(
        [pa.field(name, c.type, metadata={"unit": name}) for name, c in columns.items()], metadata={"made": "by hand"}
    )
    return pa.table(columns, schema=schema)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_columns_keep_schema_dictionary_and_metadata(kind: str) -> None:
    table, sink = _table(), io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink, compression={"zip": "gzip", "label": "zstd"})
    else:
        pf.write_feather(table, sink, "uncompressed")
    content = sink.getvalue()
    table = pq.read_table(io.BytesIO(content)) if kind == "parquet" else table  # its lists call their elements so
    assert rewritten(f"x.{kind}", content) == (f".{kind}", content)
    ending, changed = rewritten(f"x.{kind}", content, changes={1: 0}, out=(4,))
    found = pq.read_table(io.BytesIO(changed)) if kind == "parquet" else pf.read_table(io.BytesIO(changed))
    assert ending == f".{kind}"
    assert found.schema.equals(table.schema, check_metadata=True)
    wanted = table.take([0, 1, 2, 3, 5])
    assert found["label"].to_pylist() == ["yes", "yes", None, "yes", "yes"]
    assert found.drop_columns(["label"]).equals(wanted.drop_columns(["label"]))
    if kind == "parquet":
        group = pq.ParquetFile(io.BytesIO(changed)).metadata.row_group(0)
        assert [group.column(k).compression for k in (0, 1, 3)] == ["GZIP", "UNCOMPRESSED", "ZSTD"]


@pytest.mark.parametrize("kind", ["int", "float", "bool", "decimal"])
def test_a_label_of_any_type_stays_of_that_type(kind: str) -> None:
    values = {
        "int": pa.array([7, 5, 7, 5], pa.int8()),
        "float": pa.array([0.5, 1.5, 0.5, 1.5], pa.float32()),
        "bool": pa.array([True, False, True, False]),
        "decimal": pa.array([Decimal("1.50"), Decimal(2), Decimal("1.50"), Decimal(2)], pa.decimal128(5, 2)),
    }[kind]
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1.0, 2.0, 3.0, 4.0], "label": values}), sink)
    found = pq.read_table(io.BytesIO(rewritten("x.parquet", sink.getvalue(), changes={1: 0})[1]))["label"]
    assert found.type == values.type
    assert found.to_pylist() == [values[k].as_py() for k in (0, 0, 2, 3)]


RECORDS = {
    # name, content, the label of row 1, that of row 0 in its place, content without row 2
    "x.jsonl": (
        '{"a": 1.50, "label": "caf\\u00e9", "b": [1]}\n{"label":"no" , "a": 2}\n\n{"a": 1e5, "label": "no", "b": {}}\n',
        '"label":"no" ,', '"label":"caf\\u00e9" ,', '\n{"a": 1e5, "label": "no", "b": {}}',
    ),
    "x.json": (
        ' [ {"a": 1, "label": true},\n  {"a": 2, "label":  false , "label": false},\n  {"a": 3, "label": true}\n]\n',
        '  false , "label": false', '  false , "label": true', ',\n  {"a": 3, "label": true}',
    ),
    "x.ndjson": (
        '{"a":1,"label":"é"}\r\n{"a":2,"label":"ü"}\r\n{"a":3,"label":"é"}', '"ü"', '"é"', '\r\n{"a":3,"label":"é"}'
    ),
    "x.svm": ("# made by hand\n1 1:0.5 3:2\n-1.0 2:1 # odd\n+1 1:1\n", "-1.0 2", "1 2", "+1 1:1\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_edited_where_their_label_stands(name: str) -> None:
    text, old, new, last = RECORDS[name]
    content = text.encode()
    assert rewritten(name, content) == (f".{name.partition('.')[2]}", content)
    assert text.count(old) == 1
    assert rewritten(name, content, changes={1: 0})[1].decode() == text.replace(old, new)
    found = rewritten(name, content, out=(2,))[1].decode()
    assert found == text.replace(last, "").replace("}\n\n", "}\n")
    head = rewritten(name, content, out=(0,))[1]
    assert len(uploads.read_upload(name, head)) == 2


@pytest.mark.parametrize("name", ["x.json", "nested.json", "x.npz"])
def test_other_kinds_are_written_anew(name: str) -> None:
    content = b'{"a": [1, 2, 3], "label": ["x", "y", "x"]}'
    if name == "nested.json":
        content = b'[{"a": 1, "in": {"label": "x"}}, {"a": 2, "in": {"label": "y"}}]'
    if name == "x.npz":
        buffer = io.BytesIO()
        np.savez(buffer, x=np.ones((8, 2)), y=np.arange(8) % 2)
        content = buffer.getvalue()
    raw = uploads.read_upload(name, content)
    assert uploads.rewriting(name, content, raw, str(raw.frame.columns[-1])) is None
