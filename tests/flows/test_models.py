"""``nightmark models`` and ``check-preprocessing``, on small networks and real images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.support.shared_data import SHARED, needs_shared

Command = Callable[..., int]
SMALL_PLAN = Path(__file__).parents[1] / "plans/small.yaml"
WEIGHTS = SMALL_PLAN.parents[2] / "conf/weights/cifar10_resnet8_v2.safetensors"


def plan_of(folder: Path, *models: dict[str, Any], **dataset: str) -> Path:
    plan = yaml.safe_load(SMALL_PLAN.read_text())
    plan["models"] = [{**plan["models"][0], "weights": str(WEIGHTS), **model} for model in models]
    if dataset:
        plan["datasets"] = [{"name": "cifar10", "split": "test", **dataset}]
        plan["runtime"] = {"samples_per_shard": 500}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return folder / "plan.yaml"


def test_every_model_is_listed_and_a_broken_one_is_a_line(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "own.pth"
    torch.save(load_file(WEIGHTS), weights)
    missing = {"name": "missing", "weights": "nowhere.pth"}
    plan = plan_of(tmp_path, {"name": "own", "weights": "own.pth"}, missing, {"name": "resnet8"})
    assert nightmark("models", plan) == 2
    told = capsys.readouterr().out
    assert f"missing: cannot be used: model missing: weights {tmp_path / 'nowhere.pth'}" in told
    assert told.count("75,290 parameters, 10 outputs (logits), the dataset's order") == 2
    assert told.count("cifar10/test: never evaluated") == 2
    assert "mean 0.485 0.456 0.406" in told
    assert f"{weights} (0.3 MB)" in told

    sound = plan_of(tmp_path, {"name": "own", "weights": "own.pth"}, {"name": "resnet8"})
    nightmark("night", sound)
    capsys.readouterr()
    assert nightmark("models", sound) == 0
    assert capsys.readouterr().out.count("cifar10/test: unchanged since night ") == 2
    state = load_file(WEIGHTS)
    torch.save({name: tensor * 1.5 for name, tensor in state.items()}, weights)
    assert nightmark("models", sound) == 0
    told = capsys.readouterr().out
    own, other = told[: told.index("resnet8  ")], told[told.index("resnet8  ") :]
    assert "cifar10/test: changed since night " in own
    assert "cifar10/test: unchanged since night " in other


@needs_shared
def test_a_wrong_mean_is_exposed(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = SHARED / "data/cifar10/hf_parquet/plain_text"
    where = {"source": "cifar10", "location": str(images)}
    wrong = {"name": "wrong", "preprocessing": {"channels": "bgr"}}
    plan = plan_of(tmp_path, wrong, {"name": "right"}, **where)
    words = ("--dataset", "cifar10", "--images", "300", "--set", "runtime.batch_size=100")
    assert nightmark("check-preprocessing", plan, "--model", "wrong", *words) == 1
    told = capsys.readouterr().out
    assert "together: ImageNet mean and std, RGB" in told
    assert "proven better after correction for 7 variants" in told
    assert "preprocessing: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}" in told
    assert "about 0 s left" in told
    assert nightmark("check-preprocessing", plan, "--model", "right", *words) == 0
    told = capsys.readouterr().out
    assert "proven better" not in told
    assert "channels: BGR" in told
    assert not list(root.glob("predictions/**/*.parquet")), "a check leaves no predictions"


def test_what_cannot_be_checked(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores.npy"
    scores.write_bytes(b"")
    imported = {"name": "theirs", "loader": "imported", "weights": str(scores)}
    plan = plan_of(tmp_path, {"name": "m", "weights": "nowhere.pth"}, imported)
    for model, fault in (
        ("theirs", "model theirs is imported"),
        ("m", "nowhere.pth: no such file"),
        ("other", "there is no model 'other' in the plan"),
    ):
        words = ("check-preprocessing", plan, "--dataset", "cifar10", "--model", model)
        assert nightmark(*words) == 2
        assert fault in capsys.readouterr().err.replace("\n", " ")
