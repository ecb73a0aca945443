"""What is plain is judged as Pillow judges it; everything else is left to Pillow."""

import io
import struct
import tarfile
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from shards.headers import plain_jpeg, plain_png
from shards.image import PNG_SIGNATURE, read_header
from tests.shards.made import pixels
from tests.support.shared_data import SHARED, needs_shared


def saved(form: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels(3, size[1], size[0])).convert(mode).save(sink, form, **options)
    return sink.getvalue()


def by_pillow(image: bytes) -> tuple[int, int] | None:
    reader = PngImageFile if image.startswith(PNG_SIGNATURE) else JpegImageFile
    try:
        with reader(io.BytesIO(image)) as opened:
            return opened.size
    except (OSError, SyntaxError, ValueError):
        return None


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


EXIF = Image.Exif()
EXIF[0x0112] = 6
JPEGS = {
    "colour": saved("JPEG"),
    "grey": saved("JPEG", "L"),
    "cmyk": saved("JPEG", "CMYK"),
    "progressive": saved("JPEG", progressive=True),
    "resolution": saved("JPEG", dpi=(300, 300)),
    "comment": saved("JPEG", comment=b"hello"),
    "profile": saved("JPEG", icc_profile=b"p" * 70_000),
    "exif": saved("JPEG", exif=EXIF.tobytes()),
    "exif and resolution": saved("JPEG", exif=EXIF.tobytes(), dpi=(72, 72)),
    "restarts": saved("JPEG", restart_marker_rows=1),
}
PNGS = {
    "colour": saved("PNG"),
    "grey": saved("PNG", "L"),
    "bits": saved("PNG", "1"),
    "palette": saved("PNG", "P"),
    "alpha": saved("PNG", "RGBA"),
    "resolution": saved("PNG", dpi=(300, 300)),
}


@pytest.mark.parametrize("name", JPEGS)
def test_jpegs_have_pillows_size(name: str) -> None:
    # Pillow looks for a resolution in EXIF where there is no other, and may stumble there.
    expected = None if name == "exif" else (40, 30)
    assert plain_jpeg(JPEGS[name]) == expected
    assert by_pillow(JPEGS[name]) == (40, 30)


@pytest.mark.parametrize("name", PNGS)
def test_pngs_have_pillows_size(name: str) -> None:
    assert plain_png(PNGS[name]) == (None if name in ("palette", "resolution") else (40, 30))
    assert by_pillow(PNGS[name]) == (40, 30)


def test_sixteen_bits_are_left_to_pillow() -> None:
    sink = io.BytesIO()
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(sink, "PNG")
    assert plain_png(sink.getvalue()) is None
    assert (read_header(sink.getvalue()).width, read_header(sink.getvalue()).height) == (40, 30)


damage = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255))


@settings(max_examples=500)
@given(
    image=st.sampled_from([*JPEGS.values(), *PNGS.values()]),
    changes=st.lists(damage, max_size=3),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
    headers_only=st.booleans(),
)
def test_what_is_plain_pillow_opens_too(
    image: bytes, changes: list[tuple[float, int]], keep: float, headers_only: bool
) -> None:
    """Any damage at all, most of it in the headers; the signature stays."""
    scan = image.find(b"\xff\xda") if image[0] == 0xFF else image.find(b"IDAT") + 4
    reach = scan + 16 if headers_only and scan > 0 else len(image)
    changed = bytearray(image)
    for place, byte in changes:
        at = int(place * min(reach, len(image)))
        changed[max(at, 8 if image[0] == 0x89 else 3)] = byte
    cut = bytes(changed[: max(int(keep * len(changed)), 8)])
    plain = plain_png(cut) if cut.startswith(PNG_SIGNATURE) else plain_jpeg(cut)
    if plain is not None:
        assert plain == by_pillow(cut)


segments = st.builds(
    lambda marker, start, body: segment(marker, start + body),
    st.sampled_from([*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE]),
    st.sampled_from([b"", b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe", b"Photoshop 3.0\0"]),
    st.binary(max_size=70),
)
FRAME = segment(0xC0, struct.pack(">BHHB", 8, 30, 40, 1) + bytes((1, 0x11, 0)))
SCAN = segment(0xDA, bytes((1, 1, 0, 0, 63, 0)))


@settings(max_examples=500)
@example(before=[FRAME], after=[])
@example(before=[segment(0xC0, struct.pack(">BHHB", 8, 0, 40, 1) + bytes(3))], after=[])
@example(before=[segment(0xC0, struct.pack(">BHHB", 12, 30, 40, 1) + bytes(3))], after=[])
@example(before=[segment(0xC0, struct.pack(">BHHB", 8, 30, 40, 2) + bytes(6))], after=[])
@example(before=[segment(0xDB, bytes((0x10,)) + bytes(64))], after=[])
@example(before=[segment(0xDB, bytes((0x01,)) + bytes(63))], after=[])
@example(before=[segment(0xDB, b"")], after=[])
@example(before=[segment(0xE2, b"ICC_PROFILE\0\1")], after=[])
@example(before=[segment(0xE0, b"JFIF\0\1")], after=[])
@example(before=[segment(0xEE, b"Adobe\0")], after=[])
@example(before=[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4")], after=[])
@example(before=[segment(0xE0, b"JFIF\0\1\1\1")], after=[segment(0xE1, b"Exif\0\0MM\0*")])
@given(before=st.lists(segments, max_size=4), after=st.lists(segments, max_size=2))
def test_any_segments_are_judged_as_pillow_judges_them(
    before: list[bytes], after: list[bytes]
) -> None:
    image = b"".join((b"\xff\xd8", *before, FRAME, *after, SCAN, b"\0" * 8, b"\xff\xd9"))
    plain = plain_jpeg(image)
    if plain is not None:
        assert plain == by_pillow(image)


def test_png_headers_that_lie() -> None:
    body = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)

    def png(body: bytes, crc: int | None = None) -> bytes:
        chunk = b"IHDR" + body
        check = struct.pack(">I", zlib.crc32(chunk) if crc is None else crc)
        return PNG_SIGNATURE + struct.pack(">I", len(body)) + chunk + check + b"\0\0\0\x08IDAT"

    assert plain_png(png(body)) == by_pillow(png(body)) == (40, 30)
    for lying in (
        png(body, crc=1),
        png(bytes(4) + body[4:]),  # no width
        png(body[:8] + b"\3" + body[9:]),  # three bits
        png(body[:11] + b"\1" + body[12:]),  # an unknown filter
    ):
        assert plain_png(lying) is None
        assert by_pillow(lying) is None
    with pytest.raises(ValueError, match="4294967295 x 30 pixels"):
        read_header(png(b"\xff" * 4 + body[4:]))


@needs_shared
def test_real_images() -> None:
    official = SHARED / "data/imagenet/official"
    images = [*jpegs_in((official / "ILSVRC2012_img_val.tar").read_bytes())]
    for inner in jpegs_in((official / "ILSVRC2012_img_train.tar").read_bytes()):
        images += jpegs_in(inner)
    assert len(images) == 352
    sizes = [plain_jpeg(image) for image in images]
    assert sum(size is not None for size in sizes) > 300
    for image, size in zip(images, sizes, strict=True):
        assert size in (None, by_pillow(image))


def jpegs_in(tar: bytes) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return [file.read() for member in opened if (file := opened.extractfile(member))]
