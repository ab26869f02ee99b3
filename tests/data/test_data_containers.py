"""What kinds of files are recognised by content, unpacked within limits, and read to the right values."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.io import arff
from scipy.sparse import csr_matrix
from sklearn.datasets import dump_svmlight_file

from influence_core.data import DataError, uploads
from influence_core.data.uploads.footer import numbers_of_values
from tests.data.workbooks import named, xlsx

N = 30
RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({
    "a": RANDOM.normal(size=N).round(3), "n": RANDOM.integers(0, 9, N), "town": ["Ulm", "Köln", "Bonn"] * 10,
    "label": ["no", "yes"] * 15,
})  # fmt: skip
CSV = TABLE.to_csv(index=False).encode()


def read(name, content):
    return uploads.read_upload(name, content)


def notes(raw):
    return " ".join(raw.notes)


def guessed(raw):
    return uploads.guess_mapping(raw, uploads.describe_columns(raw))


def built(raw):
    return uploads.build(raw, guessed(raw)).table.dataset


def as_zip(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def as_parquet(table, **metadata):
    buffer = io.BytesIO()
    extra = {name.encode(): json.dumps(value).encode() for name, value in metadata.items()}
    pq.write_table(table.replace_schema_metadata((table.schema.metadata or {}) | extra), buffer)
    return buffer.getvalue()


def as_feather(table, **how):
    buffer = io.BytesIO()
    feather.write_feather(table, buffer, **how)
    return buffer.getvalue()


def as_stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def png(seed=0, size=(6, 5)):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


ARROW = pa.Table.from_pandas(TABLE)
LINES = TABLE.to_json(orient="records", lines=True, force_ascii=False).encode()
ARFF = (
    "% a comment\n@RELATION 'my data'\n@attribute a numeric\n@ATTRIBUTE 'n' integer\n"
    "@attribute town {Ulm, 'Köln', Bonn}\n"
    "@attribute label {no,yes}\n\n@DATA\n"
    + "".join(f"{a},{n},{t},{y}\n" for a, n, t, y in TABLE.itertuples(index=False))
).encode()
SAME = {
    "csv": ("a.csv", CSV),
    "no ending": ("data", CSV),
    "strange ending": ("iris.data", CSV),
    "csv.gz": ("a.csv.gz", gzip.compress(CSV)),
    "csv.bz2": ("a.csv.bz2", bz2.compress(CSV)),
    "csv.xz": ("a.csv.xz", lzma.compress(CSV)),
    "two parts of xz": ("a.csv.xz", lzma.compress(CSV[:99]) + bytes(4) + lzma.compress(CSV[99:])),
    "csv.zst": ("a.csv.zst", pa.compress(CSV, "zstd", asbytes=True)),
    "two parts of gzip": ("a.csv.gz", gzip.compress(CSV[:99]) + gzip.compress(CSV[99:])),
    "parquet.gz": ("a.parquet.gz", gzip.compress(as_parquet(ARROW))),
    "gz that the browser has unpacked": ("a.csv.gz", CSV),
    "zip": ("a.zip", as_zip({"data/a.csv": CSV})),
    "zip with a read-me": ("a.zip", as_zip({"README.txt": b"x", "a.csv": CSV})),
    "zip from a Mac": ("a.zip", as_zip({"a.csv": CSV, "__MACOSX/._a.csv": b"\0", ".DS_Store": b"\0"})),
    "zip named csv": ("a.csv", as_zip({"a.csv": CSV})),
    "workbook in a zip": ("a.zip", as_zip({"a.xlsx": xlsx({"S": [list(TABLE), *TABLE.values.tolist()]})})),
    "text in a zip": ("a.zip", as_zip({"adult.data": CSV})),
    "parquet": ("a.parquet", as_parquet(ARROW)),
    "parquet named csv": ("a.csv", as_parquet(ARROW)),
    "csv named xls": ("a.xls", TABLE.to_csv(index=False, sep="\t").encode()),
    "csv named parquet": ("a.parquet", CSV),
    "feather": ("a.feather", as_feather(ARROW)),
    "feather, zstd": ("a.feather", as_feather(ARROW, compression="zstd")),
    "feather, plain": ("a.feather", as_feather(ARROW, compression="uncompressed", chunksize=7)),
    "arrow stream": ("data-00000-of-00001.arrow", as_stream(ARROW)),
    "jsonl": ("a.jsonl", LINES),
    "ndjson": ("a.ndjson", LINES),
    "jsonl named txt": ("a.txt", LINES),
    "json records": ("a.json", TABLE.to_json(orient="records").encode()),
    "json columns": ("a.json", TABLE.to_json().encode()),
    "json lists": ("a.json", json.dumps(TABLE.to_dict("list")).encode()),
    "json split": ("a.json", TABLE.to_json(orient="split").encode()),
    "json, indented": ("a.json", TABLE.to_json(orient="records", indent=2).encode()),
    "json under a key": ("a.json", json.dumps({"data": TABLE.to_dict("records")}).encode()),
    "json with a mark": ("a.json", b"\xef\xbb\xbf" + LINES),
    "arff": ("a.arff", ARFF),
    "arff named txt": ("a.txt", ARFF),
    "json by row": ("a.json", TABLE.to_json(orient="index").encode()),
    "json table": ("a.json", TABLE.to_json(orient="table", index=False).encode()),
    "texts as views": (
        "a.feather",
        as_feather(ARROW.set_column(2, "town", pa.array(TABLE["town"].tolist(), pa.string_view()))),
    ),
}


@pytest.mark.parametrize("how", SAME)
def test_the_same_table_comes_out_of_every_container(how):
    name, content = SAME[how]
    raw = read(name, content)
    pd.testing.assert_frame_equal(
        raw.frame[list(TABLE)].astype({"town": object, "label": object}),
        TABLE.astype({"town": object, "label": object}), check_dtype=False, rtol=1e-12,
    )  # fmt: skip
    data = built(raw)
    assert data.class_names == ("no", "yes") and np.allclose(data.x[:, 0], TABLE["a"])


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.csv", as_parquet(ARROW), "The name 'a.csv' says a table written as text, but the content is Parquet"),
    ("a.zip", as_feather(ARROW), "says a zip archive, but the content is Feather or Arrow"),
    ("a.xlsx", CSV, "says a spreadsheet, but the content is a table written as text"),
    ("a.zip", as_zip({"README.txt": b"x", "a.csv": CSV}), "Other files in the archive were left out: 'README.txt'."),
    ("a.zip", as_zip({"b/a.csv": CSV}), "The table 'b/a.csv' in the archive was read."),
    ("a.arff", ARFF, "An ARFF file with 4 declared attributes."),
], ids=named)  # fmt: skip
def test_what_was_understood_is_said(name, content, words):
    assert words in notes(read(name, content))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", as_zip({"a.csv": CSV, "b.csv": CSV, "c.pdf": b"x"}), "got 'a.csv', 'b.csv': pack only the table"),
        ("a.zip", as_zip({"a.pdf": b"x", "b.docx": b"x"}), "got 'a.pdf', 'b.docx': pack a CSV file"),
        ("a.zip", as_zip({"word/document.xml": b"<x/>", "[Content_Types].xml": b"<x/>"}), "got a text document"),
        ("a.pt", as_zip({"archive/data.pkl": b"\x80\x02N.", "archive/version": b"3"}), "pickled files can run code"),
        ("a.zip", as_zip({"a.csv.gz": gzip.compress(CSV)}), "unpack it first"),
        ("a.gz", gzip.compress(as_zip({"a.csv": CSV})), "unpack it first"),
        ("a.gz", gzip.compress(gzip.compress(CSV)), "unpack it first"),
        ("a.tgz", gzip.compress(b"a.csv" + bytes(252) + b"ustar\0" + bytes(250)), "got a tar archive"),
        ("a.csv.gz", gzip.compress(CSV)[:-40], "a damaged or cut one"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "save it again as .xlsx"),
        ("a.pkl", b"\x80\x05\x95", "pickled files can run code"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "got HDF5"),
        ("a.csv", b"<!DOCTYPE html><html></html>", "got HTML or XML"),
        ("a.csv", b"<html><body></body></html>", "got HTML"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        ("a.sqlite", b"SQLite format 3\0", "got a database"),
        ("cat.png", png(), "got a single picture"),
        ("a.csv.xz", lzma.compress(CSV)[:-40], "a damaged or cut one"),
        ("a.csv.zst", pa.compress(CSV, "zstd", asbytes=True)[:-40], "a damaged or cut one"),
        ("a.xz", lzma.compress(gzip.compress(CSV)), "unpack it first"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", "pack it as zip"),
        ("a.feather", b"FEA1" + bytes(40), "write it again as version 2"),
        ("a.feather", as_feather(ARROW)[:300], "a damaged or cut one"),
        ("a.arrow", b"\xff\xff\xff\xff" + bytes(60), "damaged or cut"),
        ("a.npy", b"\x93NUMPY\x01\0", "a damaged header"),
    ],
    ids=named,
)
def test_what_is_not_read_is_one_sentence_with_a_way_out(name, content, words):
    with pytest.raises(DataError) as caught:
        read(name, content)
    assert words in str(caught.value) and str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["ORC", "MZ", "PAR1", "GIF8", "RDX", "BZh"])
def test_letters_that_mark_other_kinds_may_name_a_column(first):
    raw = read("a.csv", f"{first},label\n".encode() + b"1.5,a\n2.5,b\n" * 9)
    assert list(raw.frame.columns) == [first, "label"] and len(raw) == 18


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"x": 1, "y": "u"}', '{"x": 2, "y": "v", "z": 3}'], {"x": [1, 2], "y": ["u", "v"], "z": [np.nan, 3]}),
        (
            ['{"x": {"a": 1, "b": 2}, "y": "u"}', '{"x": {"a": 3}, "y": "v"}'],
            {"x.a": [1, 3], "x.b": [2, np.nan], "y": ["u", "v"]},
        ),
        (['{"x": null, "y": 1}', "", '{"x": "1,5", "y": 2}'], {"x": [np.nan, 1.5], "y": [1, 2]}),
        (
            ['{"id": 9007199254740993, "y": 1}', '{"id": 9007199254740995, "y": 2}'],
            {"id": [9007199254740993, 9007199254740995], "y": [1, 2]},
        ),
        (['{"x": true, "y": 1}', '{"x": false, "y": NaN}'], {"x": [True, False], "y": [1, np.nan]}),
    ],
)
def test_json_lines_become_the_columns_they_name(lines, expected):
    frame = read("a.jsonl", "\n".join(lines * 1).encode()).frame
    assert list(frame.columns) == list(expected)
    for name, values in expected.items():
        found = frame[name].tolist()
        assert [v if v == v else None for v in found] == [v if v == v else None for v in values]


def test_row_names_in_json_are_the_ids():
    named_rows = TABLE.set_axis([f"p{k}" for k in range(N)])
    for orient in ("columns", "index"):
        raw = read("a.json", named_rows.to_json(orient=orient).encode())
        assert len(raw) == N and raw.frame["index"].tolist() == [f"p{k}" for k in range(N)]
        assert guessed(raw).id == "index" and guessed(raw).features == ("a", "n", "town")


def test_embeddings_in_json_are_blocks_and_other_lists_are_left_out_with_a_sentence():
    lines = [json.dumps({"e": [k, k / 2], "tags": ["a"] * k, "y": "uv"[k % 2]}) for k in range(1, 20)]
    raw = read("a.jsonl", "\n".join(lines).encode())
    assert raw.blocks["e"].values.tolist() == [[k, k / 2] for k in range(1, 20)]
    assert "were left out: 'tags'." in notes(raw)


@pytest.mark.parametrize(("content", "words"), [
    (b'{"x": 1}\n{"x": 2,}\n', "got something else in line 2"), (b'{"x": 1}\n[1]\n', "in line 2"),
    (b"[1, 2, 3]", "got other JSON"), (b'{"a": {"b": [1]}, "c": 2}', "one object with other contents"),
    (b'[{"x": [[1]]}]', "at least 2 columns"), (b'[{"x": 1}]', "at least 2 columns"), (b"[" * 50_000, "too deep"),
], ids=named)  # fmt: skip
def test_json_that_is_no_table_says_where(content, words):
    with pytest.raises(DataError, match="Expected") as caught:
        read("a.json", content)
    assert words in str(caught.value)


WEKA = """@relation 'weather'
@attribute 'out look' {sunny, 'very \\'rainy\\'', "over, cast"}
@attribute temperature real
@attribute windy {0, 1}
@attribute when date "yyyy-MM-dd"
@attribute note string
@attribute play {yes, no}
@data
sunny, 85.5, 0, "2020-01-02", 'it\\'s hot, really', no
'very \\'rainy\\'', ?, 1, "2020-01-03", ?, yes
% between
"over, cast",-3e1,?,"2020-01-04",plain,yes
"""


def test_arff_is_read_as_declared():
    frame = read("a.arff", WEKA.encode()).frame
    assert frame["out look"].tolist() == ["sunny", "very 'rainy'", "over, cast"]
    assert frame["temperature"].tolist()[::2] == [85.5, -30.0] and frame["temperature"].isna().tolist() == [
        False,
        True,
        False,
    ]
    assert frame["windy"].tolist()[:2] == ["0", "1"] and frame["windy"].isna().sum() == 1
    assert frame["when"].tolist() == [pd.Timestamp(2020, 1, k) for k in (2, 3, 4)]
    assert frame["note"].tolist()[::2] == ["it's hot, really", "plain"]


def test_arff_agrees_with_scipy():
    text = ARFF.decode().replace("Köln", "Koeln")
    expected, _ = arff.loadarff(io.StringIO(text))
    frame = read("a.arff", text.encode()).frame
    quoted = {"n": "'n'"}  # scipy keeps the marks
    for name in frame:
        values = [v.decode() if isinstance(v, bytes) else v for v in expected[quoted.get(name, name)].tolist()]
        assert frame[name].tolist() == values


@pytest.mark.parametrize(("change", "words"), [
    (("sunny, 85.5", "sunny, warm"), "'temperature': expected numbers as declared, got 'warm' in line 9"),
    (("0, \"2020-01-02\"", "2, \"2020-01-02\""), "'windy': expected one of its 2 declared values, got '2' in line 9"),
    (("sunny, 85.5, 0", "sunny, 85.5"), "Line 9: expected 6 values as declared, got 5"),
    (("sunny, 85.5", "{0 sunny, 1 85.5}, "), "a sparse row"), (("note string", "note relational"), "got 'relational'"),
    (("@data", "@datum"), "a line @data"), (("plain,yes", "'plain,yes"), "quotation marks in pairs"),
])  # fmt: skip
def test_arff_that_is_not_as_declared_says_the_line(change, words):
    with pytest.raises(DataError) as caught:
        read("a.arff", WEKA.replace(*change).encode())
    assert words in str(caught.value)


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("labels", [[-1, 1], [0.25, 1.5], [1, 2]])
def test_libsvm_text_is_the_matrix_that_was_written(labels, zero_based):
    x = np.where(RANDOM.random((N, 5)) < 0.5, 0, RANDOM.normal(size=(N, 5)).round(4))
    x[0, :] = 1.0
    buffer = io.BytesIO()
    dump_svmlight_file(csr_matrix(x), np.resize(labels, N), buffer, zero_based=zero_based)
    raw = read("a4a.txt", buffer.getvalue())
    np.testing.assert_allclose(raw.blocks["features"].values, x)
    assert raw.frame["label"].tolist() == np.resize(labels, N).tolist()
    assert raw.blocks["features"].names[0] == ("x0" if zero_based else "x1") and "what is not written is 0" in notes(
        raw
    )


@pytest.mark.parametrize(("content", "words"), [
    (b"1 qid:1 1:0.5\n0 qid:1 1:0.2\n" * 9, "with queries"), (b"1,2 1:0.5\n2 1:0.25\n" * 9, "with several"),
    (b"1 1:0.5\n2 999999999:1\n" * 9, "features, got"), (b"1 2:0.5 1:0.3\n" * 9, "lines that are not"),
], ids=named)  # fmt: skip
def test_libsvm_text_that_cannot_be_used_is_named(content, words):
    with pytest.raises(DataError) as caught:
        read("a.libsvm", content)
    assert words in str(caught.value) and "LibSVM" in str(caught.value) or words == "features, got"


def test_parquet_keeps_every_kind_of_column():
    days = pd.date_range("2020-03-01", periods=N, freq="D")
    table = pa.table(
        {
            "whole": pa.array([None, *range(N - 1)], pa.int64()),
            "long": pa.array([None, *(2**60 + k for k in range(N - 1))], pa.int64()),
            "money": pa.array(range(N)).cast(pa.decimal128(24, 2)),
            "half": pa.array(np.arange(N), pa.float16()),
            "when": pa.array(days, pa.timestamp("us", "Europe/Berlin")),
            "day": pa.array(days.date),
            "took": pa.array([90 * k for k in range(N)], pa.duration("ms")),
            "clock": pa.array([60 * k for k in range(N)], pa.time32("s")),
            "grade": pa.array(["1", "2", "3"] * 10).dictionary_encode(),
            "coded": pa.array([7, 8, 9] * 10).dictionary_encode(),
            "e": pa.array([[k, 2.0] for k in range(N)], pa.list_(pa.float32(), 2)),
            "deep": [[[k]] for k in range(N)],
            "inner": [{"u": k, "v": "x"} for k in range(N)],
            "y": ["u", "v"] * 15,
        }
    )
    raw = read("a.parquet", as_parquet(table))
    frame = raw.frame
    assert frame["whole"].dropna().tolist() == [*range(N - 1)] and frame["long"].dropna().tolist()[5] == 2**60 + 5
    assert frame["money"].tolist() == frame["half"].tolist() == [*range(N)]
    assert frame["when"].dt.tz_convert("UTC").tolist()[3] == pd.Timestamp("2020-03-04", tz="UTC")
    assert frame["day"].tolist() == days.tolist()
    assert frame["took"].tolist() == pytest.approx([0.09 * k for k in range(N)]) and frame["clock"].tolist()[2] == 120
    assert frame["grade"].tolist() == ["1", "2", "3"] * 10 and frame["coded"].tolist() == [7, 8, 9] * 10
    assert frame["inner.u"].tolist() == [*range(N)] and raw.blocks["e"].values[:, 0].tolist() == [*range(N)]
    assert "'deep'" in notes(raw) and "were left out" in notes(raw) and "read in seconds" in notes(raw)


@pytest.mark.parametrize("write", [as_parquet, as_feather])
@pytest.mark.parametrize(("index", "name"), [
    (RANDOM.permutation(N), "index"), (pd.Index([f"p{k}" for k in range(N)], name="patient"), "patient"),
    (pd.date_range("2020", periods=N, name="day").astype(str), "day"),
])  # fmt: skip
def test_the_index_of_a_data_frame_is_the_id_and_no_feature(write, index, name):
    raw = read("a.bin", write(pa.Table.from_pandas(TABLE.set_axis(index))))
    mapping = guessed(raw)
    assert mapping.id == name and name not in mapping.features and f"'{name}' names the rows" in notes(raw)
    assert uploads.build(raw, mapping).table.dataset.ids[3] == str(index[3])


def test_an_index_that_repeats_itself_is_neither_id_nor_feature():
    raw = read("a.parquet", as_parquet(pa.Table.from_pandas(TABLE.set_axis([*range(N // 2)] * 2))))
    assert guessed(raw).id == "" and "index" not in guessed(raw).features and "does not name each row" in notes(raw)
    several = TABLE.set_index([pd.Index([*range(N)], name="step"), pd.Index([0, 1] * 15, name="run")])
    mapping = guessed(read("a.parquet", as_parquet(pa.Table.from_pandas(several))))
    assert mapping.features == ("a", "n", "town") and mapping.target == "label"
    assert guessed(read("a.parquet", as_parquet(pa.Table.from_pandas(TABLE)))).features == ("a", "n", "town")


@pytest.mark.parametrize("form", ["bytes", "struct", "struct with paths"])
def test_encoded_pictures_in_a_column_are_the_features(form):
    encoded = [png(k) for k in range(N)]
    images = {
        "bytes": encoded, "struct": [{"bytes": e, "path": None} for e in encoded],
        "struct with paths": [{"bytes": e, "path": f"p{k}.png"} for k, e in enumerate(encoded)],
    }[form]  # fmt: skip
    classes = {"info": {"features": {"label": {"names": ["cat", "dog", "NA"], "_type": "ClassLabel"}}}}
    raw = read("a.parquet", as_parquet(pa.table({"image": images, "label": [0, 1, 2] * 10}), huggingface=classes))
    data = built(raw)
    expected = np.stack([np.asarray(Image.open(io.BytesIO(e))) for e in encoded])
    assert np.array_equal(data.images, expected) and np.array_equal(data.x, expected.reshape(N, -1) / 255)
    assert data.class_names == ("NA", "cat", "dog")
    assert data.ids[4] == ("p4.png" if form == "struct with paths" else "row 5")


def test_pictures_of_which_only_the_paths_came_say_so():
    images = pa.array(
        [{"bytes": None, "path": "a.png"}] * N, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    with pytest.raises(DataError, match="only paths of files"):
        read("a.parquet", as_parquet(pa.table({"image": images, "label": ["u", "v"] * 15})))


@pytest.mark.parametrize("rows", [1, 7, N])
def test_a_footer_says_how_many_values_there_are(rows):
    table = pa.table({"x": range(N), "e": [[1.0, 2.0, 3.0]] * N, "t": [None, "u"] * 15, "s": [{"a": 1, "b": True}] * N})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=rows)
    content = buffer.getvalue()
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata
    expected = [
        metadata.row_group(k).column(j).num_values
        for k in range(metadata.num_row_groups)
        for j in range(metadata.num_columns)
    ]
    assert numbers_of_values(content[-8 - int.from_bytes(content[-8:-4], "little") : -8]) == expected
