"""The file of an upload written again with some labels changed and some rows left out, and everything else as it was.

Texts, JSON records too, are edited where the label stands, byte for byte the same elsewhere.  Parquet and Feather keep
their schema, and a label is another row's value of its own type.  Other kinds cannot be edited in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from influence_core.cells import restored
from influence_core.data.dataset import DataError
from influence_core.data.uploads.columns import row_names
from influence_core.data.uploads.decoding import as_utf8, encoding_of
from influence_core.data.uploads.kinds import kind_of_content
from influence_core.data.uploads.layout import TextLayout, find_layout
from influence_core.data.uploads.packed import read_packed, read_zip
from influence_core.data.uploads.raw import Raw, column_names
from influence_core.data.uploads.rewriting_records import Edit, lines_editor, records_editor
from influence_core.data.uploads.separating import BLANKS

TEXTS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".libsvm", ".svm")
RECORDS = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, eq=False)
class Rewriting:
    """How a file is written again.

    Attributes:
        ending: of its name.
        edit: (row to the row whose label it takes, (n,) rows that stay) to the new content.
    """

    ending: str
    edit: Edit


def rewriting(name: str, content: bytes, raw: Raw, target: str) -> Rewriting | None:
    """How the file that ``raw`` was read from is written again.

    Args:
        name: of the file.
        content: of it.
        raw: what was read.
        target: its column of labels.

    Returns:
        None where it cannot be edited in place: a spreadsheet, arrays, or rows that are not found again.
    """
    kind = kind_of_content(name, content)[0]
    if kind in {"zip", "packed"}:
        inside: list[tuple[str, bytes]] = []

        def kept(member: str, data: bytes) -> Raw:
            inside.append((member, data))
            return raw

        with suppress(DataError):  # several tables that make one
            read_zip(content, kept) if kind == "zip" else read_packed(name, content, kept)
        return rewriting(*inside[0], raw, target) if len(inside) == 1 else None
    ending = "." + name.lower().rpartition(".")[2]
    if kind == "text":
        edit = _text(content, raw, target)
        return edit and Rewriting(ending if ending in TEXTS else ".csv", edit)
    if kind == "json":
        edit = records_editor(content, raw, target)
        return edit and Rewriting(ending if ending in RECORDS else ".json", edit)
    if kind == "libsvm":
        edit = lines_editor(content, raw)
        return edit and Rewriting(ending if ending in TEXTS else ".txt", edit)
    if kind in {"parquet", "feather"}:
        edit = _columnar(content, raw, target, kind)
        return edit and Rewriting(f".{kind}", edit)
    return None


@dataclass(frozen=True)
class _Line:
    """One row of a text: where it lies, its line end included, and where its label does."""

    start: int
    end: int
    field: int
    stop: int


def _text(content: bytes, raw: Raw, target: str) -> Edit | None:
    encoding = raw.asked.encoding or encoding_of(content)
    plain, _ = as_utf8(content, raw.asked.encoding)
    text, layout = content.decode(encoding), find_layout(plain, raw.asked)
    names, _ = column_names([restored(name.strip()) for name in layout.names])
    if target not in names or text.encode(encoding) != content:  # some encodings write a letter in two ways
        return None
    mark = text.startswith("\ufeff")
    part = slice(*(mark + len(plain[:at].decode()) for at in (layout.start, layout.end)))
    spaced = layout.padded or layout.separator == BLANKS or layout.spaced
    lines = list(_lines(text, part, layout, (names.index(target), spaced)))
    found = [restored(_value(text[line.field : line.stop], spaced)) for line in lines]
    if found != row_names(raw, target):
        return None

    def edit(changes: Mapping[int, int], stays: NDArray[np.bool_]) -> bytes:
        pieces, at = [], 0
        for row in sorted({*changes, *np.flatnonzero(~stays).tolist()}):
            line = lines[row]
            if stays[row]:
                like = lines[changes[row]]
                old, other = text[line.field : line.stop], text[like.field : like.stop]
                pieces += [text[at : line.field], _styled(old, other, spaced)]
                at = line.stop
            else:
                pieces.append(text[at : line.start])
                at = line.end
        return "".join([*pieces, text[at:]]).encode(encoding)

    return edit


def _lines(text: str, part: slice, layout: TextLayout, column: tuple[int, bool]) -> Iterator[_Line]:
    """The rows as the reader counts them: not empty ones, nor short comments."""
    at, width, (place, spaced) = part.start, len(layout.names), column
    plain = layout.separator != BLANKS and not spaced
    while at < part.stop:
        found = _LINE.match(text, at, part.stop)
        assert found is not None  # an empty line always matches
        if plain and '"' not in found[1]:
            cells, end = found[1].split(layout.separator), found.end()
            field = at + sum(map(len, cells[:place])) + place
            span = (field, field + len(cells[place])) if place < len(cells) else (found.end(1),) * 2
        else:
            spans, end = _fields(text, slice(at, part.stop), layout.separator, spaced)
            cells = [text[start:stop].lstrip(" " * spaced) for start, stop in spans]
            span = spans[place] if place < len(spans) else (spans[-1][1],) * 2
        if any(cells) and not (cells[0].startswith("#") and len(cells) < width):
            yield _Line(at, end, *span)
        at = end


def _fields(text: str, part: slice, separator: str, spaced: bool) -> tuple[list[tuple[int, int]], int]:
    """Spans of the fields of one record, and where the next one starts."""
    token, spans, at = _token(separator, spaced), [], part.start
    while True:
        found = token.match(text, at, part.stop)
        assert found is not None  # an empty field always matches
        spans.append(found.span(1))
        at = found.end()
        if found[2] != separator:
            return spans, at
        if at == part.stop:
            return [*spans, (at, at)], at


_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_TOKENS: dict[tuple[str, bool], re.Pattern[str]] = {}


def _token(separator: str, spaced: bool) -> re.Pattern[str]:
    key = (separator, spaced)
    if key not in _TOKENS:
        s, blanks = re.escape(separator), " *" if spaced else ""
        bare = rf'{blanks}"[^"]*(?:""[^"]*)*"[^{s}\r\n]*|[^{s}\r\n]*'
        after = rf"{s}|\r\n|\r|\n|\Z"
        if separator == BLANKS:  # any number of them, none of which at the end
            bare, after = rf" *({bare})", r" (?! *(?:\r|\n|\Z))| *(?:\r\n|\r|\n|\Z)"
        _TOKENS[key] = re.compile(rf"({bare})({after})" if separator != BLANKS else rf"{bare}({after})")
    return _TOKENS[key]


def _value(field: str, spaced: bool) -> str:
    """What a field says."""
    bare = field.lstrip(" ") if spaced else field
    if not bare.startswith('"'):
        return bare
    inner, _, rest = bare[1:].replace('""', "\0").partition('"')
    return inner.replace("\0", '"') + rest.replace("\0", '""')


def _styled(old: str, like: str, spaced: bool) -> str:
    """What another field of the file says, quoted where either is, behind the blanks of the old one."""
    value, bare = _value(like, spaced), old.lstrip(" ") if spaced else old
    blanks, other = old[: len(old) - len(bare)], like.lstrip(" ") if spaced else like
    if bare.startswith('"') or other.startswith('"'):
        value = '"' + value.replace('"', '""') + '"'
    return blanks + value


def _columnar(content: bytes, raw: Raw, target: str, kind: str) -> Edit | None:
    if kind == "parquet":
        file = pq.ParquetFile(pa.BufferReader(content))
        table, packed = file.read(), _compression(file.metadata)
    else:
        table, packed = _arrow(content), {}
    names, _ = column_names(table.schema.names)
    named = table.schema.names if target in table.schema.names else names
    if target not in named or len(table) != len(raw):
        return None
    place = named.index(target)

    def edit(changes: Mapping[int, int], stays: NDArray[np.bool_]) -> bytes:
        if not changes and stays.all():
            return content
        rows = np.arange(len(table))
        for row, like in changes.items():
            rows[row] = like
        column = table.column(place).take(pa.array(rows))
        changed = table.set_column(place, table.schema.field(place), column).filter(pa.array(stays))
        sink = pa.BufferOutputStream()
        if kind == "parquet":
            pq.write_table(changed, sink, compression=packed)
        else:
            with pa.ipc.new_file(sink, changed.schema) as writer:
                writer.write_table(changed)
        written: bytes = sink.getvalue().to_pybytes()
        return written

    return edit


def _arrow(content: bytes) -> pa.Table:
    source = pa.BufferReader(content)
    return (pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream)(source).read_all()


def _compression(metadata: pq.FileMetaData) -> dict[str, str] | str:
    if not metadata.num_row_groups:
        return "snappy"
    group = metadata.row_group(0)
    columns = [group.column(k) for k in range(group.num_columns)]
    return {column.path_in_schema: column.compression.replace("UNCOMPRESSED", "NONE") for column in columns}
