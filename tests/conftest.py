"""What all tests share: the folder of the larger data sets, where there is one."""

import os
from pathlib import Path

_NEIGHBOUR = Path(__file__).resolve().parents[2] / "shared" / "data"

if _NEIGHBOUR.is_dir():
    os.environ.setdefault("INFLUENCE_DATA_DIR", str(_NEIGHBOUR))
