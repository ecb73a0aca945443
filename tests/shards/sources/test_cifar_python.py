import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards.errors import SourceError
from shards.sources.cifar import CifarSource
from shards.sources.cifar_python import parse_batch
from tests.shards.sources.made_cifar import ROW, made_batch, made_folder


class Foreign:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_something_is_refused(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    content = pickle.dumps({b"labels": [0], b"data": Foreign(marker)}, protocol=protocol)
    source_folder = made_folder(tmp_path / "x", {"test_batch": content})
    with pytest.raises(SourceError, match=r"test_batch is not .*refused to load posix\.system"):
        list(CifarSource.open(source_folder, "test").read(0, 1))
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists(), "the pickle of this test is harmless"


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfrombuffer\n.",
        b"\x80\x04\x8c\x05numpy\x94\x8c\x0flib.format.open\x94\x93.",
        b"c_codecs\nencode\n(S'x'\nS'zip_codec'\ntR.",
        b"c_codecs\ndecode\n(S'x'\ntR.",
        b"Pid\n.",
    ],
)
def test_other_globals_are_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match="test_batch is not a CIFAR-10 batch"):
        parse_batch(content, "test_batch")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        made_batch()[:-500],
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [0]}),
        made_batch(labels=[1, 2]),
        made_batch(filenames=[b"only one"]),
        made_batch(data=np.zeros((4, ROW), np.float32)),
        made_batch(data=np.zeros((4, 100), np.uint8)),
        made_batch(labels=["cat"] * 4),
        made_batch(labels=None),
    ],
)
def test_a_damaged_batch(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match="test_batch"):
        parse_batch(content, "test_batch")
