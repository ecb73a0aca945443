"""Encoded images → pixels: by Pillow, by torchvision, or by nvJPEG on a CUDA device."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image, decode_jpeg
from torchvision.transforms.v2 import functional as transforms

from shards.errors import InputError
from shards.image import JPEG_SIGNATURE, stored_pixels
from tasks.models.batching import is_out_of_memory
from tasks.models.spec import DecoderName

Decoder = Callable[[bytes], Tensor | Image.Image]


class UndecodableImageError(ValueError):
    """The bytes of one image do not give pixels."""


Decoded = Tensor | Image.Image | UndecodableImageError


def decode_with_pil(image: bytes) -> Image.Image:
    """RGB by Pillow, as the reference evaluations decode; EXIF orientation is ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(image)) as opened:
            return opened.convert("RGB")


def decode_with_torchvision(image: bytes) -> Tensor:
    """RGB uint8 [3, height, width]; JPEG by torchvision, all else by Pillow; EXIF is ignored.

    torchvision's PNG decoder crashes the process over damaged pixels (0.29), and both agree anyway.
    """
    if not image.startswith(JPEG_SIGNATURE):
        return cast("Tensor", transforms.pil_to_tensor(decode_with_pil(image)))
    with warnings.catch_warnings():
        # torchvision 0.29 announces the end of its decoders at every call.
        warnings.simplefilter("ignore", DeprecationWarning)
        decoded: Tensor = decode_image(
            _raw(image), mode=ImageReadMode.RGB, apply_exif_orientation=False
        )
    return decoded


DECODERS: dict[DecoderName, Decoder] = {
    "pil": decode_with_pil,
    "torchvision": decode_with_torchvision,
    "nvjpeg": decode_with_torchvision,  # what nvJPEG cannot decode
}


def decode(image: bytes, decoder: DecoderName, *, resized: bool) -> Tensor | Image.Image:
    """RGB pixels, ``resized`` afterwards or not. PNGs by ``encode_png`` need no decoder.

    Raises:
        UndecodableImageError: the bytes cannot be decoded.
    """
    if (pixels := stored_pixels(image)) is not None:
        # Pillow's resize is not that of tensors, so what Pillow is to resize is an image of its.
        picture = decoder == "pil" and resized
        return Image.fromarray(pixels) if picture else torch.from_numpy(pixels).permute(2, 0, 1)
    try:
        return DECODERS[decoder](image)
    except UnidentifiedImageError as error:
        # Pillow's own words hold an address in memory, which would differ from run to run.
        raise UndecodableImageError("no image of a known format") from error
    except (OSError, RuntimeError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UndecodableImageError(str(error).splitlines()[0]) from error


def decode_batch(
    images: Sequence[bytes], decoder: DecoderName, device: torch.device, *, resized: bool
) -> Iterator[Decoded]:
    """As ``decode``, one by one in order, the error instead where an image has no pixels.

    With ``nvjpeg`` the pixels lie on the device, and its JPEGs are decoded in one go.
    """
    there: dict[int, Tensor] = {}
    if decoder == "nvjpeg":
        jpegs = [i for i, image in enumerate(images) if image.startswith(JPEG_SIGNATURE)]
        found = decode_jpegs([images[i] for i in jpegs], device)
        there = {i: pixels for i, pixels in zip(jpegs, found, strict=True) if pixels is not None}
    for place, image in enumerate(images):
        if place in there:
            yield there[place]
            continue
        try:
            pixels = decode(image, decoder, resized=resized)
        except UndecodableImageError as error:
            yield error
        else:
            moved = decoder == "nvjpeg" and isinstance(pixels, Tensor)
            yield cast("Tensor", pixels).to(device) if moved else pixels


def decode_jpegs(images: Sequence[bytes], device: torch.device) -> list[Tensor | None]:
    """RGB uint8 [3, height, width] on the device; None for what its decoder does not take.

    torchvision gives all or none: a batch with such an image in it, or that is too large for the
    device's memory, is decoded in halves.
    """
    if not images:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            raw = [_raw(image) for image in images]
            return list(decode_jpeg(raw, mode=ImageReadMode.RGB, device=device))
    except torch.AcceleratorError:
        raise  # the device is lost, whatever the image
    except RuntimeError as error:
        if len(images) == 1:
            if is_out_of_memory(error):
                raise
            return [None]
    half = len(images) // 2
    return decode_jpegs(images[:half], device) + decode_jpegs(images[half:], device)


def require_decoder(decoder: DecoderName, device: torch.device) -> None:
    """Raises InputError where this device, with this torchvision, has no such decoder."""
    if decoder != "nvjpeg":
        return
    probe = io.BytesIO()
    Image.new("RGB", (8, 8)).save(probe, "JPEG")
    if device.type != "cuda" or decode_jpegs([probe.getvalue()], device) == [None]:
        raise InputError(
            f"runtime.decoder: nvjpeg needs a CUDA device and a torchvision that was built with "
            f"nvJPEG; {device} has none here, so choose torchvision or pil"
        )


def _raw(image: bytes) -> Tensor:
    return torch.frombuffer(bytearray(image), dtype=torch.uint8)
