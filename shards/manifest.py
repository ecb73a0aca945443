"""The manifest of a sharded split: every shard with its digest, every entry accounted for.

It is written last, so that its presence says that the split is whole. It is also a shard index in
the wids format (https://github.com/webdataset/webdataset), so that readers of that find the shards.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shards.errors import ShardError
from shards.sample import ClassList, Skipped
from shards.samples import Digests, digests
from shards.sources.source import digest

MANIFEST_NAME = "manifest.json"
SAMPLES_NAME = "samples.parquet"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ShardEntry(_Frozen):
    """One shard: its name beside the manifest, samples, bytes and hex SHA-256."""

    url: str
    nsamples: int = Field(ge=1)
    filesize: int = Field(ge=1)
    sha256: str


class SkippedEntry(_Frozen):
    """An entry of the source that was not written, and why."""

    source_name: str
    reason: str


class ManifestDigests(_Frozen):
    """See ``shards.samples.Digests``."""

    images: str
    targets: str
    layout: str
    rows: str | None = Field(default=None, description="Absent in manifests of earlier versions.")

    def describe(self, found: Digests) -> bool:
        """Whether these are the digests ``found``, as far as they were written down."""
        known = asdict(found) if self.rows else asdict(found) | {"rows": None}
        return self.model_dump() == known


class Manifest(_Frozen):
    """All that is known of a sharded split. The SHA-256 of its file is the dataset version."""

    wids_kind: Literal["wids-shard-index-v1"] = Field(
        default="wids-shard-index-v1", serialization_alias="__kind__", validation_alias="__kind__"
    )
    wids_version: Literal[1] = 1
    name: str
    schema_name: Literal["nightmark.manifest"] = "nightmark.manifest"
    schema_version: Literal[1] = 1
    dataset: str
    split: str
    layout: str = Field(description="The publisher's layout that was read.")
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...] = Field(description="Labelled samples per class index.")
    entries: int = Field(ge=0, description="Entries of the source.")
    samples: int = Field(ge=0, description="Entries that were written.")
    unlabelled: int = Field(ge=0)
    skipped: tuple[SkippedEntry, ...]
    notes: tuple[str, ...] = Field(description="What is odd about the source as a whole.")
    digests: ManifestDigests
    shardlist: tuple[ShardEntry, ...]
    checksum: str | None = Field(
        default=None, description="Hex SHA-256 of all else that is said here; readers compare it."
    )

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        in_shards = sum(shard.nsamples for shard in self.shardlist)
        if in_shards != self.samples or self.samples + len(self.skipped) != self.entries:
            raise ValueError(
                f"{self.entries} entries are not {in_shards} samples in shards (of {self.samples}) "
                f"and {len(self.skipped)} skipped"
            )
        if not len(self.class_ids) == len(self.class_names) == len(self.class_counts):
            raise ValueError("class ids, names and counts are not equally many")
        if len(set(self.class_ids)) != len(self.class_ids):
            raise ValueError("class ids are not unique")
        if sum(self.class_counts) + self.unlabelled != self.samples:
            raise ValueError(f"the class counts do not add up to {self.samples} samples")
        return self

    @property
    def classes(self) -> ClassList:
        return ClassList(names=self.class_names, ids=self.class_ids)

    def to_json(self) -> bytes:
        """The bytes of the manifest's file."""
        return self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"

    @property
    def dataset_version(self) -> str:
        """Hex SHA-256 of the manifest's file."""
        return hashlib.sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, raw: bytes, where: str) -> Self:
        """The manifest in a file's bytes. Raises ShardError, naming ``where``."""
        try:
            manifest = cls.model_validate_json(raw)
        except ValidationError as error:
            raise ShardError(
                f"{where} is not a manifest of this version ({error.error_count()} faults, first: "
                f"{error.errors()[0]['msg']}); remove its folder and build the shards again"
            ) from error
        if manifest.checksum and manifest.checksum != _checksum(raw):
            raise ShardError(
                f"{where} was altered since it was written (its checksum differs); remove its "
                f"folder and build the shards again"
            )
        return manifest


def _checksum(raw: bytes) -> str:
    """Of what a manifest's JSON says but for ``checksum``, however it is set out."""
    said = json.loads(raw)
    said.pop("checksum", None)
    return digest(said)


def compose_manifest(
    *,
    dataset: str,
    split: str,
    layout: str,
    classes: ClassList,
    shardlist: Iterable[ShardEntry],
    samples: pa.Table,
    skipped: Iterable[Skipped],
    entries: int,
    notes: tuple[str, ...],
) -> Manifest:
    """The manifest over finished shards.

    Raises:
        ShardError: a key stands in two shards, a target is no class, or the counts do not add up.
    """
    shards = tuple(shardlist)
    _refuse_repeated_keys(samples)
    counts = _class_counts(samples["target"], len(classes))
    found = digests(samples, {shard.url: shard.sha256 for shard in shards})
    try:
        manifest = Manifest(
            name=f"{dataset}-{split}",
            dataset=dataset,
            split=split,
            layout=layout,
            class_ids=classes.ids,
            class_names=classes.names,
            class_counts=tuple(counts),
            entries=entries,
            samples=samples.num_rows,
            unlabelled=samples["target"].null_count,
            skipped=tuple(
                SkippedEntry(source_name=s.source_name, reason=s.reason) for s in skipped
            ),
            notes=notes,
            digests=ManifestDigests(**asdict(found)),
            shardlist=shards,
        )
        return manifest.model_copy(update={"checksum": _checksum(manifest.to_json())})
    except ValidationError as error:
        raise ShardError(f"{dataset} {split}: {error.errors()[0]['msg']}") from error


def describes(manifest: Manifest, samples: pa.Table) -> bool:
    """Whether the manifest's digests are those of ``samples`` and its shards."""
    found = digests(samples, {shard.url: shard.sha256 for shard in manifest.shardlist})
    return manifest.digests.describe(found)


def _refuse_repeated_keys(samples: pa.Table) -> None:
    counted = pc.value_counts(samples["key"])
    for pair in counted.filter(pc.greater(counted.field("counts"), 1)).to_pylist()[:1]:
        raise ShardError(
            f"the key {pair['values']} belongs to {pair['counts']} samples; "
            f"rename one of them in the source"
        )


def _class_counts(targets: pa.ChunkedArray, classes: int) -> list[int]:
    counted: Mapping[int, int] = {
        pair["values"]: pair["counts"] for pair in pc.value_counts(targets.drop_null()).to_pylist()
    }
    if foreign := sorted(target for target in counted if not 0 <= target < classes):
        raise ShardError(
            f"targets {foreign[:5]} in a dataset of {classes} classes (0 to {classes - 1})"
        )
    return [counted.get(index, 0) for index in range(classes)]
