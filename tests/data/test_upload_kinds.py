"""Further inputs of every kind of file that people bring: what is understood, and what is one sentence."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image, features

from influence_core.data import DataError, uploads

N = 24
Content = Callable[[], bytes]


def csv(head: str, row: Callable[[int], str], n: int = N) -> Content:
    return lambda: (f"{head}\n" + "".join(f"{row(k)}\n" for k in range(n))).encode()


def zipped(**members: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return buffer.getvalue()


def npz(*nameless: Any, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *nameless, **arrays)
    return buffer.getvalue()


def picture(kind: str, k: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), 20 * k, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def pictures(kind: str, ending: str) -> Content:
    return lambda: zipped(**{f"{'ab'[k % 2]}__{k}.{ending}": picture(kind, k) for k in range(8)})


def ab(k: int) -> str:
    return "ab"[k % 2]


def read(name: str, content: bytes) -> uploads.Raw:
    return uploads.read_upload(name, content)


X = np.arange(2.0 * N).reshape(N, 2)
Y = np.arange(N) % 3

# What stands in the column x, and what it is read as.
CELLS: dict[str, tuple[list[str], list[float]]] = {
    "thousands": (["10k", "1.5M", "900"], [1e4, 1.5e6, 900]),
    "thousands of dollars": (["$1.5M", "$900K", "$12"], [1.5e6, 9e5, 12]),
    "currency behind": (["10K USD", "1.2M USD"], [1e4, 1.2e6]),
    "in words": (["1.5 million", "2 billion"], [1.5e6, 2e9]),
    "in German": (["1,5 Mio. €", "2 Mrd. €"], [1.5e6, 2e9]),
    "negative ones": (["-3k", "(2k)", "1k"], [-3e3, -2e3, 1e3]),
    "beside exponents": (["1e3", "2k"], [1e3, 2e3]),
    "millions of metres": (["5 m", "6 m"], [5, 6]),
    "Kelvin": (["300 K", "20 K"], [300, 20]),
    "bytes": (["512B", "1B"], [512, 1]),
    "billions beside millions": (["1.5B", "20M"], [1.5e9, 2e7]),
    "lakhs": (["12,34,567", "1,00,000"], [1234567, 1e5]),
    "apostrophes": (["1'234.5", "12'345.6"], [1234.5, 12345.6]),
    "Arabic digits": (["١٢", "٣٤"], [12, 34]),
    "wide digits": (["１２．５", "３"], [12.5, 3]),
    "percent": (["12%", "7.5%"], [12, 7.5]),
    "Unicode minus": (["−1.5", "2"], [-1.5, 2]),  # noqa: RUF001
    "brackets": (["(1,200)", "300"], [-1200, 300]),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_numbers_as_people_write_them(name: str) -> None:
    cells, values = CELLS[name]
    content = csv("x|label", lambda k: f"{cells[k % len(cells)]}|{ab(k)}")()
    raw = read("a.csv", content)
    assert raw.readings["x"].kind == "number"
    np.testing.assert_allclose(raw.frame["x"], np.resize(values, N), rtol=1e-15)


@pytest.mark.parametrize(("cells", "said"), [
    (["10k", "1.5M"], "k = 1,000, M = 1,000,000"), (["2 Mrd", "3 Mrd"], "Mrd = 1,000,000,000"), (["3k", "5"], "'3k' = 3000"),
])  # fmt: skip
def test_multiples_are_said(cells: list[str], said: str) -> None:
    raw = read("a.csv", csv("x,label", lambda k: f"{cells[k % 2]},{ab(k)}")())
    assert any(said in note and "'x'" in note for note in raw.notes)


@pytest.mark.parametrize("cells", [["12 GB", "1k"], ["3M", "1Y"], ["1k", "2 km"]])
def test_a_multiple_beside_another_unit_is_never_a_number_of_one_size(cells: list[str]) -> None:
    raw = read("a.csv", csv("x,label", lambda k: f"{cells[k % 2]},{ab(k)}")())
    assert raw.readings["x"].kind == "text" or raw.frame["x"].isna()[:2].sum() == 1


def train(k: int) -> str:
    return f"{k},{k * k % 7},{ab(k)}"


HEAD = "a,b,label"
TRAIN, TEST = csv(HEAD, train)(), csv("b,label,a,extra", lambda k: f"{k},{ab(k)},{k / 2},1", 9)()


def test_tables_for_training_and_testing_become_one_with_its_split() -> None:
    for train_name, test_name in (("train_csv", "test_csv"), ("data__Training_csv", "data__Testing_csv")):
        raw = read("a.zip", zipped(**{train_name: TRAIN, test_name: TEST, "readme.md": "x"}))
        assert [*raw.frame] == ["a", "b", "label", "split"] and len(raw) == N + 9
        assert raw.frame["a"].tolist()[N:] == [k / 2 for k in range(9)]
        upload = uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw)))
        assert upload.table.train is not None and len(upload.table.train) == N
        assert upload.table.test is not None and upload.table.test.tolist() == [*range(N, N + 9)]
        said = " ".join(raw.notes)
        assert "fix the split: 24 rows train, 9 rows test." in said and "'extra' of" in said and "readme.md" in said
        assert uploads.rewriting("a.zip", zipped(train_csv=TRAIN, test_csv=TEST), raw, "label") is None


def test_columns_of_both_tables_are_understood_together() -> None:
    texts = csv(HEAD, lambda k: f"{k}.5,?,{ab(k)}")(), csv(HEAD, lambda k: f"{'n.a.' if k else 7},1,{ab(k)}", 9)()
    raw = read("a.zip", zipped(train_csv=texts[0], test_csv=texts[1]))
    assert raw.readings["a"].kind == "number" and raw.frame["a"].isna().sum() == 8
    assert raw.readings["b"].kind == "number" and raw.frame["b"].isna().sum() == N


def test_parts_in_parquet_keep_their_types() -> None:
    def parquet(n: int) -> bytes:
        buffer = io.BytesIO()
        pd.DataFrame(
            {"a": np.arange(n) / 3, "day": pd.date_range("2024-01-01", periods=n), "label": [ab(k) for k in range(n)]}
        ).to_parquet(buffer)
        return buffer.getvalue()

    raw = read("a.zip", zipped(**{"train.parquet": parquet(N), "test.parquet": parquet(9)}))
    assert len(raw) == N + 9 and raw.readings["day"].kind == "date" and raw.frame["a"].iloc[N + 4] == 4 / 3


SENTENCES: dict[str, tuple[str, Content, str]] = {
    "test rows without labels": ("a.zip", lambda: zipped(train_csv=TRAIN, test_csv=csv("a,b", lambda k: f"{k},{k}")()), "got none called 'label'"),
    "a column called split": ("a.zip", lambda: zipped(train_csv=csv("a,split", lambda k: f"{k},{ab(k)}")(), test_csv=csv("a,split", lambda k: f"{k},{ab(k)}")()), "pack only one"),
    "two tables of other names": ("a.zip", lambda: zipped(one_csv=TRAIN, two_csv=TEST), "pack only the table"),
    "two tables for training": ("a.zip", lambda: zipped(a__train_csv=TRAIN, b__train_csv=TRAIN, test_csv=TEST), "pack only the table"),
    "four arrays of equal length": ("a.npz", lambda: npz(X, Y, X, Y), "arr_3 (24,)"),
    "four arrays of four lengths": ("a.npz", lambda: npz(X, Y[:5], X[:9], Y[:7]), "arr_1 (5,)"),
    "test longer than train": ("a.npz", lambda: npz(X[:5], Y[:5], X, Y), "arr_0 (5, 2)"),
    "three arrays": ("a.npz", lambda: npz(X, Y, X[:9]), "arr_2 (9, 2)"),
    "HEIC alone": ("a.heic", lambda: b"\0\0\0\x18ftypheic" + bytes(99), "a picture or film"),
    "a film": ("a.mp4", lambda: b"\0\0\0\x18ftypisom" + bytes(99), "a picture or film"),
    "HEIC under another name": ("a.zip", lambda: zipped(**{"a__1.jpg": b"\0\0\0\x18ftypheic" + bytes(99), "b__2.jpg": picture("JPEG", 2)}), "got HEIC or another"),
    "xz of nothing": ("a.csv.xz", lambda: lzma.compress(b""), "got an empty file"),
    "xz with another byte": ("a.csv.xz", lambda: lzma.compress(TRAIN)[:60] + b"?" + lzma.compress(TRAIN)[61:], "a damaged or cut one"),
    "xz of a zip": ("a.xz", lambda: lzma.compress(zipped(train_csv=TRAIN)), "unpack it first"),
    "zstd of gzip": ("a.csv.zst", lambda: pa.compress(gzip.compress(TRAIN), "zstd", asbytes=True), "unpack it first"),
    "xz that fills the memory": ("a.csv.xz", lambda: lzma.compress(bytes(60_000_000)), "times its size"),
    "zstd that fills the memory": ("a.csv.zst", lambda: pa.compress(bytes(60_000_000), "zstd", asbytes=True), "times its size"),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_what_cannot_be_used_is_one_sentence(name: str) -> None:
    file, content, words = SENTENCES[name]
    with pytest.raises(DataError) as caught:
        read(file, content())
    said = str(caught.value)
    assert words in said and said.endswith(".") and "xpected" in said and "\n" not in said, said


@pytest.mark.parametrize("order", ["Keras", "scikit-learn", "column of targets", "pictures"])
def test_four_arrays_without_names_are_told_by_their_shapes(order: str) -> None:
    images = np.arange(N * 16, dtype=np.uint8).reshape(N, 4, 4)
    content = {
        "Keras": lambda: npz(X, Y, X[:9], Y[:9]), "scikit-learn": lambda: npz(X, X[:9], Y, Y[:9]),
        "column of targets": lambda: npz(X, Y[:, None], X[:9], Y[:9, None]),
        "pictures": lambda: npz(images, Y, images[:9], Y[:9]),
    }[order]()  # fmt: skip
    raw = read("a.npz", content)
    assert raw.frame["split"].tolist() == ["train"] * N + ["test"] * 9 and raw.frame["y"].tolist() == [*Y, *Y[:9]]
    assert raw.notes[0].startswith("By their shapes, arr_0")


@pytest.mark.parametrize(("kind", "ending"), [
    ("PNG", "png"), ("JPEG", "jfif"), ("GIF", "gif"), ("BMP", "dib"), ("WEBP", "webp"), ("TIFF", "tif"), ("PPM", "ppm"),
    pytest.param("AVIF", "avif", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")),
])  # fmt: skip
def test_pictures_of_every_format_are_read(kind: str, ending: str) -> None:
    raw = read("a.zip", pictures(kind, ending)())
    assert raw.images is not None and raw.images.shape == (8, 9, 9) and {*raw.frame["class"]} == {"a", "b"}
    np.testing.assert_allclose(raw.images.mean(axis=(1, 2)), 20 * np.arange(8), atol=4)


# Name, content, and the columns with their first values.
READ: dict[str, tuple[str, Content, dict[str, Any]]] = {
    "xz": ("a.csv.xz", lambda: lzma.compress(TRAIN), {"a": 0, "label": "a"}),
    "zstd": ("a.csv.zst", lambda: pa.compress(TRAIN, "zstd", asbytes=True), {"a": 0, "label": "a"}),
    "xz named csv": ("a.csv", lambda: lzma.compress(TRAIN), {"a": 0, "label": "a"}),
    "JSON lines in zstd": ("a.jsonl.zst", lambda: pa.compress(b"".join(json.dumps({"a": k, "label": ab(k)}).encode() + b"\n" for k in range(N)), "zstd", asbytes=True), {"a": 0, "label": "a"}),
    "yes and no": ("a.csv", csv("a,label", lambda k: f"{k},{('Yes', 'no', 'YES')[k % 3]}"), {"a": 0, "label": "Yes"}),
    "names twice": ("a.csv", csv("a,a,label", lambda k: f"{k},{-k},{ab(k)}"), {"a": 0, "a 2": 0, "label": "a"}),
    "trailing bars": ("a.txt", csv("a|b|label|", lambda k: f"{k}|{k / 2}|{ab(k)}|"), {"a": 0, "b": 0, "label": "a"}),
    "padded columns": ("a.txt", csv("a     b     label", lambda k: f"{k:<6}{k / 2:<6}{ab(k)}"), {"a": 0, "b": 0, "label": "a"}),
    "quoted line ends": ("a.csv", csv('a,note,label', lambda k: f'{k},"one\ntwo",{ab(k)}'), {"a": 0, "note": "one\ntwo", "label": "a"}),
    "old returns": ("a.csv", lambda: TRAIN.replace(b"\n", b"\r"), {"a": 0, "b": 0, "label": "a"}),
    "UTF-32": ("a.csv", lambda: TRAIN.decode().encode("utf-32"), {"a": 0, "b": 0, "label": "a"}),
    "UTF-16, big end first, without mark": ("a.csv", lambda: TRAIN.decode().encode("utf-16-be"), {"a": 0, "b": 0, "label": "a"}),
    "phone numbers": ("a.csv", csv("phone,a,label", lambda k: f"+49 30 {k:06d},{k},{ab(k)}"), {"a": 0, "label": "a"}),
    "times of day": ("a.csv", csv("a,when,label", lambda k: f"{k},{k % 24:02d}:30,{ab(k)}"), {"a": 0, "label": "a"}),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_understood_is_used(name: str) -> None:
    file, content, first = READ[name]
    raw = read(file, content())
    assert len(raw) == N and {*first} <= {*raw.frame}
    for column, value in first.items():
        assert raw.frame[column].iloc[0] == value, column
    mapping = uploads.guess_mapping(raw, uploads.describe_columns(raw))
    assert mapping.target == "label" and "phone" not in mapping.features
    assert len(uploads.build(raw, mapping).table.dataset) == N
