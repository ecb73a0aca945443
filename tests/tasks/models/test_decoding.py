"""What decodes a batch on a device does so on the CPU too, where these tests run it."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from shards.errors import InputError
from shards.image import encode_png
from tasks.models import decoding
from tasks.models.decoding import (
    UndecodableImageError,
    decode_batch,
    decode_jpegs,
    decode_with_torchvision,
    require_decoder,
)
from tests.support.gpu import needs_gpu

CPU = torch.device("cpu")
BROKEN = b"\xff\xd8\xff no image"


def jpeg(level: int) -> bytes:
    ramp = (np.arange(24 * 16 * 3).reshape(24, 16, 3) + level) % 256
    encoded = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint8)).save(encoded, "JPEG")
    return encoded.getvalue()


@pytest.fixture
def jpegs() -> list[bytes]:
    return [jpeg(50 * place) for place in range(5)]


def test_a_batch_of_jpegs_is_what_each_is_alone(jpegs: list[bytes]) -> None:
    found = decode_jpegs(jpegs, CPU)
    for pixels, image in zip(found, jpegs, strict=True):
        assert pixels is not None
        assert torch.equal(pixels, decode_with_torchvision(image))
    assert decode_jpegs([], CPU) == []


@pytest.mark.parametrize("broken", [(0,), (4,), (1, 3), (0, 1, 2, 3, 4)])
def test_a_broken_jpeg_costs_no_other(jpegs: list[bytes], broken: Sequence[int]) -> None:
    mixed = [BROKEN if place in broken else image for place, image in enumerate(jpegs)]
    found = decode_jpegs(mixed, CPU)
    assert [place for place, pixels in enumerate(found) if pixels is None] == list(broken)


def test_a_batch_of_any_images_comes_in_order(jpegs: list[bytes]) -> None:
    png = encode_png(np.full((4, 6, 3), 9, dtype=np.uint8))
    found = list(decode_batch([png, jpegs[0], BROKEN, jpegs[1]], "nvjpeg", CPU, resized=True))
    assert isinstance(found[2], UndecodableImageError)
    for place, expected in ((1, jpegs[0]), (3, jpegs[1])):
        pixels = found[place]
        assert isinstance(pixels, Tensor)
        assert torch.equal(pixels, decode_with_torchvision(expected))
    assert isinstance(found[0], Tensor)
    assert found[0].shape == (3, 4, 6)


def test_jpegs_that_do_not_fit_together_are_decoded_in_parts(
    jpegs: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, sizes = decoding.decode_jpeg, []

    def narrow(images: list[Tensor], **options: object) -> object:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return decode(images, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "decode_jpeg", narrow)
    assert None not in decode_jpegs(jpegs, CPU)
    assert sizes == [5, 2, 3, 1, 2]


def test_one_that_does_not_fit_alone_is_no_broken_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(decoding, "decode_jpeg", full)
    with pytest.raises(torch.OutOfMemoryError):
        decode_jpegs([BROKEN], CPU)


def test_a_lost_device_is_no_broken_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> object:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(decoding, "decode_jpeg", lost)
    with pytest.raises(torch.AcceleratorError):
        decode_jpegs([BROKEN, BROKEN], CPU)


def test_nvjpeg_needs_a_device() -> None:
    with pytest.raises(InputError, match=r"nvjpeg needs a CUDA device .* cpu has none here"):
        require_decoder("nvjpeg", CPU)
    require_decoder("torchvision", CPU)


@needs_gpu
def test_nvjpeg_decodes_nearly_as_the_cpu_does(jpegs: list[bytes]) -> None:
    device = torch.device("cuda:0")
    require_decoder("nvjpeg", device)
    for pixels, image in zip(decode_jpegs(jpegs, device), jpegs, strict=True):
        assert pixels is not None
        assert pixels.device == device
        apart = pixels.cpu().int() - decode_with_torchvision(image).int()
        assert apart.abs().float().mean() < 2
