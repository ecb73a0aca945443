"""One shot is recognised shifted, mirrored by the caller, brighter and compressed; two are not."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from tasks.health.registration import REACH, register
from tests.tasks.health.images import Pixels, scenes, signed


def compressed(image: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def compare(first: list[Pixels], second: list[Pixels]):
    return register(signed(first).grey, signed(second).grey)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, -2), (-4, 4), (3, 0)])
def test_a_shift_is_found_and_measured(down: int, right: int) -> None:
    big = scenes(1, seed=3)[0]
    wide = np.asarray(Image.fromarray(big).resize((48, 48), Image.Resampling.BICUBIC))
    one = wide[8 : 8 + 32, 8 : 8 + 32]
    other = wide[8 + down : 40 + down, 8 + right : 40 + right]
    found = compare([one], [other])
    assert found.same.all()
    assert found.shift.tolist() == [[down, right]]
    assert max(abs(down), abs(right)) <= REACH


def test_jpeg_and_light_are_no_other_shot() -> None:
    images = list(scenes(20, seed=5))
    changed = [compressed(np.clip(i * 0.7 + 30, 0, 255).astype(np.uint8), 75) for i in images]
    assert compare(images, changed).same.all()


def test_different_images_are_different() -> None:
    first, second = scenes(300, seed=1), scenes(300, seed=2)
    found = compare(list(first), list(second))
    assert not found.same.any()
    assert found.similarity.max() < 0.6


def test_a_common_frame_does_not_make_one_shot() -> None:
    first, second = scenes(2, seed=8).copy()
    for image in (first, second):
        image[:4], image[-4:], image[:, :4], image[:, -4:] = 255, 0, 255, 0
    assert not compare([first], [second]).same.any()


def test_little_to_see_is_little_evidence() -> None:
    """The same dot in an even sky correlates fully, and proves nothing."""
    sky = np.full((32, 32, 3), 120, np.uint8)
    sky[15:17, 14:18] = 30
    found = compare([sky], [sky.copy()])
    assert found.similarity[0] > 0.99
    assert not found.same.any()


def test_even_pictures_have_no_similarity() -> None:
    even = np.full((32, 32, 3), 7, np.uint8)
    found = compare([even], [even])
    assert (found.similarity[0], found.evidence[0]) == (0, 0)
    assert len(register(signed([]).grey, signed([]).grey).same) == 0


def test_the_correlation_is_pearsons() -> None:
    from tasks.health.registration import _correlation

    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 5, 8, 8)).astype(np.float32)
    expected = [stats.pearsonr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    assert _correlation(a, b) == pytest.approx(expected, abs=1e-6)
