"""Verbs: shards → signatures of their images; signatures of two splits → the copies in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.reader import Shard, ShardedSplit
from tasks.health.copies import Copies
from tasks.health.kept import BLOCK, SignatureStore, SplitBlocks, write_copies
from tasks.health.pairing import find_copies
from tasks.health.signatures import Signatures, signature_table
from tasks.progress import Advance, Outline, listener


@task(name="sign images", cache_policy=NO_CACHE)
def sign_group(shards: Sequence[Shard], signatures: SignatureStore, work: str) -> int:
    """Write the signatures of these shards; returns how many images they hold.

    Raises:
        ShardError: a shard is missing or altered.
    """
    images = 0
    for shard in shards:
        table = signature_table(shard.read())
        signatures.write(shard, table)
        images += table.num_rows
        listener().advance(Advance(work, shards=1, images=table.num_rows))
    return images


@task(name="find copies", cache_policy=NO_CACHE)
def compare_splits(split: ShardedSplit, other: ShardedSplit, signatures: SignatureStore) -> Copies:
    """Find the images of ``split`` that are in ``other``, too, and keep the record.

    Raises:
        ShardError: signatures are missing.
    """
    images = SplitBlocks(split, signatures).whole()
    digests = (split.manifest.digests.images, other.manifest.digests.images)
    names = dict.fromkeys(
        f"{each.manifest.dataset}/{each.manifest.split}" for each in (split, other)
    )
    work = f"compare {' with '.join(names)}"
    blocks = _Told(SplitBlocks(other, signatures), work)
    # Once to find candidates, once to look at them again.
    listener().begin(Outline(work, 2 * -(-other.manifest.samples // BLOCK), 0))
    found = find_copies(images, blocks, *digests)
    write_copies(split.store, found)
    record = found.record
    get_run_logger().info("%s: %d of %d images have a copy", work, record.copied, record.n)
    return record


@dataclass(frozen=True)
class _Told:
    """Blocks that report each of them as done."""

    blocks: SplitBlocks
    work: str

    def __iter__(self) -> Iterator[Signatures]:
        for block in self.blocks:
            yield block
            listener().advance(Advance(self.work, shards=1, images=len(block)))
