"""Fetching with a stand-in for the network, and the tables that come from the data folder."""

import io
import threading
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from influence_core.compute import Cancelled, Task
from influence_core.data import DATASETS, DataError, external, load
from influence_core.data import openml as openml_module
from influence_core.data.bundled import FIRES_COLUMNS, read_fires
from influence_core.data.external import fetch, found, read_mnist
from influence_core.data.openml import openml
from influence_core.settings import DataSettings
from tests.waiting import PATIENCE, until

CSV = (
    ",".join(FIRES_COLUMNS)
    + "\n7,5,mar,fri,86.2,26.2,94.3,5.1,8.2,51,6.7,0,0\n7,4,oct,tue,90.6,35.4,669.1,6.7,18,33,0.9,0,2.5\n"
)


class Fake:
    """A download that counts its calls and returns or raises what it is given."""

    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def __call__(self, _task):
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def digits_file():
    random, buffer = np.random.default_rng(0), io.BytesIO()
    x = random.integers(0, 256, (60, 784), np.uint8)
    y = np.tile(np.array([1, 7], np.uint8), 30)
    np.savez_compressed(buffer, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return buffer.getvalue(), x, y


def test_a_missing_file_is_downloaded_once_and_kept(tmp_path):
    path, download = tmp_path / "new" / "forestfires.csv", Fake(CSV.encode())
    for _ in range(2):
        fetch(path, read_fires, download, "the table", Task())
    assert download.calls == 1 and path.read_text() == CSV and len(found(path, read_fires, "the table")) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["forestfires.csv"]


@pytest.mark.parametrize(
    "failure",
    [
        URLError("no route to host"),
        TimeoutError("timed out"),
        ValueError("md5 checksum of local file does not match"),
        ImportError("needs pandas"),
        PermissionError(13, "Permission denied", "/home/somebody/secret"),
    ],
)
def test_a_failed_download_says_what_to_put_where(tmp_path, failure):
    path = tmp_path / "forestfires.csv"
    with pytest.raises(DataError) as caught:
        fetch(path, read_fires, Fake(failure), "the UCI table", Task())
    reason = getattr(failure, "strerror", None) or str(getattr(failure, "reason", failure))[:20]
    for words in ("could not be fetched", "put the UCI table as forestfires.csv into", "INFLUENCE_DATA_DIR", reason):
        assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_download_is_not_kept(tmp_path):
    content = digits_file()[0]
    for damaged in (b"", b"<html>sorry</html>", content[:1000], CSV.encode()):
        with pytest.raises(DataError, match="could not be fetched"):
            fetch(tmp_path / "mnist_32k.npz", read_mnist, Fake(damaged), "an npz file", Task())
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_reported_and_not_replaced(tmp_path):
    path, download = tmp_path / "mnist_32k.npz", Fake(digits_file()[0])
    path.write_bytes(b"not an archive")
    with pytest.raises(DataError, match=r"mnist_32k.npz is damaged .* replace or delete it"):
        found(path, read_mnist, "an npz file")
    fetch(path, read_mnist, download, "an npz file", Task())
    assert download.calls == 0 and path.read_bytes() == b"not an archive"


def test_a_download_appears_under_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    def interrupted(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(DataError, match="disk full"):
        fetch(tmp_path / "forestfires.csv", read_fires, Fake(CSV.encode()), "the table", Task())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(DataError, match="could not be fetched"):
        fetch(tmp_path / "occupied" / "forestfires.csv", read_fires, Fake(CSV.encode()), "the table", Task())


def test_sources_fetch_into_the_data_folder(tmp_path, monkeypatch):
    content, x, y = digits_file()
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(external, "openml_mnist", Fake(content))
    assert not DATASETS["mnist_large"].present
    with pytest.raises(
        DataError, match=r"mnist_32k.npz is not in the data folder: press Fetch it now on the Data page"
    ):
        load(DataSettings("mnist_large"), 0)
    DATASETS["mnist_large"].fetch(Task())
    split = load(DataSettings("mnist_large", standardise=False), 0)
    assert DATASETS["mnist_large"].present and (tmp_path / "mnist_32k.npz").is_file()
    rows = [int(name.removeprefix("mnist-large-")) for name in split.train.ids]
    assert np.array_equal(split.train.x, x[rows] / 255) and np.array_equal(split.train.y, y[rows] == 7)


def test_openml_answers_become_the_files_we_read(tmp_path, monkeypatch):
    class Bunch:
        data = np.repeat(np.arange(70_000, dtype=np.int64)[:, None] % 256, 784, axis=1)
        target = np.array(["5", "0"] * 35_000, dtype=object)

    asked = []
    monkeypatch.setattr(openml_module, "fetch_openml", lambda name, **_: asked.append(name) or Bunch)
    fetch(tmp_path / "m.npz", read_mnist, external.openml_mnist, "", Task())
    pixels, labels = read_mnist(tmp_path / "m.npz")
    assert asked == ["mnist_784"] and len(pixels) == len(labels) == 32_699
    assert pixels[[0, 22_698, 22_699], 0, 0].tolist() == [0, 22_698 % 256, 60_000 % 256] and set(labels) == {0, 5}


def slow_openml(home, release, seen=(), pieces=4, ended=None):
    """Writes half a megabyte once the one before was reported, then waits to be released: a slow line."""

    def fetcher(name, version, as_frame, data_home, n_retries):
        home.append(Path(data_home))
        for piece in range(pieces):
            (Path(data_home) / f"{name}-{piece}").write_bytes(bytes(500_000))
            until(lambda piece=piece: seen and seen[-1][0] >= min(0.5 * (piece + 1), seen[-1][1]))
        release.wait(PATIENCE)
        if ended is not None:
            ended.set()
        return "bunch"

    return fetcher


def test_the_growth_of_the_files_is_reported(monkeypatch):
    home, release, seen = [], threading.Event(), []
    monkeypatch.setattr(openml_module, "fetch_openml", slow_openml(home, release, seen))
    monkeypatch.setattr(openml_module, "POLL", 0.03)
    task = Task(report=lambda done, total: (seen.append((done, total)), release.set() if done == 1.9 else None))
    assert openml("digits", 1.9, True, task) == "bunch"
    assert seen == sorted(seen) and seen[-1] == (1.9, 1.9)  # never beyond what was announced
    assert {done for done, _ in seen} >= {0.5, 1.0, 1.5, 1.9}
    assert not home[0].exists()


def test_a_cancelled_download_ends_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    home, release, seen, cancel, ended = [], threading.Event(), [], threading.Event(), threading.Event()
    monkeypatch.setattr(openml_module, "fetch_openml", slow_openml(home, release, seen, 2, ended))
    task = Task(report=lambda *at: (seen.append(at), cancel.set() if at[0] >= 1 else None), cancel=cancel)
    with pytest.raises(Cancelled):
        fetch(tmp_path / "m.npz", read_mnist, external.openml_mnist, "", task)
    assert not ended.is_set()  # nobody waited for the line
    assert list(tmp_path.iterdir()) == [] and not home[0].exists()
    release.set()
    ended.wait(PATIENCE)


def test_a_line_without_an_answer_is_given_up(tmp_path, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(openml_module, "fetch_openml", slow_openml([], release, pieces=0))
    monkeypatch.setattr(openml_module, "PATIENCE", 0.3)
    with pytest.raises(DataError, match="no answer from OpenML within 0 s"):
        fetch(tmp_path / "m.npz", read_mnist, external.openml_mnist, "", Task())
    release.set()


@pytest.mark.skipif(not DATASETS["mnist_large"].present, reason="mnist_32k.npz is not in the data folder")
def test_the_real_digits_are_all_ones_and_sevens():
    split = load(DataSettings("mnist_large", (("held_out", 6),), standardise=False), 0)
    assert len(split.train) == 7099 and np.bincount(np.r_[split.train.y, split.test.y]).tolist() == [3716, 3384]
    with np.load(Path(external.data_folder()) / "mnist_32k.npz", allow_pickle=False) as stored:
        wanted = np.flatnonzero(np.isin(stored["y_train"], [1, 7]))[6]
        assert np.array_equal(split.test.images[0].ravel(), stored["x_train"][wanted])
