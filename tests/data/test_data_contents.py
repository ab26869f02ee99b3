"""What exports need of the data: contents for other tools, and the table in the schema it came in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import DataError, Problem, contents, uploads
from influence_core.annotations import Original
from influence_core.settings import DataSettings, ModelSettings, Settings

ROWS = Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax", 0.1))


def test_a_table_is_put_together_in_the_units_of_the_source() -> None:
    split = Problem(ROWS).split
    original = contents.assembled(split)
    assert original is not None
    Original(**vars(original)).check(len(split.train))
    assert list(original.table.columns) == ["id", *split.train.feature_names, "species"]
    raw = split.scaling.invert(split.train.x)
    np.testing.assert_allclose(original.table[list(split.train.feature_names)].to_numpy(), raw, atol=1e-9)
    items = contents.items(split)
    assert len(items) == len(split.train) and items[0]["text"].startswith("sepal length (cm) = ")


def test_the_kind_of_the_data_decides_what_is_shown_and_written() -> None:
    settings = Settings(DataSettings("digits"), ModelSettings("softmax", 0.1))
    split = Problem(settings).split
    assert contents.items(split)[0].keys() == {"image"} and contents.assembled(split) is None
    other = replace(split, train=replace(split.train, kind="row"))  # images that only go along
    assert contents.items(other)[0].keys() == {"text"} and contents.assembled(other) is not None


@pytest.mark.parametrize("column", ["", "name"])
def test_the_uploaded_table_is_found_again_row_by_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, column: str
) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(60, 2)).round(3), columns=["a", "b"])
    table["name"] = [f"n{k}" for k in random.permutation(60)]
    table["label"] = np.where(table["a"] > 0, "yes", "no")
    content = table.to_csv(index=False).encode()
    raw = uploads.read_upload("mine.csv", content)
    mapping = uploads.ColumnMapping("label", ("a", "b"), "classification", id=column)
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    settings = Settings(DataSettings("upload", (("id", key),)), ModelSettings("logistic", 0.1))
    split = Problem(settings).split
    original = contents.uploaded(settings.data, split, "mine.csv", content)
    Original(**vars(original)).check(len(split.train))
    rows = original.table.iloc[original.rows]
    np.testing.assert_allclose(
        rows[["a", "b"]].to_numpy().astype(float), split.scaling.invert(split.train.x), atol=1e-9
    )
    assert (rows["label"].to_numpy() == np.array(split.train.class_names)[split.train.y]).all()
    with pytest.raises(DataError, match="got another one"):
        contents.uploaded(settings.data, split, "mine.csv", content + b"1,2,x,yes\n")
    with pytest.raises(DataError, match="that were uploaded"):
        contents.uploaded(ROWS.data, split, "mine.csv", content)
