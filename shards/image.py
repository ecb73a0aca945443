"""What an encoded image says of itself, and the one encoder of pixels: lossless, and the same bytes
on every machine.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
SUFFIX_OF_FORMAT = {"PNG": "png", "JPEG": "jpg"}


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
    if not image.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        raise ValueError("neither PNG nor JPEG")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images; size alone is no reason to refuse a header.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as opened:
                suffix = SUFFIX_OF_FORMAT[opened.format or ""]
                return ImageHeader(suffix=suffix, width=opened.width, height=opened.height)
    except (OSError, KeyError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable header ({error})") from error


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
