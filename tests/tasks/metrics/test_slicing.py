import numpy as np
import pyarrow as pa
import pytest

from shards.errors import InputError
from shards.sample import ClassList
from tasks.metrics.slicing import MAX_VALUES, NOT_GIVEN, Slicing, needed_columns, slice_samples
from tasks.metrics.spec import ScoringSpec, SliceSpec

ANIMALS = ClassList(names=("crane", "otter", "crane"), ids=("n01", "n02", "n03"))
SAMPLES = pa.table(
    {
        "width": pa.array([10, 20, 30, 40, 100], pa.int32()),
        "height": pa.array([10, 10, 30, 80, 100], pa.int32()),
        "session": pa.array([2, 10, 2, None, 10], pa.int64()),
        "light": ["dusk", "day", None, "day", "dusk"],
        "angle": [0.1, 0.5, 0.9, None, 0.5],
        "boxes": [[1], [2], [3], [4], [5]],
    }
)


def sliced(**more: object) -> Slicing:
    spec = ScoringSpec(slices=(SliceSpec.model_validate(more),))
    (found,) = slice_samples(SAMPLES, spec, ANIMALS)
    return found


def of(slicing: Slicing) -> list[str]:
    """The slice of each sample."""
    return [slicing.names[code] for code in slicing.codes]


def test_every_value_is_a_slice_and_a_missing_one_too() -> None:
    found = sliced(field="light")
    assert of(found) == [f"light={value}" for value in ("dusk", "day", NOT_GIVEN, "day", "dusk")]
    assert found.values == ("day", "dusk", NOT_GIVEN)


def test_numbers_are_values_by_their_size() -> None:
    assert sliced(field="session").values == ("2", "10", NOT_GIVEN)


def test_bins_hold_their_lower_border() -> None:
    found = sliced(field="angle", edges=(0.5, 0.95))
    assert of(found) == [
        f"angle={value}" for value in ("..0.5", "0.5..0.95", "0.5..0.95", NOT_GIVEN, "0.5..0.95")
    ]
    # A bin without a sample is no slice.
    assert found.values == ("..0.5", "0.5..0.95", NOT_GIVEN)


def test_quantiles_are_those_of_numpy() -> None:
    generator = np.random.default_rng(1)
    angles = generator.normal(size=1_000)
    spec = ScoringSpec(slices=(SliceSpec(field="angle", quantiles=4),))
    (found,) = slice_samples(pa.table({"angle": angles}), spec, ANIMALS)
    assert np.bincount(found.codes).tolist() == [250] * 4
    expected = np.searchsorted(np.quantile(angles, [0.25, 0.5, 0.75]), angles, side="right")
    assert found.codes.tolist() == expected.tolist()


def test_equal_numbers_share_a_bin_however_many_are_asked_for() -> None:
    spec = ScoringSpec(slices=(SliceSpec(field="size"),))
    same = pa.table({"width": pa.array([32] * 9), "height": pa.array([32] * 9)})
    (found,) = slice_samples(same, spec, ANIMALS)
    assert found.names == ("size=1024..",)


def test_images_are_sliced_by_size_and_shape() -> None:
    assert of(sliced(field="size", edges=(100, 1000))) == [
        f"size={value}" for value in ("100..1000", "100..1000", "100..1000", "1000..", "1000..")
    ]
    assert of(sliced(field="aspect")) == [
        f"aspect={value}" for value in ("0.8..1.25", "1.25..", "0.8..1.25", "..0.8", "0.8..1.25")
    ]
    assert sliced(field="aspect", quantiles=2).values == ("..1", "1..")


def test_groups_of_classes_are_slices_by_being_named() -> None:
    spec = ScoringSpec(class_groups={"birds": ("n01", "n03"), "all": ("n01", "otter", "n03")})
    (found,) = slice_samples(pa.table({}), spec, ANIMALS)
    assert found.names == ("class_group=birds", "class_group=all")
    assert found.groups is not None
    assert found.groups.tolist() == [[True, False, True], [True, True, True]]
    assert found.min_size == 30
    listed = spec.model_copy(update={"slices": (SliceSpec(field="class_group", min_size=5),)})
    (again,) = slice_samples(pa.table({}), listed, ANIMALS)
    assert again.min_size == 5


def test_only_the_columns_needed_are_named() -> None:
    spec = ScoringSpec(
        slices=(SliceSpec(field="size"), SliceSpec(field="aspect"), SliceSpec(field="light")),
        class_groups={"birds": ("n01",)},
    )
    assert needed_columns(spec) == ("width", "height", "light")
    assert needed_columns(ScoringSpec(class_groups={"birds": ("n01",)})) == ()


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"field": "colour"}, "have no field 'colour'; they have width, height, session"),
        ({"field": "angle"}, "angle holds numbers; give `edges`"),
        ({"field": "boxes"}, "boxes holds list"),
        ({"field": "light", "quantiles": 4}, "light holds string, not numbers"),
    ],
)
def test_what_cannot_be_sliced_is_refused(entry: dict, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        sliced(**entry)


@pytest.mark.parametrize("label", ["crane", "n09"])
def test_a_group_of_what_is_no_class_is_refused(label: str) -> None:
    spec = ScoringSpec(class_groups={"birds": (label,)})
    with pytest.raises(InputError, match=f"class_groups birds: '{label}' is no class, or names"):
        slice_samples(SAMPLES, spec, ANIMALS)


def test_a_field_of_too_many_values_is_refused() -> None:
    names = pa.table({"name": [str(row) for row in range(MAX_VALUES + 1)]})
    spec = ScoringSpec(slices=(SliceSpec(field="name"),))
    with pytest.raises(InputError, match=r"name has 1,001 values; at most 1,000"):
        slice_samples(names, spec, ANIMALS)


def test_a_field_of_the_samples_own_is_not_taken_for_the_image() -> None:
    spec = ScoringSpec(slices=(SliceSpec(field="size"),))
    with pytest.raises(InputError, match="have a field 'size' of their own"):
        slice_samples(SAMPLES.append_column("size", pa.array([1] * 5)), spec, ANIMALS)
