"""``--shard i/k`` and ``merge``: one computation on several machines that share nothing but the files they leave."""

from __future__ import annotations

import argparse
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import DataError
from influence_core.cli.common import check_output, write_json, write_table
from influence_core.compute import fingerprint
from influence_core.compute.shard import WHOLE, Shard
from influence_core.files import write_whole

Arrays = Mapping[str, NDArray[Any]]
Table = tuple[pd.DataFrame, Mapping[str, Any]]
SAME = ("word", "asked", "settings", "data_fingerprint", "parameters", "versions")  # of all shards of one computation
ADVICE = {
    "versions": "run every shard with the same versions",
    "parameters": "the training run ended elsewhere: run every shard on the same type of processor",
    "data_fingerprint": "run every shard on the same data",
}
SHOWN = 8  # missing shards that are named


@dataclass(frozen=True, kw_only=True)
class Portion:
    """What a command has computed, or a shard of it.

    Attributes:
        pieces: arrays whose first axis goes through the pieces of the computation, in order.
        once: arrays that the first shard makes.
        facts: for the manifest, from the first shard.
    """

    pieces: Arrays
    once: Arrays = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Of every array."""
        named = {f"pieces/{name}": value for name, value in self.pieces.items()}
        named |= {f"once/{name}": value for name, value in self.once.items()}
        return fingerprint(*(part for name in sorted(named) for part in (name, named[name])), dict(self.facts))


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file of one shard."""

    path: Path
    about: Mapping[str, Any]
    shard: Shard
    found: Portion


def add_shard(parser: argparse.ArgumentParser) -> None:
    """The argument ``--shard I/K``."""
    parser.add_argument(
        "--shard", type=_shard, default=WHOLE, metavar="I/K", help="share I of K only, in a file for 'merge'"
    )


def _shard(text: str) -> Shard:
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise argparse.ArgumentTypeError(f"expected I/K with I from 1 to K, such as 2/4, got {text[:20]!r}")
    return Shard(index - 1, count)


def write_shard(about: Mapping[str, Any], found: Portion, shard: Shard, out: Path) -> Path:
    """Write the file of one shard; a reader sees all of it or nothing.

    Returns:
        Its path, beside what ``--out`` names.
    """
    path = out.with_name(f"{out.stem}.shard-{shard.index + 1}-of-{shard.count}.npz")
    facts = {"facts": found.facts, "shard": [shard.index, shard.count], "hash": found.hash}
    arrays = {f"pieces/{name}": value for name, value in found.pieces.items()}
    arrays |= {f"once/{name}": value for name, value in found.once.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.array(json.dumps({**about, **facts})), **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getbuffer())
    return path


def read_shard(path: Path) -> Held:
    """Read the file of one shard.

    Raises:
        DataError: no such file, or one that is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays.pop("about")))
        shard = Shard(*map(int, about.pop("shard")))
        kinds: dict[str, dict[str, Any]] = {"pieces": {}, "once": {}}
        for name, value in arrays.items():
            kind, _, rest = name.partition("/")
            kinds[kind][rest] = value
        found = Portion(**kinds, facts=about.pop("facts"))
        whole = about.pop("hash") == found.hash and 0 <= shard.index < shard.count and set(SAME) <= set(about)
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        raise DataError(f"{path.name}: expected a file that --shard has written, got another or half of one.") from None
    if not whole:
        raise DataError(f"{path.name}: its content is not what --shard has written: make this shard again.")
    return Held(path=path, about=about, shard=shard, found=found)


def merge(paths: Sequence[Path]) -> tuple[Mapping[str, Any], Portion]:
    """All shards of one computation, as the computation in one piece would have found them.

    Raises:
        DataError: shards of different computations, one twice, or one that is missing.
    """
    held = sorted((read_shard(path) for path in paths), key=lambda one: one.shard.index)
    first = held[0]
    for one in held[1:]:
        _check_same(first, one)
    known = [one.shard.index for one in held]
    for one, other in zip(held, held[1:], strict=False):
        if one.shard == other.shard:
            raise DataError(f"Shard {one.shard} is here twice, {one.path} and {other.path}: name one of them.")
    count = first.shard.count
    if missing := [str(Shard(index, count)) for index in range(count) if index not in known]:
        named = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
        raise DataError(f"{len(missing)} of {count} shards are missing: {named}. Make them as the others.")
    pieces = {name: np.concatenate([one.found.pieces[name] for one in held]) for name in first.found.pieces}
    return first.about, Portion(pieces=pieces, once=first.found.once, facts=first.found.facts)


def _check_same(first: Held, other: Held) -> None:
    for name in SAME:
        if difference := _difference(first.about[name], other.about[name], name):
            where, one, two = difference
            advice = ADVICE.get(name, "merge shards of one computation only")
            raise DataError(f"{where} is {one} in {first.path.name} and {two} in {other.path.name}: {advice}.")
    if first.shard.count != other.shard.count:
        raise DataError(
            f"{first.path.name} is one of {first.shard.count} shards and {other.path.name} one of {other.shard.count}: "
            "merge shards of one computation only."
        )
    if set(first.found.pieces) != set(other.found.pieces):
        raise DataError(f"{first.path.name} and {other.path.name} hold different arrays: make them again.")


def _difference(one: Any, two: Any, name: str) -> tuple[str, str, str] | None:
    """The first place where two JSON values differ: its name and both values."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted(set(one) | set(two)):
            if found := _difference(one.get(key), two.get(key), f"{name}.{key}"):
                return found
        return None
    return None if one == two else (name, json.dumps(one)[:60], json.dumps(two)[:60])


def add_merge(parser: argparse.ArgumentParser, tables: Mapping[str, Callable[[Portion], Table]]) -> None:
    """``merge SHARD… --out FILE``."""
    parser.add_argument("shards", type=Path, nargs="+", metavar="SHARD", help="the files of all shards")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .parquet, .csv or .json file")
    parser.set_defaults(run=lambda arguments: _merge(arguments, tables))


def _merge(arguments: argparse.Namespace, tables: Mapping[str, Callable[[Portion], Table]]) -> None:
    check_output(arguments.out)
    about, found = merge(arguments.shards)
    make = tables.get(str(about["word"]))
    if make is None:
        raise DataError(f"{arguments.shards[0].name}: made by {str(about['word'])[:40]!r}, which this version lacks.")
    write_result(about, make(found), arguments.out)


def write_result(about: Mapping[str, Any], result: Table, out: Path) -> None:
    """The table of a computation, and its manifest beside it and, in Parquet, inside."""
    table, facts = result
    manifest = {name: value for name, value in about.items() if name not in {"word", "asked", "parameters"}}
    manifest |= {"rows": len(table), **facts}
    if out.suffix == ".parquet":
        table.attrs = {"influence_explorer": manifest}  # travels as file metadata
    write_table(table, out)
    write_json(manifest, out.with_name(f"{out.stem}.manifest.json"))
