import pytest
from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import base_plus_ext

from shards.image import ImageHeader
from shards.sample import KEY_PATTERN, ClassList, Sample, webdataset_key

HEADER = ImageHeader("png", 1, 1)


@given(st.text(max_size=200))
def test_a_key_of_any_name_is_a_key(name: str) -> None:
    assert KEY_PATTERN.fullmatch(webdataset_key(name))


@given(st.text(min_size=1, max_size=200))
def test_webdataset_finds_the_key_in_the_member_name(name: str) -> None:
    key = webdataset_key(name)
    assert base_plus_ext(f"{key}.png") == (key, "png")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000001"),
        ("a/b/c.png", "c"),
        ("v1.2.final.jpg", "v1_2_final"),
        ("Käfer 3.png", "K_fer_3"),
        ("no_suffix", "no_suffix"),
        (".png", "_"),
        ("", "_"),
        ("x" * 300 + ".png", "x" * 90),
    ],
)
def test_keys(name: str, key: str) -> None:
    assert webdataset_key(name) == key


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "ä", "a b", "x" * 91, "a\n"])
def test_a_sample_refuses_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="not a sample key"):
        Sample(key, b"", HEADER, 0, "name")


def test_a_sample_refuses_a_negative_label() -> None:
    with pytest.raises(ValueError, match="sample a: label -1 is negative"):
        Sample("a", b"", HEADER, -1, "name")
    assert Sample("a", b"", HEADER, None, "name").label is None


def test_classes_need_unique_ids_but_not_unique_names() -> None:
    assert len(ClassList(names=("crane", "crane"), ids=("n02012849", "n03126707"))) == 2
    with pytest.raises(ValueError, match="not unique"):
        ClassList.of_names(("crane", "crane"))
    with pytest.raises(ValueError, match="1 class names for 2 class ids"):
        ClassList(names=("a",), ids=("a", "b"))
