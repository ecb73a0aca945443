"""Two splits → the images that are in both."""

from prefect import flow

from flows.runners import combined, gather, groups, threads, whole
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.find_copies import compare_splits, sign_group
from tasks.health.copies import Copies, copies_id
from tasks.health.kept import SignatureStore, read_copies
from tasks.progress import Outline, listener

SIGNERS = 2


@flow(name="find-copies", task_runner=threads(SIGNERS))
def find_copies(root: str, folder: str, other_folder: str, shards_per_task: int = 4) -> Copies:
    """The images of one split that are in another, or twice in it (where both are the same).

    What was found in the same images before is read, and nothing is computed.

    Args:
        root: the artifact root.
        folder: the shards of the split under the root.
        other_folder: those of the other split.
        shards_per_task: so many are read in one task.

    Raises:
        ShardError: shards are missing or altered.
    """
    store = Store.at(root)
    split = ShardedSplit.open(store, folder)
    other = split if other_folder == folder else ShardedSplit.open(store, other_folder)
    digests = (split.manifest.digests.images, other.manifest.digests.images)
    if known := read_copies(store, copies_id(*digests)):
        return known.record
    signatures = SignatureStore(store)
    for each in dict.fromkeys((folder, other_folder)):
        _sign(split if each == folder else other, signatures, shards_per_task)
    return compare_splits(whole(split), whole(other), signatures)


def _sign(split: ShardedSplit, signatures: SignatureStore, shards_per_task: int) -> None:
    shards = split.shards()
    missing = signatures.missing(shards)
    work = f"sign {split.manifest.dataset}/{split.manifest.split}"
    listener().begin(Outline(work, len(shards), len(shards) - len(missing)))
    futures = [
        sign_group.with_options(task_run_name=f"sign from {group[0].entry.url}").submit(
            whole(group), signatures, work
        )
        for group in groups(missing, shards_per_task)
    ]
    _, errors = gather(futures)
    if errors:
        raise combined(errors)
