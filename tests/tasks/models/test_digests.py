import hashlib
from pathlib import Path

from tasks.models.digests import facts_sha256, file_sha256, files_sha256


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert file_sha256(tmp_path / "empty").startswith("e3b0c44298fc1c149afb")


def test_several_files_and_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    assert files_sha256([one]) == hashlib.sha256(b"1").hexdigest()
    assert len({files_sha256(each) for each in ([one], [one, other], [other, one])}) == 3


def test_facts_in_any_order() -> None:
    assert facts_sha256({"a": 1, "b": [2]}) == facts_sha256({"b": [2], "a": 1})
    assert facts_sha256([1, 2]) != facts_sha256([2, 1])
