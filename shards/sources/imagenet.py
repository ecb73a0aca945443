"""ImageNet-1k validation in its official layout: the flat tar of images, and the development kit.

The kit's ground truth gives ILSVRC2012 ids (1-based, in an order of their own); ``meta.mat`` maps
them to WordNet ids. The class index used everywhere here, as by published models, is the position
among the 1,000 sorted WordNet ids. Layout: https://image-net.org, ILSVRC2012 readme.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import scipy.io

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.archive import read_files
from shards.sources.source import digest, printable

IMAGES = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"
NAME_PATTERN = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


@dataclass(frozen=True)
class Devkit:
    """The development kit: classes, and for validation image i + 1 its class index."""

    classes: ClassList
    ground_truth: tuple[int | None, ...]
    identity: str

    @classmethod
    def read(cls, location: Path) -> "Devkit":
        """The kit at a tar.gz or an unpacked folder.

        Raises:
            SourceError: a file of the kit is missing or unreadable.
        """
        remedy = f"name the {DEVKIT}.tar.gz as `devkit` in the plan"
        truth_raw, meta_raw = read_files(location, (GROUND_TRUTH, META), remedy).values()
        wnids = _wnid_of_ilsvrc_id(meta_raw, location)
        ordered = sorted(wnids.values())
        index_of = {wnid: index for index, (wnid, _) in enumerate(ordered)}
        try:
            truth_ids = [int(line) for line in truth_raw.split()]
        except ValueError as error:
            raise SourceError(f"{location}: {GROUND_TRUTH} holds a non-number ({error})") from error
        truth = tuple(index_of[wnids[i][0]] if i in wnids else None for i in truth_ids)
        classes = ClassList(
            names=tuple(words.split(",")[0] for _, words in ordered),
            ids=tuple(wnid for wnid, _ in ordered),
        )
        hashes = [hashlib.sha256(raw).hexdigest() for raw in (truth_raw, meta_raw)]
        return cls(classes=classes, ground_truth=truth, identity=digest(hashes))


def _wnid_of_ilsvrc_id(meta: bytes, location: Path) -> Mapping[int, tuple[str, str]]:
    """ILSVRC2012 id → (WordNet id, words) of the classes; inner nodes have children."""
    try:
        synsets = scipy.io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        return {
            int(row["ILSVRC2012_ID"]): (str(row["WNID"]), str(row["words"]))
            for row in synsets
            if int(row["num_children"]) == 0
        }
    except Exception as error:
        raise SourceError(
            f"{location}: {META} has no readable table of synsets ({error})"
        ) from error


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    offset: int
    size: int
    refusal: str | None


@dataclass(frozen=True)
class ImagenetSource:
    """The validation images in the order of their numbers, read in place from the tar."""

    layout: str
    tar: Path
    devkit: Devkit
    identity: str
    members: tuple[_Member, ...]

    @classmethod
    def open(cls, location: Path, split: str, devkit: Path | None = None) -> "ImagenetSource":
        """The validation set at ``location``: the tar, or a folder with tar and kit.

        Raises:
            SourceError: tar or kit are not there, or the split is not ``val``.
        """
        if split != "val":
            raise SourceError(f"the official ImageNet tar has the split val, not {split!r}")
        tar = location / IMAGES if location.is_dir() else location
        if not tar.is_file():
            raise SourceError(f"{location}: no {IMAGES} here; point `location` at it")
        kit = Devkit.read(devkit or _devkit_beside(tar))
        members = _scan(tar)
        if not members:
            raise SourceError(f"{tar}: an empty tar; fetch {IMAGES} again")
        listing = [[member.name, member.offset, member.size] for member in members]
        identity = digest("imagenet val", listing, tar.stat().st_size, _edges(tar), kit.identity)
        return cls("imagenet official val tar", tar, kit, identity, members)

    @property
    def classes(self) -> ClassList:
        return self.devkit.classes

    def __len__(self) -> int:
        return len(self.members)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        with self.tar.open("rb") as file:
            for member in self.members[start:stop]:
                if member.refusal:
                    yield Skipped(source_name=member.name, reason=member.refusal)
                    continue
                file.seek(member.offset)
                yield self._sample(member.name, file.read(member.size))

    def _sample(self, name: str, image: bytes) -> Sample | Skipped:
        matched = NAME_PATTERN.fullmatch(name)
        if matched is None:
            return Skipped(source_name=name, reason="not named like a validation image")
        number = int(matched.group(1))
        if not 1 <= number <= len(self.devkit.ground_truth):
            return Skipped(source_name=name, reason="no line in the ground truth")
        label = self.devkit.ground_truth[number - 1]
        if label is None:
            return Skipped(source_name=name, reason="no such class: an id that is not in meta.mat")
        try:
            header = read_header(image)
        except ValueError as error:
            return Skipped(source_name=name, reason=str(error))
        fields = {"wnid": self.classes.ids[label]}
        return Sample(webdataset_key(name), image, header, label, name, fields)


def _devkit_beside(tar: Path) -> Path:
    for candidate in (tar.with_name(f"{DEVKIT}.tar.gz"), tar.with_name(DEVKIT)):
        if candidate.exists():
            return candidate
    raise SourceError(f"no {DEVKIT}.tar.gz beside {tar}; name it as `devkit` in the plan")


def _scan(tar: Path) -> tuple[_Member, ...]:
    """Every entry that is not a folder, sorted by name; only headers are read."""
    members: list[_Member] = []
    seen: set[str] = set()
    try:
        with tarfile.open(tar, mode="r:") as archive:
            for info in archive:
                if info.isdir():
                    continue
                name = printable(info.name.removeprefix("./"))
                refusal = None if info.isreg() else "not a regular file"
                if name in seen:
                    refusal = "duplicate name"
                seen.add(name)
                members.append(_Member(name, info.offset_data, info.size, refusal))
            end = archive.offset
        with tar.open("rb") as file:
            file.seek(end)
            whole = file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
    except (tarfile.TarError, EOFError) as error:
        raise SourceError(f"{tar}: cut short or not a tar ({error}); fetch it again") from error
    if not whole:
        # tarfile ends silently at a header that is cut or damaged.
        raise SourceError(f"{tar}: cut short or damaged after {len(members)} files; fetch it again")
    return tuple(sorted(members, key=lambda member: (member.name, member.offset)))


def _edges(tar: Path) -> str:
    """A digest of the tar's first and last 64 KiB: cheap, and moved by most re-packings."""
    with tar.open("rb") as file:
        first = file.read(1 << 16)
        file.seek(max(tar.stat().st_size - (1 << 16), 0))
        return hashlib.sha256(first + file.read()).hexdigest()
