"""Pictures at rest: images copied from shards into the folder of a page, each of them once."""

from collections.abc import Sequence

from shards.errors import NightmarkError
from shards.manifest import MANIFEST_NAME
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.report.thumbnails import picture_stem, thumbnail


def copy_pictures(
    store: Store, folder: str, shards_folder: str, keys: Sequence[str]
) -> tuple[dict[str, str], str]:
    """The file of each key that has a picture in the folder by now, and why others have none."""
    there = {name.partition(".")[0]: name for name in store.names(folder)}
    found = {key: there[picture_stem(key)] for key in keys if picture_stem(key) in there}
    missing = frozenset(keys) - found.keys()
    if not missing:
        return found, ""
    if not store.exists(f"{shards_folder}/{MANIFEST_NAME}"):
        return found, f"Images cannot be shown: {shards_folder} holds no shards any more."
    try:
        for shard in ShardedSplit.open(store, shards_folder).shards():
            for sample in shard.read_some(missing):
                if (small := thumbnail(sample.image)) is not None:
                    name = f"{picture_stem(sample.key)}.{small[0]}"
                    store.publish(f"{folder}/{name}", small[1])
                    found[sample.key] = name
    except NightmarkError as error:
        return found, f"Images cannot be shown: {store.without_root(str(error))}"
    return found, ""
