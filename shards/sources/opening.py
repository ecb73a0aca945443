"""From the description of a source to the source."""

from shards.sources.cifar import CifarSource
from shards.sources.folder import FolderSource
from shards.sources.imagenet import ImagenetSource
from shards.sources.source import Source, SourceSpec


def open_source(spec: SourceSpec, split: str) -> Source:
    """The source that ``spec`` describes.

    Raises:
        SourceError: nothing in the promised layout lies at the location.
    """
    match spec.source:
        case "cifar10":
            return CifarSource.open(spec.location, split)
        case "imagenet":
            return ImagenetSource.open(spec.location, split, devkit=spec.devkit)
        case "folder":
            return FolderSource.open(spec)
