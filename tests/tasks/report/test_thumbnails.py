"""Images as a page shows them."""

import io

import numpy as np
import pytest
from PIL import Image

from tasks.report.thumbnails import AS_IT_IS, SIDE, picture_stem, thumbnail


def encoded(side: int, form: str, mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (side, 2 * side, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(sink, form)
    return sink.getvalue()


@pytest.mark.parametrize(("form", "suffix"), [("PNG", "png"), ("JPEG", "jpg")])
def test_a_small_image_is_kept_byte_for_byte(form: str, suffix: str) -> None:
    image = encoded(16, form)
    assert thumbnail(image) == (suffix, image)


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("JPEG", "CMYK"), ("PNG", "P")])
def test_a_large_image_becomes_a_small_jpeg_of_the_same_shape(form: str, mode: str) -> None:
    image = encoded(400, form, mode)
    assert len(image) > AS_IT_IS
    suffix, small = thumbnail(image) or ("", b"")
    with Image.open(io.BytesIO(small)) as opened:
        assert (suffix, opened.format, opened.mode) == ("jpg", "JPEG", "RGB")
        assert opened.size == (SIDE, SIDE // 2)


@pytest.mark.parametrize("image", [b"", b"<svg onload='alert(1)'/>", encoded(16, "PNG")[:200]])
def test_what_does_not_decode_has_no_picture(image: bytes) -> None:
    assert thumbnail(image) is None


def test_any_key_has_a_name_that_is_safe_in_an_address() -> None:
    stems = {picture_stem(key) for key in ("a", "A", "../x", "<script>", "ä b?#")}
    assert len(stems) == 5
    assert all(stem.isalnum() for stem in stems)
