"""Two splits → the images that are in both; a test set → what was trained on."""

from typing import Literal

from prefect import flow

from conf.plan import DatasetPlan, Plan
from flows.build_shards import shards_of
from flows.runners import combined, gather, group_size, groups, threads, whole
from shards.errors import NightmarkError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.examine import TrainingSplit
from tasks.find_copies import compare_splits, sign_group
from tasks.health.copies import Copies
from tasks.health.kept import SignatureStore, copies_between
from tasks.progress import Outline, listener

SIGNERS = 2
IMAGE_SECONDS = 0.005
"""Of one thread: read, decode and sign a photograph."""


@flow(name="find-copies", task_runner=threads(SIGNERS))
def find_copies(
    root: str, folder: str, other_folder: str, shards_per_task: int | Literal["auto"] = "auto"
) -> Copies:
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
    if known := copies_between(split, other):
        return known.record
    signatures = SignatureStore(store)
    for each in dict.fromkeys((folder, other_folder)):
        _sign(split if each == folder else other, signatures, shards_per_task)
    return compare_splits(whole(split), whole(other), signatures)


def _sign(
    split: ShardedSplit, signatures: SignatureStore, shards_per_task: int | Literal["auto"]
) -> None:
    shards = split.shards()
    missing = signatures.missing(shards)
    work = f"sign {split.manifest.dataset}/{split.manifest.split}"
    listener().begin(Outline(work, len(shards), len(shards) - len(missing)))
    seconds = IMAGE_SECONDS * split.manifest.samples / max(len(shards), 1)
    size = group_size(shards_per_task, len(missing), seconds, SIGNERS)
    futures = [
        sign_group.with_options(task_run_name=f"sign from {group[0].entry.url}").submit(
            whole(group), signatures, work
        )
        for group in groups(missing, size)
    ]
    _, errors = gather(futures)
    if errors:
        raise combined(errors)


def find_training(plan: Plan, dataset: DatasetPlan, split: ShardedSplit) -> TrainingSplit | None:
    """Look for the images of a split among those its models were trained on, and within itself.

    None where the plan does not name them. A fault in them is told, not raised: it says nothing of
    the evaluation.
    """
    if dataset.train is None:
        return None
    trained_on = plan.dataset(dataset.train)
    if split.cut_to is not None:
        return TrainingSplit(trained_on.split_name, fault="a quick look does not search for them.")
    try:
        _known_or_found(plan, split, split)
        other = ShardedSplit.open(split.store, shards_of(trained_on, plan.runtime))
        copies = _known_or_found(plan, split, other)
    except NightmarkError as error:
        return TrainingSplit(trained_on.split_name, fault=str(error))
    return TrainingSplit(trained_on.split_name, other.version, copies.id, other.folder)


def _known_or_found(plan: Plan, split: ShardedSplit, other: ShardedSplit) -> Copies:
    """Without a flow of its own where there is nothing to do: every pair of a night asks."""
    if known := copies_between(split, other):
        return known.record
    return find_copies(plan.runtime.root, split.folder, other.folder, plan.runtime.shards_per_task)
