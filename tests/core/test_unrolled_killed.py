"""An unrolled run whose process is killed: finished columns are there for the next one, and only the rest is made."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from test_unrolled import found, run

from influence_core.compute import ResultStore, Task
from influence_core.influence.unrolled import scores as columns

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_unrolled import found, run
from influence_core.compute import ResultStore, Task
from influence_core.influence.unrolled import scores as columns

columns.MOST = 1  # a column at a time
save, saved = ResultStore.save, []

def saving(store, name, **arrays):
    save(store, name, **arrays)
    saved.append(name)
    if len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

ResultStore.save = saving
found(run(), Task(store=ResultStore(Path(sys.argv[1]))), "run")
"""


def test_a_killed_process_leaves_its_finished_columns_to_the_next(tmp_path, monkeypatch):
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(here), str(here.parents[1])]
    assert subprocess.run(command, check=False, timeout=300).returncode == -signal.SIGKILL
    computed, compute = [], columns.computed
    monkeypatch.setattr(columns, "computed", lambda *asked: (computed.extend(asked[1]), compute(*asked))[1])
    case = run()
    resumed = found(case, Task(store=ResultStore(tmp_path)), "run")
    assert len(computed) == len(case.test) - 2
    whole = found(replace(case))
    np.testing.assert_allclose(resumed, whole, rtol=1e-9, atol=1e-14)
