"""Whatever file comes, the answer is one sentence or data shown as plain text: soon, and in little memory."""

from __future__ import annotations

import gc
import re
import time
from pathlib import Path

import pytest

from influence_core.data import DataError, uploads
from tests.hostile import containers, files

CASES = files.CASES | containers.CASES
SECONDS, MEGABYTES = 5.0, 300
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(which: str) -> float:
    """Memory of this process in MB: VmRSS is now, VmHWM the highest since the last reset."""
    found = re.search(rf"{which}:\s+(\d+) kB", STATUS.read_text())
    return int(found[1]) / 1024 if found else 0.0


def through(name: str, content: bytes, change=lambda guess: guess):
    raw = uploads.read_upload(name, content)
    columns = uploads.describe_columns(raw)
    built = uploads.build(raw, change(uploads.guess_mapping(raw, columns)))
    return built, uploads.warnings(built, columns), columns


def assert_one_sentence(sentence: str) -> None:
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    assert not re.search(r"[.!?]\s+[A-Z]", sentence), "more than one sentence"
    assert re.search(r"[Ee]xpected", sentence), "does not say what was expected"
    assert not re.search(r"Traceback|Error\b|File \"|/home|/work|/tmp|site-packages", sentence)
    assert sentence.isprintable()


def test_there_are_enough_cases_of_every_kind():
    assert len(CASES) >= 100
    assert {case.file.rpartition(".")[2] for case in CASES.values()} >= {"csv", "txt", "parquet", "npz", "zip"}


@pytest.mark.parametrize("name", CASES)
def test_file(name, tmp_path, monkeypatch):
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    content = case.content()
    gc.collect()
    measured = RESET.exists()
    if measured:
        RESET.write_text("5")
    before, start = resident("VmRSS") if measured else 0.0, time.process_time()
    try:
        built, warnings, columns = through(case.file, content, case.mapping)
    except DataError as error:
        assert_one_sentence(str(error))
        assert case.words, f"refused, but is fine: {error}"
        assert case.words in str(error)
    else:
        assert not case.words, f"accepted, expected a refusal with {case.words!r}"
        data = built.table.dataset
        shown = [*data.feature_names, *data.class_names, data.target_name, *data.ids[:50], *warnings, *built.notes]
        shown += [built.name, *(data.hover if data.hover is not None else [])[:50], *(c.example for c in columns)]
        assert all(text.isprintable() and len(text) < 400 for text in shown)
        assert "/" not in built.name
    # Seconds of the processor: other work on the machine must not decide, but a shared core does less in each.
    assert time.process_time() - start < 2 * SECONDS
    if measured:
        assert resident("VmHWM") - before < MEGABYTES
    assert not list(tmp_path.iterdir()), "something was written"
