"""Broken, huge, lying and malicious files of every accepted kind, and what must come of each."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from influence_core.data.uploads import ColumnMapping

ROWS = 30
LABELS = ["a", "b"] * (ROWS // 2)


@dataclass(frozen=True)
class Case:
    """A file, and what it must come to.

    Attributes:
        name: of the case.
        file: name of the file.
        content: builds its bytes.
        words: part of the one sentence that refuses it; "" where it is accepted and only shown as text.
        mapping: changes the guessed mapping.
    """

    name: str
    file: str
    content: Callable[[], bytes]
    words: str = ""
    mapping: Callable[[ColumnMapping], ColumnMapping] = lambda guess: guess


def csv(**columns: Any) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False).encode()


def table(**columns: Any) -> bytes:
    """A CSV of 30 rows with a number x, a label and the given columns."""
    return csv(x=np.arange(ROWS) ** 2 / 7, **columns, label=LABELS)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(members: Iterable[tuple[Any, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # the same name twice is one of the cases
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(shape: str, kind: str = "<f8", body: bytes = bytes(80)) -> bytes:
    """An array file whose header may say anything."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def arrays(x: bytes, y: bytes | None = None) -> bytes:
    return zipped([("x.npy", x), ("y.npy", y or npy("(10,)", "<i8"))])


def parquet(use_dictionary: bool = True, **columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, use_dictionary=use_dictionary)
    return buffer.getvalue()


def picture(size: tuple[int, int] = (9, 9), mode: str = "RGB", kind: str = "PNG", seed: int = 0, **more: Any) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **more)
    return buffer.getvalue()


def folders(extra: Iterable[tuple[Any, bytes]] = (), **more: Any) -> bytes:
    """Four pictures of each of two classes, then whatever else."""
    good = [(f"{name}/{k}.png", picture(seed=k)) for name in ("cat", "dog") for k in range(4)]
    return zipped([*good, *extra], **more)


def png_declaring(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def png_of_parts(count: int, kind: bytes = b"tEXt", body: bytes = b"a\0b") -> bytes:
    """A whole picture that is written in far too many parts."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(bytes(90))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + count * chunk(kind, body) + rest


def deep_picture(side: int) -> bytes:
    """A black picture of 16 bits."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def animated() -> bytes:
    frames = [Image.fromarray(np.full((9, 9), 40 * k % 256, np.uint8)) for k in range(200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=20)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def encrypted() -> bytes:
    content = bytearray(folders())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + place] |= 1
    return bytes(content)


def lying_size() -> bytes:
    content = bytearray(folders())
    start = content.find(b"PK\x01\x02")
    content[start + 24 : start + 28] = struct.pack("<I", 4_000_000_000)
    return bytes(content)


def object_array() -> bytes:
    header = npy("(1,)", "|O", b"cos\nsystem\n(S'touch pwned'\ntR.")
    return arrays(header)


def text_bomb() -> bytes:
    """20,000 times the same text of 100,000 characters: 2 GB once unpacked, 0.1 MB in the file."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["z" * 100_000]))
    return parquet(x=np.arange(20_000) % 17, text=texts, y=np.arange(20_000) % 2)


def swapped_end(content: bytes, size: int) -> bytes:
    return content[:-8] + struct.pack("<I", size) + b"PAR1"


def features(*names: str) -> Callable[[ColumnMapping], ColumnMapping]:
    return lambda guess: replace(guess, features=names)


def refusing(guess: ColumnMapping) -> ColumnMapping:
    return replace(guess, numbers="refuse", texts="refuse", target_gaps="refuse")


GOOD = parquet(x=np.arange(ROWS) * 1.5, label=LABELS)
HTML, LINK, FORMULA = "<img src=x onerror=alert(1)>", "[click](javascript:alert(1))", '=HYPERLINK("http://x")'
RIGHT_TO_LEFT = "abc\u202egnp.exe"

TEXT_FILES = (
    Case("empty csv", "a.csv", lambda: b"", "got an empty file"),
    Case("blank csv", "a.csv", lambda: b" \n\n \n", "got an empty file"),
    Case("only a header", "a.csv", lambda: b"a,b,label\n", "Expected rows"),
    Case("no ending", "data", lambda: table()),
    Case("program", "a.exe", lambda: b"MZ" + bytes(100), "got a program"),
    Case("pickle", "a.pkl", lambda: b"\x80\x04N.", "pickled files can run code"),
    Case("parquet named csv", "a.csv", lambda: GOOD),
    Case("zip named csv", "a.csv", lambda: folders()),
    Case("picture named csv", "a.csv", lambda: picture(), "got a single picture"),
    Case("random bytes named csv", "a.csv", lambda: np.random.default_rng(0).bytes(5000), "NUL bytes"),
    Case("prose", "a.txt", lambda: b"Dear reader\nthere is no table here\n" * 20, "at least 2 columns"),
    Case("NUL in a cell", "a.csv", lambda: table().replace(b"0.0,a", b"0.\0,a"), "NUL bytes"),
    Case("broken utf-16", "a.csv", lambda: b"\xff\xfe" + table()[:301], "Expected text in UTF-16"),
    Case("utf-16", "a.csv", lambda: table().decode().encode("utf-16")),
    Case("mixed encodings", "a.csv", lambda: table(t=["ä"] * ROWS) + "1,é,a\n".encode("latin-1"), "none in line 32: mend"),
    Case("unbalanced quotes", "a.csv", lambda: table().replace(b",a\n", b',"a\n', 1), "breaks off"),
    Case("one quote, 5 MB", "a.csv", lambda: table() + b'1,"' + b"x,\n" * 1_700_000, "breaks off"),
    Case("a field of 3 MB in the header", "a.csv", lambda: b'"' + b"h" * 3_000_000 + b'",y\n1,2\n', "save it as CSV"),
    Case("ragged row", "a.csv", lambda: table() + b"1,2,3,4\n", "Expected 2 fields in every line"),
    Case("first row too long", "a.csv", lambda: b"x,label\n1,2,a\n" + b"1,2,b\n" * 20, "got more in line 2"),
    Case("rows too short", "a.csv", lambda: table() + b"1\n", "1 of 31 missing", refusing),
    Case("equal column names", "a.csv", lambda: b"x,x,label\n" + b"1,2,a\n2,3,b\n" * 9),
    Case("blank column names", "a.csv", lambda: b",,label\n" + b"1,2,a\n2,3,b\n" * 9),
    Case("a million columns", "a.csv", lambda: ",".join(f"c{k}" for k in range(10**6)).encode() + b"\n1\n", "Expected at most"),
    Case("2,500 columns", "a.csv", lambda: csv(**{f"c{k}": np.arange(ROWS) * k % 13 for k in range(2_500)}, label=LABELS)),
    Case("ten million rows", "a.csv", lambda: b"a,label\n" + b"1,2\n" * 10**7, "rows, got 10,000,000"),
    Case("ten million empty lines", "a.csv", lambda: b"a,label\n" + b"\n" * 10**7, "rows, got"),
    Case("30 million cells", "a.csv", lambda: b",".join(b"c%d" % k for k in range(1_000)) + b"\n" + (b"1," * 999 + b"1\n") * 30_000, "cells, got"),
    Case("28 million empty cells", "a.csv", lambda: b",".join(b"c%d" % k for k in range(300)) + b"\n" + (b'"",' * 299 + b"1\n") * 95_000, "cells, got"),
    Case("many cells", "a.csv", lambda: b",".join(b"c%d" % k for k in range(4000)) + b"\n" + b"1\n" * 20_000, "cells, got"),
    Case("three rows", "a.csv", lambda: b"x,label\n1,a\n2,b\n3,a\n", "at least 6 rows, got 3"),
    Case("one class", "a.csv", lambda: csv(x=range(9), label=["a"] * 9), "two different values"),
    Case("one of a class", "a.csv", lambda: csv(x=range(9), label=["a"] * 8 + ["b"]), "rows of every class, got 1"),
    Case("5,000 classes", "a.csv", lambda: csv(x=range(5000), label=[f"c{k}" for k in range(5000)]), "at most 100",
         lambda guess: replace(guess, target="label", features=("x",), task="classification", hover="")),
    Case("5,000 numbered classes", "a.csv", lambda: csv(x=np.arange(5000) % 7, label=range(5000)), "at most 100 classes",
         lambda guess: replace(guess, task="classification")),
    Case("text target for regression", "a.csv", lambda: table(), "expected numbers for regression",
         lambda guess: replace(guess, task="regression")),
    Case("infinity", "a.csv", lambda: csv(x=[np.inf, *range(29)], label=LABELS), "finite numbers"),
    Case("beyond all bounds", "a.csv", lambda: csv(x=["1e300", *["1"] * 29], label=LABELS), "finite numbers up to"),
    Case("a number of 400 digits", "a.csv", lambda: csv(x=["9" * 400, *["1"] * 29], label=LABELS), "finite numbers"),
    Case("numbers of 30 digits", "a.csv", lambda: csv(x=[f"{k}{'7' * 29}" for k in range(1, 31)], label=LABELS)),
    Case("missing and nothing chosen", "a.csv", lambda: csv(x=[np.nan, *range(29)], label=LABELS), "1 of 30 missing", refusing),
    Case("missing target", "a.csv", lambda: csv(x=range(ROWS), label=[None, *LABELS[1:]]), "drop the rows without a target", refusing),
    Case("all missing", "a.csv", lambda: csv(x=[np.nan] * ROWS, label=LABELS), "at least one feature"),
    Case("no feature", "a.csv", lambda: table(), "at least one feature", features()),
    Case("a feature that is not there", "a.csv", lambda: table(), "Expected features from the columns", features("nope")),
    Case("free texts as features", "a.csv", lambda: csv(x=[f"t{k}" for k in range(300)], label=LABELS * 10), "at most 100",
         features("x")),
    Case("dates are left out", "a.csv", lambda: table(d=pd.date_range("2020", periods=ROWS))),
    Case("a wrong word in the split", "a.csv", lambda: table(part=["train", "exam"] * 15), "train, test and validation",
         lambda guess: replace(guess, split="part")),
    Case("split without test", "a.csv", lambda: table(split=["train"] * ROWS), "1 row 'test', got 30 and 0"),
    Case("ids twice", "a.csv", lambda: table(who=["a"] * ROWS), "another name in every row",
         lambda guess: replace(guess, id="who")),
    Case("formula cells", "a.csv", lambda: table(f=[FORMULA, "+1", "@x", "-2"] * 7 + ["=1"] * 2)),
    Case("HTML everywhere", "a.csv", lambda: csv(**{HTML: range(ROWS), "label": [HTML, LINK] * 15})),
    Case("Markdown in names", "a.csv", lambda: csv(**{LINK: range(ROWS), "**b** $x$ `c`": range(ROWS), "label": LABELS})),
    Case("reversed writing", "a.csv", lambda: csv(**{RIGHT_TO_LEFT: range(ROWS), "label": [RIGHT_TO_LEFT, "b"] * 15})),
    Case("a name of 100,000 letters", "a.csv", lambda: csv(**{"n" * 100_000: range(ROWS), "label": LABELS})),
    Case("labels alike for 10,000 letters", "a.csv", lambda: csv(x=range(ROWS), label=["z" * 10_000 + c for c in LABELS]),
         "differ within 80 characters"),
    Case("a file name with a path", "../../etc/<b>passwd</b>.csv", lambda: table()),
)  # fmt: skip

ARRAY_FILES = (
    Case("empty npz", "a.npz", lambda: b"", "got an empty file"),
    Case("cut npz", "a.npz", lambda: npz(x=np.ones((9, 2)), y=np.arange(9))[:300], "damaged or cut"),
    Case("csv named npz", "a.npz", lambda: table()),
    Case("text named npz", "a.npz", lambda: b"no table", "got other content"),
    Case("745 GB declared", "a.npz", lambda: arrays(npy("(100_000_000_000,)")), "bytes as its header says"),
    Case("truth as a size", "a.npz", lambda: arrays(npy("(True, 10)")), "expected a NumPy header"),
    Case("100 axes", "a.npz", lambda: arrays(npy(f"({'1, ' * 100})", body=bytes(8))), "expected a NumPy header"),
    Case("no rows of 2^62", "a.npz", lambda: arrays(npy(f"(0, {2**62})", body=b"")), "expected a NumPy header"),
    Case("2^62 rows of none", "a.npz", lambda: arrays(npy("(10,)"), npy(f"({2**62}, 0)", "<i8", b"")), "expected a NumPy header"),
    Case("big end first", "a.npz", lambda: npz(x=np.arange(60.0).reshape(30, 2).astype(">f8"), y=(np.arange(30) % 2).astype(">i4"))),
    Case("negative shape", "a.npz", lambda: arrays(npy("(-10, -1)")), "bytes as its header says"),
    Case("shape beyond 64 bits", "a.npz", lambda: arrays(npy("(2**70, 2**70)".replace("2**70", str(2**70)))), "bytes as its"),
    Case("code in a header", "a.npz", lambda: arrays(npy("__import__('os').system('id')")), "expected a NumPy header"),
    Case("deep header", "a.npz", lambda: arrays(npy("(" * 3000 + ")" * 3000)), "expected a NumPy header"),
    Case("pickle in an npz", "a.npz", object_array, "expected numbers or texts"),
    Case("object array", "a.npz", lambda: npz(x=np.array([{}, []], object), y=np.arange(2)), "expected numbers or texts"),
    Case("structured array", "a.npz", lambda: npz(x=np.zeros(9, "i4,f4"), y=np.arange(9)), "expected numbers or texts"),
    Case("complex numbers", "a.npz", lambda: npz(x=np.ones((9, 2), complex), y=np.arange(9)), "expected numbers or texts"),
    Case("time differences", "a.npz", lambda: npz(x=np.ones((9, 2), "m8[s]"), y=np.arange(9)), "expected numbers or texts"),
    Case("a program in an npz", "a.npz", lambda: zipped([("x.npy", npy("(10,)")), ("run.sh", b"rm")]), "arrays (.npy) only"),
    Case("no y", "a.npz", lambda: npz(x=np.ones((9, 2))), "x_test and y_test, got x (9, 2)"),
    Case("x twice", "a.npz", lambda: npz(x=np.ones((9, 2)), X=np.ones((9, 2)), y=np.arange(9)), "two under its names"),
    Case("lengths differ", "a.npz", lambda: npz(x=np.ones((9, 2)), y=np.arange(8)), "expected 9 values"),
    Case("pictures missing", "a.npz", lambda: npz(x=np.ones((9, 2)), y=np.arange(9), images=np.zeros((8, 2, 2), "u1")), "got 8"),
    Case("y of two columns", "a.npz", lambda: npz(x=np.ones((9, 2)), y=np.ones((9, 2))), "expected 9 values"),
    Case("4-D floats", "a.npz", lambda: npz(x=np.ones((9, 2, 2, 2)), y=np.arange(9)), "Pictures: expected uint8"),
    Case("5-D bytes", "a.npz", lambda: npz(x=np.ones((9, 2, 2, 2, 3), "u1"), y=np.arange(9)), "Pictures: expected uint8"),
    Case("x of zero columns", "a.npz", lambda: npz(x=np.ones((9, 0)), y=np.arange(9)), "shape (n, d)"),
    Case("x is one number", "a.npz", lambda: npz(x=np.float64(3), y=np.arange(9)), "shape"),
    Case("negative labels with names", "a.npz",
         lambda: npz(x=np.ones((9, 2)), y=np.arange(9) % 3 - 1, class_names=np.array(["a", "b", "c"])), "from 0 to 2"),
    Case("negative labels", "a.npz", lambda: npz(x=np.arange(27).reshape(9, 3), y=np.arange(9) % 3 - 1)),
    Case("float labels", "a.npz", lambda: npz(x=np.arange(27).reshape(9, 3), y=np.arange(9) % 3 + 0.5)),
    Case("y is NaN", "a.npz", lambda: npz(x=np.ones((9, 2)), y=np.full(9, np.nan)), "9 of 9 missing", refusing),
    Case("x is infinite", "a.npz", lambda: npz(x=np.full((9, 2), np.inf), y=np.arange(9) % 3), "finite numbers up to"),
    Case("6,000 features", "a.npz", lambda: npz(x=np.zeros((9, 6000), "u1"), y=np.arange(9) % 3), "at most 5,000"),
    Case("200,000 rows", "a.npz", lambda: npz(x=np.zeros((200_000, 1), "u1"), y=np.zeros(200_000, "u1")), "at most 100,000"),
    Case("zip bomb of zeros", "a.npz", lambda: zipped([("x.npy", npy("(7_500_000,)", body=bytes(60_000_000)))]), "times its size"),
    Case("hostile names", "a.npz", lambda: npz(x=np.arange(18).reshape(9, 2), y=np.array([HTML, LINK, RIGHT_TO_LEFT] * 3),
                                               feature_names=np.array([HTML, "\0\n"]))),
)  # fmt: skip

PARQUET_FILES = (
    Case("empty parquet", "a.parquet", lambda: b"", "got an empty file"),
    Case("cut parquet", "a.parquet", lambda: GOOD[:-20], "damaged or cut"),
    Case("parquet without a middle", "a.parquet", lambda: GOOD[:4] + bytes(40) + GOOD[44:], "damaged or cut"),
    Case("csv named parquet", "a.parquet", lambda: table()),
    Case("lying footer", "a.parquet", lambda: swapped_end(GOOD, 2**31 - 1), "bytes in the description"),
    Case("footer of nothing", "a.parquet", lambda: swapped_end(GOOD, 0), "damaged or cut"),
    Case("random footer", "a.parquet", lambda: b"PAR1" + np.random.default_rng(1).bytes(500) + struct.pack("<I", 500) + b"PAR1",
         "damaged or cut"),
    Case("a million rows", "a.parquet", lambda: parquet(x=np.zeros(10**6), y=np.zeros(10**6)), "at most 100,000 rows"),
    Case("6,000 columns", "a.parquet", lambda: parquet(**{f"c{k}": [1] for k in range(6000)}), "at most 5,000 columns"),
    Case("31 million numbers in lists", "a.parquet",
         lambda: parquet(False, x=pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(31_000_000, np.int8)), 2000), y=np.arange(15_500)),
         "numbers in all columns"),
    Case("2 GB of one text", "a.parquet", text_bomb),
    Case("structs", "a.parquet", lambda: parquet(x=[{"a": k, "b": {"c": [k]}} for k in range(ROWS)], label=LABELS)),
    Case("lists of lists", "a.parquet", lambda: parquet(x=[[[1]]] * ROWS, label=LABELS), "flatten it"),
    Case("maps", "a.parquet", lambda: parquet(x=pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int8())), y=LABELS), "flatten"),
    Case("tensors", "a.parquet", lambda: parquet(x=pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((ROWS, 2, 2))), y=LABELS), "flatten"),
    Case("bytes of a fixed length", "a.parquet", lambda: parquet(x=pa.array([b"ab"] * ROWS, pa.binary(2)), y=LABELS), "flatten"),
    Case("times of day", "a.parquet", lambda: parquet(x=range(ROWS), t=pa.array(range(ROWS), pa.time32("s")), label=LABELS)),
    Case("a column of nothing", "a.parquet", lambda: parquet(x=range(ROWS), t=pa.nulls(ROWS), label=LABELS)),
    Case("lists of unequal length", "a.parquet", lambda: parquet(x=[[1.0], [1.0, 2.0]] * 15, label=LABELS), "same length"),
    Case("a missing list", "a.parquet", lambda: parquet(x=[None, *[[1.0]] * 29], label=LABELS), "a list of numbers in every row"),
    Case("no rows", "a.parquet", lambda: parquet(x=pa.array([], pa.float64()), y=pa.array([], pa.int8())), "Expected rows"),
    Case("bytes that are no pictures", "a.parquet", lambda: parquet(x=[b"nope"] * ROWS, label=LABELS), "Expected a picture"),
    Case("dates and durations are left out", "a.parquet",
         lambda: parquet(x=np.arange(ROWS), d=pd.date_range("2020", periods=ROWS), t=np.ones(ROWS, "m8[s]"), label=LABELS)),
    Case("dates as features", "a.parquet", lambda: parquet(d=pd.date_range("2020", periods=ROWS), label=LABELS), "",
         features("d")),
    Case("true, false and decimals", "a.parquet",
         lambda: parquet(b=[True, False, None] * 10, d=pa.array([1] * ROWS).cast(pa.decimal128(24, 2)), label=LABELS),
         "10 of 30 missing", refusing),
    Case("equal names", "a.parquet", lambda: _twice()),
)  # fmt: skip

PICTURE_FILES = (
    Case("empty zip", "a.zip", lambda: b"", "got an empty file"),
    Case("zip of nothing", "a.zip", lambda: zipped([]), "at least 2 folders"),
    Case("cut zip", "a.zip", lambda: folders()[:-30], "damaged or cut"),
    Case("zip bomb", "a.zip", lambda: zipped([("a/1.png", bytes(60_000_000))]), "times its size"),
    Case("4 GB declared", "a.zip", lying_size, "MB in the unpacked archive"),
    Case("20,500 members", "a.zip", lambda: zipped((f"a/{k}.png", b"") for k in range(20_500)), "at most 20,000 files"),
    Case("archive in an archive", "a.zip", lambda: folders([("cat/more.zip", folders())]), "unpack it first"),
    Case("path out of the archive", "a.zip", lambda: folders([("../../cat/evil.png", picture())]), "leads out of it"),
    Case("path with backslashes", "a.zip", lambda: folders([("..\\cat\\evil.png", picture())]), "leads out of it"),
    Case("absolute path", "a.zip", lambda: folders([("/etc/cat/evil.png", picture())]), "leads out of it"),
    Case("drive letter", "a.zip", lambda: folders([("C:\\cat\\evil.png", picture())]), "leads out of it"),
    Case("link", "a.zip", lambda: folders([(link("cat/evil.png"), b"/etc/passwd")]), "got the link"),
    Case("encrypted", "a.zip", encrypted, "without a password"),
    Case("lzma", "a.zip", lambda: folders(method=zipfile.ZIP_LZMA), "deflate"),
    Case("wrong checksum", "a.zip", lambda: _flipped(folders(method=zipfile.ZIP_STORED)), "damaged content"),
    Case("a workbook", "a.zip", lambda: zipped([("xl/workbook.xml", b"<x/>")]), "a readable workbook"),
    Case("one folder", "a.zip", lambda: zipped([(f"cat/{k}.png", picture()) for k in range(9)]), "at least 2 folders"),
    Case("empty folders", "a.zip", lambda: zipped([("cat/", b""), ("dog/", b"")]), "at least 2 folders"),
    Case("no folders", "a.zip", lambda: zipped([(f"{k}.png", picture()) for k in range(9)]), "at least 2 folders"),
    Case("SVG only", "a.zip", lambda: zipped([("cat/a.svg", b"<svg onload='x'/>"), ("dog/b.svg", b"<svg/>")]), "at least 2 folders"),
    Case("SVG named PNG", "a.zip", lambda: folders([("cat/9.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")]), "in 'cat/9.png'"),
    Case("3.6 gigapixels declared", "a.zip", lambda: folders([("cat/9.png", png_declaring(60_000, 60_000))]), "16,000,000 pixels"),
    Case("24 megapixels", "a.zip", lambda: folders([("cat/9.png", png_declaring(6_000, 4_000))]), "16,000,000 pixels"),
    Case("a million remarks in a PNG", "a.zip", lambda: folders([("cat/9.png", png_of_parts(10**6))]), "parts in the PNG file 'cat/9.png'"),
    Case("a million empty parts in a PNG", "a.zip", lambda: folders([("cat/9.png", png_of_parts(10**6, b"IDAT", b""))]), "parts in the PNG file"),
    Case("a thousand remarks in a PNG", "a.zip", lambda: folders([("cat/9.png", png_of_parts(1_000))])),
    Case("many PNG files of many parts", "a.zip", lambda: zipped([(f"{'ab'[k % 2]}/{k}.png", content) for content in [png_of_parts(9_000)] for k in range(60)]), "parts in all PNG files"),
    Case("24 deep pictures of 4,000 x 4,000", "a.zip", lambda: zipped([(f"{'ab'[k % 2]}/{k}.png", content) for content in [deep_picture(4_000)] for k in range(24)]), "pixels in all pictures"),
    Case("one deep picture of 4,000 x 4,000", "a.zip", lambda: folders([("cat/9.png", picture()), ("dog/9.png", deep_picture(4_000))])),
    Case("pixels missing", "a.zip", lambda: folders([("cat/9.png", png_declaring(3_000, 3_000))]), "damaged or other content"),
    Case("cut PNG", "a.zip", lambda: folders([("cat/9.png", picture((50, 50))[:900])]), "damaged or other content"),
    Case("no bytes", "a.zip", lambda: folders([("cat/9.png", b"")]), "damaged or other content"),
    Case("EPS named PNG", "a.zip", lambda: folders([("cat/9.png", b"%!PS-Adobe-3.0 EPSF-3.0\n")]), "damaged or other content"),
    Case("200 frames", "a.zip", lambda: folders([("cat/9.gif", animated())])),
    Case("CMYK, grey, palette, alpha", "a.zip", lambda: folders(
        [("cat/c.jpg", picture(mode="CMYK", kind="JPEG")), ("cat/g.png", picture(mode="L")), ("dog/p.png", picture(mode="P")),
         ("dog/a.png", picture(mode="RGBA")), ("dog/b.bmp", picture(kind="BMP")), ("dog/i.png", picture(mode="I;16"))])),
    Case("one pixel each", "a.zip", lambda: zipped([(f"{'ab'[k % 2]}/{k}.png", picture((1, 1), seed=k)) for k in range(9)])),
    Case("sizes of all kinds", "a.zip", lambda: folders([("cat/w.png", picture((900, 2))), ("dog/h.png", picture((1, 700)))])),
    Case("left behind by systems", "a.zip", lambda: folders([("__MACOSX/cat/._1.png", b"x"), ("cat/.DS_Store", b"x"), ("cat/Thumbs.db", b"x")])),
    Case("hostile names", "a.zip", lambda: zipped([(f"{[HTML.replace('/', ''), RIGHT_TO_LEFT][k % 2]}/{k}.png", picture()) for k in range(9)])),
    Case("same name twice", "a.zip", lambda: folders([("cat/1.png", picture(seed=7))])),
)  # fmt: skip


def _flipped(content: bytes) -> bytes:
    place = content.find(b"IDAT") + 20
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


def _twice() -> bytes:
    buffer = io.BytesIO()
    numbers = pa.array(np.arange(ROWS))
    pq.write_table(pa.Table.from_arrays([numbers, numbers, pa.array(LABELS)], names=["x", "x", "label"]), buffer)
    return buffer.getvalue()


CASES = {f"{kind}: {case.name}": case for kind, cases in (
    ("text", TEXT_FILES), ("arrays", ARRAY_FILES), ("parquet", PARQUET_FILES), ("pictures", PICTURE_FILES)
) for case in cases}  # fmt: skip
