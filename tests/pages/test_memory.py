"""Memory goes back when the last browser has left: what Streamlit keeps of sessions, and worker processes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from influence_core.compute.task import Call, Task
from influence_core.compute.workers import Workers, end_idle
from pages.components.session import keeping
from tests.core import made_pieces


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "_instance", None)


@pytest.mark.usefixtures("no_runtime")
def test_a_session_whose_time_is_over_is_forgotten_though_nobody_else_comes(tmp_path: Path) -> None:
    storage = MemorySessionStorage(ttl_seconds=0)
    (tmp_path / "page.py").touch()

    async def visit() -> tuple[int, int, str]:
        server = Runtime(
            RuntimeConfig(
                str(tmp_path / "page.py"),
                MemoryMediaFileStorage("/media"),
                MemoryUploadedFileManager("/upload"),
                session_storage=storage,
            )
        )
        await server.start()
        session = server.connect_session(MagicMock(), MagicMock())
        server.disconnect_session(session)
        kept = list(storage._cache._data.values())
        await asyncio.to_thread(keeping.forget_sessions)
        await asyncio.sleep(0)
        server.stop()
        await server.stopped
        return len(kept), len(storage._cache._data), kept[0].session._state.name

    with ThreadPoolExecutor(1) as thread:  # this one may hold a loop, of the tests in Chromium
        assert thread.submit(asyncio.run, visit()).result() == (1, 0, "SHUTDOWN_REQUESTED")


def test_worker_processes_that_do_nothing_end_and_new_ones_come() -> None:
    workers = Workers(1)
    first = workers.run([Call(made_pieces.process)], Task())
    assert workers.processes == first
    end_idle()
    assert not workers.processes
    assert workers.run([Call(made_pieces.process)], Task()) != first
