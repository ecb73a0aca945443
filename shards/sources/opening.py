"""From the description of a source to the source."""

from shards.errors import SourceError
from shards.sources.cifar import open_cifar
from shards.sources.folder import FolderSource
from shards.sources.idx import open_idx
from shards.sources.imagenet import open_imagenet
from shards.sources.parquet import open_parquet
from shards.sources.source import Source, SourceSpec
from shards.sources.webdataset import open_webdataset


def open_source(spec: SourceSpec, split: str) -> Source:
    """The source that ``spec`` describes.

    Raises:
        SourceError: nothing in a layout of that kind lies at the location, or it cannot be read.
    """
    try:
        return _open(spec, split)
    except OSError as error:
        raise SourceError(
            f"{error.filename or spec.location} cannot be read ({error.strerror or error}); make "
            f"it readable"
        ) from error


def _open(spec: SourceSpec, split: str) -> Source:
    match spec.source:
        case "cifar10" | "cifar100":
            return open_cifar(spec, split)
        case "imagenet":
            return open_imagenet(spec, split)
        case "mnist" | "fashion-mnist":
            return open_idx(spec, split)
        case "parquet":
            return open_parquet(spec, split)
        case "webdataset":
            return open_webdataset(spec, split)
        case "folder":
            return FolderSource.open(spec)
