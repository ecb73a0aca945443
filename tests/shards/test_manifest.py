import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from shards.errors import ShardError
from shards.manifest import MANIFEST_NAME, Manifest
from shards.sample import ClassList
from shards.store import Store
from tests.shards.made import CLASSES, FOLDER, ListSource, build, made_sample, made_source


@pytest.fixture
def manifest(store: Store) -> Manifest:
    return build(made_source(), store)


def changed(manifest: Manifest, **changes: Any) -> bytes:
    return json.dumps(json.loads(manifest.to_json()) | changes).encode()


def test_counts_add_up(manifest: Manifest) -> None:
    assert (manifest.entries, manifest.samples, manifest.unlabelled) == (11, 10, 1)
    assert manifest.class_counts == (3, 3, 3)
    assert [shard.nsamples for shard in manifest.shardlist] == [2, 3, 3, 2]
    assert [row.model_dump() for row in manifest.skipped] == [
        {"source_name": "broken.png", "reason": "zero bytes"}
    ]
    assert manifest.classes == CLASSES


def test_shards_are_what_their_entries_say(store: Store, manifest: Manifest) -> None:
    for shard in manifest.shardlist:
        tar = store.read(f"{FOLDER}/{shard.url}")
        assert (len(tar), hashlib.sha256(tar).hexdigest()) == (shard.filesize, shard.sha256)


def test_the_version_is_the_digest_of_the_file(store: Store, manifest: Manifest) -> None:
    raw = store.read(f"{FOLDER}/{MANIFEST_NAME}")
    assert manifest.dataset_version == hashlib.sha256(raw).hexdigest()
    again = Manifest.from_json(raw, "x")
    assert again == manifest
    assert again.dataset_version == manifest.dataset_version


def test_it_is_a_shard_index_of_wids(manifest: Manifest) -> None:
    index = json.loads(manifest.to_json())
    assert index["__kind__"] == "wids-shard-index-v1"
    assert index["wids_version"] == 1
    assert index["name"] == "made-test"
    for shard in index["shardlist"]:
        assert isinstance(shard["url"], str)
        assert isinstance(shard["nsamples"], int)
    assert sum(shard["nsamples"] for shard in index["shardlist"]) == 10


def test_it_names_no_path_host_or_time(manifest: Manifest, tmp_path: Path) -> None:
    text = manifest.to_json().decode()
    assert str(tmp_path) not in text
    assert "/" not in text
    assert set(json.loads(text)) == {
        *("__kind__", "wids_version", "name", "schema_name", "schema_version", "dataset", "split"),
        *("layout", "class_ids", "class_names", "class_counts", "entries", "samples"),
        *("unlabelled", "skipped", "notes", "digests", "shardlist", "checksum"),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"entries": 12},
        {"samples": 9},
        {"unlabelled": 0},
        {"class_counts": [3, 3, 4]},
        {"skipped": []},
        {"shardlist": []},
        {"schema_version": 2},
        {"__kind__": "another"},
        {"entries": -1},
        {"unknown": 1},
    ],
)
def test_wrong_counts_and_strange_versions_are_refused(
    manifest: Manifest, changes: dict[str, Any]
) -> None:
    with pytest.raises(ShardError, match=r"here/manifest\.json is not a manifest"):
        Manifest.from_json(changed(manifest, **changes), "here/manifest.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"class_counts": [3, 6]},
        {"class_names": ["ant"]},
        {"class_ids": ["ant", "ant", "bee"]},
    ],
)
def test_class_columns_that_do_not_fit_are_refused(
    manifest: Manifest, changes: dict[str, Any]
) -> None:
    with pytest.raises(ShardError, match=r"here/manifest\.json is not a manifest"):
        Manifest.from_json(changed(manifest, **changes), "here/manifest.json")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"__kind__": '])
def test_what_is_no_manifest(raw: bytes) -> None:
    with pytest.raises(ShardError, match=r"here/manifest\.json is not a manifest"):
        Manifest.from_json(raw, "here/manifest.json")


def test_a_key_in_two_shards_is_refused(store: Store) -> None:
    entries = [made_sample(0), made_sample(1), made_sample(0)]
    with pytest.raises(ShardError, match="key made_000 belongs to 2 samples"):
        build(ListSource(entries), store, samples_per_shard=2)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")


def test_a_target_beyond_the_classes_is_refused(store: Store) -> None:
    source = ListSource([made_sample(0, 1), made_sample(1, 2)], ClassList.of_names(("a", "b")))
    with pytest.raises(ShardError, match=r"targets \[2\] in a dataset of 2 classes"):
        build(source, store)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")
