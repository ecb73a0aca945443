"""What an encoded image says of itself, and the one encoder of pixels: lossless, and the same bytes
on every machine.
"""

import io
import re
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
MAX_PIXELS = 2 * 89_478_485
"""Above it Pillow takes an image for a decompression bomb."""
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
        if image.startswith(PNG_SIGNATURE):
            with PngImageFile(io.BytesIO(image)) as png:
                return ImageHeader("png", png.width, png.height)
        if image.startswith(JPEG_SIGNATURE):
            with JpegImageFile(io.BytesIO(image)) as jpeg:
                return ImageHeader("jpg", jpeg.width, jpeg.height)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"unreadable header ({error})") from error
    raise ValueError("neither PNG nor JPEG")


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
    """A PNG of pixels [height, width, 3], or [height, width] if grey, in stored (uncompressed)
    deflate blocks.

    Encoders differ between zlib builds; stored blocks leave nothing to choose, so that equal pixels
    give equal bytes everywhere. Source: PNG specification (ISO/IEC 15948), RFC 1950, RFC 1951.
    """
    height, width, *channels = pixels.shape
    if channels not in ([], [3]):
        raise ValueError(f"pixels have {channels[0]} channels, a colour PNG has 3")
    colour_type, row_bytes = (2, width * 3) if channels else (0, width)
    rows = np.zeros((height, 1 + row_bytes), dtype=np.uint8)
    rows[:, 1:] = pixels.reshape(height, row_bytes)
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
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
