from pathlib import Path
from typing import Any

import pytest

from shards.errors import ModelError
from shards.sample import ClassList
from shards.sources.builtin import builtin_classes
from tasks.models.labels import IgnoredOutputs, bind, declared_labels
from tasks.models.spec import ModelSpec, Numerics, Preprocessing, ResolvedModel, run_name

PETS = ClassList(names=("tabby cat", "hound", "parrot"), ids=("cat", "dog", "bird"))
EXACT = Numerics(precision="float32", decoder="pil", device_type="cpu")


def model(labels: Any = None, carried: tuple[str | int | None, ...] | None = None) -> ResolvedModel:
    spec = ModelSpec(name="m", loader="timm:x", labels=labels)
    return ResolvedModel(
        spec=spec,
        preprocessing=Preprocessing(),
        weights_file=Path("w"),
        weights_sha256="a" * 64,
        labels=declared_labels(spec, carried),
    )


def told(labels: Any = None, carried: tuple[str | int | None, ...] | None = None) -> str:
    with pytest.raises(ModelError) as refused:
        bind(model(labels, carried), PETS)
    return str(refused.value)


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["bird", "cat", "dog"], (2, 0, 1)),
        (["parrot", "tabby cat", "hound"], (2, 0, 1)),
        ([None, "cat", "dog", "bird"], (None, 0, 1, 2)),
        (["dog"], (1,)),
        ({"ignore": [0]}, (None, 0, 1, 2)),
        ({"ignore": [3, 1]}, (0, None, 1, None, 2)),
        # Nothing to move.
        (["cat", "dog", "bird"], None),
        ("dataset-order", None),
        (None, None),
    ],
)
def test_outputs_find_their_classes(labels: Any, columns: tuple[int | None, ...] | None) -> None:
    bound = bind(model(labels), PETS)
    assert (bound.columns, bound.classes) == (columns, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "bird\n\ncat\ndog\n"),
        ("labels.json", '["bird", null, "cat", "dog"]'),
        ("labels.json", '{"3": "dog", "0": "bird", "1": null, "2": "cat"}'),
        ("labels.yaml", "0: bird\n1:\n2: cat\n3: dog\n"),
        ("labels.yml", "- bird\n- ~\n- cat\n- dog\n"),
    ],
)
def test_a_file_of_labels(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = model(tmp_path / name)
    assert found.labels == ("bird", None, "cat", "dog")
    assert bind(found, PETS).columns == (2, None, 0, 1)
    assert found.fingerprint == model(["bird", None, "cat", "dog"]).fingerprint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.json", "7"),
        ("labels.json", '{"0": "cat", "2": "dog"}'),
        ("labels.json", "["),
        ("labels.yaml", "a: cat"),
        ("labels.yaml", "- [cat]"),
        ("labels.yaml", "- yes"),
        ("labels.txt", None),
    ],
)
def test_files_that_are_no_labels(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=r"^model m: labels .*labels\.(json|yaml|txt): "):
        model(tmp_path / name)


def test_unknown_names_are_listed() -> None:
    assert told(["cat", "cow", "dog"]) == (
        "model m: `labels` name 1 'cow', which are no classes of the dataset (it has cat, dog, "
        "bird); give class ids, null for an output that means none of them, or "
        "`labels: dataset-order`"
    )
    assert "its own labels name 0 'cow'" in told(carried=("cow", "cat", "dog"))


def test_two_outputs_of_one_class() -> None:
    assert told(["cat", "dog", "tabby cat"]) == (
        "model m: outputs 0 and 2 both mean class cat; set one of them to null in `labels`"
    )


def test_carried_names_count_where_the_plan_says_nothing() -> None:
    assert bind(model(None, ("dog", "cat", "bird")), PETS).columns == (1, 0, 2)
    assert bind(model("dataset-order", ("dog", "cat", "bird")), PETS).columns is None
    assert bind(model(["bird"], ("dog", "cat", "bird")), PETS).columns == (2,)
    # Another vocabulary: the model is taken in the dataset's order, and its number is compared.
    assert bind(model(None, ("Katze", "Hund", "Vogel")), PETS).columns is None


def test_imported_scores_take_no_map() -> None:
    found = model(["dog", "cat", "bird"])
    spec = found.spec.model_copy(update={"loader": "imported"})
    with pytest.raises(ModelError, match="imported scores are in the dataset's order"):
        bind(found.model_copy(update={"spec": spec}), PETS)


def test_imagenets_two_cranes() -> None:
    imagenet = builtin_classes("imagenet")
    own_order = bind(model(list(imagenet.names)), imagenet)
    assert own_order.columns is None
    with pytest.raises(ModelError, match="is the name of several classes; give class ids"):
        bind(model([None, *imagenet.names]), imagenet)
    background = bind(model([None, *imagenet.ids]), imagenet)
    assert background.columns == (None, *range(1000))


def test_a_map_is_part_of_the_model_version() -> None:
    versions = {
        model(labels).fingerprint
        for labels in (None, ["cat", "dog"], ["dog", "cat"], {"ignore": [0]}, "dataset-order")
    }
    assert len(versions) == 5
    assert model({"ignore": [0, 1]}).fingerprint == model({"ignore": [1, 0]}).fingerprint


def test_a_run_is_named_by_the_classes_that_the_map_meets() -> None:
    plain = bind(model(), PETS)
    assert run_name(plain, EXACT) == run_name(model(), EXACT)
    mapped = model(["dog", "cat", "bird"])
    other = ClassList.of_names(("bird", "cat", "dog"))
    assert run_name(bind(mapped, PETS), EXACT) != run_name(bind(mapped, other), EXACT)


def test_ignoring_nothing_is_no_map() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        IgnoredOutputs(ignore=())
