"""What is to be built: known before building, so that a build can resume or need not begin."""

from dataclasses import asdict, dataclass
from typing import Literal

from shards.sources.source import Source, digest
from shards.writer import WRITER_REVISION

RECIPE_DIGITS = 16
Verify = Literal["header", "decode"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be built; known before building, and the name of the folder built into.

    The order of the entries is part of the source's identity.
    """

    dataset: str
    split: str
    source_identity: str
    entries: int
    samples_per_shard: int
    verify: Verify = "header"

    @property
    def name(self) -> str:
        facts = (asdict(self), WRITER_REVISION)
        return digest(facts)[:RECIPE_DIGITS]

    @property
    def shard_count(self) -> int:
        return -(-self.entries // self.samples_per_shard)

    def entry_range(self, shard: int) -> tuple[int, int]:
        """The entries ``start`` to ``stop`` of a shard."""
        start = shard * self.samples_per_shard
        return start, min(start + self.samples_per_shard, self.entries)

    def shard_name(self, shard: int) -> str:
        return f"{self.dataset}-{self.split}-{shard:06d}.tar"

    def range_facts(self, source: Source, shard: int) -> str:
        """A digest of everything that decides the bytes of a shard, and what of it is skipped."""
        start, stop = self.entry_range(shard)
        classes = (source.classes.ids, source.classes.names)
        how = (source.layout, self.verify, WRITER_REVISION)
        return digest(source.range_identity(start, stop), start, stop, classes, how)


def recipe_for(
    source: Source,
    dataset: str,
    split: str,
    samples_per_shard: int,
    verify: Verify = "header",
) -> Recipe:
    """The recipe that builds ``source`` into shards of at most ``samples_per_shard`` samples."""
    return Recipe(dataset, split, source.identity, len(source), samples_per_shard, verify)
