"""What an encoded image says of itself, and the one encoder of pixels: lossless, and the same bytes
on every machine.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"


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
        if image.startswith(PNG_SIGNATURE):
            with PngImageFile(io.BytesIO(image)) as png:
                return ImageHeader("png", png.width, png.height)
        if image.startswith(JPEG_SIGNATURE):
            with JpegImageFile(io.BytesIO(image)) as jpeg:
                return ImageHeader("jpg", jpeg.width, jpeg.height)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"unreadable header ({error})") from error
    raise ValueError("neither PNG nor JPEG")


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of pixels [height, width, 3], in stored (uncompressed) deflate blocks.

    Encoders differ between zlib builds; stored blocks leave nothing to choose, so that equal pixels
    give equal bytes everywhere. Source: PNG specification (ISO/IEC 15948), RFC 1950, RFC 1951.
    """
    height, width, channels = pixels.shape
    if channels != 3:
        raise ValueError(f"pixels have {channels} channels, a colour PNG has 3")
    rows = np.zeros((height, 1 + width * 3), dtype=np.uint8)
    rows[:, 1:] = pixels.reshape(height, width * 3)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    stream = _stored_zlib(rows.tobytes())
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")


def _stored_zlib(raw: bytes) -> bytes:
    longest = 0xFFFF
    parts = [b"\x78\x01"]
    for start in range(0, len(raw), longest):
        block = raw[start : start + longest]
        last = start + longest >= len(raw)
        parts.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    parts.append(struct.pack(">I", zlib.adler32(raw)))
    return b"".join(parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
