"""The binary layout of CIFAR-10 and CIFAR-100: rows of one or two label bytes and 3,072 pixels.

Layout: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import SourceError

ROW_BYTES = 3 * 32 * 32


@dataclass(frozen=True)
class Batch:
    """One decoded batch file of any layout: pixels [n, 3072] (three planes), and of each row the
    label, the coarse label (none in CIFAR-10) and the name.
    """

    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    coarse: tuple[int, ...]
    names: tuple[str, ...]


def parse_binary(content: bytes, name: str, label_bytes: int) -> Batch:
    """The batch in a binary file's ``content``; rows are named by their number.

    Args:
        content: the whole file.
        name: what the file is called.
        label_bytes: 1 in CIFAR-10; 2 in CIFAR-100, the coarse label before the fine one.

    Raises:
        SourceError: it is empty, or does not consist of whole rows.
    """
    size = label_bytes + ROW_BYTES
    if not content or len(content) % size:
        raise SourceError(
            f"{name}: {len(content)} bytes are not whole rows of {size}; "
            f"the file is cut short or of another dataset: fetch its archive again"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, size)
    return Batch(
        pixels=rows[:, label_bytes:],
        labels=tuple(rows[:, label_bytes - 1].tolist()),
        coarse=tuple(rows[:, 0].tolist()) if label_bytes == 2 else (),
        names=tuple(f"{name}[{row}]" for row in range(len(rows))),
    )
