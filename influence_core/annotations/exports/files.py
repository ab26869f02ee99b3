"""Exports: files that cleanlab, Label Studio and spreadsheets read, with a manifest that says what they are."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from influence_core.annotations.annotator_agreement import agreement_of
from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.exports.frames import (
    COLUMNS,
    Clean,
    Original,
    dataset_clean,
    in_file_order,
    label_issues,
    labels_multiannotator,
)
from influence_core.annotations.exports.label_studio import Items, label_config, label_studio_tasks
from influence_core.annotations.exports.reading import Material, read_material
from influence_core.annotations.people import record
from influence_core.annotations.records import SIGN
from influence_core.annotations.store import Store
from influence_core.cells import as_written, to_csv
from influence_core.compute import Rows
from influence_core.version import versions

FORMAT = 1
READ = 200 * 2**20  # bytes
Selection = Literal["all", "decided"] | Rows


@dataclass(frozen=True, eq=False)
class Context:
    """What the store does not know of the data.

    Attributes:
        items: (n,) what Label Studio shows of a row: ``{"image": url or data URI}`` or ``{"text": …}``.
        original: the uploaded table.
    """

    items: Items | None = None
    original: Original | None = None


def export(
    store: Store, number: int, by: str, rows: Selection = "all", context: Context | None = None
) -> dict[str, bytes]:
    """All files of a queue's export; that it was made is noted in the log.

    Args:
        store: where.
        number: of the queue, whose scores, ranks and controls are told; answers are those of all versions.
        by: who exports.
        rows: ``all``, ``decided`` only, or positions.
        context: contents and original table.

    Returns:
        File name -> content.
    """
    context = context or Context()
    material = read_material(store, number)
    chosen = _chosen(material, rows)
    kind = "image" if context.items and "image" in context.items[0] else "text"
    clean = dataset_clean(material, chosen, context.original)
    issues = in_file_order(
        label_issues(material, chosen), context.original, rows == "all" if isinstance(rows, str) else False
    )
    many, which = labels_multiannotator(material, chosen)
    if context.original is not None:
        which = which.assign(row=context.original.rows[which["row"].to_numpy()])
    files = {
        "label_issues.csv": to_csv(issues),
        "label_issues.parquet": _parquet(issues),
        "labels_multiannotator.csv": to_csv(many),
        "labels_multiannotator_rows.csv": to_csv(which),
        "label_studio_tasks.json": label_studio_tasks(material, chosen, context.items),
        "label_config.xml": label_config(material.answers.class_names, kind),
        clean.name: clean.content,
        "audit_log.jsonl": _audit_log(material),
    }
    lengths = dict.fromkeys(files, len(chosen)) | {clean.name: clean.rows, "label_config.xml": 0}
    lengths |= dict.fromkeys(("label_issues.csv", "label_issues.parquet"), len(issues))
    lengths |= dict.fromkeys(("labels_multiannotator.csv", "labels_multiannotator_rows.csv"), len(many))
    lengths["audit_log.jsonl"] = len(material.decisions) + len(material.events)
    said = "filtered" if isinstance(rows, np.ndarray) else rows
    files["manifest.json"] = _manifest(material, files, lengths, (said, clean))
    record(store, "export", by, {"queue": number, "rows": said, "count": len(chosen)}, material.queue.dataset)
    return files


def zipped(files: Mapping[str, bytes]) -> bytes:
    """All files in one archive; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_csv(content: bytes) -> pd.DataFrame:
    """An exported CSV as it was before its cells were made harmless.

    Raises:
        AnnotationError: too large, or no such file.
    """
    if len(content) > READ:
        raise AnnotationError(f"Expected a file of at most {READ >> 20} MB, got {len(content) >> 20} MB.")
    try:
        return as_written(pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""], low_memory=False))
    except (ValueError, UnicodeError, pd.errors.ParserError):
        raise AnnotationError("Expected a CSV file in UTF-8, as it was exported: export it again.") from None


def _chosen(material: Material, rows: Selection) -> Rows:
    n = len(material.answers.ids)
    if isinstance(rows, np.ndarray):
        chosen = np.unique(rows.astype(np.int64))
        if len(chosen) and (chosen[0] < 0 or chosen[-1] >= n):
            raise AnnotationError(f"Expected positions from 0 to {n - 1}: filter again.")
        return chosen
    if rows not in {"all", "decided"}:
        raise AnnotationError(f"Expected the rows all or decided, or positions, got {str(rows)[:20]!r}.")
    return np.arange(n) if rows == "all" else np.flatnonzero(material.resolved.action != "")


def _parquet(frame: pd.DataFrame) -> bytes:
    content: bytes = frame.to_parquet(index=False)
    return content


def _audit_log(material: Material) -> bytes:
    """Every decision and event ever stored, the oldest first, one JSON object a line."""
    lines = [{"type": "decision", "at": row["decided_at"], **row} for row in material.decisions]
    lines += [{"type": "event", **row} for row in material.events]
    for line in lines:
        if "position" in line:
            line["sample"] = str(material.answers.ids[line["position"]])
    lines.sort(key=lambda line: (line["at"], line["type"], line["id"]))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _manifest(
    material: Material, files: Mapping[str, bytes], lengths: Mapping[str, int], chosen: tuple[str, Clean]
) -> bytes:
    (rows, clean), queue = chosen, material.queue
    found = agreement_of(material.answers)
    estimates = {"percent": found.percent, "cohen_kappa": found.kappa, "krippendorff_alpha": found.alpha}
    document = {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {key: material.dataset[key] for key in ("name", "fingerprint", "size", "class_names")},
        "queue": {key: value for key, value in vars(queue).items() if key not in {"class_names", "trust"}},
        "run": {key: value for key, value in material.run.items() if key not in {"trust", "dataset_id"}},
        "trust": material.run["trust"],
        "sign": SIGN,
        "columns": COLUMNS,
        "rows": {"selection": rows, "exported": lengths["label_issues.csv"], "all": len(material.answers.ids),
                 "decided": int((material.resolved.action != "").sum())},
        "seeds": {"run": material.run["seed"], "queue": queue.seed},
        "annotators": list(material.answers.annotators),
        "agreement": {name: _plain(vars(estimate)) for name, estimate in estimates.items()},
        "guideline_version": material.guideline,
        "formulas": "cells that a spreadsheet would run start with an apostrophe in CSV files",
        clean.name: clean.how,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": lengths[name]}
            for name, content in files.items()
        },
        "versions": versions(),
    }  # fmt: skip
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False).encode()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no word for what is not a number."""
    return {key: None if isinstance(one, float) and math.isnan(one) else one for key, one in values.items()}
