"""What is kept of an image."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from shards.image import encode_png
from shards.reader import StoredSample
from tasks.health.signatures import SCHEMA, Signatures, signature_table
from tests.tasks.health.images import scenes, signed


def sample(key: str, image: bytes) -> StoredSample:
    return StoredSample(key, 0, image, None)


def test_equal_pixels_have_equal_digests_whatever_the_file() -> None:
    pixels = scenes(1)[0]
    other = io.BytesIO()
    Image.fromarray(pixels).save(other, "PNG", optimize=True)
    images = [sample("a", encode_png(pixels)), sample("b", other.getvalue())]
    found = Signatures.of([signature_table(images)])
    assert found.pixels[0] == found.pixels[1]
    assert found.pixels[0] == hashlib.sha256(b"RGB 32 32 " + pixels.tobytes()).digest()


def test_another_shape_of_the_same_bytes_is_another_image() -> None:
    flat = np.zeros((16, 64, 3), np.uint8)
    found = signed([flat, flat.reshape(64, 16, 3)])
    assert found.pixels[0] != found.pixels[1]


def test_grey_and_colour_are_those_of_the_picture() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    found = signed([red])
    expected = np.asarray(Image.fromarray(red).convert("L"))
    assert np.abs(found.grey[0].astype(int) - expected).max() <= 1
    assert (found.colour[0, 0] < 128).all(), "blue is below luma"
    assert (found.colour[0, 1] > 128).all(), "red is above it"


@pytest.mark.parametrize(("mode", "size"), [("L", (28, 28)), ("RGBA", (32, 32)), ("P", (50, 20))])
def test_any_mode_and_size_is_squeezed(mode: str, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    assert Signatures.of([signature_table([sample("a", file.getvalue())])]).grey.shape == (
        1,
        32,
        32,
    )


def test_what_does_not_decode_is_counted_and_left_out() -> None:
    good = encode_png(scenes(1)[0])
    table = signature_table([sample("<script>", good[:200]), sample("b", good)])
    assert table.schema.equals(SCHEMA)
    found = Signatures.of([table])
    assert (found.keys, found.unreadable, len(found)) == (["b"], 1, 1)


def test_no_samples_at_all() -> None:
    found = Signatures.of([signature_table([])])
    assert (len(found), found.unreadable, found.grey.shape) == (0, 0, (0, 32, 32))
    assert len(Signatures.of([])) == 0
