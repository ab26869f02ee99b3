"""A large file is read in another process: the same page, a bar on the way, the same sentences where it is wrong."""

import threading
import time
from contextlib import nullcontext

from influence_core.compute import Task
from influence_core.data import uploads
from influence_core.data.uploads import taking
from pages.components.data import elsewhere
from tests.pages.test_upload_wizard import fine, fingerprint, folder, given, opened, table
from tests.waiting import PATIENCE

__all__ = ["folder"]


def large(monkeypatch):
    """Every file counts as large, and this process reads none."""

    def here(*_given):
        raise AssertionError("read in the process that answers clicks")

    monkeypatch.setattr(uploads, "AT_ONCE", 0)
    monkeypatch.setattr(taking, "read_upload", here)
    monkeypatch.setattr(taking, "build", here)


def used(app):
    app.button(key="upload.use").click().run()
    return fingerprint(app)


def test_a_large_file_is_read_and_built_elsewhere_and_is_the_same_upload(monkeypatch):
    here = used(given(opened(), table()))
    large(monkeypatch)
    app = given(opened(), table())
    fine(app)
    assert app.selectbox(key="upload.target").value == "label"
    assert [metric.label for metric in app.metric][:2] == ["Rows", "Features"]
    assert used(app) == here


def test_what_is_wrong_with_a_large_file_is_the_same_sentence(monkeypatch):
    large(monkeypatch)
    app = given(opened(), b"  ", "x.csv")
    assert not app.exception
    assert app.error[0].value.startswith("Expected data in")


def test_large_files_are_read_in_turn_and_one_that_fails_lets_the_next_begin(monkeypatch):
    monkeypatch.setattr(elsewhere, "_TURN", threading.BoundedSemaphore(1))
    inside, most = [], []

    def aside(number, task):
        inside.append(number)
        most.append(len(inside))
        time.sleep(0.3)
        inside.remove(number)
        if number == 0:
            raise ValueError("odd")
        return number

    monkeypatch.setattr(elsewhere.core, "aside", lambda _work, number, task: aside(number, task), raising=False)
    monkeypatch.setattr(elsewhere, "waiting", lambda _words: nullcontext(Task()))
    found, failed = [], []

    def visitor(number):
        try:
            found.append(elsewhere.elsewhere("Reading", 2**30, aside, number))
        except ValueError as error:
            failed.append(str(error))

    visitors = [threading.Thread(target=visitor, args=(number,)) for number in range(3)]
    for one in visitors:
        one.start()
    for one in visitors:
        one.join(PATIENCE)
    assert sorted(found) == [1, 2] and failed == ["odd"]
    assert most == [1, 1, 1]
