"""Exports, read by the packages they are for."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cleanlab.classification import CleanLearning
from cleanlab.multiannotator import get_label_quality_multiannotator, get_majority_vote_label
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
from sklearn.linear_model import LogisticRegression

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Context,
    Original,
    Samples,
    Store,
    activity,
    decide,
    export,
    import_label_studio,
    read_csv,
    skip_card,
    undo,
    zipped,
)
from influence_core.annotations.exports import COLUMNS
from influence_core.data.uploads import read_upload
from influence_core.version import __version__
from tests.annotations.conftest import queue, samples, serve

NAMED = {  # as the guide names them
    "given_label", "predicted_label", "is_label_issue", "label_score", "label_issue_score", "suggested_label",
    "corrected_label", "action", "self_influence", "validation_influence", "loss", "num_annotations",
    "annotator_agreement", "queue_strategy", "queue_rank", "is_control",
}  # fmt: skip


@pytest.fixture
def worked(store: Store) -> tuple[Store, int, dict[int, Answer]]:
    """A queue of 30 rows, twice answered: 8 rows, all actions, one undo, one skip."""
    number = queue(store, 30, overlap=2).id
    said: dict[int, Answer] = {}
    for name in ("ann", "bob"):
        for index in range(8):
            card = serve(store, number, name)
            action = ("keep", "re-label", "exclude", "review")[index % 4]
            label = card.suggested if action == "re-label" else None
            answer = Answer(action, label, "=HYPERLINK(1)" if index == 1 else "")  # type: ignore[arg-type]
            decide(store, card, answer)
            said[card.position] = answer
    skip_card(store, serve(store, number, "ann"))
    decide(store, serve(store, number, "bob"), Answer("exclude"))
    undo(store, number, "bob")
    return store, number, said


def _issues(files: dict[str, bytes]) -> pd.DataFrame:
    return read_csv(files["label_issues.csv"])


def test_label_issues_hold_every_column_in_the_original_order(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, said = worked
    files = export(store, number, "lead")
    frame = _issues(files)
    assert frame.columns.tolist() == list(COLUMNS) and set(COLUMNS) > NAMED
    assert frame["id"].tolist() == samples(30).ids.tolist()
    for position, answer in said.items():
        row = frame.iloc[position]
        decided = "" if answer.action == "review" else answer.action
        assert (row["action"] if isinstance(row["action"], str) else "") == decided
        assert row["is_label_issue"] == (decided in {"re-label", "exclude"})
        assert pd.isna(row["corrected_label"]) == (answer.label is None)
        if answer.label is not None:
            assert row["corrected_label"] == answer.label == row["suggested_label"]
            assert row["corrected_label_name"] == "abc"[answer.label]
    untouched = frame.drop(list(said))
    assert untouched["action"].isna().all() and (untouched["num_annotations"] == 0).all()
    assert (frame["label_score"] + frame["label_issue_score"]).to_numpy() == pytest.approx(1)
    assert frame["queue_rank"].tolist() == list(range(1, 31)) and frame["is_control"].sum() == 2
    twin = pd.read_parquet(io.BytesIO(files["label_issues.parquet"]))
    pd.testing.assert_frame_equal(frame, twin, check_dtype=False)


def test_cleanlab_fits_with_the_label_issues(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, _ = worked
    frame = _issues(export(store, number, "lead"))
    x, y = np.random.default_rng(0).normal(size=(30, 4)), samples(30).labels
    seen: list[np.ndarray] = []

    class Recording(LogisticRegression):
        def fit(self, features, labels, **options):  # type: ignore[no-untyped-def]
            seen.append(features)
            return super().fit(features, labels, **options)

    CleanLearning(Recording()).fit(x, y, label_issues=frame)
    np.testing.assert_array_equal(seen[-1], x[~frame["is_label_issue"].to_numpy()])
    twin = pd.read_parquet(io.BytesIO(export(store, number, "lead")["label_issues.parquet"]))
    CleanLearning(Recording()).fit(x, y, label_issues=twin)
    np.testing.assert_array_equal(seen[-1], x[~frame["is_label_issue"].to_numpy()])


def test_cleanlab_reads_the_labels_of_several_annotators(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, said = worked
    files = export(store, number, "lead")
    labels = pd.read_csv(io.BytesIO(files["labels_multiannotator.csv"]))  # as cleanlab documents it
    which = read_csv(files["labels_multiannotator_rows.csv"])
    assert labels.columns.tolist() == ["ann", "bob"] and which["id"].tolist() == samples(30).ids[which["row"]].tolist()
    labels.index = which["row"]
    given = samples(30).labels
    wanted = {
        p: a.label if a.label is not None else given[p] for p, a in said.items() if a.action in {"keep", "re-label"}
    }
    majority = get_majority_vote_label(labels.reset_index(drop=True), verbose=False)
    assert dict(zip(labels.index.tolist(), majority.tolist(), strict=True)) == wanted
    probabilities = np.full((len(labels), 3), 1 / 3)
    found = get_label_quality_multiannotator(labels.reset_index(drop=True), probabilities, verbose=False)
    assert found["label_quality"]["num_annotations"].tolist() == [2] * len(labels)


def _convert(files: dict[str, bytes], folder: Path) -> pd.DataFrame:
    (folder / "in").mkdir()
    (folder / "in" / "tasks.json").write_bytes(files["label_studio_tasks.json"])
    converter = Converter(files["label_config.xml"].decode(), str(folder), download_resources=False)
    converter.convert_to_csv(str(folder / "in"), str(folder / "out"), is_dir=True, sep=",", header=True)
    return pd.read_csv(folder / "out" / "result.csv")


def test_label_studio_converts_the_tasks(worked: tuple[Store, int, dict[int, Answer]], tmp_path: Path) -> None:
    store, number, said = worked
    found = _convert(export(store, number, "lead"), tmp_path)
    answered = found[found["action"].notna()]
    assert len(answered) == 2 * len(said)
    given = samples(30).labels
    for row in answered.to_dict("records"):
        answer = said[row["position"]]
        assert row["action"] == answer.action and row["lead_time"] == pytest.approx(1.0)
        label = {"keep": given[row["position"]], "re-label": answer.label}.get(answer.action)
        assert (row["label"] if isinstance(row["label"], str) else None) == (None if label is None else "abc"[label])
        assert int(row["answer"]) > 0  # which answer it is, for the way back


def test_label_studio_accepts_configuration_tasks_predictions_and_annotations(
    worked: tuple[Store, int, dict[int, Answer]],
) -> None:
    store, number, _ = worked
    files = export(store, number, "lead")
    interface = LabelInterface(files["label_config.xml"].decode())
    interface.validate()
    tasks = json.loads(files["label_studio_tasks.json"])
    assert len(tasks) == 30
    for one in tasks:
        assert interface.validate_task({"data": one["data"]})
        for prediction in one["predictions"]:
            assert interface.validate_prediction(prediction)
        for annotation in one["annotations"]:
            assert interface.validate_annotation(annotation)
    said = [a for one in tasks for a in one["annotations"]]
    assert sum(a["was_cancelled"] for a in said) == 1
    assert not any("completed_by" in a for a in said)  # the stock server refuses people whom it does not know
    told = [answer["annotator"] for one in tasks for answer in one["data"]["answers"].values()]
    assert len(told) == len(said) - 1 and set(told) == {"ann", "bob"}


def test_pictures_come_as_images(store: Store) -> None:
    number = queue(store, 4).id
    items = [{"image": f"data:image/png;base64,{i}"} for i in range(4)]
    files = export(store, number, "lead", context=Context(items=items))
    assert b'<Image name="item" value="$image" />' in files["label_config.xml"]
    assert json.loads(files["label_studio_tasks.json"])[2]["data"]["image"].endswith("base64,2")


@pytest.mark.parametrize("target", [["a", "b", "c"], [1, 5, 7], [0.5, 1.5, 2.5]])
def test_the_clean_data_keep_the_uploaded_schema(store: Store, target: list[object]) -> None:
    number = queue(store, 9, limit=9).id
    rows = np.arange(9) + 2  # two test rows lie before the training rows
    labels = [target[0], target[1], *(target[k] for k in samples(9).labels)]
    table = pd.DataFrame({"width": np.arange(11) / 8, "label": labels, "text": ["=1+1", "-x", *"abcdefghi"]})
    said = {}
    for action in ("keep", "re-label", "exclude"):
        card = serve(store, number)
        said[action] = card
        decide(store, card, Answer(action, card.suggested if action == "re-label" else None))  # type: ignore[arg-type]
    context = Context(original=Original(table, "label", rows, np.r_[0, 1, samples(9).labels]))
    clean = read_csv(export(store, number, "lead", context=context)["dataset_clean.csv"])
    wanted = table.copy()
    wanted.loc[rows[said["re-label"].position], "label"] = target[said["re-label"].suggested]
    wanted = wanted.drop(index=rows[said["exclude"].position]).reset_index(drop=True)
    pd.testing.assert_frame_equal(clean, wanted)
    only = read_csv(export(store, number, "lead", "decided", context)["dataset_clean.csv"])
    assert len(only) == 2
    without = read_csv(export(store, number, "lead")["dataset_clean.csv"])
    assert without.columns.tolist() == ["id", "label"] and len(without) == 8


def test_the_clean_data_can_be_uploaded_again(store: Store) -> None:
    names = ("=up", "-5", "'\n＝x")  # noqa: RUF001
    data = Samples("x", "again", np.array([f"={i}" for i in range(12)]), np.arange(12) % 3, names)
    number = queue(store, data=data).id
    table = pd.DataFrame({"=key": data.ids, "+size": np.arange(12) - 5, "label": np.array(names)[data.labels]})
    files = export(
        store, number, "lead", context=Context(original=Original(table, "label", np.arange(12), data.labels))
    )
    raw = read_upload("dataset_clean.csv", files["dataset_clean.csv"])
    pd.testing.assert_frame_equal(raw.frame, table, check_dtype=False)


def test_a_table_of_other_rows_is_refused(store: Store) -> None:
    number = queue(store, 4).id
    table = pd.DataFrame({"label": [0, 1, 2, 0]})
    codes = np.array([0, 1, 2, 0])
    for original in (
        Original(table, "none", np.arange(4), codes),
        Original(table, "label", np.arange(5), codes),
        Original(table, "label", np.arange(4), codes[:3]),
        Original(table, "label", np.arange(4) - 1, codes),
    ):
        with pytest.raises(AnnotationError):
            export(store, number, "lead", context=Context(original=original))


@pytest.mark.parametrize("letter", ["x", "é", "語", "=", " "])
def test_ids_of_any_length_and_kind_go_out_and_come_back(store: Store, letter: str) -> None:
    random = np.random.default_rng(0)
    ids = np.array([f"{k}{letter}" + "".join(random.choice([*"abcdef語é"], 1_900)) + letter for k in range(6)])
    number = queue(store, data=Samples("x", "long", ids, np.arange(6) % 3, ("a", "b", "c"))).id
    files = export(store, number, "lead")
    assert _issues(files)["id"].tolist() == ids.tolist()
    assert read_csv(files["dataset_clean.csv"])["id"].tolist() == ids.tolist()
    tasks = json.loads(files["label_studio_tasks.json"])
    assert [one["data"]["id"] for one in tasks] == ids.tolist()
    chosen = {"type": "choices", "from_name": "label", "value": {"choices": ["c"]}}
    for one in tasks:
        one["annotations"] = [{"result": [chosen], "completed_by": {"email": "zoe"}}]
    found = import_label_studio(store, number, json.dumps(tasks).encode(), "lead")
    assert (found.stored, dict(found.left_out)) == (6, {})


def test_rows_all_decided_or_filtered(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, said = worked
    decided = sorted(position for position, answer in said.items() if answer.action != "review")
    for rows, wanted in (("all", range(30)), ("decided", decided), (np.array([7, 3, 3]), [3, 7])):
        files = export(store, number, "lead", rows)  # type: ignore[arg-type]
        ids = samples(30).ids[list(wanted)].tolist()
        assert _issues(files)["id"].tolist() == ids
        labelled = [p for p in wanted if p in said and said[p].action in {"keep", "re-label"}]
        assert read_csv(files["labels_multiannotator_rows.csv"])["row"].tolist() == labelled
        assert [one["data"]["id"] for one in json.loads(files["label_studio_tasks.json"])] == ids
        assert json.loads(files["manifest.json"])["rows"]["exported"] == len(ids)
    with pytest.raises(AnnotationError):
        export(store, number, "lead", np.array([30]))
    with pytest.raises(AnnotationError):
        export(store, number, "lead", "some")  # type: ignore[arg-type]


def test_the_manifest_says_what_the_files_are(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, _ = worked
    store.clock.wait()  # type: ignore[attr-defined]
    files = export(store, number, "lead")
    manifest = json.loads(files["manifest.json"])
    for name, content in files.items():
        if name != "manifest.json":
            assert manifest["files"][name]["sha256"] == sha256(content).hexdigest()
    assert manifest["files"]["label_issues.csv"]["rows"] == 30
    assert manifest["trust"] == "fit converged" and "> 0: removing i hurts" in manifest["sign"]
    assert manifest["seeds"] == {"run": 0, "queue": 0} and manifest["versions"]["influence-explorer"] == __version__
    assert manifest["dataset"]["fingerprint"] == samples(30).fingerprint
    assert manifest["agreement"]["percent"]["value"] == 1.0
    assert manifest["run"]["settings"] == {"data.name": "made up"}
    assert activity(store, manifest["queue"]["dataset"], 1)[0].kind == "export"


def test_the_audit_log_holds_every_row_undone_ones_too(worked: tuple[Store, int, dict[int, Answer]]) -> None:
    store, number, _ = worked
    lines = [json.loads(line) for line in export(store, number, "lead")["audit_log.jsonl"].splitlines()]
    decisions = [line for line in lines if line["type"] == "decision"]
    assert len(decisions) == 18 and decisions[-1]["action"] == "undo" and decisions[-1]["undoes"] == decisions[-2]["id"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["kind"] for line in lines if line["type"] == "event"} == {"queue"}


def test_one_zip_holds_everything_and_is_the_same_twice(store: Store) -> None:
    files = export(store, queue(store, 4).id, "lead")
    assert zipped(files) == zipped(files)
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert archive.testzip() is None and {n: archive.read(n) for n in archive.namelist()} == files
    assert set(files) == {
        "label_issues.csv", "label_issues.parquet", "labels_multiannotator.csv", "labels_multiannotator_rows.csv",
        "label_studio_tasks.json",
        "label_config.xml", "dataset_clean.csv", "audit_log.jsonl", "manifest.json",
    }  # fmt: skip


def test_hostile_names_reach_the_files_harmless_and_come_back(store: Store, tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "<b>&\"'\x00\x07", "-1")
    data = Samples("=x", "hostile", np.array(["=1", "'=1", "＝a", "\nb", "-1", "x"]), np.arange(6) % 3, names)
    number = queue(store, data=data).id
    decide(store, serve(store, number, "=ann"), Answer("keep"))
    files = export(store, number, "lead")
    for name in ("label_issues.csv", "labels_multiannotator.csv", "dataset_clean.csv"):
        for cell in pd.read_csv(io.BytesIO(files[name]), header=None, dtype=str, keep_default_na=False).to_numpy().flat:
            assert cell[:1] not in {*"=@＝\t\r\n"} and (cell[:1] not in {"+", "-"} or float(cell)), cell  # noqa: RUF001
    parquet = pd.read_parquet(io.BytesIO(files["label_issues.parquet"]))  # no spreadsheet runs these: left as they are
    assert parquet["id"].tolist() == data.ids.tolist() and set(parquet["given_label_name"]) == set(names)
    assert [one["data"]["id"] for one in json.loads(files["label_studio_tasks.json"])] == data.ids.tolist()
    assert _issues(files)["id"].tolist() == data.ids.tolist()
    assert "=ann" in read_csv(files["labels_multiannotator.csv"]).columns
    assert len(_convert(files, tmp_path)) == 6


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n"1'])
def test_a_file_that_is_no_csv_is_said(content: bytes) -> None:
    with pytest.raises(AnnotationError, match="CSV"):
        read_csv(content)
