"""Large values go beside a message, once each, whatever holds them."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from influence_core.compute.packing import LARGE, Arrays, packed, unpacked

LONG = [f"text number {k} of many" for k in range(LARGE // 8)]
LARGE_ONES = {
    "array": np.arange(LARGE, dtype=np.float64),
    "bytes": bytes(range(256)) * LARGE,
    "tensor": torch.arange(LARGE, dtype=torch.float64),
    "table of numbers": pd.DataFrame({"a": np.arange(float(LARGE)), "b": np.arange(LARGE)}),
    "table of texts": pd.DataFrame({"a": pd.array(LONG, dtype="string[pyarrow]")}),
    "column of texts": pa.array(LONG, pa.large_string()),
}


def same(found: Any, value: Any) -> bool:
    if isinstance(value, torch.Tensor | pd.DataFrame | pa.Array):
        return bool(found.equals(value)) if not isinstance(value, torch.Tensor) else torch.equal(found, value)
    return bool(np.array_equal(found, value)) if isinstance(value, np.ndarray) else bool(found == value)


@pytest.mark.parametrize("kind", LARGE_ONES)
def test_a_large_value_goes_beside_the_message_and_comes_back(kind: str) -> None:
    value, kept = LARGE_ONES[kind], dict[str, np.ndarray]()
    content = packed({"twice": [value, value]}, Arrays(kept.__setitem__))
    assert len(content) < 8_000
    assert kept
    one, other = unpacked(content, kept.__getitem__)["twice"]
    assert same(one, value) and same(other, value)


@pytest.mark.parametrize("kind", LARGE_ONES)
def test_a_value_that_goes_within_the_message_comes_back(kind: str) -> None:
    assert same(unpacked(packed(LARGE_ONES[kind])), LARGE_ONES[kind])
