"""What all tests share: larger data sets, one thread per worker, no time limits on examples, and which are slow."""

import atexit
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
SLOW = (  # whole pages, Chromium, killed writers, training, hundreds of files and estimators, everything published
    "browser",
    "pages",
    "figures",
    "hostile",
    "lessons",
    "annotations/test_exports.py",
    "annotations/test_killed_writers.py",
    "annotations/test_label_studio.py",
    "annotations/test_progress.py",
    "annotations/test_several_servers.py",
    "cli/test_cli_shards.py",
    "core/test_brought_",
    "core/test_cells.py",
    "core/test_cluster.py",
    "core/test_exactness.py",
    "core/test_far_training.py",
    "core/test_forest.py",
    "core/test_penalty.py",
    "core/test_situations.py",
    "core/test_streamed",
    "core/test_flips.py",
    "core/test_scikit_",
    "core/test_sparse_rows.py",
    "core/test_text_rivals.py",
    "core/test_training.py",
    "core/test_unrolled",
    "core/test_word_truth.py",
    "core/test_wrapping.py",
    "core/test_workers",
    "data/test_data_embedding.py",
    "data/test_data_external.py",
    "data/test_data_stored.py",
    "data/test_data_uploads.py",
    "data/test_rewriting.py",
    "data/test_upload_",
    "mislabels/test_own_files.py",
    "mislabels/test_quality.py",
    "test_readme.py",
)
_NEIGHBOUR = Path(__file__).resolve().parents[2] / "shared" / "data"

if "PYTEST_XDIST_WORKER" in os.environ:  # before NumPy comes: workers whose threads take turns on a core are slower
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("INFLUENCE_SCHEDULER", "threads")  # jobs of pages; worker processes have tests of their own

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def _data_folder() -> str:
    """A new one with the larger data sets of the given folder, or of that beside: nothing is stored in a person's."""
    given, own = Path(os.environ.get("INFLUENCE_DATA_DIR") or _NEIGHBOUR), tempfile.mkdtemp(prefix="influence-tests-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    for file in [*given.glob("*.npz"), *given.glob("*.csv")]:
        (Path(own) / file.name).symlink_to(file.resolve())
    return own


os.environ["INFLUENCE_DATA_DIR"] = _data_folder()


@pytest.fixture(autouse=True)
def one_start_of_chance() -> None:
    """A verdict must not hang on the weights a module happens to begin with, nor on the tests that ran before."""
    seed = int(os.environ.get("INFLUENCE_TEST_SEED", "0"))  # others are tried by hand: any must pass
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """A page drawn in a test takes the place of the main module, which processes that are spawned later would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m "not slow"`` is the quick tier, for the inner loop."""
    slow = tuple(map(str, (TESTS / name for name in SLOW)))
    for item in items:
        if str(item.path).startswith(slow) or "[postgresql" in item.name:  # SQLite asks the same
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what tests have measured, also where a worker ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
