"""Uploads of a team without the wizard: their files in the data folder of a server, and the link to their queue."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from influence_core.analysis import Problem, Task, originals, uploads
from influence_core.annotations import Plan, create_queue, open_store
from influence_core.reviewing import Recipe, duplicates, offered, run, samples, score
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session import links
from pages.components.session.view import View

SHAPES = ("circle", "triangle")


@dataclass(frozen=True)
class Sent:
    """A file and how it is read."""

    name: str
    content: bytes
    mapping: uploads.ColumnMapping | None = None


def pictures(width: int, height: int, count: int = 40) -> Sent:
    """Shapes on noise, one in ten in the folder of another."""
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(count):
            image = Image.fromarray(random.integers(90, 130, (height, width), dtype=np.uint8))
            side, shape = min(width, height) // 2, k % 2
            left, top = ((size - side) // 2 + int(random.integers(-size // 12, size // 12)) for size in (width, height))
            box, pen = (left, top, left + side, top + side), ImageDraw.Draw(image)
            corners = [(left, top + side), (left + side // 2, top), (left + side, top + side)]
            pen.polygon(corners, fill=230) if shape else pen.ellipse(box, fill=230)
            file = io.BytesIO()
            image.save(file, "PNG")
            archive.writestr(f"shapes/{SHAPES[shape ^ (k % 10 == 0)]}/photo {k:02d}.png", file.getvalue())
    return Sent("shapes.zip", buffer.getvalue())


def rows(columns: int, classes: tuple[str, ...] = ("good", "bad"), count: int = 120) -> Sent:
    """Numbers, categories and a remark that is left out; one label in ten is another."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, columns - 2)).round(2)
    table = pd.DataFrame(x, columns=[f"measurement {k + 1}" for k in range(columns - 2)])
    table["colour of the part"] = random.choice(["red", "green", "blue"], count)
    used = tuple(table.columns)
    table["remark"] = [f"part {k}, seen by the second shift" for k in range(count)]
    kinds = np.argsort(np.argsort(x[:, 0] + x[:, 1] / 2)) * len(classes) // count
    table["label"] = [classes[(k + (row % 10 == 0)) % len(classes)] for row, k in enumerate(kinds)]
    return Sent("parts.csv", table.to_csv(index=False).encode(), uploads.ColumnMapping("label", used, "classification"))


def queued(folder: Path, sent: Sent, model: str = "logistic", **plan: object) -> str:
    """Keep the file in the data folder, queue all its rows.

    Returns:
        Path and query of the queue's first card.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_DATA_DIR", str(folder))
        patch.delenv("INFLUENCE_DB_URL", raising=False)
        raw = uploads.read_upload(sent.name, sent.content)
        mapping = sent.mapping or uploads.guess_mapping(raw, uploads.describe_columns(raw))
        key = uploads.upload_store().save(uploads.build(raw, mapping))
        originals.keep_original(key, sent.content)
        settings = Settings(DataSettings("upload", (("id", key),)), ModelSettings(model, 0.1))
        recipe = Recipe(settings, None, offered(("margin", "gradient_norm", "validation_influence")))
        scored, store = score(recipe, Problem(settings), Task()), open_store()
        groups = duplicates(scored)
        chosen = Plan("margin", duplicates=groups, **plan)  # type: ignore[arg-type]
        made = create_queue(store, samples(scored.whole, sent.name), run(scored, recipe, groups), chosen, "lead")
        store.close()
    return f"Mislabels?{urlencode(links.write(settings, View(version=made.version, panel='review')))}"
