from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from tests.shards.sources.made_cifar import made_folder, made_rows, opened


@pytest.mark.parametrize("content", [b"", made_rows(3, 1)[:-1], made_rows(3, 2), b"junk"])
def test_a_binary_batch_that_is_cut(tmp_path: Path, content: bytes) -> None:
    folder = made_folder(tmp_path / "x", {"test_batch.bin": content})
    with pytest.raises(SourceError, match=r"test_batch\.bin: \d+ bytes are not whole rows of 3073"):
        opened(folder)


def test_a_binary_label_that_is_no_class(tmp_path: Path) -> None:
    content = bytearray(made_rows(3, 1))
    content[3073] = 10
    source = opened(made_folder(tmp_path / "x", {"test_batch.bin": bytes(content)}))
    results = list(source.read(0, 3))
    assert results[1] == Skipped("test_batch.bin[1]", "no such class: 10")
    assert source.labels() == [0, None, 2]
    assert [r.label for r in results if isinstance(r, Sample)] == [0, 2]
