"""``python -m influence_core mislabels``: the Mislabels page without a browser."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import (
    SENTENCE,
    SIGNALS,
    Analysis,
    BeforeAfter,
    Corrections,
    Curve,
    DataError,
    Problem,
    Review,
    checking_curve,
    corrected_review,
    detection,
    mean_and_error,
    outcome,
    scores,
)
from influence_core.cells import as_written
from influence_core.cli import reviewing
from influence_core.cli.common import (
    add_cluster,
    add_settings,
    check_output,
    settings_of,
    task,
    write_json,
    write_table,
)
from influence_core.cli.shards import Portion, Table, add_shard, write_shard
from influence_core.data.uploads.decoding import as_utf8
from influence_core.settings import to_json
from influence_core.version import versions

CHECKED = (0.1, 0.2)


def add(parser: argparse.ArgumentParser) -> None:
    """The commands and their arguments."""
    words = parser.add_subparsers(required=True, metavar="rank|curve|retrain|queue|queues|export|import")
    rank = words.add_parser("rank", help="one row per training point, most suspicious first")
    rank.add_argument("--by", default="self_influence", choices=list(SIGNALS), help="the signal that orders the rows")
    rank.add_argument("--top", type=int, metavar="K", help="the first K rows only")
    curve = words.add_parser("curve", help="share checked against flips found and accuracy after fixing, many seeds")
    curve.add_argument("--seeds", type=int, default=10, help="number of seeds, from the settings' seed on")
    add_cluster(curve)
    add_shard(curve)
    retrain = words.add_parser("retrain", help="apply decisions, refit, compare on the held-out test points")
    retrain.add_argument("decisions", type=Path, help="CSV with columns id, action (keep, re-label, exclude), label")
    for command in (rank, curve, retrain):
        add_settings(command)
        if command is not retrain:
            command.add_argument("--signals", metavar="A,B", help="names of signals; default: all (rank), influence")
        command.add_argument(
            "--out", type=Path, metavar="FILE", help="csv, parquet or json; default: CSV on the screen"
        )
    rank.set_defaults(run=run_rank)
    curve.set_defaults(run=run_curve)
    retrain.set_defaults(run=run_retrain)
    reviewing.add(words)


def _review(arguments: argparse.Namespace) -> Review:
    settings = settings_of(arguments)
    problem = Problem(settings)
    if not problem.split.train.classes:
        raise DataError("Mislabel review needs data with classes: choose others.")
    return Review(Analysis(settings, problem, task()))


def _names(arguments: argparse.Namespace) -> list[str] | None:
    return arguments.signals.split(",") if arguments.signals else None


def run_rank(arguments: argparse.Namespace) -> None:
    """One row per training point: labels, every signal with its percentile; manifest beside a file."""
    review = _review(arguments)
    names = _names(arguments)
    found = scores(review, names if names is None else list(dict.fromkeys([*names, arguments.by])))
    classes = np.array(review.analysis.problem.split.train.class_names)
    columns = {
        "id": found.ids,
        "row": np.arange(len(found.ids)),
        "given_label": classes[found.labels],
        "predicted_label": classes[found.predicted],
        "suggested_label": classes[found.suggested],
        "is_label_issue": found.is_issue,
        "label_score": found.label_score,
    }
    for name, values in found.signals.items():
        columns |= {name: values, f"{name}_percentile": review.percentiles(name)}
    queue = review.ranked(arguments.by)[: arguments.top]
    table = pd.DataFrame(columns).iloc[queue]
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    write_table(table, arguments.out)
    if arguments.out is not None:
        write_json(_manifest(review, arguments, len(table), found.trust), _beside(arguments.out))
    _say_quality(review, list(found.signals))


def _manifest(review: Review, arguments: argparse.Namespace, rows: int, trust: object) -> dict[str, object]:
    return {
        "settings": json.loads(to_json(review.analysis.settings)),
        "data": review.analysis.problem.split.fingerprint,
        "order": arguments.by,
        "rows": rows,
        "training_points": len(review.labels),
        "direction": "every signal: higher = more suspicious; label_score: lower = worse",
        "sign": SENTENCE,
        "trust": trust,
        "metrics": review.metrics,
        "versions": versions(),
    }


def _beside(out: Path) -> Path:
    return out.with_name(f"{out.stem}.manifest.json")


def _say_quality(review: Review, names: list[str]) -> None:
    """AUC and recall on the standard error, where flips are known; then the trust line."""
    flipped = review.analysis.problem.split.flipped
    if flipped.any():
        for name in names:
            found = detection(review.suspicion(name), flipped, review.ties, CHECKED)
            shares = ", ".join(
                f"{recall:.3f} at {share:.0%}" for recall, share in zip(found.recall, CHECKED, strict=True)
            )
            print(f"{name:24} AUC {found.auc}, recall {shares}", file=sys.stderr)
    for line in (review.trust.line, *review.trust.warnings):
        print(line, file=sys.stderr)


def run_curve(arguments: argparse.Namespace) -> None:
    """One row per signal and share checked: mean ± standard error over seeds; or the seeds of one shard."""
    settings, shard, out = settings_of(arguments), arguments.shard, arguments.out
    if shard.count > 1 and out is None:
        raise DataError("--shard: expected --out FILE, beside which the shard is written.")
    if out is not None:
        check_output(out)
    names = _names(arguments) or ["self_influence"]
    seeds = shard.of(range(settings.seed, settings.seed + arguments.seeds))
    found = _seeds_of(checking_curve(settings, names, seeds, task=task(arguments.cluster)))
    if shard.count == 1:
        write_table(curve_result(found)[0], out)
        return
    about = {
        "word": "curve",
        "asked": {"signals": names, "seeds": arguments.seeds},
        "settings": json.loads(to_json(settings)),
        "data_fingerprint": Problem(settings).split.fingerprint,
        "parameters": "",
        "versions": versions(),
    }
    print(write_shard(about, found, shard, out))


def _seeds_of(curve: Curve) -> Portion:
    pieces: dict[str, NDArray[Any]] = {"seeds": np.array(curve.seeds), "clean": curve.clean}
    for kind, signals in (("found", curve.found), ("accuracy", curve.accuracy), ("auc", curve.auc)):
        pieces |= {f"{kind}:{name}": values for name, values in signals.items()}
    return Portion(pieces=pieces, once={"fractions": curve.fractions})


def curve_result(found: Portion) -> Table:
    """The table of a curve whose seeds were made together or in shards."""
    pieces = found.pieces

    def signals(kind: str) -> dict[str, NDArray[Any]]:
        return {name.partition(":")[2]: values for name, values in pieces.items() if name.startswith(f"{kind}:")}

    of = signals("found"), signals("accuracy"), pieces["clean"], signals("auc")
    curve = Curve(found.once["fractions"], tuple(pieces["seeds"].tolist()), *of)
    return curve_table(curve), {"seeds": len(curve.seeds)}


def curve_table(curve: Curve) -> pd.DataFrame:
    """A curve as rows.

    Returns:
        Columns signal, checked, found, found_se, test_accuracy, test_accuracy_se, seeds.
    """
    parts = []
    for name in curve.found:
        found, found_error = mean_and_error(curve.found[name])
        accuracy, accuracy_error = mean_and_error(curve.accuracy[name])
        columns = {
            "found": found,
            "found_se": found_error,
            "test_accuracy": accuracy,
            "test_accuracy_se": accuracy_error,
        }
        parts.append(pd.DataFrame({"signal": name, "checked": curve.fractions, **columns, "seeds": len(curve.seeds)}))
    return pd.concat(parts, ignore_index=True)


def run_retrain(arguments: argparse.Namespace) -> None:
    """Before and after as one row per measure."""
    review = _review(arguments)
    after = corrected_review(review, read_decisions(arguments.decisions, review))
    found = outcome(review, after)
    rows = [_measure("test_accuracy", found.accuracy), _measure("test_loss", found.loss)]
    write_table(pd.DataFrame(rows), arguments.out)
    print(
        f"{found.kept} kept, {found.relabelled} relabelled, {found.excluded} excluded; {found.differed} answers "
        f"differed from the model. {found.how}",
        file=sys.stderr,
    )


def _measure(name: str, value: BeforeAfter) -> dict[str, object]:
    change = {"difference": value.difference, "low": value.low, "high": value.high}
    return {"measure": name, "before": value.before, "after": value.after, **change}


def read_decisions(path: Path, review: Review) -> Corrections:
    """Decisions from a CSV file: id, action (keep, re-label, exclude), label (a class name, for re-label).

    Returns:
        The corrections, by row of the training set.

    Raises:
        DataError: a missing column, or an id, action or label that does not exist.
    """
    content, _ = as_utf8(path.read_bytes())
    first = content.decode().partition("\n")[0]
    between = max(",;\t|", key=first.count)  # a spreadsheet writes what its language has
    try:
        table = as_written(pd.read_csv(io.BytesIO(content), sep=between, dtype=str, keep_default_na=False))
    except ValueError as error:
        raise DataError(f"{path.name}: expected a CSV file ({str(error)[:80]}).") from None
    missing = {"id", "action", "label"} - set(table.columns)
    if missing:
        raise DataError(f"{path.name}: expected columns id, action, label; {', '.join(sorted(missing))} is missing.")
    train = review.analysis.problem.split.train
    rows = _positions("id", table["id"], train.ids.tolist())
    action = _positions("action", table["action"], ["keep", "re-label", "exclude"])
    labels = review.labels[rows].copy()
    again = action == 1
    labels[again] = _positions("label", table["label"][again], list(train.class_names))
    return Corrections(rows, labels, action == 2)


def _positions(column: str, values: pd.Series, known: list[str]) -> NDArray[np.int64]:
    place = {name: number for number, name in enumerate(known)}
    found = [place.get(value, place.get(value.removeprefix("'"), -1)) for value in values]  # '-1 of a spreadsheet is -1
    if -1 in found:
        row = found.index(-1)
        more = ", …" * (len(known) > 5)
        raise DataError(
            f"Column {column}, row {row + 1}: expected one of {', '.join(known[:5])[:80]}{more}, got "
            f"{values.iloc[row][:40]!r}."
        )
    return np.array(found, dtype=np.int64)
