"""The python layout of CIFAR-10 and CIFAR-100: batches that are pickles of Python 2.

They are read by an unpickler that knows the four names NumPy arrays need and refuses every other.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from shards.errors import SourceError
from shards.sources.cifar_binary import ROW_BYTES, Batch
from shards.sources.cifar_layouts import CIFAR10, Cifar

# NumPy's own function for unpickling arrays; its module is private and has moved between versions.
_RECONSTRUCT = np.empty(0).__reduce__()[0]


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: Mapping[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _encode_latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}")
        return allowed[module, name]


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused encoding {encoding}")
    return text.encode("latin1")


def parse_batch(content: bytes, name: str, dataset: Cifar = CIFAR10) -> Batch:
    """The batch in the pickle ``content``.

    Raises:
        SourceError: it refers to a foreign name, or its arrays do not fit together.
    """
    try:
        raw = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels = np.asarray(raw[b"data"])
        fine = raw[b"fine_labels" if dataset.coarse else b"labels"]
        labels = tuple(int(label) for label in fine)
        coarse = tuple(int(label) for label in raw[b"coarse_labels"]) if dataset.coarse else ()
        names = tuple(entry.decode("utf-8", "replace") for entry in raw[b"filenames"])
    except Exception as error:
        raise SourceError(
            f"{name} is not a {dataset.title} batch ({type(error).__name__}: {error}); "
            f"fetch {dataset.layouts[0].archive} again from its publisher"
        ) from error
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), ROW_BYTES):
        raise SourceError(
            f"{name}: pixels are {pixels.dtype} {pixels.shape}, not uint8 ({len(labels)}, 3072)"
        )
    if len(names) != len(labels) or (dataset.coarse and len(coarse) != len(labels)):
        raise SourceError(
            f"{name}: {len(names)} file names and {len(coarse)} coarse labels for "
            f"{len(labels)} labels; fetch {dataset.layouts[0].archive} again"
        )
    return Batch(pixels, labels, coarse, names)
