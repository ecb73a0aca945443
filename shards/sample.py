"""One image on its way from a source to a shard: bytes, never pixels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shards.image import ImageHeader

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,90}")


def webdataset_key(source_name: str) -> str:
    """The key of a sample from its name in the source: letters, digits, ``_`` and ``-`` only.

    WebDataset ends a key at the first dot of the base name, so dots inside a name become ``_``;
    so does everything else that a tar member name cannot carry everywhere.
    """
    stem = source_name.rsplit("/", 1)[-1]
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:90] or "_"


@dataclass(frozen=True, slots=True)
class Sample:
    """An encoded image with its label.

    Attributes:
        key: WebDataset's ``__key__``; matches ``KEY_PATTERN`` and is unique in its split.
        image: the encoded image, byte for byte as it will be stored.
        header: format and size, as the image itself says.
        label: class index, or None where the source has none.
        source_name: what the source calls it.
        fields: further facts to keep beside the image (strings and integers).
    """

    key: str
    image: bytes
    header: ImageHeader
    label: int | None
    source_name: str
    fields: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not KEY_PATTERN.fullmatch(self.key):
            raise ValueError(f"{self.key!r} is not a sample key: use letters, digits, '_' and '-'")
        if self.label is not None and self.label < 0:
            raise ValueError(f"sample {self.key}: label {self.label} is negative")


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry of the source that cannot become a sample, and why."""

    source_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClassList:
    """The classes of a dataset; the position in ``names`` is the class index.

    Attributes:
        names: what people call the classes; need not be unique (ImageNet has two cranes).
        ids: unique keys such as WordNet ids, or the names where a dataset has no others.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.ids):
            raise ValueError(f"{len(self.names)} class names for {len(self.ids)} class ids")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("class ids are not unique")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_names(cls, names: tuple[str, ...]) -> "ClassList":
        """Classes whose names are their ids."""
        return cls(names=names, ids=names)
