"""Texts of one's own: guessed, joined, limited, kept without pickles, and asked about, whatever file they come in."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import analyse
from influence_core.data import DataError, load, uploads
from influence_core.data.split import split
from influence_core.data.uploads.store import UploadStore
from influence_core.settings import DataSettings, ModelSettings, Settings, to_query

WORDS = {"good": "excellent film with a moving story", "bad": "dull film and a tired plot"}


def frame(n=40, extra=False):
    random = np.random.default_rng(0)
    labels = ["good" if k % 2 else "bad" for k in range(n)]
    said = [
        f"{WORDS[label]} {' '.join(random.choice(list('abcdefgh'), 6))} number {k}" for k, label in enumerate(labels)
    ]
    table = pd.DataFrame({"text": said, "label": labels})
    if extra:
        table.insert(0, "title", [f"Review of the {k}th night at the cinema" for k in range(n)])
    return table


def as_csv(table, separator=","):
    return table.to_csv(index=False, sep=separator).encode()


def as_parquet(table):
    kept = io.BytesIO()
    table.to_parquet(kept)
    return kept.getvalue()


def as_lines(table):
    return "\n".join(json.dumps(row) for row in table.to_dict("records")).encode()


def as_folders(table, top=""):
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for k, (text, label) in enumerate(zip(table["text"], table["label"], strict=True)):
            archive.writestr(f"{top}{label}/{k:03d}.txt", text)
    return kept.getvalue()


FILES = {
    "reviews.csv": as_csv,
    "reviews.tsv": lambda table: as_csv(table, "\t"),
    "reviews.parquet": as_parquet,
    "reviews.jsonl": as_lines,
    "reviews.zip": as_folders,
}


def understood(name, content):
    raw = uploads.read_upload(name, content)
    return raw, uploads.guess_mapping(raw, uploads.describe_columns(raw))


@pytest.mark.parametrize("name", FILES)
def test_a_column_of_texts_is_guessed_and_its_words_become_the_features(name, tmp_path):
    raw, mapping = understood(name, FILES[name](frame()))
    assert mapping.prose == ("text",)
    assert mapping.features == ()
    assert mapping.target in {"label", "class"}
    built = uploads.build(raw, mapping)
    assert sorted(built.table.dataset.texts) == sorted(frame()["text"])
    assert built.table.dataset.class_names == ("bad", "good")
    store = UploadStore(tmp_path)
    kept = store.load(store.save(built))
    assert kept.words == built.table.words
    assert kept.dataset.texts.tolist() == built.table.dataset.texts.tolist()
    made = split(kept, DataSettings(test_fraction=0.2), 0)
    assert {"excellent", "dull", "film"} <= {*made.train.feature_names}
    again = uploads.mapping_of(json.loads((next(tmp_path.iterdir()) / "manifest.json").read_text())["mapping"])
    assert again == mapping


def test_folders_may_say_train_and_test():
    table = frame()
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for k, (text, label) in enumerate(zip(table["text"], table["label"], strict=True)):
            archive.writestr(f"{'test' if k > 31 else 'train'}/{label}/{k}.txt", text)
    raw, mapping = understood("reviews.zip", kept.getvalue())
    assert (mapping.split, mapping.id) == ("split", "file")
    built = uploads.build(raw, mapping)
    assert len(built.table.test) == 8


def test_texts_in_one_folder_have_no_classes():
    with pytest.raises(DataError, match="at least 2 folders"):
        understood("x.zip", as_folders(frame().assign(label="same"), "b/"))


def test_several_columns_are_joined_and_other_features_are_an_alternative():
    raw, mapping = understood("reviews.csv", as_csv(frame(extra=True)))
    assert mapping.prose == ("title", "text")
    built = uploads.build(raw, mapping)
    assert built.table.dataset.texts[3] == f"Review of the 3th night at the cinema\n{frame()['text'][3]}"
    numbers = frame().assign(stars=np.arange(40) % 5 * 1.5)
    raw, mapping = understood("reviews.csv", as_csv(numbers))
    assert mapping.features == ("stars",)
    assert mapping.prose == ()


def test_short_codes_and_names_are_no_texts():
    table = frame().assign(text=[f"AB-{k}" for k in range(40)])
    assert understood("codes.csv", as_csv(table))[1].prose == ()


def test_too_long_a_text_is_refused_with_its_row():
    table = frame()
    table.loc[7, "text"] = "word " * 5_000
    raw, mapping = understood("reviews.csv", as_csv(table))
    with pytest.raises(DataError, match=r"at most 20,000 characters, got 2\d,\d{3} in row 8"):
        uploads.build(raw, mapping)


def test_marks_that_turn_the_writing_around_are_taken_out():
    table = frame()
    table.loc[3, "text"] = "<b>bold</b>\u202e turned\u2066 around \x07 and\nlines stay & so on"
    raw, mapping = understood("reviews.jsonl", as_lines(table))
    found = uploads.build(raw, mapping).table.dataset.texts
    assert found[3] == "<b>bold</b>  turned  around   and\nlines stay & so on"


def test_missing_texts_are_empty_and_equal_ones_are_told():
    table = frame()
    table.loc[[4, 6], "text"] = table["text"][0], None
    raw, mapping = understood("reviews.csv", as_csv(table))
    built = uploads.build(raw, mapping)
    assert built.table.dataset.texts[6] == ""
    said = uploads.warnings(built, uploads.describe_columns(raw))
    assert any("rows repeat" in sentence for sentence in said)


def test_texts_and_features_at_once_are_refused():
    raw, mapping = understood("reviews.csv", as_csv(frame().assign(stars=1.5)))
    both = type(mapping)("label", ("stars",), "classification", prose=("text",))
    with pytest.raises(DataError, match="got both"):
        uploads.build(raw, both)


def test_mappings_without_texts_keep_their_fingerprint():
    mapping = uploads.ColumnMapping("y", ("a", "b"), "regression", readings=())
    assert repr(mapping) == (
        "ColumnMapping(target='y', features=('a', 'b'), task='regression', id='', split='', hover='', "
        "numbers='refuse', texts='refuse', target_gaps='refuse', readings=())"
    )


def test_an_upload_of_texts_is_asked_about(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    raw, mapping = understood("reviews.csv", as_csv(frame()))
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    data = DataSettings("upload", (("id", key),), test_fraction=0.2)
    analysis = analyse(Settings(data=data, model=ModelSettings("logistic", 0.01), estimator="newton"))
    assert analysis.problem.accuracy(analysis.problem.fitted.theta) == 1.0
    assert np.isfinite(analysis.scores([0])).all()


def test_how_texts_become_features_is_a_setting_of_the_data_and_not_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    raw, mapping = understood("reviews.csv", as_csv(frame()))
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    every, ten, common, pairs = (
        {*load(DataSettings("upload", (("id", key), *chosen), test_fraction=0.2), 0).train.feature_names}
        for chosen in (
            (("least", 1),), (("least", 1), ("words", 10)), (("least", 9),), (("least", 9), ("pairs", "yes")),
        )
    )  # fmt: skip
    assert len(ten) == 10 <= len(common) < len(every)
    assert {name for name in pairs if " " not in name} == common
    assert "moving story" in pairs
    query = to_query(Settings(DataSettings("upload", (("id", key), ("words", 10)))))
    assert query["data.words"] == "10"
    numbers = pd.DataFrame({"a": np.arange(20.0), "label": ["x", "y"] * 10})
    raw = uploads.read_upload("n.csv", as_csv(numbers))
    key = uploads.upload_store().save(uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw))))
    assert load(DataSettings("upload", (("id", key), ("words", 10)), test_fraction=0.2), 0).train.feature_names == (
        "a",
    )


HOSTILE = (
    "<script>alert('x')</script> & <img src=x onerror=alert(1)> offer",
    "\u202eright to left\u202c שלום עולם offer",
    "",
    "offer",
    "the and of to the and",
    "😀 👩‍👩‍👧 offer 🎉🎉",
    "x" * 19_000,
    "café naïve Überraschung ﬁne İstanbul offer",
    '=HYPERLINK(1) offer, "quoted"\nand another line',
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_that_mean_harm_come_in_as_texts_whatever_the_encoding(encoding, tmp_path):
    table = pd.DataFrame({"text": HOSTILE * 6, "label": ["good", "bad", "bad"] * 18, "n": range(54)})
    raw = uploads.read_upload("t.csv", table.to_csv(index=False).encode(encoding))
    mapping = type(uploads.guess_mapping(raw, uploads.describe_columns(raw)))(
        "label", (), "classification", prose=("text",)
    )
    store = UploadStore(tmp_path)
    kept = store.load(store.save(uploads.build(raw, mapping)))
    found = kept.dataset.texts.tolist()
    assert found[:9] == [text.replace("\u202e", " ").replace("\u202c", " ") for text in HOSTILE]
    made = split(kept, DataSettings(test_fraction=0.2), 0)
    assert {"offer", "café", "שלום"} <= {*made.train.feature_names}
    assert np.isfinite(made.train.x.data).all()


def test_files_of_a_folder_may_have_encodings_of_their_own_and_bytes_that_are_none():
    encodings = ("latin-1", "utf-8", "utf-16", "utf-8")
    said = [f"{'nul{}' if k // 2 % 4 == 3 else 'café'} offer number {k} stands in this file" for k in range(16)]
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for k, text in enumerate(said):
            content = text.replace("{}", "\0").encode(encodings[k // 2 % 4])
            archive.writestr(f"{'good' if k % 2 else 'bad'}/{k:02d}.txt", content)
    raw, mapping = understood("reviews.zip", kept.getvalue())
    built = uploads.build(raw, mapping)
    found = dict(zip(built.table.dataset.ids, built.table.dataset.texts, strict=True))
    assert [found[f"{'good' if k % 2 else 'bad'}/{k:02d}.txt"] for k in range(16)] == [
        t.replace("{}", " ") for t in said
    ]
    with zipfile.ZipFile(kept, "a") as archive:
        archive.writestr("bad/17.txt", bytes(range(4)) * 50 + bytes(100))
    with pytest.raises(DataError, match="Expected text in 'bad/17.txt', got bytes that are none"):
        understood("reviews.zip", kept.getvalue())


def test_a_word_of_a_million_characters_is_refused_with_its_row():
    table = frame()
    table.loc[5, "text"] = "x" * 1_000_000
    raw, mapping = understood("reviews.csv", as_csv(table))
    with pytest.raises(DataError, match="got 1,000,000 in row 6"):
        uploads.build(raw, mapping)
