"""Each wrong input ends in one clear error and an exit code, and leaves nothing half-written."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shared_data import SHARED, needs_shared

PLANS = Path(__file__).parents[1] / "plans"
Command = Callable[..., int]


def leftovers(root: Path) -> list[Path]:
    """What a reader could mistake for a result, or what was not cleaned up."""
    suspects = ("scorings/**/*.json", "evaluations/**/*.json", "predictions/**/*.parquet")
    hidden = [path for path in root.rglob(".*") if path.is_file()]
    return [path for pattern in suspects for path in root.glob(pattern)] + hidden


def test_a_wrong_path(root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code = nightmark(
        *("evaluate", PLANS / "small.yaml", "--dataset", "cifar10", "--model", "resnet8"),
        *("--set", "datasets.0.location=/no/such/place"),
    )
    assert code == 2
    assert "/no/such/place: no such folder" in capsys.readouterr().out
    assert not leftovers(root)


def test_wrong_weights(root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code = nightmark(
        *("evaluate", PLANS / "small.yaml", "--dataset", "cifar10", "--model", "resnet8"),
        *("--set", "models.0.arguments={depth: 14}"),
    )
    assert code == 2
    assert "does not fit module:tasks.models.cifar_resnet" in capsys.readouterr().out
    assert not leftovers(root)


def test_a_bad_plan(nightmark: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code = nightmark("night", PLANS / "small.yaml", "--set", "runtime.bach_size=3")
    assert code == 2
    error = capsys.readouterr().err
    assert "runtime.bach_size: unknown key; allowed here: " in error
    assert "batch_size" in error
    assert "Traceback" not in error


def test_an_unknown_dataset(nightmark: Command, capsys: pytest.CaptureFixture[str]) -> None:
    plan = PLANS / "small.yaml"
    assert nightmark("evaluate", plan, "--dataset", "mnist", "--model", "resnet8") == 2
    assert "no dataset 'mnist' in the plan; there are: cifar10" in capsys.readouterr().err


def test_a_model_with_ten_outputs_on_a_thousand_classes(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = nightmark(
        *("evaluate", PLANS / "small.yaml", "--dataset", "cifar10", "--model", "resnet8"),
        *("--set", "datasets.0.classes=imagenet"),
    )
    assert code == 2
    printed = capsys.readouterr().out
    assert "10 outputs, the dataset 1000 classes" in printed
    assert not leftovers(root)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            "gates=[{metric: recall, classes: [otter], min: 0.5}]",
            "'otter' is no class of cifar10/test/resnet8",
        ),
        (
            "gates=[{metric: top1, scope: slice, slices: [weather=fog], min: 0.5}]",
            "cifar10/test/resnet8 has no slice 'weather=fog'; it has no slices",
        ),
        ("datasets.0.slices=[{field: weather}]", "the samples have no field 'weather'; they have"),
        ("datasets.0.class_groups={animals: [otter]}", "class_groups animals: 'otter' is no class"),
    ],
)
def test_a_wish_that_the_dataset_does_not_allow_is_found_before_anything_is_predicted(
    setting: str, told: str, root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = nightmark(
        *("evaluate", PLANS / "small.yaml", "--dataset", "cifar10", "--model", "resnet8"),
        *("--set", setting),
    )
    assert code == 2
    assert told in capsys.readouterr().out
    assert not leftovers(root)


@needs_shared
def test_a_truncated_source(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official = SHARED / "data/imagenet/official"
    images = tmp_path / "ILSVRC2012_img_val.tar"
    images.write_bytes((official / images.name).read_bytes()[:3_000_000])
    shutil.copy(official / "ILSVRC2012_devkit_t12.tar.gz", tmp_path)
    code = nightmark(
        *("shard", PLANS / "shared.yaml", "--dataset", "imagenet"),
        *("--set", f"datasets.1.location={tmp_path}"),
    )
    assert code == 2
    error = capsys.readouterr().err
    assert str(images) in error
    assert "cut short" in error
    assert not list(root.rglob("*.tar"))


@needs_shared
def test_an_unknown_class_id_is_skipped_and_told(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official = SHARED / "data/imagenet/official"
    with tarfile.open(official / "ILSVRC2012_devkit_t12.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    truth = next(tmp_path.rglob("*ground_truth.txt"))
    lines = truth.read_text().splitlines()
    truth.write_text("\n".join(["1001", *lines[1:]]) + "\n")
    code = nightmark(
        *("shard", PLANS / "shared.yaml", "--dataset", "imagenet"),
        *("--set", f"datasets.1.devkit={tmp_path}"),
    )
    assert code == 0
    printed = capsys.readouterr().out
    assert "327 samples" in printed
    assert "skipped ILSVRC2012_val_00000001.JPEG: no such class" in printed


def test_a_truncated_shard(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = PLANS / "small.yaml"
    assert nightmark("shard", plan) == 0
    tar = max(root.glob("shards/cifar10/test/*/*.tar"))
    tar.write_bytes(tar.read_bytes()[:-2000])
    capsys.readouterr()
    code = nightmark("evaluate", plan, "--dataset", "cifar10", "--model", "resnet8")
    assert code == 3
    printed = capsys.readouterr().out
    assert tar.name in printed
    assert "build the shards again" in printed
    assert not list(root.glob("scorings/**/*.json"))
    assert not [path for path in root.rglob(".*") if path.is_file()]
