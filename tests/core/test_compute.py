"""Products, blocks, devices, and the store: atomic, bounded, and nothing a damaged file could break."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from influence_core import compute
from influence_core.compute import (
    Cancelled,
    NotStored,
    Recent,
    ResultStore,
    Task,
    Workspace,
    blocks,
    choose_device,
    data_folder,
    fingerprint,
    gram,
    numpy,
    once,
    product,
    stacked,
)
from influence_core.compute import store as store_module
from influence_core.compute.lazy import single
from influence_core.compute.products import LONG, _libraries, _Threads
from influence_core.compute.spread import allowed
from influence_core.compute.store import STALE_SECONDS
from influence_core.files import write_whole
from tests.waiting import until


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (0, 4, 5), (3, 0, 5), (3, 4, 0)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products(shape, transposed):
    n, k, m = shape
    random = np.random.default_rng(0)
    a = torch.as_tensor(random.normal(size=(k, n))).T if transposed else torch.as_tensor(random.normal(size=(n, k)))
    b = torch.as_tensor(random.normal(size=(k, m)))
    np.testing.assert_allclose(product(a, b), np.einsum("ik,kj->ij", a, b), rtol=1e-12, atol=1e-14)
    room = Workspace(a)("product", n, m)
    assert product(a, b, room).data_ptr() == room.data_ptr()
    np.testing.assert_allclose(room, product(a, b), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gram(a), np.einsum("ki,kj->ij", a, a), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(gram(a), gram(a).T)


@pytest.mark.parametrize("small", [0.0, 1e9])
def test_products_into_room_that_is_there(small, monkeypatch):
    monkeypatch.setattr(compute.products, "SMALL", small)  # by NumPy and by torch
    a, b, room = torch.rand(5, 4), torch.rand(4, 6), Workspace(torch.empty(0))
    first = room("one", 7, 6)
    again = product(a, b, room("one", 5, 6))
    assert again.data_ptr() == first.data_ptr()
    np.testing.assert_allclose(again, a.numpy() @ b.numpy(), rtol=1e-6)
    assert room("one", 9, 9).shape == (9, 9)
    assert room("one", 9, 9).dtype == torch.float32


@pytest.mark.parametrize("transposed", [False, True])
def test_stacks_of_products(transposed):
    a, b = torch.rand(4, 5, 3).double(), torch.rand(4, 3, 2).double()
    a = a.mT.contiguous().mT if transposed else a
    np.testing.assert_allclose(stacked(a, b), np.einsum("rmk,rkn->rmn", a, b), rtol=1e-12)


@pytest.mark.parametrize(("total", "size", "budget"), [(10, 1, 3), (10, 5, 3), (0, 1, 3), (7, 1, 100), (9, 0, 4)])
def test_blocks_cover_everything_once(total, size, budget):
    found = list(blocks(total, size, budget))
    assert [i for part in found for i in range(part.start, part.stop)] == list(range(total))
    assert all((part.stop - part.start) * size <= budget or part.stop - part.start == 1 for part in found)


def test_devices():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device().type == choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ValueError, match=f"Device '{name}' was asked for, but this machine has no CUDA device"):
        choose_device(name)


def test_results_leave_as_numpy():
    found = numpy(torch.ones(2, requires_grad=True))
    assert isinstance(found, np.ndarray)


def test_a_task_reports_and_stops():
    seen = []
    task = Task(report=lambda done, total: seen.append((done, total)))
    task.tick(1, 3)
    task.cancel.set()
    with pytest.raises(Cancelled):
        task.tick(2, 3)
    assert seen == [(1, 3)]
    assert not Task().cancel.is_set()


def test_inner_ticks_let_others_go_first_and_report_nothing():
    seen, task = [], None
    task = Task(report=lambda *progress: seen.append(progress), turn=lambda: seen.append("turn"))
    task.tick()
    assert seen == ["turn"]
    task = Task(turn=lambda: task.cancel.set())  # cancelled while it waited
    with pytest.raises(Cancelled):
        task.tick()


# --- the store


def test_what_is_stored_comes_back(tmp_path):
    store = ResultStore(tmp_path / "new" / "folder")
    arrays = {"a": np.arange(6.0).reshape(2, 3), "flags": np.array([True, False]), "empty": np.empty((0, 3))}
    store.save("key", **arrays)
    found = store.load("key")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert store.load("other") is None
    assert ResultStore(tmp_path / "nowhere").load("key") is None
    looking = ResultStore(store.folder, finished=True)
    np.testing.assert_array_equal(looking.load("key")["a"], arrays["a"])
    with pytest.raises(NotStored):  # where nothing shall be computed
        looking.load("other")


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "folder"])
def test_a_damaged_file_is_like_none(tmp_path, damage):
    store = ResultStore(tmp_path)
    store.save("key", a=np.arange(1000.0))
    (path,) = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        flipped = whole[:600] + bytes([whole[600] ^ 255]) + whole[601:]
        path.write_bytes({"empty": b"", "text": b"hello", "cut": whole[:-100], "flipped": flipped}[damage])
    assert store.load("key") is None


def test_nothing_is_unpickled(tmp_path):
    store = ResultStore(tmp_path)
    store.save("key", a=np.arange(3.0))
    (path,) = tmp_path.glob("*.npz")
    with path.open("wb") as file:
        np.savez(file, a=np.array([{"an": "object"}], dtype=object))
    assert store.load("key") is None


def test_a_reader_sees_all_or_nothing(tmp_path):
    """Writers replace the same key while a reader looks: every answer is one writer's arrays, whole."""
    store, stop, seen = ResultStore(tmp_path), threading.Event(), []

    def write(number):
        while not stop.is_set():
            store.save("key", a=np.full(2_000, number), b=np.full(3, number))

    writers = [threading.Thread(target=write, args=(number,)) for number in (1.0, 2.0)]
    for writer in writers:
        writer.start()

    def both_were_read():
        found = store.load("key")
        if found is not None:
            seen.append(set(found["a"]) | set(found["b"]))
        return len(seen) > 50 and all(number in set().union(*seen) for number in (1.0, 2.0))

    until(both_were_read, pause=0.0)
    stop.set()
    for writer in writers:
        writer.join()
    assert all(values in ({1.0}, {2.0}) for values in seen)
    assert not list(tmp_path.glob("*.part"))


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    store = ResultStore(tmp_path)
    store.save("key", a=np.arange(3.0))

    def full(*_arguments, **_arrays):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        store.save("key", a=np.arange(4.0))
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert len(store.load("key")["a"]) == 3


def test_the_oldest_unused_goes_first(tmp_path):
    store = ResultStore(tmp_path, max_bytes=3 * 8_500)
    for age, key in ((3, "a"), (2, "b"), (1, "c")):
        store.save(key, x=np.zeros(1_000))
        newest = max(tmp_path.glob("*.npz"), key=os.path.getmtime)
        os.utime(newest, (time.time() - 100 * age,) * 2)
    assert store.load("a") is not None  # used now, so it is the youngest
    store.save("d", x=np.zeros(1_000))
    assert store.load("b") is None
    assert all(store.load(key) is not None for key in "acd")
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= store.max_bytes


WRITER = """
import sys, pathlib
sys.path.insert(0, sys.argv[3])
import numpy as np
from store import ResultStore  # the file alone: nothing heavy is imported
store, name = ResultStore(pathlib.Path(sys.argv[1]), 10 * 8_500), sys.argv[2]
for k in range(40):
    store.save(f"{name}{k}", x=np.full(1_000, k))
    for back in range(3):
        found = store.load(f"{name}{k - back}")
        assert found is None or (found["x"] == k - back).all() and len(found["x"]) == 1_000
"""


def test_processes_that_share_a_store_keep_its_bound_and_never_break_a_reader(tmp_path):
    store = ResultStore(tmp_path, 10 * 8_500)
    store.save("mine", x=np.arange(1_000))
    source = str(Path(store_module.__file__).parent)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name, source]) for name in "ab"]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        found = store.load("mine")
        if found is None:  # evicted while nobody looked
            store.save("mine", x=np.arange(1_000))
        else:
            seen += 1
            np.testing.assert_array_equal(found["x"], np.arange(1_000))
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen
    assert not list(tmp_path.glob("*.part"))
    store.save("last", x=np.zeros(1_000))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= store.max_bytes


def test_leftovers_of_killed_writers_go_and_files_in_use_stay(tmp_path):
    store, old, new = ResultStore(tmp_path), tmp_path / "old.part", tmp_path / "new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - STALE_SECONDS - 60,) * 2)
    store.save("key", x=np.zeros(3))
    assert not old.exists()
    assert new.exists()


def test_what_was_used_since_the_folder_was_listed_stays(tmp_path, monkeypatch):
    """Another process reads a result between the listing and the deletion."""
    store = ResultStore(tmp_path, max_bytes=100)
    listed = store_module.listed

    def then_used(folder, pattern):
        found = listed(folder, pattern)
        for _, _, path in found:
            os.utime(path, (time.time() + 10,) * 2)
        return found

    monkeypatch.setattr(store_module, "listed", then_used)
    store.save("key", x=np.zeros(1_000))
    assert store.load("key") is not None


# --- hashes and single computation


def test_fingerprints_see_values_shapes_types_and_order():
    base = np.arange(6.0)
    different = [
        fingerprint(base),
        fingerprint(base.reshape(2, 3)),
        fingerprint(base.astype(np.float32)),
        fingerprint(base[::-1]),
        fingerprint(base, base),
        fingerprint(np.array(["a", "b"])),
        fingerprint(np.array(["ab"])),
        fingerprint("a", "b"),
        fingerprint("ab"),
        fingerprint(1),
        fingerprint(1.0),
    ]
    assert len(set(different)) == len(different)
    assert fingerprint(base) == fingerprint(base.copy())
    assert fingerprint(np.asfortranarray(base.reshape(2, 3))) == fingerprint(base.reshape(2, 3))
    assert fingerprint(np.arange(12.0)[::2]) == fingerprint(np.arange(12.0)[::2].copy())


def test_threads_that_ask_together_compute_once():
    calls, asking, found = [], [], []

    class Slow:
        @once
        def value(self):
            calls.append(1)
            until(lambda: len(asking) == 8)
            return object()

    slow = Slow()

    def ask():
        asking.append(1)
        found.append(slow.value)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(set(map(id, found))) == 1
    assert Slow().value is not slow.value


def test_a_failed_computation_is_tried_again_and_may_use_others():
    class Twice:
        tries = 0

        @once
        def first(self):
            self.tries += 1
            if self.tries == 1:
                raise RuntimeError("not yet")
            return 20

        @once
        def second(self):
            return self.first + 1

    twice = Twice()
    with pytest.raises(RuntimeError):
        _ = twice.second
    assert twice.second == 21
    assert isinstance(Twice.first, once)


def test_the_data_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("INFLUENCE_DATA_DIR")
    assert data_folder().name == "influence-explorer"


def test_the_last_few_results_are_kept():
    recent, made = Recent(2), []

    def ask(key):
        return recent.get(key, lambda: made.append(key) or key * 10)

    assert [ask(key) for key in (1, 2, 1, 3, 1, 2)] == [10, 20, 10, 30, 10, 20]
    assert made == [1, 2, 3, 2]  # 2 was the oldest when 3 came


def test_recent_results_go_where_room_is_short_but_never_the_newest():
    recent = Recent(9, room=5, takes=len)
    for key in ("a", "bb", "cc"):
        assert recent.put(key, key) == key
    assert recent.find("a") == "a" and recent.find("d") is None  # the youngest again
    recent.put("ddd", "ddd")
    assert list(recent.kept) == ["a", "ddd"]
    recent.put("much", "m" * 9)
    assert list(recent.kept) == ["much"]
    recent.put("much", "less")
    assert recent.find("much") == "less" and len(recent.kept) == 1


def test_a_file_that_fails_its_check_leaves_the_old_one(tmp_path):
    file = tmp_path / "folder" / "file"
    write_whole(file, b"old")
    seen = []
    with pytest.raises(ValueError, match="could not convert"):
        write_whole(file, b"no number", lambda path: seen.append(path) or float(path.read_text()))
    assert file.read_bytes() == b"old" and list(file.parent.iterdir()) == [file] and seen[0].parent == file.parent


def test_recent_results_of_many_threads_do_not_mix():
    recent, wrong = Recent(3), []

    def ask(seed):
        for key in np.random.default_rng(seed).integers(0, 6, size=300):
            if recent.get(int(key), lambda key=key: int(key)) != key:
                wrong.append(key)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(recent.kept) == 3


def test_a_failure_is_not_kept():
    recent = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("key", lambda: 1 / 0)
    assert recent.get("key", lambda: 5) == 5


def test_threads_that_ask_at_once_share_one_thing() -> None:
    made = list[str]()

    @single
    def slow(name: str) -> list[str]:
        made.append(name)
        time.sleep(0.1)
        return [name]

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(slow, ["one", "other"] * 4)]
    assert sorted(made) == ["one", "other"]
    assert all(one is slow(one[0]) for one in found)


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3).T, np.array(2.5), np.empty((0, 4)), np.array(["é", "long"]),
     np.array([True, False]), np.arange(3).astype("datetime64[D]"), np.zeros(2, "U0")],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_a_fingerprint_is_that_of_the_bytes(array: np.ndarray) -> None:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes() + b"\0")
    assert fingerprint(array) == digest.hexdigest()


@pytest.fixture
def blas_threads() -> Iterator[Callable[[], int]]:
    """How many threads NumPy's BLAS uses now; as before afterwards."""
    libraries = _libraries().lib_controllers
    if not libraries:
        pytest.skip("this NumPy has no BLAS of its own")
    before = [one.num_threads for one in libraries]
    yield lambda: int(libraries[0].num_threads)
    for one, count in zip(libraries, before, strict=True):
        one.set_num_threads(count)


def test_one_thread_for_blas_but_for_a_long_product(blas_threads: Callable[[], int]) -> None:
    threads = _Threads()
    before = blas_threads()
    with threads(LONG):
        assert blas_threads() == before  # a library leaves them alone
    threads.keep_few()
    assert blas_threads() == 1
    with threads(LONG / 2):
        assert blas_threads() == 1
    with allowed(3), threads(LONG):
        assert blas_threads() == 3
        with threads(LONG):  # of another page: the first one has the cores
            assert blas_threads() == 3
        assert blas_threads() == 3
    assert blas_threads() == 1
    with pytest.raises(ZeroDivisionError), allowed(3), threads(LONG):
        raise ZeroDivisionError
    assert blas_threads() == 1
