"""What is kept of an image to find its copies: a digest of its pixels, and a small picture of it.

1,088 bytes per image, made once per shard: the bytes of a shard decide them.
"""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from shards.reader import StoredSample

SIGNATURE_REVISION = 1
"""Raise it when a signature of the same image changes."""
SIDE = 32
"""Of the grey picture; any image is squeezed to it, whatever its aspect."""
CELLS = 4
"""Colour is kept in so many cells a side."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R BT.601."""
COLOUR_ZERO = 128

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("pixels", pa.binary(32)),
        pa.field("grey", pa.binary(SIDE * SIDE)),
        pa.field("colour", pa.binary(2 * CELLS * CELLS)),
    ]
)
"""One row per sample of the shard; all but the key are null where the image does not decode."""


@dataclass(frozen=True, eq=False)
class Signatures:
    """Signatures of the images that decode.

    Attributes:
        keys: one per image.
        pixels: SHA-256 of mode RGB, size and pixels.
        grey: uint8 [n, 32, 32].
        colour: uint8 [n, 2, 4, 4], blue and red less luma, halved, 128 for none.
        unreadable: how many images of the shards do not decode and are not here.
    """

    keys: Sequence[str]
    pixels: Sequence[bytes]
    grey: NDArray[np.uint8]
    colour: NDArray[np.uint8]
    unreadable: int

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> "Signatures":
        """From tables of ``SCHEMA``."""
        whole = pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()
        good = whole.filter(whole["pixels"].is_valid())
        return cls(
            keys=good["key"].to_pylist(),
            pixels=good["pixels"].to_pylist(),
            grey=_bytes_of(good["grey"]).reshape(-1, SIDE, SIDE),
            colour=_bytes_of(good["colour"]).reshape(-1, 2, CELLS, CELLS),
            unreadable=whole.num_rows - good.num_rows,
        )


def signature_table(samples: Iterable[StoredSample]) -> pa.Table:
    """The signatures of a shard's samples, a table of ``SCHEMA``."""
    keys: list[str] = []
    digests: list[bytes | None] = []
    pictures: list[NDArray[np.uint8]] = []
    for sample in samples:
        found = _decode(sample.image)
        keys.append(sample.key)
        digests.append(None if found is None else found[0])
        pictures.append(np.zeros((SIDE, SIDE, 3), np.uint8) if found is None else found[1])
    small = np.asarray(pictures, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
    bad = np.array([digest is None for digest in digests], dtype=bool)
    columns = [
        pa.array(keys, pa.string()),
        pa.array(digests, pa.binary(32)),
        _column(_grey(small), bad, SIDE * SIDE),
        _column(_colour(small), bad, 2 * CELLS * CELLS),
    ]
    return pa.table(columns, schema=SCHEMA)


def _decode(image: bytes) -> tuple[bytes, NDArray[np.uint8]] | None:
    try:
        with Image.open(io.BytesIO(image)) as opened:
            rgb = opened.convert("RGB")
    # What Pillow's plugins raise on damaged files has no common base.
    except Exception:
        return None
    digest = hashlib.sha256(b"RGB %d %d " % rgb.size + rgb.tobytes()).digest()
    if rgb.size != (SIDE, SIDE):
        rgb = rgb.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return digest, np.asarray(rgb)


def _grey(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = np.rint(small @ LUMA).astype(np.uint8)
    return grey


def _colour(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blue and red less luma, per cell."""
    size = SIDE // CELLS
    cells = small.reshape(-1, CELLS, size, CELLS, size, 3).mean(axis=(2, 4), dtype=np.float32)
    luma = cells @ LUMA
    differences = np.stack([cells[..., 2] - luma, cells[..., 0] - luma], axis=1)
    return np.rint(differences / 2 + COLOUR_ZERO).astype(np.uint8)


def _column(values: NDArray[np.uint8], bad: NDArray[np.bool_], width: int) -> pa.Array:
    rows = values.reshape(len(values), width)
    return pa.array(
        [None if missing else row.tobytes() for row, missing in zip(rows, bad, strict=True)],
        pa.binary(width),
    )


def _bytes_of(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(column.to_pylist()), dtype=np.uint8)
