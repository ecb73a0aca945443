"""An image of a shard → the small file that a page shows of it."""

import hashlib
import io

from PIL import Image

SIDE = 256
"""Pixels of the longer side of a re-encoded image."""
AS_IT_IS = 24_576
"""An image of at most so many bytes is kept byte for byte."""
QUALITY = 80
FORMATS = {"JPEG": "jpg", "PNG": "png"}


def picture_stem(key: str) -> str:
    """A file name without suffix, for any key."""
    return hashlib.sha256(key.encode()).hexdigest()[:20]


def thumbnail(image: bytes) -> tuple[str, bytes] | None:
    """The suffix, and the image itself if it is small, else a JPEG of at most ``SIDE`` pixels.

    None where it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(image), formats=list(FORMATS)) as opened:
            if len(image) <= AS_IT_IS:
                opened.load()
                return FORMATS[str(opened.format)], image
            small = opened.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            written = io.BytesIO()
            small.save(written, "JPEG", quality=QUALITY)
            return "jpg", written.getvalue()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
