"""Models whose outputs are not in the dataset's order, through the command."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from shards.sources.builtin import builtin_classes

Command = Callable[..., int]
SMALL_PLAN = Path(__file__).parents[1] / "plans/small.yaml"
WEIGHTS = SMALL_PLAN.parents[2] / "conf/weights/cifar10_resnet8_v2.safetensors"
IDS = builtin_classes("cifar10").ids
MODELS = ("resnet8", "turned")
TURNED = (None, *reversed(IDS))


def plan_of(folder: Path, **model: object) -> Path:
    """The small plan with a model of eleven outputs: a background, then the classes backwards."""
    state = load_file(WEIGHTS)
    for name, fill in (("linear.weight", 0.0), ("linear.bias", -100.0)):
        turned = state[name].flip(0)
        background = turned[:1] * 0 + fill
        state[name] = torch.cat([background, turned]).contiguous()
    save_file(state, folder / "turned.safetensors")
    plan = yaml.safe_load(SMALL_PLAN.read_text())
    (plain,) = plan["models"]
    plain["weights"] = str(WEIGHTS)
    turned_model = {
        **plain,
        "name": "turned",
        "arguments": {"depth": 8, "classes": 11},
        "weights": "turned.safetensors",
        **model,
    }
    plan["models"] = [plain, turned_model]
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return folder / "plan.yaml"


def predicted(root: Path, model: str) -> dict[str, list[int]]:
    rows = ds.dataset(root / "predictions", partitioning="hive").to_table(
        filter=ds.field("model") == model
    )
    return dict(zip(rows["key"].to_pylist(), rows["topk"].to_pylist(), strict=True))


def test_a_map_brings_the_same_predictions(root: Path, nightmark: Command, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, labels=list(TURNED))
    codes = {nightmark("evaluate", plan, "--dataset", "cifar10", "--model", m) for m in MODELS}
    assert len(codes) == 1
    assert predicted(root, "turned") == predicted(root, "resnet8")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "model turned has 11 outputs, the dataset 10 classes; say in `labels`"),
        (list(IDS), "model turned has 11 outputs, the dataset 10 classes; say in `labels`"),
        (list(IDS[:9]), "model turned has 11 outputs, its labels name 9"),
        ([*IDS, "unicorn"], "`labels` name 10 'unicorn', which are no classes of the dataset"),
    ],
)
def test_a_wrong_number_is_told_before_any_image_is_predicted(
    root: Path,
    nightmark: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    labels: list[str] | None,
    said: str,
) -> None:
    plan = plan_of(tmp_path, labels=labels)
    assert nightmark("evaluate", plan, "--dataset", "cifar10", "--model", "turned") == 2
    assert said in capsys.readouterr().out.replace("\n", " ")
    assert not list(root.glob("predictions/**/*.parquet"))
