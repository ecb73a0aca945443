import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from shards.image import PNG_SIGNATURE, ImageHeader, encode_png, read_header, stored_pixels
from tests.shards.made import encoded, pixels
from tests.support.shared_data import SHARED, needs_shared

LONGEST_BLOCK = 0xFFFF

shapes = st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    assert png.startswith(PNG_SIGNATURE)
    found, position = [], len(PNG_SIGNATURE)
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        kind, body = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (crc,) = struct.unpack_from(">I", png, position + 8 + length)
        assert crc == zlib.crc32(kind + body)
        found.append((kind, body))
        position += 12 + length
    return found


def stored_blocks(stream: bytes) -> list[bytes]:
    """The blocks of a zlib stream (RFC 1950, 1951) that has none but stored ones."""
    assert int.from_bytes(stream[:2]) % 31 == 0
    blocks, position, last = [], 2, False
    while not last:
        head, length, inverted = struct.unpack_from("<BHH", stream, position)
        assert head in {0, 1}, "not a stored block"
        assert length == inverted ^ 0xFFFF
        blocks.append(stream[position + 5 : position + 5 + length])
        position += 5 + length
        last = bool(head)
    assert struct.unpack_from(">I", stream, position) == (zlib.adler32(b"".join(blocks)),)
    assert position + 4 == len(stream)
    return blocks


def assert_pillow_reads(png: bytes, mode: str, image: np.ndarray) -> None:
    with Image.open(io.BytesIO(png)) as opened:
        assert opened.mode == mode
        np.testing.assert_array_equal(np.asarray(opened), image)
    assert read_header(png) == ImageHeader("png", image.shape[1], image.shape[0])


@given(hnp.arrays(np.uint8, shapes))
def test_pillow_decodes_the_same_pixels(image: np.ndarray) -> None:
    assert_pillow_reads(encode_png(image), "RGB", image)


# 51 rows of 428 pixels fill one block exactly; one row more starts a second.
@pytest.mark.parametrize("shape", [(51, 428), (52, 428), (102, 428), (300, 300), (1, 1)])
def test_nothing_in_the_bytes_is_left_to_zlib(shape: tuple[int, int]) -> None:
    image = pixels(1, *shape)
    png = encode_png(image)
    kinds, bodies = zip(*chunks(png), strict=True)
    assert kinds == (b"IHDR", b"IDAT", b"IEND")
    blocks = stored_blocks(bodies[1])
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    assert b"".join(blocks) == rows == zlib.decompress(bodies[1])
    assert [len(block) for block in blocks[:-1]] == [LONGEST_BLOCK] * (len(blocks) - 1)
    with Image.open(io.BytesIO(png)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), image)


def test_the_bytes_of_a_png_are_fixed() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert hashlib.sha256(encode_png(image)).hexdigest() == (
        "b6584210aa7efee3c267338bbc6087a5bde5dfe04de37ec1809e620606f1bccb"
    )


def test_layout_in_memory_does_not_matter() -> None:
    image = pixels(2)
    assert encode_png(np.asfortranarray(image)) == encode_png(image)


@given(hnp.arrays(np.uint8, shapes.map(lambda shape: shape[:2])))
def test_grey_pixels_stay_grey(image: np.ndarray) -> None:
    assert_pillow_reads(encode_png(image), "L", image)


def test_the_bytes_of_a_grey_png_are_fixed() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    kinds, bodies = zip(*chunks(encode_png(image)), strict=True)
    assert kinds == (b"IHDR", b"IDAT", b"IEND")
    assert bodies[0] == struct.pack(">IIBBBBB", 6, 4, 8, 0, 0, 0, 0)
    assert b"".join(stored_blocks(bodies[1])) == rows


@pytest.mark.parametrize("channels", [1, 4])
def test_only_colour_is_encoded(channels: int) -> None:
    with pytest.raises(ValueError, match=f"pixels have {channels} channels"):
        encode_png(np.zeros((2, 2, channels), dtype=np.uint8))


@pytest.mark.parametrize(("form", "suffix"), [("PNG", "png"), ("JPEG", "jpg")])
def test_a_header_says_what_pillow_says(form: str, suffix: str) -> None:
    assert read_header(encoded(form, size=(7, 3))) == ImageHeader(suffix, 7, 3)


def test_a_jpeg_with_more_pictures_behind_it_is_a_jpeg() -> None:
    # Phones write such files (MPO); every decoder shows the first picture.
    sink = io.BytesIO()
    first = Image.fromarray(pixels(0, 30, 40))
    first.save(sink, "MPO", save_all=True, append_images=[first])
    assert read_header(sink.getvalue()) == ImageHeader("jpg", 40, 30)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "zero bytes"),
        (b"hello", "neither PNG nor JPEG"),
        (encoded("GIF"), "neither PNG nor JPEG"),
        (encoded("BMP"), "neither PNG nor JPEG"),
        (PNG_SIGNATURE, "unreadable header"),
        (PNG_SIGNATURE + b"junk" * 9, "unreadable header"),
        (b"\xff\xd8\xff" + b"junk" * 9, "unreadable header"),
        (encoded("JPEG")[:40], "unreadable header"),
    ],
)
def test_what_cannot_be_read_is_refused(image: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_header(image)


@pytest.mark.parametrize("image", [PNG_SIGNATURE, b"\xff\xd8\xff" + b"junk" * 9])
def test_a_refusal_is_worded_the_same_in_every_run(image: bytes) -> None:
    # The reason goes into the manifest, so an address in memory would change the dataset version.
    with pytest.raises(ValueError, match="unreadable") as refused:
        read_header(image)
    assert "0x" not in str(refused.value)


@needs_shared
def test_headers_of_real_jpegs() -> None:
    folder = SHARED / "data/imagenet/kaggle_cls_loc/ILSVRC/Data/CLS-LOC/val"
    paths = sorted(folder.glob("*.JPEG"))
    assert len(paths) == 40
    for path in paths:
        with Image.open(path) as opened:
            assert read_header(path.read_bytes()) == ImageHeader("jpg", *opened.size)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 32), (28, 40), (147, 148)])
def test_our_own_pixels_are_read_back_without_a_decoder(height: int, width: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = stored_pixels(encode_png(pixels))
    assert found is not None
    assert np.array_equal(found, pixels)


def test_any_byte_that_differs_is_left_to_a_decoder() -> None:
    image = encode_png(np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8))
    assert stored_pixels(image) is not None
    for at in range(len(image)):
        for flip in (0x01, 0x80):
            assert stored_pixels(image[:at] + bytes([image[at] ^ flip]) + image[at + 1 :]) is None
        assert stored_pixels(image[:at]) is None
    assert stored_pixels(image + b"\0") is None


def test_grey_and_large_pngs_are_left_to_a_decoder() -> None:
    assert stored_pixels(encode_png(np.zeros((8, 8), dtype=np.uint8))) is None
    assert stored_pixels(encode_png(np.zeros((150, 150, 3), dtype=np.uint8))) is None
