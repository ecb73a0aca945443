"""What an encoded image says of itself, and the one encoder of pixels: lossless, and the same bytes
on every machine.
"""

import functools
import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from shards.headers import plain_jpeg, plain_png

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
MAX_PIXELS = 2 * 89_478_485
"""Above it Pillow takes an image for a decompression bomb."""
LONGEST_SIDE = 2**31 - 1
"""What a PNG may say (ISO/IEC 15948, 11.2.2), and a column of samples.parquet can hold."""
PNGS_AT_ONCE = 64
LONGEST_BLOCK = 0xFFFF
"""Bytes of a stored deflate block (RFC 1951, 3.2.4)."""
HEADER_BYTES = 33
"""Of a PNG: signature and the chunk that holds the size."""
ADDRESS = re.compile(r"<[^<>]*\b0x[0-9A-Fa-f]+[^<>]*>|\b0x[0-9A-Fa-f]{6,}")


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Format (as a file suffix) and size in pixels."""

    suffix: str
    width: int
    height: int


def read_header(image: bytes) -> ImageHeader:
    """The header of an encoded image; its pixels are not decoded.

    Raises:
        ValueError: empty, or neither PNG nor JPEG, or a header that cannot be read.
    """
    if not image:
        raise ValueError("zero bytes")
    try:
        # The readers themselves: Image.open words its errors with memory addresses, and tells
        # phones' multi-picture JPEGs from JPEGs.
        if image.startswith(JPEG_SIGNATURE):
            return _checked("jpg", plain_jpeg(image) or _size_by(JpegImageFile, image))
        if image.startswith(PNG_SIGNATURE):
            return _checked("png", plain_png(image) or _size_by(PngImageFile, image))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"unreadable header ({error})") from error
    raise ValueError("neither PNG nor JPEG")


def _size_by(reader: type[JpegImageFile] | type[PngImageFile], image: bytes) -> tuple[int, int]:
    with reader(io.BytesIO(image)) as opened:
        return opened.size


def _checked(suffix: str, size: tuple[int, int]) -> ImageHeader:
    if max(size) > LONGEST_SIDE:
        raise ValueError(f"{size[0]} x {size[1]} pixels")
    return ImageHeader(suffix, *size)


def decode_fault(image: bytes, header: ImageHeader) -> str | None:
    """Why Pillow does not decode ``image`` to its last pixel, or None where it does.

    The sentence names no path and no address, so that equal images have equal faults.
    """
    if header.width * header.height > MAX_PIXELS:
        return f"{header.width} x {header.height} pixels are more than Pillow opens ({MAX_PIXELS})"
    reader = PngImageFile if header.suffix == "png" else JpegImageFile
    try:
        with reader(io.BytesIO(image)) as opened:
            opened.load()
    # Pillow's plugins let pass what zlib, struct and their own parsers raise on damaged files.
    except Exception as error:
        return ADDRESS.sub("", str(error)).strip() or type(error).__name__
    return None


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of pixels [height, width, 3], or [height, width] if grey; see ``encode_pngs``."""
    (png,) = encode_pngs(pixels[np.newaxis])
    return png


def encode_pngs(pixels: NDArray[np.uint8]) -> Iterator[bytes]:
    """PNGs of pixels [n, height, width, 3], or [n, height, width] if grey, in stored (uncompressed)
    deflate blocks.

    Encoders differ between zlib builds; stored blocks leave nothing to choose, so that equal pixels
    give equal bytes everywhere. Source: PNG specification (ISO/IEC 15948), RFC 1950, RFC 1951.
    """
    for start in range(0, len(pixels), PNGS_AT_ONCE):
        yield from _pngs(pixels[start : start + PNGS_AT_ONCE])


def stored_pixels(image: bytes) -> NDArray[np.uint8] | None:
    """The pixels [height, width, 3] of a colour PNG as ``encode_pngs`` writes it, in one block.

    None for whatever differs from such a file in a single byte, be it a sound PNG.
    """
    if not image.startswith(PNG_SIGNATURE) or len(image) < HEADER_BYTES:
        return None
    width, height = struct.unpack(">II", image[16:24])
    size = height * (1 + 3 * width)
    if not 0 < size <= LONGEST_BLOCK:
        return None
    frame, ((start, _),) = _colour_frame(height, width)
    end = start + size
    if len(image) != len(frame) or image[:start] != frame[:start] or image[-12:] != frame[-12:]:
        return None
    checksums = (zlib.adler32(image[start:end]), zlib.crc32(image[start - 11 : end + 4]))
    rows = np.frombuffer(image, np.uint8, size, start).reshape(height, -1)
    if struct.unpack(">II", image[end : end + 8]) != checksums or rows[:, 0].any():
        return None
    return rows[:, 1:].reshape(height, width, 3).copy()


@functools.lru_cache(maxsize=16)
def _colour_frame(height: int, width: int) -> tuple[bytes, list[tuple[int, slice]]]:
    return _png_frame(height, width, 2, height * (1 + 3 * width))


def _pngs(pixels: NDArray[np.uint8]) -> list[bytes]:
    """Images of one size differ in rows and checksums alone: written into copies of one frame."""
    count, height, width, *channels = pixels.shape
    if channels not in ([], [3]):
        raise ValueError(f"pixels have {channels[0]} channels, a colour PNG has 3")
    rows = np.zeros((count, height, 1 + width * (3 if channels else 1)), dtype=np.uint8)
    rows[:, :, 1:] = pixels.reshape(count, height, -1)
    raw = rows.reshape(count, -1)
    frame, blocks = _png_frame(height, width, 2 if channels else 0, raw.shape[1])
    start, adler, crc = frame.index(b"IDAT"), len(frame) - 20, len(frame) - 16
    pngs = np.tile(np.frombuffer(frame, np.uint8), (count, 1))
    for at, block in blocks:
        pngs[:, at : at + block.stop - block.start] = raw[:, block]
    pngs[:, adler:crc] = _big_endian([zlib.adler32(each.data) for each in raw])
    pngs[:, crc : crc + 4] = _big_endian([zlib.crc32(png.data[start:crc]) for png in pngs])
    return [png.tobytes() for png in pngs]


def _png_frame(
    height: int, width: int, colour_type: int, size: int
) -> tuple[bytes, list[tuple[int, slice]]]:
    """A PNG of zeros whose pixels and checksums are still to be put in, and where which of its
    ``size`` bytes of rows belong.
    """
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    frame = PNG_SIGNATURE + _chunk(b"IHDR", header)
    starts = range(0, size, LONGEST_BLOCK)
    frame += struct.pack(">I", 2 + size + 5 * len(starts) + 4) + b"IDAT\x78\x01"
    blocks = []
    for start in starts:
        block = slice(start, min(start + LONGEST_BLOCK, size))
        length = block.stop - block.start
        frame += struct.pack("<BHH", block.stop == size, length, length ^ 0xFFFF)
        blocks.append((len(frame), block))
        frame += bytes(length)
    return frame + bytes(8) + _chunk(b"IEND", b""), blocks


def _big_endian(checksums: list[int]) -> NDArray[np.uint8]:
    return np.array(checksums, dtype=">u4").view(np.uint8).reshape(-1, 4)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
