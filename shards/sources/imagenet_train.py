"""ImageNet-1k training images in their official layout: one tar that holds a tar for each class.

Read in place: of the 1,000 inner tars only headers are read to list them, and nothing is unpacked.
Layout: https://image-net.org, ILSVRC2012 readme.
"""

from collections.abc import Iterator
from pathlib import Path

from shards.errors import SourceError
from shards.sources.builtin import imagenet_classes
from shards.sources.listing import Entries, Found
from shards.sources.source import digest, printable
from shards.sources.tar_source import TarSource, sorted_members
from shards.sources.tars import scan_tar

TRAIN_IMAGES = "ILSVRC2012_img_train.tar"
LAYOUT = "imagenet official train tar"
SUFFIX = ".tar"


def open_train_tar(tar: Path) -> TarSource:
    """The training images in ``tar`` by WordNet id and name.

    Raises:
        SourceError: it or an inner tar is damaged, or it holds no tars.
    """
    with tar.open("rb") as file:
        facts = tar.stat()
        entries = Entries.of(_labelled(file.fileno(), tar))
    state = (facts.st_size, facts.st_mtime_ns)
    identity = digest(LAYOUT, entries.digest(), state)
    return TarSource(LAYOUT, tar, imagenet_classes(), identity, state, entries)


def _labelled(descriptor: int, tar: Path) -> Iterator[tuple[Found, int | str]]:
    index_of = {wnid: index for index, wnid in enumerate(imagenet_classes().ids)}
    outer = sorted(scan_tar(descriptor, str(tar)))
    if not any(member.name.endswith(SUFFIX) for member in outer):
        raise SourceError(f"{tar} holds no tars of classes; point `location` at {TRAIN_IMAGES}")
    for member in outer:
        if member.refusal or not member.name.endswith(SUFFIX):
            yield member, "not a tar of a class"
            continue
        wnid = printable(member.name).removesuffix(SUFFIX).rsplit("/", 1)[-1]
        label = index_of.get(wnid, f"no such class: {wnid}")
        yield from ((inner, label) for inner in _inner(descriptor, tar, member))


def _inner(descriptor: int, tar: Path, outer: Found) -> Iterator[Found]:
    """The members of an inner tar by name, named as if they lay in a folder of its class."""
    where, stop = f"{tar}: {printable(outer.name)}", outer.place + outer.size
    folder = outer.name.removesuffix(SUFFIX)
    for member in sorted_members(descriptor, where, outer.place, stop):
        yield member._replace(name=f"{folder}/{member.name}")
