"""ImageNet-1k's official validation images, and the development kit that says their classes.

The official tar is flat. The development kit's ground truth gives ILSVRC2012 ids (1-based, in an
order of their own); ``meta.mat`` maps them to WordNet ids. The class index used everywhere here, as
by published models, is the position among the 1,000 sorted WordNet ids. Layout:
https://image-net.org, ILSVRC2012 readme.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import scipy.io

from shards.errors import SourceError
from shards.sample import ClassList
from shards.sources.archive import read_files
from shards.sources.builtin import imagenet_classes
from shards.sources.listing import Entries, split_names
from shards.sources.source import digest
from shards.sources.tar_source import TarSource, sorted_members

IMAGES = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"
LAYOUT = "imagenet official val tar"
NAME_PATTERN = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


@dataclass(frozen=True)
class Devkit:
    """The development kit: classes, and for validation image i + 1 its class index."""

    classes: ClassList
    ground_truth: tuple[int | None, ...]
    identity: str
    location: Path = field(compare=False)

    @classmethod
    def read(cls, location: Path) -> "Devkit":
        """The kit at a tar.gz or an unpacked folder.

        Raises:
            SourceError: a file of the kit is missing or unreadable.
        """
        remedy = f"name the {DEVKIT}.tar.gz as `devkit` in the plan"
        truth_raw, meta_raw = read_files(location, (GROUND_TRUTH, META), remedy).values()
        wnids = _wnid_of_ilsvrc_id(meta_raw, location)
        classes = imagenet_classes()
        index_of = {wnid: index for index, wnid in enumerate(classes.ids)}
        try:
            truth_ids = [int(line) for line in truth_raw.split()]
        except ValueError as error:
            raise SourceError(f"{location}: {GROUND_TRUTH} holds a non-number ({error})") from error
        truth = tuple(index_of.get(wnids.get(i, "")) for i in truth_ids)
        hashes = [hashlib.sha256(raw).hexdigest() for raw in (truth_raw, meta_raw)]
        return cls(classes, truth, digest(hashes), location)

    def label_of(self, name: str) -> int | str:
        """The class index of the validation image of that name, or why it has none."""
        matched = NAME_PATTERN.fullmatch(name.rsplit("/", 1)[-1])
        if matched is None:
            return "not named like a validation image"
        number = int(matched.group(1))
        if not 1 <= number <= len(self.ground_truth):
            return "no line in the ground truth"
        label = self.ground_truth[number - 1]
        return "no such class: an id that is not in meta.mat" if label is None else label


def _wnid_of_ilsvrc_id(meta: bytes, location: Path) -> Mapping[int, str]:
    """ILSVRC2012 id → WordNet id of the classes; inner nodes have children."""
    try:
        synsets = scipy.io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        return {
            int(row["ILSVRC2012_ID"]): str(row["WNID"])
            for row in synsets
            if int(row["num_children"]) == 0
        }
    except Exception as error:
        raise SourceError(
            f"{location}: {META} has no readable table of synsets ({error})"
        ) from error


def open_val_tar(location: Path, split: str, devkit: Path | None = None) -> TarSource:
    """The validation images at ``location``, in the order of their numbers: the tar, or a folder
    with tar and kit.

    Raises:
        SourceError: tar or kit are not there, or the split is not ``val``.
    """
    if "val" not in split_names(split):
        raise SourceError(f"the official ImageNet tar has the split val, not {split!r}")
    tar = location / IMAGES if location.is_dir() else location
    if not tar.is_file():
        raise SourceError(f"{location}: no {IMAGES} here; point `location` at it")
    kit = Devkit.read(devkit or devkit_beside(tar))
    with tar.open("rb") as file:
        found = sorted_members(file.fileno(), str(tar))
        entries = Entries.of((member, kit.label_of(member.name)) for member in found)
    if not len(entries):
        raise SourceError(f"{tar}: an empty tar; fetch {IMAGES} again")
    facts = tar.stat()
    state = (facts.st_size, facts.st_mtime_ns, _edges(tar))
    identity = digest("imagenet val", entries.digest(), state, kit.identity)
    return TarSource(LAYOUT, tar, kit.classes, identity, state, entries, kit.location)


def devkit_beside(images: Path) -> Path:
    """The development kit in the folder of the images or above it. Raises SourceError."""
    for folder in (images.parent, images):
        for candidate in (folder / f"{DEVKIT}.tar.gz", folder / DEVKIT):
            if candidate.exists():
                return candidate
    raise SourceError(f"no {DEVKIT}.tar.gz beside {images}; name it as `devkit` in the plan")


def _edges(tar: Path) -> str:
    """A digest of the tar's first and last 64 KiB: cheap, and moved by most re-packings."""
    with tar.open("rb") as file:
        first = file.read(1 << 16)
        file.seek(max(tar.stat().st_size - (1 << 16), 0))
        return hashlib.sha256(first + file.read()).hexdigest()
