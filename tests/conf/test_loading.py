from pathlib import Path

import pytest

from conf.loading import load, load_with_models
from shards.errors import InputError
from tests.conf.conftest import Write
from tests.conf.small_plan import PLAN, changed, message

MODEL_KEYS = (
    "name, loader, weights, trusted, labels, targets, key_order, arguments, preprocessing, output, "
    "revision, datasets, priority"
)

DATASET_KEYS = (
    "source, location, devkit, include, label_pattern, image_column, label_column, classes, "
    "name, split, verify, order, order_seed, targets, slices, class_groups, train"
)


def test_the_plan_itself_is_sound(write: Write) -> None:
    plan = load(write(PLAN), environment={})
    assert plan.runtime.batch_size == 16
    assert plan.models[0].preprocessing is not None


@pytest.mark.parametrize(
    ("text", "line", "key", "allowed"),
    [
        (
            PLAN + "modles: []\n",
            19,
            "modles",
            "name, datasets, models, gates, top_k, operating_points, promotion, retention, runtime",
        ),
        (
            changed("    split: test\n", "    split: test\n    splt: x\n"),
            5,
            "datasets.0.splt",
            DATASET_KEYS,
        ),
        (
            changed("    loader:", "    weigths: x\n    loader:"),
            9,
            "models.0.weigths",
            MODEL_KEYS,
        ),
        (
            changed("resize: 32", "resise: 32"),
            11,
            "models.0.preprocessing.resise",
            "resize, crop, interpolation, antialias, mean, std, fit, channels, divisor",
        ),
        (
            changed("    min: 0.5", "    minimum: 0.5"),
            14,
            "gates.0.minimum",
            (
                "metric, scope, classes, slices, min, max, max_drop, max_rise, min_gain, "
                "relative, policy, confidence, severity, bands, datasets, models"
            ),
        ),
        (
            changed("    min: 0.5\n", "    min: 0.5\n    bands: {poor: 0.1}\n"),
            15,
            "gates.0.bands.poor",
            "fair, good, strong",
        ),
        (
            changed("    datasets: [d]", "    dataset: [d]"),
            16,
            "gates.1.dataset",
            "preset, datasets, models",
        ),
        (
            changed("batch_size", "batchsize"),
            18,
            "runtime.batchsize",
            (
                "root, devices, precision, decoder, compile, batch_size, samples_per_shard, "
                "shards_per_task, keep_scores, max_failed, deadline, time_zone, "
                "prometheus, thumbnails, reports_url"
            ),
        ),
        (
            changed("    split: test\n", "    split: test\n    targets: {file: x.csv, kinds: y}\n"),
            5,
            "datasets.0.targets.kinds",
            "file, kind, subset",
        ),
        # Named like the tags that pydantic puts into a key path.
        (
            changed("    split: test\n", "    split: test\n    preset: x\n"),
            5,
            "datasets.0.preset",
            DATASET_KEYS,
        ),
    ],
)
def test_an_unknown_key(write: Write, text: str, line: int, key: str, allowed: str) -> None:
    path = write(text)
    assert message(path) == f"{path}:{line}: {key}: unknown key; allowed here: {allowed}"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (changed("    split: test\n", ""), 3, "datasets.0.split: is missing"),
        (changed("    loader: timm:resnet18\n", ""), 8, "models.0.loader: is missing"),
        (changed("name: small\n", ""), 1, "name: is missing"),
        (
            changed("batch_size: 16", "batch_size: many"),
            18,
            (
                "runtime.batch_size: input should be a valid integer, unable to parse string as an "
                "integer (found 'many')"
            ),
        ),
        (
            changed("batch_size: 16", "batch_size: 0"),
            18,
            "runtime.batch_size: input should be greater than or equal to 1 (found 0)",
        ),
        (
            changed("resize: 32", "mean: [1, 2]"),
            11,
            "models.0.preprocessing.mean.2: is missing",
        ),
        (
            changed("preset: cifar10", "preset: cifar11"),
            15,
            "gates.1.preset: input should be 'cifar10' or 'imagenet' (found 'cifar11')",
        ),
        (
            changed("    min: 0.5\n", ""),
            13,
            "gates.0: a gate needs `min` or `max`, or a change: `max_drop`, `max_rise`, `min_gain`",
        ),
        (
            changed("    min: 0.5\n", "    min: 0.5\n    max_drop: 0.01\n"),
            13,
            "gates.0: a level (`min`, `max`) and a change (`max_drop`) are two gates; write both",
        ),
        (
            changed("    min: 0.5\n", "    min: 0.5\n    bands: {good: 0.9, fair: 0.95}\n"),
            15,
            "gates.0.bands: bands must rise from `fair` over `good` to `strong`",
        ),
        (
            changed("    location: images", "    location: package:not_there/x"),
            6,
            (
                "datasets.0.location: the package 'not_there' is not installed; for the demo: "
                "pip install 'nightmark[demo]' (found 'package:not_there/x')"
            ),
        ),
        (
            changed("timm:resnet18", "tim:resnet18"),
            9,
            (
                "models.0.loader: string should match pattern "
                "'^((torchvision|timm|module):.+|(torchscript|export|onnx|transformers)(:.+)?|"
                "imported)$' (found 'tim:resnet18')"
            ),
        ),
        (
            changed("    loader:", "    datasets: [e]\n    loader:"),
            1,
            "plan: model m: dataset 'e' is not in the plan; there are: d",
        ),
        (
            changed("models:\n", "models:\n  - {name: m, loader: 'timm:x'}\n"),
            1,
            "plan: models: the name 'm' is used twice",
        ),
    ],
)
def test_one_fault_is_one_line(write: Write, text: str, line: int, told: str) -> None:
    path = write(text)
    assert message(path) == f"{path}:{line}: {told}"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (changed("resize: 32", "resize: big"), 11, "models.0.preprocessing.resize"),
        (
            changed("    loader:", "    arguments: {depth: [1]}\n    loader:"),
            9,
            "models.0.arguments.depth",
        ),
        (
            changed("    location:", "    classes: coco\n    location:"),
            6,
            "datasets.0.classes",
        ),
    ],
)
def test_a_fault_in_a_key_of_several_types_names_that_key(
    write: Write, text: str, line: int, key: str
) -> None:
    path = write(text)
    for told in message(path).splitlines():
        assert told.startswith(f"{path}:{line}: {key}: ")


def test_several_faults_are_as_many_lines(write: Write) -> None:
    path = write(changed("resize: 32", "resise: 32").replace("batch_size: 16", "batch_size: x"))
    lines = message(path).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == ["11", "18"]


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\tname: x", "a: !!python/object:os.system {}"]
)
def test_bad_yaml(write: Write, text: str) -> None:
    path = write(text)
    assert message(path).startswith(f"plan {path} is not readable as YAML: ")


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "words\n", "3"])
def test_a_plan_is_a_mapping(write: Write, text: str) -> None:
    path = write(text)
    assert message(path) == f"plan {path}: a mapping with name and datasets is needed"


def test_a_plan_without_models_builds_shards_and_evaluates_nothing(write: Write) -> None:
    path = write("name: p\ndatasets: [{name: d, split: test, source: cifar10, location: x}]\n")
    assert load(path, environment={}).models == ()
    with pytest.raises(InputError, match=f"plan {path} has no models, so there is nothing to eva"):
        load_with_models(path, environment={})


def test_a_plan_with_models_is_for_every_work(write: Write) -> None:
    path = write(PLAN)
    assert load_with_models(path, environment={}) == load(path, environment={})


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "missing.yaml"
    assert message(path) == f"plan {path}: No such file or directory"
    assert message(tmp_path) == f"plan {tmp_path}: Is a directory"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    assert message(path).startswith(f"plan {path} is not readable as YAML: ")


def test_a_key_that_stands_twice(write: Write) -> None:
    path = write("name: a\nname: b\n")
    with pytest.raises(InputError) as refused:
        load(path)
    assert str(refused.value) == f"{path}:2: name stands twice; remove one of them"


@pytest.mark.parametrize(("written", "meant"), [("on", "on"), ("off", "off"), ("auto", "auto")])
def test_a_switch_may_be_written_without_quotes(write: Write, written: str, meant: str) -> None:
    """YAML 1.1 reads a bare ``on`` as true."""
    plan = load(write(PLAN), [f"runtime.compile={written}"])
    assert plan.runtime.compile == meant
