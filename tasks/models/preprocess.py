"""Encoded image → uint8 tensor of the model's input size; batch of those → normalised floats."""

from collections.abc import Sequence
from typing import cast

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from tasks.models.decoding import decode
from tasks.models.spec import DecoderName, Preprocessing


def to_input(image: bytes, preprocessing: Preprocessing, decoder: DecoderName) -> Tensor:
    """The decoded, resized and cropped image, uint8 [3, height, width].

    Raises:
        UndecodableImageError: the bytes cannot be decoded.
    """
    pixels = decode(image, decoder, resized=preprocessing.resize is not None)
    return fitted(pixels, preprocessing)


def fitted(decoded: Tensor | Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Resized and cropped, uint8 [3, height, width]."""
    if preprocessing.resize is not None:
        decoded = transforms.resize(
            decoded,
            _size(decoded, preprocessing.resize, preprocessing.fit),
            interpolation=InterpolationMode(preprocessing.interpolation),
            antialias=preprocessing.antialias,
        )
    if preprocessing.crop is not None:
        side = preprocessing.crop
        wanted = (side, side) if isinstance(side, int) else side
        if preprocessing.fit == "longer":
            decoded = _bordered(decoded, wanted, preprocessing.mean)
        decoded = transforms.center_crop(decoded, list(wanted))
    pixels = decoded if isinstance(decoded, Tensor) else transforms.pil_to_tensor(decoded)
    return pixels.flip(0) if preprocessing.channels == "bgr" else pixels


def _size(image: Tensor | Image.Image, size: int | tuple[int, int], fit: str) -> list[int]:
    """What torchvision's resize is to be told."""
    if isinstance(size, tuple):
        return list(size)
    if fit == "shorter":
        return [size]
    height, width = transforms.get_size(image)
    ratio = size / max(height, width)
    return [max(round(height * ratio), 1), max(round(width * ratio), 1)]


def _bordered(
    image: Tensor | Image.Image, wanted: tuple[int, int], mean: Sequence[float]
) -> Tensor | Image.Image:
    """The image in the middle of a border of the mean, at least as large as ``wanted``.

    As timm's ``CenterCropOrPad`` does it.
    """
    height, width = transforms.get_size(image)
    over, beside = max(wanted[0] - height, 0), max(wanted[1] - width, 0)
    padding = [beside // 2, over // 2, beside - beside // 2, over - over // 2]
    fill = [float(round(255 * level)) for level in mean]
    return cast("Tensor | Image.Image", transforms.pad(image, padding, fill=fill))


def normalise(
    images: Sequence[Tensor], preprocessing: Preprocessing, device: torch.device
) -> Tensor:
    """float32 [n, 3, height, width] on the device: (x/divisor − mean)/std.

    Raises:
        ValueError: the images differ in size.
    """
    return scaled(stacked(images).to(device), preprocessing)


def stacked(images: Sequence[Tensor]) -> Tensor:
    """One uint8 batch [n, 3, height, width], channels last in memory.

    Raises:
        ValueError: the images differ in size.
    """
    if len({tuple(image.shape) for image in images}) > 1:
        raise ValueError("images differ in size after preprocessing; give `resize` and `crop`")
    batch = torch.empty(
        (len(images), *images[0].shape),
        dtype=torch.uint8,
        device=images[0].device,
        memory_format=torch.channels_last,
    )
    for place, image in zip(batch, images, strict=True):
        place.copy_(image)
    return batch


def scaled(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """float32 as the network wants it, from uint8 and where that lies: (x/divisor − mean)/std."""
    # Without waiting for the device, which a tensor that is made there would do.
    mean, std = (
        torch.tensor(levels).view(1, 3, 1, 1).to(batch.device, non_blocking=True)
        for levels in (preprocessing.mean, preprocessing.std)
    )
    return batch.to(torch.float32).div_(preprocessing.divisor).sub_(mean).div_(std)
