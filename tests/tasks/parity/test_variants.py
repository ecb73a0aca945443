import pytest

from tasks.models.spec import Preprocessing
from tasks.parity.variants import Variant, combined, configured, single_changes

LITE0 = Preprocessing(
    resize=256,
    crop=224,
    interpolation="bicubic",
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
)


def changes(words: Preprocessing, decoder: str = "pil") -> dict[str, Variant]:
    found = single_changes(configured(words, decoder))  # type: ignore[arg-type]
    assert len({(str(v), v.preprocessing, v.decoder) for v in found}) == len(found)
    return {str(variant): variant for variant in found}


def test_every_change_is_of_one_factor() -> None:
    base = LITE0.model_dump()
    for name, variant in changes(LITE0).items():
        changed = {word for word, value in variant.preprocessing if value != base[word]}
        factor = name.partition(":")[0]
        assert (
            changed
            <= {
                "levels": {"mean", "std", "divisor"},
                "channels": {"channels"},
                "geometry": {"resize", "crop"},
                "interpolation": {"interpolation"},
                "decoder": {"antialias"},
            }[factor]
        )
        assert changed or variant.decoder != "pil"


def test_what_is_configured_is_not_tried_again() -> None:
    found = changes(LITE0)
    assert "levels: (x - 127) / 128" not in found
    assert "levels: ImageNet mean and std" in found
    assert "geometry: resize 256, crop 224" not in found
    assert "interpolation: bicubic" not in found
    assert {"geometry: squash", "channels: BGR", "decoder: torchvision"} <= found.keys()
    assert 10 <= len(found) <= 14


def test_levels_that_only_look_different_are_the_same() -> None:
    on_grey_levels = LITE0.model_copy(
        update={"divisor": 1.0, "mean": (127.0,) * 3, "std": (128.0,) * 3}
    )
    assert "levels: (x - 127) / 128" not in changes(on_grey_levels)
    assert "levels: mean and std 0.5" in changes(LITE0)


def test_images_that_are_taken_as_they_are_keep_their_size() -> None:
    found = changes(Preprocessing())
    assert {name.partition(":")[0] for name in found} == {"levels", "channels", "decoder"}
    assert "levels: 0 to 1" not in found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({"resize": (224, 224)}, "geometry: resize 256, crop 224"),
        ({"resize": (96, 64)}, "interpolation: nearest"),
        ({"resize": 256, "crop": 224, "antialias": False}, "decoder: antialias"),
        ({"resize": 224, "crop": 224, "fit": "longer"}, "geometry: resize 224, crop 224"),
        ({"channels": "bgr"}, "channels: RGB"),
    ],
)
def test_other_ways_around(words: dict[str, object], wanted: str) -> None:
    assert wanted in changes(Preprocessing.model_validate(words), "torchvision")


def test_changes_together() -> None:
    found = changes(LITE0)
    base = configured(LITE0, "pil")
    picked = [
        found["levels: ImageNet mean and std"],
        found["geometry: squash"],
        found["decoder: torchvision, no antialias"],
    ]
    both = combined(base, picked)
    assert both.preprocessing == LITE0.model_copy(
        update={
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "resize": (224, 224),
            "crop": None,
            "antialias": False,
        }
    )
    assert both.decoder == "torchvision"
    assert str(both).startswith("together: ImageNet mean and std, squash")
