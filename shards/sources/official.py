"""What is known of the files that publishers offer: where they lie, their MD5, their size.

MD5s as in torchvision's ``datasets`` and on CIFAR's page; sizes as servers report them. A file of
an official name with another MD5 is worth a note, not a refusal.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TORONTO = "https://www.cs.toronto.edu/~kriz/"
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
HASHED_BYTES = 1 << 30
"""Larger files are compared by size alone: opening a source must not take minutes."""
RECOGNISED_BYTES = 32 << 20
"""Larger files of another size than the official one are not hashed to learn what they are."""


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """A publisher's file; None where unknown, or where there is no public address."""

    url: str | None
    md5: str | None
    size: int | None = None


OFFICIAL: Mapping[str, OfficialFile] = {
    "cifar-10-python.tar.gz": OfficialFile(
        TORONTO + "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 170498071
    ),
    "cifar-10-binary.tar.gz": OfficialFile(
        TORONTO + "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170052171
    ),
    "cifar-100-python.tar.gz": OfficialFile(
        TORONTO + "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 169001437
    ),
    "cifar-100-binary.tar.gz": OfficialFile(TORONTO + "cifar-100-binary.tar.gz", None, 168513733),
    "cifar-10-batches-py/data_batch_1": OfficialFile(None, "c99cafc152244af753f735de768cd75f"),
    "cifar-10-batches-py/data_batch_2": OfficialFile(None, "d4bba439e000b95fd0a9bffe97cbabec"),
    "cifar-10-batches-py/data_batch_3": OfficialFile(None, "54ebc095f3ab1f0389bbae665268c751"),
    "cifar-10-batches-py/data_batch_4": OfficialFile(None, "634d18415352ddfa80567beed471001a"),
    "cifar-10-batches-py/data_batch_5": OfficialFile(None, "482c414d41f54cd18b22e5b47cb7c3cb"),
    "cifar-10-batches-py/test_batch": OfficialFile(None, "40351d587109b95175f43aff81a1287e"),
    "cifar-10-batches-py/batches.meta": OfficialFile(None, "5ff9c542aee3614f3951f8cda6e48888"),
    "cifar-100-python/train": OfficialFile(None, "16019d7e3df5f24257cddd939b257f8d"),
    "cifar-100-python/test": OfficialFile(None, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
    "cifar-100-python/meta": OfficialFile(None, "7973b15100ade9c7d40fb424638fde48"),
    "mnist/train-images-idx3-ubyte.gz": OfficialFile(
        MNIST + "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9912422
    ),
    "mnist/train-labels-idx1-ubyte.gz": OfficialFile(
        MNIST + "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28881
    ),
    "mnist/t10k-images-idx3-ubyte.gz": OfficialFile(
        MNIST + "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1648877
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": OfficialFile(
        MNIST + "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"
    ),
    "fashion-mnist/train-images-idx3-ubyte.gz": OfficialFile(
        FASHION_MNIST + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26421880
    ),
    "fashion-mnist/train-labels-idx1-ubyte.gz": OfficialFile(
        FASHION_MNIST + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29515
    ),
    "fashion-mnist/t10k-images-idx3-ubyte.gz": OfficialFile(
        FASHION_MNIST + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"
    ),
    "fashion-mnist/t10k-labels-idx1-ubyte.gz": OfficialFile(
        FASHION_MNIST + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5148
    ),
    # ImageNet's terms need an account: https://image-net.org/download.
    "ILSVRC2012_img_train.tar": OfficialFile(
        None, "1d675b47d978889d74fa0da5fadfb00e", 147897477120
    ),
    "ILSVRC2012_img_val.tar": OfficialFile(None, "29b22e2961454d5413ddabcf34fc5622", 6744924160),
    "ILSVRC2012_devkit_t12.tar.gz": OfficialFile(None, "fa75699e90414af021442c21a62c3abf"),
}
"""By file name; behind ``<folder or dataset>/`` where the name alone could be another's."""


def md5_note(path: Path, official: str | None = None) -> str | None:
    """One sentence if ``path`` is called like an official file and is not that file.

    Args:
        path: the file.
        official: its name in ``OFFICIAL``; by default the file's own.
    """
    known = OFFICIAL.get(official or path.name)
    if known is None or known.md5 is None:
        return None
    size = path.stat().st_size
    if size > RECOGNISED_BYTES and known.size not in (None, size):
        return f"{path.name} has {size} bytes, the official file {known.size}"
    if size > HASHED_BYTES:
        return None
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return _note(path.name, found, known.md5)


def content_note(official: str, content: bytes) -> str | None:
    """Like ``md5_note``, of a file that was read already."""
    known = OFFICIAL.get(official)
    if known is None or known.md5 is None:
        return None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return _note(official.rsplit("/", 1)[-1], found, known.md5)


def _note(name: str, found: str, expected: str) -> str | None:
    if found == expected:
        return None
    others = [other for other, file in OFFICIAL.items() if file.md5 == found]
    own = f"that of {others[0]}" if others else found
    return f"{name} is not the official file: its MD5 is {own}, not {expected}"
