import os
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.store import Store
from tests.shards.made import FOLDER, build
from tests.shards.sources.made_folders import JPEG, PNG, made_folder, opened


def test_identity_moves_with_files_and_options(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/1.png", "ant/2.png", "bee/3.png")
    identities = {
        opened(tmp_path).identity,
        opened(tmp_path, classes=("bee", "ant")).identity,
        opened(tmp_path, label_pattern=r"(\d)").identity,
        opened(tmp_path, include="**/[12].png").identity,
    }
    assert opened(tmp_path).identity in identities
    made_folder(tmp_path, "ant/1.png", image=JPEG)
    identities.add(opened(tmp_path).identity)
    (tmp_path / "ant/2.png").rename(tmp_path / "ant/4.png")
    identities.add(opened(tmp_path).identity)
    assert len(identities) == 6


def test_identity_does_not_move_with_the_place(tmp_path: Path) -> None:
    one = made_folder(tmp_path / "one", "ant/1.png")
    two = made_folder(tmp_path / "two", "ant/1.png")
    assert opened(one).identity == opened(two).identity


def test_a_broken_image_gives_the_same_manifest_everywhere(tmp_path: Path, store: Store) -> None:
    manifests = []
    for place in ("one", "two"):
        root = made_folder(tmp_path / place, "ant/1.png")
        made_folder(root, "ant/broken.jpg", image=b"\xff\xd8\xff" + b"junk" * 9)
        manifests.append(build(opened(root), store, place))
    assert manifests[0].to_json() == manifests[1].to_json()


@pytest.mark.parametrize("change", ["gone", "longer", "touched"])
def test_a_file_that_is_not_as_it_was_listed_ends_the_build(
    tmp_path: Path, store: Store, change: str
) -> None:
    """Its recipe is that of the files as listed: other bytes in it would stay there for ever."""
    source = opened(made_folder(tmp_path, "ant/1.png", "ant/2.png"))
    path = tmp_path / "ant/2.png"
    match change:
        case "gone":
            path.unlink()
        case "longer":
            path.write_bytes(PNG + b"more")
            os.utime(path, ns=(0, 0))
        case "touched":
            os.utime(path, ns=(1, 1))
    told = "cannot be read .No such file" if change == "gone" else "changed since it was listed"
    with pytest.raises(SourceError, match=rf"ant/2\.png .*{told}"):
        build(source, store)
    assert store.names(FOLDER) == []


def test_a_file_that_must_not_be_read_is_skipped_until_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_folder(tmp_path, "ant/1.png", "ant/2.png")
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, _: not os.fspath(path).endswith("2.png"))
        before = opened(tmp_path)
    [_, skipped] = before.read(0, 2)
    assert skipped == Skipped("ant/2.png", "Permission denied")
    after = opened(tmp_path)
    assert before.identity != after.identity
    assert all(isinstance(result, Sample) for result in after.read(0, 2))


def test_a_range_moves_with_its_files_alone(tmp_path: Path) -> None:
    made_folder(tmp_path, *[f"ant/{i}.png" for i in range(6)])
    before = opened(tmp_path, classes=("ant", "bee"))
    assert (before.notes, before.labels()) == ((), [0] * 6)
    made_folder(tmp_path, "ant/3.png", image=JPEG)
    made_folder(tmp_path, "bee/7.png", "bee/8.txt")
    after = opened(tmp_path, classes=("ant", "bee"))
    assert after.labels() == [0] * 6 + [1, None]
    same = [before.range_identity(i, i + 1) == after.range_identity(i, i + 1) for i in range(6)]
    assert same == [True, True, True, False, True, True]


def test_a_label_or_key_that_moves_moves_the_range(tmp_path: Path) -> None:
    made_folder(tmp_path, "bee/1.png", "bee/2.png")
    before = opened(tmp_path).range_identity(0, 1)
    made_folder(tmp_path, "cat/1.png")  # now base names are equal
    assert opened(tmp_path).range_identity(0, 1) != before
    (tmp_path / "cat/1.png").rename(tmp_path / "cat/3.png")
    assert opened(tmp_path).range_identity(0, 1) == before
    made_folder(tmp_path, "ant/4.png")  # bee is class 1 now
    assert opened(tmp_path).range_identity(1, 2) != before
