"""What leaves fits the file that came: byte for byte, in its order, for the user's own X and y."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cleanlab.classification import CleanLearning
from PIL import Image
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import Problem, Task, contents, originals, uploads
from influence_core.annotations import (
    Answer,
    Context,
    Original,
    Plan,
    create_queue,
    decide,
    export,
    next_card,
    open_store,
)
from influence_core.reviewing import Recipe, duplicates, run, samples, score, under_review
from influence_core.settings import DataSettings, ModelSettings, Settings


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)


def lines_of(separator: str, comma: bool, quote: str, end: str) -> list[str]:
    random = np.random.default_rng(0)
    found = [separator.join(f"{quote}{name}{quote}" for name in ("code", "height", "remark", "label")) + end]
    for k in range(60):
        height = float(random.normal())
        number = f"{height:.2f}".replace(".", ",") if comma else f"{height:.2f}"
        label = "grün" if height + 0.2 * random.normal() > 0 else "blau"
        remark = ("=1+1", "NA", " x", "-5 % off", "+49 30")[k % 5]
        found.append(separator.join((f"{k:05d}", number, remark, f"{quote}{label}{quote}")) + end)
    return found


FLAVOURS = {
    "plain": (lines_of(",", False, "", "\n"), "utf-8", ".csv"),
    "semicolons and decimal commas": (lines_of(";", True, "", "\r\n"), "latin-1", ".csv"),
    "tabs": (lines_of("\t", False, "", "\n"), "utf-8", ".tsv"),
    "quotes and a byte-order mark": (lines_of(",", False, '"', "\r\n"), "utf-8-sig", ".csv"),
    "UTF-16": (lines_of(";", False, '"', "\n"), "utf-16", ".csv"),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_five_kinds_of_csv_come_back_with_label_cells_changed_and_rows_left_out_alone(flavour: str) -> None:
    lines, encoding, ending = FLAVOURS[flavour]
    content = "".join(lines).encode(encoding)
    raw = uploads.read_upload(f"mine{ending}", content)
    mapping = uploads.ColumnMapping("label", ("height",), "classification")
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    originals.keep_original(key, content)
    settings = Settings(DataSettings("upload", (("id", key),), test_fraction=0.3), ModelSettings("logistic", 0.1))
    recipe = Recipe(settings, None, ("margin", "loss", "self_influence", "random"))
    scored = score(recipe, Problem(settings), Task())
    store, plan = open_store(), Plan("margin", duplicates=duplicates(scored))
    number = create_queue(store, samples(scored.whole, "mine"), run(scored, recipe), plan, "lead").id
    changed: dict[int, str] = {}
    for action in ("re-label", "exclude", "re-label", "keep"):
        card = next_card(store, number, "Ada")
        assert card is not None
        label = card.suggested if action == "re-label" else None
        decide(replace(store, clock=lambda card=card: card.served_at + 1), card, Answer(action, label))  # type: ignore[arg-type]
        changed[int(card.name.split()[1]) - 1] = action
    kept = originals.kept_original(key)
    assert kept is not None and kept[1] == content  # nobody is asked for it again
    split = under_review(Problem(settings)).split
    sheet = contents.uploaded(settings.data, split, *kept)
    files = export(store, number, "lead", context=Context(original=Original(**vars(sheet))))
    wanted = [lines[0]]
    for k, line in enumerate(lines[1:]):
        if changed.get(k) == "re-label":
            line = line.replace("grün", "?").replace("blau", "grün").replace("?", "blau")
        if changed.get(k) != "exclude":
            wanted.append(line)
    assert files[f"dataset_clean{ending}"] == "".join(wanted).encode(encoding)
    issues = pd.read_csv(io.BytesIO(files["label_issues.csv"]))
    assert issues["row"].tolist() == list(range(60))  # in the order of the file, whole, wherever a row was held out
    assert {row: issues["action"][row] for row in changed} == changed
    cells = [
        line.rstrip("\r\n").split(lines[0][lines[0].index("height") - 1 - ('"' in lines[0])]) for line in lines[1:]
    ]
    x = np.array([[float(cell[1].replace(",", "."))] for cell in cells])
    y = np.array([cell[3].strip('"') == "grün" for cell in cells]).astype(int)
    fitted = CleanLearning(LogisticRegression()).fit(x, y, label_issues=issues)
    assert len(fitted.get_label_issues()) == 60
    table = originals.original_rows(key, split)
    assert table is not None and table["remark"].tolist()[:2] == ["=1+1", "NA"]
    assert table["code"].tolist() == [f"{k:05d}" for k in range(60)]


def test_a_picture_of_an_archive_is_found_as_it_was() -> None:
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(12):
            image = io.BytesIO()
            Image.fromarray(random.integers(0, 255, (480, 640, 3), dtype=np.uint8)).save(image, "PNG")
            archive.writestr(f"pets/{'cat' if k % 2 else 'dog'}/photo{k}.png", image.getvalue())
    content = buffer.getvalue()
    raw = uploads.read_upload("pets.zip", content)
    mapping = uploads.guess_mapping(raw, uploads.describe_columns(raw))
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    settings = Settings(DataSettings("upload", (("id", key),)), ModelSettings("logistic", 0.1))
    train = Problem(settings).split.train
    assert originals.original_picture(key, str(train.ids[0])) is None
    originals.keep_original(key, content)
    for name in train.ids.tolist():
        found = originals.original_picture(key, name)
        assert found is not None and Image.open(io.BytesIO(found)).size == (640, 480)
        small = originals.thumbnail(key, name, 64)
        assert small is not None and small.shape == (64, 64, 3)
        assert (small[:8] == 127).all() and (small[-8:] == 127).all()  # 640 × 480 is 64 × 48 there
        expected = np.asarray(Image.open(io.BytesIO(found)).resize((64, 48), Image.Resampling.BICUBIC), dtype=float)
        assert np.abs(small[8:56] - expected).max() <= 2
    assert originals.original_picture(key, "photo") is None
    assert originals.thumbnail(key, "photo", 64) is None
